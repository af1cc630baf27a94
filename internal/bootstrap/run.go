package bootstrap

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/supervise"
)

// Run supervises the listener of an installed runner until ctx ends or it
// cannot or need not go on; one process at a time. What the listener does is
// written into the report that status reads.
func (h *Host) Run(ctx context.Context, name string) error {
	record, err := h.Store.Load(name)
	if err != nil {
		return err
	}
	lock, err := h.Store.LockRunner(ctx, name)
	if err != nil {
		return err
	}
	defer lock.Release()
	user, err := userOf(record)
	if err != nil {
		return fmt.Errorf("finding the runner's account: %w", err)
	}
	return supervise.Run(ctx, supervise.Config{
		Root:        record.Dir,
		User:        user,
		StopTimeout: stopTimeout,
		Backoff:     supervise.DefaultBackoff(),
		Log:         h.Log.With("runner", name),
		Report: func(c supervise.Change) {
			err := h.Store.SaveReport(name, instance.Report{
				State: string(c.State), Since: time.Now().UTC(), PID: os.Getpid(), Version: c.Version,
				Job: c.Job, ExitCode: c.ExitCode, Reason: c.Reason, Starts: c.Starts,
			})
			if err != nil {
				// Status is worse off for it, jobs are not.
				h.Log.Warn("saving the report", "runner", name, "error", err)
			}
		},
	})
}
