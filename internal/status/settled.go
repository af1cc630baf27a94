package status

import (
	"cmp"
	"context"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/control"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
)

const (
	// looks bounds how often a runner is looked at again that changes while it is looked at.
	looks = 3
	// lifeEnds is how long a listener may take to end after GitHub has taken the runner of its only job off the list.
	lifeEnds = 2 * time.Second
	glance   = 100 * time.Millisecond
)

// settled looks again at a runner whose witnesses disagree only since they were asked one after the other, and something has
// happened in between: a job came or ended, its agent has registered it again.
func (w Witnesses) settled(ctx context.Context, record instance.Record, s Runner, err error, silent map[string]error) (Runner, error) {
	for range looks {
		if len(s.Problems) == 0 || !w.changes(ctx, record, s) {
			break
		}
		now, gone := w.Store.Load(record.Name)
		if gone != nil {
			break // it is being removed, and what was seen was true
		}
		record = now
		s, err = w.statusOf(ctx, record)
		err = cmp.Or(err, w.lookAtGitHub(ctx, record, &s, silent))
	}
	return s, err
}

// changes tells whether a runner is not any more as it was looked at. One that is for one job, and that GitHub does not list, is given
// the time in which its listener ends.
func (w Witnesses) changes(ctx context.Context, record instance.Record, s Runner) bool {
	wait := s.GitHub.State == Absent && forOneJob(record)
	for deadline := time.Now().Add(lifeEnds); ; {
		now, err := w.Store.Load(record.Name)
		report, alive, _, unread := control.Latest(ctx, w.Store, record)
		switch {
		case err != nil || unread != nil || !alive:
			return false
		case now.RunnerID != record.RunnerID, report.State != s.Listener.State, report.Starts != s.Listener.Starts:
			return true
		case !wait || time.Now().After(deadline):
			return false
		}
		select {
		case <-ctx.Done():
			return false
		case <-time.After(glance):
		}
	}
}

// forOneJob tells whether GitHub takes the runner off its list after each job.
func forOneJob(record instance.Record) bool { return record.Ephemeral || record.JIT }

// betweenLives tells whether it is as it is to be that GitHub does not list the runner at this moment: for a while, since an agent that
// hangs there has lost it.
func (s *Runner) betweenLives(record instance.Record) bool {
	renewing := s.Listener.State == instance.Reregistering || s.Listener.State == instance.Updating
	return forOneJob(record) && renewing && s.Listener.Since != nil && time.Since(*s.Listener.Since) < instance.ComeUp
}
