package register

import (
	"errors"

	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
)

// Finished tells of a runner that has ended of its own accord and holds no registration any more: of what it was for
// nothing is left to do. It is the zero Outcome for every other one, and where that is not known. The words are those
// of its agent, which no job can change.
func (k Kept) Finished() instance.Outcome {
	r := k.record
	if r.Phase != instance.Installed && r.Phase != instance.Removing || r.Renewing || len(r.PendingDeletes) > 0 {
		return ""
	}
	agent, err := k.store.Running(r.Name)
	if err != nil || !agent.None() {
		return ""
	}
	report, err := k.store.LoadReport(r.Name)
	if err != nil || report.State != instance.Ended || !report.Outcome.Own() {
		return ""
	}
	if _, err := k.Find(); !errors.Is(err, ErrNotConfigured) {
		return ""
	}
	return report.Outcome
}

// Spent tells whether GitHub has deleted a runner by itself: one that was for one job and has done it.
func (k Kept) Spent() bool {
	return (k.record.Ephemeral || k.record.JIT || k.record.PreRegistered) && k.Finished() == instance.Served
}
