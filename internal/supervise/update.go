package supervise

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/folders"
)

const (
	updateFlag = "update.finished"
	updatePoll = 100 * time.Millisecond
	// scriptTime is longer than the update script is without a listener.
	scriptTime = 5 * time.Second
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
// wait ended without a sign: at the latest when gone is closed, as its script is then too.
func awaitUpdate(ctx context.Context, root string, since time.Time, most time.Duration, gone <-chan struct{}) bool {
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
		case <-gone:
			return updateOver(root, since)
		case <-tick.C:
		}
	}
}

func updateOver(root string, since time.Time) bool {
	if _, err := os.Lstat(filepath.Join(root, updateFlag)); !errors.Is(err, fs.ErrNotExist) {
		return err == nil
	}
	tree, err := os.OpenRoot(root)
	if err != nil {
		return false
	}
	defer tree.Close()
	logs, err := folders.Enter(tree, "_diag")
	if err != nil {
		return false
	}
	defer logs.Close()
	over := false
	err = folders.Names(logs, func(name string) bool {
		if strings.HasPrefix(name, "SelfUpdate-") && (strings.HasSuffix(name, ".succeed") || strings.HasSuffix(name, ".failed")) {
			info, err := logs.Lstat(name)
			over = err == nil && info.ModTime().After(since)
		}
		return !over
	})
	return err == nil && over
}

// awaitListener waits until the root has a listener, or ctx ends.
func awaitListener(ctx context.Context, root string) {
	tick := time.NewTicker(updatePoll)
	defer tick.Stop()
	for CheckListener(root) != nil {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// linkNewest puts a link where an update that was killed has left nothing: its
// script moves the folder away before it makes the link (actions/runner,
// update.sh.template). The newest version on the disk is taken.
func linkNewest(root string) {
	tree, err := os.OpenRoot(root)
	if err != nil {
		return
	}
	defer tree.Close()
	for _, name := range []string{"externals", "bin"} {
		if _, err := tree.Lstat(name); !errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if newest := newestFolder(tree, name+"."); newest != "" {
			// Where it cannot be made, the start of the listener says what is missing.
			_ = folders.Link(tree, filepath.Join(root, newest), name)
		}
	}
}

// updated tells whether an update has ever come so far as to leave folders with
// versions in their names.
func updated(root string) bool {
	tree, err := os.OpenRoot(root)
	if err != nil {
		return false
	}
	defer tree.Close()
	return newestFolder(tree, "bin.") != ""
}

// newestFolder is the folder of that beginning whose name has the highest version;
// empty without one.
func newestFolder(tree *os.Root, beginning string) string {
	newest := ""
	err := folders.Names(tree, func(name string) bool {
		version, found := strings.CutPrefix(name, beginning)
		if found && newer(version, strings.TrimPrefix(newest, beginning)) {
			if info, err := tree.Lstat(name); err == nil && info.IsDir() {
				newest = name
			}
		}
		return true
	})
	if err != nil {
		return ""
	}
	return newest
}

// newer compares versions like 2.337.0; what is none is older than all.
func newer(a, b string) bool {
	x, y := numbers(a), numbers(b)
	return x != nil && slices.Compare(x, y) > 0
}

func numbers(version string) []int {
	var parts []int
	for word := range strings.SplitSeq(version, ".") {
		number, err := strconv.Atoi(word)
		if err != nil {
			return nil
		}
		parts = append(parts, number)
	}
	return parts
}
