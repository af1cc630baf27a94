package supervise

import (
	"context"
	"time"
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
	StopNow                  // end, and do not wait for the running job
	Preempt                  // let the running job finish, and end: the machine is about to go
	Refresh                  // let the running job finish, have the runner's files refreshed, and go on
)

// stopState is what a supervisor is going to do, beside keeping its listener alive.
type stopState struct {
	leaving  Outcome // empty: it stays
	drained  bool    // it stays, without a listener
	stale    bool    // its files are to be refreshed before a listener runs on
	stopNow  bool    // no job is waited for
	deadline time.Time
	born     time.Time
	idle     time.Time // without a job since; zero before the first listening, and during a job
	beaten   time.Time
}

// stopping tells whether no listener is to run now.
func (p *stopState) stopping() bool { return p.draining() || p.stale }

// draining tells whether no listener is to run until somebody says otherwise.
func (p *stopState) draining() bool { return p.leaving != "" || p.drained }

// handleCommand takes in an order.
func (s *supervisor) handleCommand(o Order) {
	switch o.Kind {
	case Drain:
		s.drained = true
		s.bound(time.Now().Add(s.DrainTimeout))
	case Resume:
		s.drained = false
		if s.leaving == "" {
			s.deadline = time.Time{} // the next drain has its own time
		}
	case Refresh:
		s.stale = s.Refresh != nil
	case StopNow:
		s.stopNow = true
		s.leave(Stopped)
	case Preempt:
		s.leave(Preempted)
		if !o.Deadline.IsZero() {
			s.bound(o.Deadline)
		}
	}
	s.Log.Info("asked", "to", o.Kind.String(), "reason", o.Reason)
	draining := s.draining()
	s.change(func(now *Change) { now.Draining = draining })
}

// String says it in a word.
func (k OrderKind) String() string {
	return [...]string{"drain", "resume", "stop at once", "leave", "refresh the runner's files"}[k]
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
		alarm := time.NewTimer(s.runDue(time.Now()))
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
			s.handleCommand(order)
		case <-s.changed:
		case <-alarm.C:
		}
		alarm.Stop()
	}
}

// timers finds the next moment at which something is due.
type timers struct{ now, next time.Time }

// due tells whether that moment has come, and notes it if it has not.
func (a *timers) due(at time.Time) bool {
	if at.After(a.now) && at.Before(a.next) {
		a.next = at
	}
	return !at.After(a.now)
}

// runDue does what is due, and returns how long nothing else will be.
func (s *supervisor) runDue(now time.Time) time.Duration {
	a := &timers{now: now, next: now.Add(time.Hour)}
	if s.Beat != nil && a.due(s.beaten.Add(s.BeatEach)) {
		s.beaten = now
		s.Beat()
		a.due(now.Add(s.BeatEach))
	}
	if s.leaving == "" {
		s.limit(a)
	}
	if s.draining() && !s.deadline.IsZero() {
		a.due(s.deadline)
		a.due(s.doneAt().Add(s.StopTimeout))
	}
	return a.next.Sub(now)
}

// limit begins the end when a limit is reached.
func (s *supervisor) limit(a *timers) {
	now := s.snapshot()
	switch now.State {
	case Idle, Drained:
		if s.idle.IsZero() {
			s.idle = a.now
		}
	case Busy:
		s.idle = time.Time{}
	default: // what is between two of them is neither
	}
	l := s.Limits
	switch {
	case l.Jobs > 0 && now.Results.Total() >= l.Jobs:
		s.leave(Served)
	case l.Lifetime > 0 && a.due(s.born.Add(l.Lifetime)):
		s.leave(Aged)
	case l.Idle > 0 && !s.idle.IsZero() && now.State != Busy && a.due(s.idle.Add(l.Idle)):
		s.leave(Unused)
	}
}

// pause waits for d, unless there is something else to do.
func (s *supervisor) pause(ctx context.Context, d time.Duration) {
	waiting, cancel := context.WithTimeout(context.WithoutCancel(ctx), d)
	defer cancel()
	s.await(ctx, waiting.Done(), s.stopping)
}

// during does something that takes long, and breaks it off when the runner is to
// stop.
func (s *supervisor) during(ctx context.Context, do func(context.Context) error) error {
	doing, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	var err error
	over := make(chan struct{})
	go func() {
		defer close(over)
		err = do(doing)
	}()
	if !s.await(ctx, over, s.stopping) {
		cancel()
		<-over
	}
	return err
}
