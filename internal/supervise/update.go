package supervise

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

const (
	updateFlag = "update.finished"
	updatePoll = 100 * time.Millisecond
)

// clearUpdate removes the flag of an earlier self-update, which would make the
// next one look finished at once.
func clearUpdate(root string) {
	tree, err := os.OpenRoot(root)
	if err != nil {
		return
	}
	defer tree.Close()
	// It belongs to the runner; where it cannot be removed the next wait is
	// merely too short.
	_ = tree.Remove(updateFlag)
}

// awaitUpdate waits until the self-update that a listener has begun is over,
// one way or the other. Its script renames the folder bin away and puts a link
// there; starting a listener in between would fail. It returns false when the
// wait ended without a sign.
func awaitUpdate(ctx context.Context, root string, since time.Time, most time.Duration) bool {
	limit := time.NewTimer(most)
	defer limit.Stop()
	tick := time.NewTicker(updatePoll)
	defer tick.Stop()
	for {
		if updateOver(root, since) {
			return true
		}
		select {
		case <-ctx.Done():
			return false
		case <-limit.C:
			return false
		case <-tick.C:
		}
	}
}

func updateOver(root string, since time.Time) bool {
	if _, err := os.Lstat(filepath.Join(root, updateFlag)); !errors.Is(err, fs.ErrNotExist) {
		return err == nil
	}
	entries, err := os.ReadDir(filepath.Join(root, "_diag"))
	if err != nil {
		return false
	}
	for _, entry := range entries {
		name := entry.Name()
		if !strings.HasPrefix(name, "SelfUpdate-") ||
			!strings.HasSuffix(name, ".succeed") && !strings.HasSuffix(name, ".failed") {
			continue
		}
		if info, err := entry.Info(); err == nil && info.ModTime().After(since) {
			return true
		}
	}
	return false
}
