// Package departure has a runner heed what the cloud says of its machine: it orders it to leave, to pause
// while the machine sleeps, and to wait until the machine is in service.
package departure

import (
	"context"
	"errors"
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
	// gateTime bounds what a start waits for the cloud's word, which may take two questions. One that comes later is heeded as well.
	gateTime = 10 * time.Second
	// lateTime is how old a machine is when its metadata service should have come: one that is silent then is so for another reason.
	lateTime = 5 * time.Minute
	unheard  = "the cloud does not say yet whether it is in service"
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
	// Age is for how long this machine is up; nil: nobody knows.
	Age func() (age time.Duration, known bool)
	Log *slog.Logger

	mu       sync.Mutex // of what follows: Run and Ready are of different goroutines
	standing metadata.Notice
	unheard  bool // what stands is for want of an answer
}

// Held asks, for seconds at most, whether this machine is in service. It is why its runner is to wait, and empty where it is not
// to. On a machine that has just booted, a service that says nothing yet is such a reason: its network may come up late, and a
// runner of a warm pool would take a job that nobody finishes. Run ends that. It is to be called before Run.
func (w *Watcher) Held(ctx context.Context) string {
	cloud, tells := w.tells()
	if !tells {
		return ""
	}
	limited, cancel := context.WithTimeout(ctx, gateTime)
	defer cancel()
	notice, err := metadata.Now(limited, cloud)
	switch {
	case ctx.Err() != nil:
	case err != nil && w.early() > 0 && !errors.Is(err, metadata.ErrClosed):
		w.Log.Info("the cloud does not say yet whether this machine is in service; its runner waits", "reason", err.Error())
		w.unheard, w.standing = true, metadata.Notice{Cloud: cloud, Kind: metadata.Waits, Reason: unheard}
	case err != nil:
		w.Log.Info("the cloud does not say whether this machine is in service; its runner does not wait", "reason", err.Error())
	case notice.Kind == metadata.Waits:
		w.Log.Info("this machine is not in service; its runner waits", "reason", notice.Reason)
		w.standing = notice
	}
	return w.standing.Reason
}

// Ask is Held for somebody who waits: it asks until the cloud has said whether this machine is in service, for as long as patience, and
// on a machine that has just booted for longer. It is empty as well where nobody knows by then, which is told.
func (w *Watcher) Ask(ctx context.Context, patience time.Duration) string {
	cloud, tells := w.tells()
	if !tells {
		return ""
	}
	limited, cancel := context.WithTimeout(ctx, max(patience, w.early()))
	defer cancel()
	notice, err := w.persist(limited, cloud)
	switch {
	case ctx.Err() != nil:
	case err != nil:
		w.Log.Warn("the cloud does not say whether this machine is in service; its runner does not wait", "error", err)
	case notice.Kind == metadata.Waits:
		w.Log.Info("this machine is not in service; its runner waits", "reason", notice.Reason)
		return notice.Reason
	}
	return ""
}

// tells is the cloud that says whether a machine is in service, if this one's does.
func (w *Watcher) tells() (metadata.Cloud, bool) {
	cloud, known := metadata.Cloud(w.Preemption), true
	if w.Preemption == Auto {
		cloud, known = metadata.Firmware()
	}
	return cloud, known && cloud == metadata.AWS // the others have no such thing
}

// early is for how long yet this machine is one that has just booted.
func (w *Watcher) early() time.Duration {
	age, known := w.age()
	if !known {
		return 0
	}
	return max(lateTime-age, 0)
}

// age is for how long this machine is up, where somebody knows.
func (w *Watcher) age() (time.Duration, bool) {
	if w.Age == nil {
		return 0, false
	}
	return w.Age()
}

// persist asks until there is an answer, or one that time does not mend.
func (w *Watcher) persist(ctx context.Context, cloud metadata.Cloud) (metadata.Notice, error) {
	for try := 1; ; try++ {
		limited, cancel := context.WithTimeout(ctx, gateTime)
		notice, err := metadata.Now(limited, cloud)
		cancel()
		if err == nil || errors.Is(err, metadata.ErrClosed) || ctx.Err() != nil {
			return notice, err
		}
		if end, bounded := ctx.Deadline(); bounded && try == 1 {
			w.Log.Warn("the cloud does not say yet whether this machine is in service; waiting for it", "error", err,
				"at_most", time.Until(end).Round(time.Second))
		}
		if retry.Sleep(ctx, retry.Backoff{First: time.Second, Most: 5 * time.Second}.Wait(try)) != nil {
			return notice, err
		}
	}
}

// settle ends what Held has begun, where the cloud had not said anything: when it does, or has had its time.
func (w *Watcher) settle(ctx context.Context, cloud metadata.Cloud) {
	limited, cancel := context.WithTimeout(ctx, w.early())
	defer cancel()
	notice, err := w.persist(limited, cloud)
	if ctx.Err() != nil {
		return
	}
	if err != nil {
		w.Log.Warn("the cloud does not say whether this machine is in service; its runner waits no longer", "error", err)
	}
	if notice.Kind != metadata.Waits {
		notice = metadata.Notice{} // what else it says is heard again
	}
	if order, is := w.heed(notice, time.Now()); is {
		w.Order(order)
	}
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
	if w.unheard {
		w.settle(ctx, cloud)
	}
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
		left := w.left(notice)
		order.Deadline = now.Add(left).Add(-reserve) // two sums: of two times a difference may be as long as can be said
		args = append(args, "in", left.Round(time.Second))
	}
	w.Log.Warn("this machine is about to go, sleep or wait", args...)
	return order, true
}

// left is how long this machine has by a notice. A time before this machine was up says nothing of it as it is now, so
// that such a notice counts as told now.
func (w *Watcher) left(notice metadata.Notice) time.Duration {
	if age, known := w.age(); known && notice.Left < -age {
		return notice.Cloud.Shortest()
	}
	return notice.Left
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
