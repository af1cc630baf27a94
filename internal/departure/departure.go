// Package departure has a runner heed what the cloud says of its machine: it orders it to leave, to pause
// while the machine sleeps, and to wait until the machine is in service.
package departure

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/metadata"
	"github.com/runner-bootstrap/runner-bootstrap/internal/retry"
	"github.com/runner-bootstrap/runner-bootstrap/internal/supervise"
)

// The values of the option that name no cloud.
const (
	Auto = "auto"
	Off  = "off"
)

const (
	// reserve is what is left of a notice for ending the listener and taking the runner away from GitHub.
	reserve = 15 * time.Second
	// gateTime bounds what a start waits for the cloud's word. One that comes later is heeded as well.
	gateTime = 5 * time.Second
	// readyTime bounds what is told to the cloud.
	readyTime = 10 * time.Second
	// searches is how often a cloud is looked for whose firmware says nothing of it: its network may come up late. All
	// of them take half an hour.
	searches = 10
)

// Watcher hears what the cloud says of this machine.
type Watcher struct {
	// Preemption is the cloud, Auto, Off or empty for Off.
	Preemption string
	// Order is called for each order, by one goroutine, and may wait until the order is taken.
	Order func(supervise.Order)
	Log   *slog.Logger

	mu       sync.Mutex // of what follows: Run and Ready are of different goroutines
	standing metadata.Notice
}

// Held asks once, for seconds at most, whether this machine is in service. It is why it is not, and empty where it is, or nobody
// knows. It is to be called before Run.
func (w *Watcher) Held(ctx context.Context) string {
	cloud, known := metadata.Cloud(w.Preemption), true
	if w.Preemption == Auto {
		cloud, known = metadata.Firmware()
	}
	if !known || cloud != metadata.AWS { // the others have no such thing
		return ""
	}
	ctx, cancel := context.WithTimeout(ctx, gateTime)
	defer cancel()
	notice, err := metadata.Now(ctx, cloud)
	switch {
	case err != nil:
		w.Log.Info("the cloud does not say yet whether this machine is in service", "reason", err.Error())
	case notice.Kind == metadata.Waits:
		w.Log.Info("this machine is not in service; its runner waits", "reason", notice.Reason)
		w.standing = notice
		return notice.Reason
	}
	return ""
}

// Run hears the cloud until ctx ends. Where there is no cloud, it ends by itself.
func (w *Watcher) Run(ctx context.Context) {
	if w.Preemption == "" || w.Preemption == Off {
		return
	}
	cloud, found := w.find(ctx)
	if !found {
		if ctx.Err() == nil {
			w.Log.Info("no cloud that gives notice of preemption was found")
		}
		return
	}
	w.Log.Info("watching for notice of preemption", "cloud", string(cloud))
	for {
		notice, err := metadata.Await(ctx, cloud, w.standing, w.Log)
		if err != nil {
			return
		}
		if order, is := w.heed(notice, time.Now()); is {
			w.Order(order)
		}
	}
}

// find is the cloud that is watched.
func (w *Watcher) find(ctx context.Context) (metadata.Cloud, bool) {
	if w.Preemption != Auto {
		return metadata.Cloud(w.Preemption), true
	}
	for try := 1; ; try++ {
		if cloud, found := metadata.Detect(ctx); found || try == searches {
			return cloud, found
		}
		if err := retry.Sleep(ctx, retry.Backoff{First: 5 * time.Second, Most: 5 * time.Minute}.Wait(try)); err != nil {
			return "", false
		}
	}
}

// heed takes a notice in, and says what it asks of the runner.
func (w *Watcher) heed(notice metadata.Notice, now time.Time) (supervise.Order, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	before := w.standing
	if notice == (metadata.Notice{}) {
		if before.Kind == metadata.Leaves { // a runner that leaves does not come back
			return supervise.Order{}, false
		}
		w.standing = notice
		w.Log.Info("what the cloud had said of this machine is over", "reason", before.Reason)
		return supervise.Order{Kind: supervise.Release, Reason: "over: " + before.Reason}, true
	}
	w.standing = notice
	order := supervise.Order{Kind: supervise.Preempt, Reason: notice.Reason}
	if notice.Kind != metadata.Leaves {
		order.Kind = supervise.Hold
	}
	args := []any{"cloud", string(notice.Cloud), "reason", notice.Reason}
	if notice.Limited() {
		order.Deadline = now.Add(notice.Left - reserve)
		args = append(args, "in", notice.Left.Round(time.Second))
	}
	w.Log.Warn("this machine is about to go, sleep or wait", args...)
	return order, true
}

// Ready tells a cloud that asks for it that nobody here is to be waited for any more. A cloud that does not hear it waits
// until its own time is over.
func (w *Watcher) Ready(ctx context.Context) {
	w.mu.Lock()
	standing := w.standing
	w.mu.Unlock()
	if standing.Cloud != metadata.Azure || !standing.Asks {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, readyTime)
	defer cancel()
	if err := metadata.Acknowledge(ctx); err != nil {
		w.Log.Warn("cannot tell the cloud that this machine may go; it waits until its time is over", "error", err)
		return
	}
	w.Log.Info("told the cloud that this machine may go")
}
