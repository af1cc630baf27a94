package supervise

import (
	"context"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/process"
)

// Order asks a running supervisor for something.
type Order struct {
	Kind OrderKind
	// Reason is why; it is shown.
	Reason string
	// Deadline bounds what the drain timeout allows; zero does not.
	Deadline time.Time
}

// OrderKind is what an [Order] asks for.
type OrderKind int

// The orders.
const (
	Drain   OrderKind = iota // let the running job finish, take no other, and wait
	Resume                   // take jobs again
	Hurry                    // end, and do not wait for the running job
	Preempt                  // let the running job finish, and end: the machine is about to go
)

// reapEach is how often ended children are looked for that nobody waits for.
const reapEach = 15 * time.Second

// plans is what a supervisor is going to do, beside keeping its listener alive.
type plans struct {
	leaving  Outcome // empty: it stays
	drained  bool    // it stays, without a listener
	hurry    bool    // no job is waited for
	deadline time.Time
	born     time.Time
	idle     time.Time // without a job since; zero before the first listening, and during a job
	beaten   time.Time
	reaped   time.Time
	child    int  // the process that is waited for; nobody else may bury it
	occupied bool // with something that has children of its own
}

// called tells whether no listener is to run now.
func (p *plans) called() bool { return p.leaving != "" || p.drained }

// obey takes in an order.
func (s *supervisor) obey(o Order) {
	switch o.Kind {
	case Drain:
		s.drained = true
		s.bound(time.Now().Add(s.DrainTimeout))
	case Resume:
		s.drained = false
	case Hurry:
		s.hurry = true
		s.leave(Stopped)
	case Preempt:
		s.leave(Preempted)
		if !o.Deadline.IsZero() {
			s.bound(o.Deadline)
		}
	}
	s.Log.Info("asked", "to", o.Kind.String(), "reason", o.Reason)
	draining := s.called()
	s.change(func(now *Change) { now.Draining = draining })
}

// String says it in a word.
func (k OrderKind) String() string {
	return [...]string{"drain", "resume", "stop at once", "leave"}[k]
}

// leave begins the end. The first reason stands.
func (s *supervisor) leave(why Outcome) {
	if s.leaving != "" {
		return
	}
	s.leaving = why
	s.bound(time.Now().Add(s.DrainTimeout))
	s.change(func(now *Change) { now.Draining = true })
}

// bound brings the end of a running job's time forward.
func (s *supervisor) bound(end time.Time) {
	if s.deadline.IsZero() || end.Before(s.deadline) {
		s.deadline = end
	}
}

// await waits until over is closed, and returns true; or until enough says that
// something else is to be done first, and returns false. Meanwhile it heeds
// orders and limits: nothing else in this package waits for long.
func (s *supervisor) await(ctx context.Context, over <-chan struct{}, enough func() bool) bool {
	for {
		if ctx.Err() != nil {
			s.leave(Stopped)
		}
		stop := ctx.Done()
		if s.leaving != "" {
			stop = nil
		}
		alarm := time.NewTimer(s.attend(time.Now()))
		select {
		case <-over:
			alarm.Stop()
			return true
		default:
		}
		if enough() {
			alarm.Stop()
			return false
		}
		select {
		case <-over:
			return true
		case <-stop:
		case order := <-s.Orders:
			s.obey(order)
		case <-s.changed:
		case <-alarm.C:
		}
		alarm.Stop()
	}
}

// attend does what is due, and returns how long nothing else will be.
func (s *supervisor) attend(now time.Time) time.Duration {
	next := now.Add(time.Hour)
	due := func(at time.Time) bool {
		if at.After(now) && at.Before(next) {
			next = at
		}
		return !at.After(now)
	}
	if s.Beat != nil && due(s.beaten.Add(s.BeatEach)) {
		s.beaten = now
		s.Beat()
		due(now.Add(s.BeatEach))
	}
	if s.Alone && !s.occupied && due(s.reaped.Add(reapEach)) {
		s.reaped = now
		process.Reap(s.child)
		due(now.Add(reapEach))
	}
	if s.Limits.Lifetime > 0 && s.leaving == "" && due(s.born.Add(s.Limits.Lifetime)) {
		s.leave(Aged)
	}
	if state := s.snapshot().State; state == Idle || state == Drained {
		if s.idle.IsZero() {
			s.idle = now
		}
		if s.Limits.Idle > 0 && s.leaving == "" && due(s.idle.Add(s.Limits.Idle)) {
			s.leave(Unused)
		}
	} else if state == Busy {
		s.idle = time.Time{}
	}
	if s.Limits.Jobs > 0 && s.leaving == "" && s.snapshot().Results.total() >= s.Limits.Jobs {
		s.leave(Served)
	}
	if s.called() && !s.deadline.IsZero() {
		due(s.deadline)
		due(s.doneAt().Add(s.StopTimeout))
	}
	return next.Sub(now)
}

// pause waits for d, unless there is something else to do.
func (s *supervisor) pause(ctx context.Context, d time.Duration) {
	waiting, cancel := context.WithTimeout(context.WithoutCancel(ctx), d)
	defer cancel()
	s.await(ctx, waiting.Done(), s.called)
}

// during does something that takes long, and breaks it off when the runner is to
// stop.
func (s *supervisor) during(ctx context.Context, do func(context.Context) error) error {
	doing, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	var err error
	over := make(chan struct{})
	s.occupied = true
	go func() {
		defer close(over)
		err = do(doing)
	}()
	defer func() { s.occupied = false }()
	if !s.await(ctx, over, s.called) {
		cancel()
		<-over
	}
	return err
}
