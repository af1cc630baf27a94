package bootstrap

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
)

const (
	// lateTime is how long a service waits for what is not there when it starts. It
	// then ends, to be started again: a sandbox shows nothing that is mounted after
	// its start in the place of what it had.
	lateTime = 10 * time.Second
	lateEach = 250 * time.Millisecond
)

// ErrLate means that a service has found nothing of its runner: what it is on may
// be mounted late. It is tried again.
var ErrLate = errors.New("it is not there: is its file system mounted late?")

// LoadLate reads the record of a runner whose service starts. Records that are not
// there are waited for, and then [ErrLate].
func LoadLate(ctx context.Context, store *instance.Store, name string) (instance.Record, error) {
	err := await(ctx, func() bool {
		_, err := store.Load(name)
		return !errors.Is(err, instance.ErrUnknown)
	})
	if err != nil {
		return instance.Record{}, fmt.Errorf("looking for the record of runner %q: %w", name, err)
	}
	return store.Load(name)
}

// awaitRoot does the same for the runner's directory. Status and log say so.
func (h *Host) awaitRoot(ctx context.Context, record instance.Record, with Supervision) error {
	there := func() bool { return !hollow(record.Dir) }
	if !with.Manager.Listens() || there() {
		return nil
	}
	reason := fmt.Sprintf("directory %q: %v", record.Dir, ErrLate)
	h.Log.Warn("waiting for the runner's directory", "runner", record.Name, "reason", reason)
	report, err := h.Store.LoadReport(record.Name)
	if err == nil {
		report.State, report.Reason, report.PID, report.Since = instance.Failing, reason, os.Getpid(), time.Now().UTC()
		err = h.Store.SaveReport(record.Name, report)
	}
	if err := errors.Join(err, with.Manager.Status(reason)); err != nil {
		h.Log.Warn("saying that the runner's directory is waited for", "runner", record.Name, "error", err)
	}
	if err := await(ctx, there); err != nil {
		return fmt.Errorf("looking at directory %q: %w", record.Dir, err)
	}
	return nil
}

// hollow tells whether nothing of a runner is there, not even what is damaged or
// what a killed process was about to put there.
func hollow(dir string) bool {
	entries, err := os.ReadDir(dir)
	if !errors.Is(err, fs.ErrNotExist) && (err != nil || len(entries) > 0) {
		return false
	}
	beside, err := filepath.Glob(filepath.Join(filepath.Dir(dir), "."+filepath.Base(dir)+".next*"))
	return err == nil && len(beside) == 0
}

// await looks until there is something; [ErrLate] after a while.
func await(ctx context.Context, there func() bool) error {
	limit := time.NewTimer(lateTime)
	defer limit.Stop()
	tick := time.NewTicker(lateEach)
	defer tick.Stop()
	for !there() {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-limit.C:
			return ErrLate
		case <-tick.C:
		}
	}
	return nil
}
