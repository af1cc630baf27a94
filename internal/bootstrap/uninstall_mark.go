package bootstrap

import (
	"context"
	"errors"
	"path/filepath"

	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/plan"
	"github.com/runner-bootstrap/runner-bootstrap/internal/volume"
	"github.com/runner-bootstrap/runner-bootstrap/internal/workspace"
)

// mark remembers that the runner is being removed. Where its disk has no room for that, the runner is stopped, which stopped
// tells, and what its jobs have left makes room: who has filled the disk is mostly a job, and nothing but this removes that. After a
// failure the runner is as it was, or one that was stopped and has an empty folder for jobs.
func (u *uninstaller) mark(ctx context.Context) (stopped bool, err error) {
	before := u.record
	save := func() error {
		marked, err := u.host.Store.Update(ctx, u.removal.Name, func(r *instance.Record) {
			// Once it is gone from the phase, nothing else would say that GitHub may list it.
			r.Renewing = r.Renewing || r.Phase == instance.Registering
			r.Phase = instance.Removing
			// What the supervisor has registered since this began is none of what was seen.
			if r.RunnerID == before.RunnerID && u.id != 0 && u.id != r.RunnerID {
				r.PendingDeletes, r.RunnerID = r.ToDelete(), u.id
			}
		})
		if err == nil {
			u.record = marked
		}
		return err
	}
	full := save()
	if !volume.IsFull(full) {
		return false, full
	}
	u.host.Log.Warn("cannot remember that the runner is being removed, removing first what its jobs have left",
		"runner", u.removal.Name, "reason", full.Error())
	if err := u.host.phase(plan.StopPhase, u.record.Name, func() (string, error) { return u.stop(ctx) }); err != nil {
		return false, errors.Join(full, err)
	}
	left := u.emptyWork() // what stays may be little
	if err := save(); err != nil {
		return true, errors.Join(err, left)
	}
	return true, nil
}

// emptyWork removes what jobs have left, where uninstall does that: in folders that are this program's.
func (u *uninstaller) emptyWork() error {
	if filepath.IsAbs(u.record.Work) {
		return u.removeWork()
	}
	return workspace.Empty(u.record.Dir, u.record.Work, -1) // the folder itself goes later
}
