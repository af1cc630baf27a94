package supervise

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Order asks a running supervisor for something.
type Order struct {
	Kind OrderKind
	// Reason is why; it is shown.
	Reason string
	// Deadline bounds what the drain timeout allows; zero does not. It is that of the world, which
	// goes on while this machine does not run.
	Deadline time.Time
	// From tells who says Hold and Release apart: nobody releases what another holds.
	From string
	// Fault says that what Hold is for is wrong with this host, and not meant.
	Fault bool
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
	Hold                     // as Drain, but on behalf of the machine: it is about to sleep, or not in service
	Release                  // what Hold was for is over; what somebody has drained stays so
)

// stopState is what a supervisor is going to do, beside keeping its listener alive.
type stopState struct {
	leaving  Outcome   // empty: it stays
	drained  bool      // it stays, without a listener
	holds    []hold    // so it does for these reasons of the machine's
	stale    bool      // its files are to be refreshed before a listener runs on
	stopNow  bool      // no job is waited for
	deadline time.Time // of a running job, by the drain timeout
	latest   time.Time // and by what the order said
	born     time.Time
	idle     time.Time // without a job since; zero before the first listening, and during a job
	beaten   time.Time
}

// hold is a reason to stay without a listener, and whose it is.
type hold struct {
	from, reason string
	fault        bool
}

// held is why the machine has it stay without a listener; empty if it does not.
func (p *stopState) held() (reason string, fault bool) {
	var reasons []string
	for _, h := range p.holds {
		reasons, fault = append(reasons, h.reason), fault || h.fault
	}
	return strings.Join(reasons, "; "), fault
}

// hold takes a reason in the place of an earlier one of the same origin.
func (p *stopState) hold(h hold) {
	p.release(h.from)
	p.holds = append(p.holds, h)
}

func (p *stopState) release(from string) {
	p.holds = slices.DeleteFunc(p.holds, func(h hold) bool { return h.from == from })
}

// stopping tells whether no listener is to run now.
func (p *stopState) stopping() bool { return p.draining() || p.stale }

// draining tells whether no listener is to run until somebody says otherwise.
func (p *stopState) draining() bool { return p.leaving != "" || p.paused() }

// paused tells whether it stays, without a listener.
func (p *stopState) paused() bool { return p.drained || len(p.holds) > 0 }

// handleCommand takes in an order.
func (s *supervisor) handleCommand(o Order) {
	switch o.Kind {
	case Drain:
		s.drained = true
		s.bound(time.Now().Add(s.DrainTimeout))
	case Resume:
		s.drained = false
	case Hold:
		s.hold(hold{o.From, o.Reason, o.Fault})
		s.bound(time.Now().Add(s.DrainTimeout))
		s.boundLatest(o.Deadline)
	case Release:
		s.release(o.From)
		if s.snapshot().Starts == 0 {
			s.born = time.Now()
		}
	case Refresh:
		s.stale = s.Refresh != nil
	case StopNow:
		s.stopNow = true
		s.leave(Stopped)
	case Preempt:
		s.leave(Preempted)
		s.boundLatest(o.Deadline)
	}
	if !s.draining() {
		s.deadline, s.latest = time.Time{}, time.Time{} // the next drain has its own time
	}
	s.Log.Info(o.Kind.words(s.snapshot().State == Busy), "reason", o.Reason) //nolint:sloglint // one of a few constants
	draining := s.draining()
	reason, fault := s.held()
	s.change(func(now *Change) {
		now.Draining, now.Faulty = draining, fault
		if now.State == Drained {
			now.Reason = reason // it may be another one now
		}
	})
}

// String says what comes of it for a listener with a job.
func (k OrderKind) String() string { return k.words(true) }

// words say what comes of an order. Without a job they speak of none: a person who ends an idle runner has cancelled nothing.
func (k OrderKind) words(busy bool) string {
	said := [...]struct{ what, ofJob string }{
		Drain:   {"draining", ", the current job may finish"},
		Resume:  {"taking jobs again", ""},
		StopNow: {"stopping now", ", the current job is cancelled"},
		Preempt: {"stopping", ", the current job may finish"},
		Refresh: {"another version comes", " after the current job"},
		Hold:    {"waiting", ", the current job may finish"},
		Release: {"going on", ""},
	}[k]
	if !busy {
		return said.what
	}
	return said.what + said.ofJob
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

// boundLatest is bound for a time that does not wait for this machine; zero is none.
func (p *stopState) boundLatest(end time.Time) {
	if !end.IsZero() && (p.latest.IsZero() || end.Before(p.latest)) {
		p.latest = end
	}
}

// end is when the running job is not waited for any more; zero for never.
func (p *stopState) end() time.Time {
	if p.deadline.IsZero() || !p.latest.IsZero() && p.latest.Before(p.deadline) {
		return p.latest
	}
	return p.deadline
}

// await waits until over is closed, and returns true; or until enough says that
// something else is to be done first, and returns false. Meanwhile it heeds
// orders and limits: nothing else in this package waits for long.
func (s *supervisor) await(ctx context.Context, over <-chan struct{}, enough func() bool) bool {
	woken := time.Now()
	for {
		if ctx.Err() != nil {
			s.leave(Stopped)
		}
		stop := ctx.Done()
		if s.leaving != "" {
			stop = nil
		}
		begin := time.Now()
		oversleep(s, begin.Sub(woken)) // what is done between two waits takes no such time by itself
		due := s.runDue(begin)
		alarm := time.NewTimer(due)
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
		var order *Order
		select {
		case <-over:
			return true
		case <-stop:
		case o := <-s.Orders:
			order = &o
		case <-s.changed:
		case <-alarm.C:
		}
		alarm.Stop()
		woken = time.Now()
		oversleep(s, woken.Sub(begin)-due)
		if order != nil {
			s.handleCommand(*order)
		}
	}
}

const (
	// nap is how much later than it was to an alarm rings on a machine that is busy.
	nap = 10 * time.Second
	// glance is how often is looked at the clock while the time of a job passes.
	glance = 2 * time.Second
)

// oversleep takes in that this process did not run for a while, as on a machine that was frozen, moved or put to sleep
// while its clock went on. That is no time that a job was given, nor one without a job.
func oversleep(s *supervisor, late time.Duration) {
	if late < nap {
		return
	}
	s.Log.Warn("this machine did not run for a while; that does not count", "time", late.Round(time.Second))
	s.note(func() {
		for _, moment := range []*time.Time{&s.deadline, &s.born, &s.idle, &s.done} {
			if !moment.IsZero() {
				*moment = moment.Add(late)
			}
		}
	})
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
	switch {
	case len(s.holds) > 0: // nobody could have given it a job
		s.idle = time.Time{}
	case s.leaving == "":
		s.limit(a)
	}
	if end := s.end(); s.draining() && !end.IsZero() {
		a.due(end)
		a.due(s.doneAt().Add(s.StopTimeout))
		if s.snapshot().State == Busy {
			a.due(now.Add(glance)) // what passes before the alarm counts, though this machine may not run then
		}
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

// endReason says why the supervisor leaves, with the limit where one was reached.
func endReason(s *supervisor) string {
	done, l := s.snapshot().Results.Total(), s.Limits
	switch {
	case s.leaving == Served && l.Jobs > 0 && done >= l.Jobs:
		return fmt.Sprintf("%d of %d jobs", done, l.Jobs)
	case s.leaving == Unused && l.Idle > 0:
		return fmt.Sprintf("no job for %v", l.Idle)
	case s.leaving == Aged && l.Lifetime > 0:
		return fmt.Sprintf("it ran for %v", l.Lifetime)
	default:
		return s.leaving.Sentence()
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
	return duringUntil(ctx, s, s.stopping, do)
}

// duringUntil is during with another reason to break it off.
func duringUntil(ctx context.Context, s *supervisor, enough func() bool, do func(context.Context) error) error {
	doing, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	var err error
	over := make(chan struct{})
	go func() {
		defer close(over)
		err = do(doing)
	}()
	if !s.await(ctx, over, enough) {
		cancel()
		<-over
	}
	return err
}
