package agent

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/removal"
	"github.com/runner-bootstrap/runner-bootstrap/internal/supervise"
	"github.com/runner-bootstrap/runner-bootstrap/internal/workspace"
)

// tidyEach is how often a runner's directory is tidied, while no job runs.
const tidyEach = 6 * time.Hour

// tidier bounds what a runner's directory grows to. It works while the runner is
// idle, and stops when a job comes.
type tidier struct {
	record instance.Record
	log    *slog.Logger

	mu      sync.Mutex
	latest  time.Time
	mounted string             // what was told to be mounted
	cancel  context.CancelFunc // of the one at work; nil without
	done    chan struct{}
}

// onState takes in one change of the listener's state, or none.
func (t *tidier) onState(state supervise.State) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if state != supervise.Idle {
		if t.cancel != nil {
			t.cancel()
			t.cancel = nil
		}
		return
	}
	if t.cancel != nil || time.Since(t.latest) < tidyEach {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	t.latest, t.cancel, t.done = time.Now(), cancel, make(chan struct{})
	go func(done chan struct{}) {
		defer close(done)
		limits := workspace.DefaultLimits()
		limits.WorkStays = ownWork(t.record) != nil // said when the runner was installed
		freed, err := workspace.Tidy(ctx, t.record.Dir, t.record.WorkDir(), limits, time.Now())
		if err != nil && ctx.Err() == nil && t.news(err) {
			t.log.Warn("cannot tidy the runner's directory", "error", err)
		}
		if freed.Files > 0 {
			t.log.Info("tidied the runner's directory", "files", freed.Files, "bytes", freed.Bytes, "names", freed.Names)
		}
	}(t.done)
}

// news tells whether an error says more than the one before has: what is mounted stays so, and is told once.
func (t *tidier) news(err error) bool {
	if !removal.MountsAlone(err) {
		return true
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	same := t.mounted == err.Error()
	t.mounted = err.Error()
	return !same
}

// end waits for the one at work.
func (t *tidier) end() {
	t.onState(supervise.Ended)
	t.mu.Lock()
	done := t.done
	t.mu.Unlock()
	if done != nil {
		<-done
	}
}
