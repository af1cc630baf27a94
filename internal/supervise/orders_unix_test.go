//go:build unix

package supervise

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// working is a listener that runs one job until the file go is there, and then
// listens on.
const working = `job=; trap 'test -z "$job" || echo "Job build completed with result: Canceled"; exit 0' INT
	job=build; echo "Listening for Jobs"; echo "Running job: build"
	while ! test -e go; do sleep 0.02; done
	rm go; job=; echo "Job build completed with result: Succeeded"
	while :; do sleep 0.02; done`

const listening = `echo "Listening for Jobs"; trap 'exit 0' INT; while :; do sleep 0.02; done`

// ordered is a run with orders.
func ordered(t *testing.T, c Config) (*run, chan Order) {
	t.Helper()
	orders := make(chan Order)
	c.Orders = orders
	return supervise(t, c), orders
}

func TestDrainAndResume(t *testing.T) {
	t.Parallel()
	root := scripted(t, working)
	c := config(root, quiet())
	c.DrainTimeout = patience
	r, orders := ordered(t, c)
	r.until("job", func(c Change) bool { return c.State == Busy })
	orders <- Order{Kind: Drain}
	if now := r.until("draining", func(c Change) bool { return c.Draining }); now.State != Busy || now.Job != "build" {
		t.Errorf("while it drains it is %+v", now)
	}
	write(t, filepath.Join(root, "go"), "")
	now := r.until("end of the drain", func(c Change) bool { return c.State == Drained })
	if now.Results != (Results{Succeeded: 1}) || now.Starts != 1 {
		t.Errorf("drained it is %+v", now)
	}
	orders <- Order{Kind: Resume}
	r.until("another start", func(c Change) bool { return c.Starts == 2 && c.State == Busy && !c.Draining })
	orders <- Order{Kind: StopNow}
	if err := r.wait(); err != nil {
		t.Error(err)
	}
	if now := r.last(); now.Results != (Results{Succeeded: 1, Canceled: 1}) || now.Outcome != Stopped || now.Reason != Stopped.Sentence() {
		t.Errorf("in the end it is %+v", now)
	}
}

// Who does not wait for what an interrupt comes to says so again: then it is killed. Other orders are heard meanwhile.
func TestStopNowTwice(t *testing.T) {
	t.Parallel()
	config := config(scripted(t, `trap 'echo heard >heard' INT; echo "Listening for Jobs"; while :; do sleep 0.02; done`), quiet())
	config.StopTimeout = time.Minute
	r, orders := ordered(t, config)
	r.until("listening", func(c Change) bool { return c.State == Idle })
	begun := time.Now()
	orders <- Order{Kind: StopNow}
	orders <- Order{Kind: Drain}
	orders <- Order{Kind: StopNow}
	if err := r.wait(); err != nil {
		t.Error(err)
	}
	if took := time.Since(begun); took > config.StopTimeout/2 || r.last().Outcome != Stopped {
		t.Errorf("after %v it is %+v", took, r.last())
	}
}

func TestStopLetsTheJobFinish(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		drain time.Duration
		stop  func(r *run, orders chan<- Order)
		want  Results
		why   Outcome
	}{
		{"within the drain timeout", patience, func(r *run, _ chan<- Order) { r.cancel() }, Results{Succeeded: 1}, Stopped},
		{"longer than the drain timeout", 30 * time.Millisecond, func(r *run, _ chan<- Order) { r.cancel() }, Results{Canceled: 1}, Stopped},
		{"no drain timeout", 0, func(r *run, _ chan<- Order) { r.cancel() }, Results{Canceled: 1}, Stopped},
		{"stopped twice", patience, func(r *run, orders chan<- Order) {
			r.cancel()
			orders <- Order{Kind: StopNow}
		}, Results{Canceled: 1}, Stopped},
		{"preempted", patience, func(_ *run, orders chan<- Order) {
			orders <- Order{Kind: Preempt, Deadline: time.Now().Add(patience)}
		}, Results{Succeeded: 1}, Preempted},
		{"preempted before the job can end", patience, func(_ *run, orders chan<- Order) {
			orders <- Order{Kind: Preempt, Deadline: time.Now().Add(30 * time.Millisecond)}
		}, Results{Canceled: 1}, Preempted},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			root := scripted(t, working)
			config := config(root, quiet())
			config.DrainTimeout = c.drain
			r, orders := ordered(t, config)
			r.until("job", func(c Change) bool { return c.State == Busy })
			c.stop(r, orders)
			if c.want.Succeeded > 0 {
				r.until("draining", func(c Change) bool { return c.Draining })
				write(t, filepath.Join(root, "go"), "")
			}
			if err := r.wait(); err != nil {
				t.Error(err)
			}
			if now := r.last(); now.Results != c.want || now.Outcome != c.why || now.Reason != c.why.Sentence() || now.Starts != 1 || now.Draining {
				t.Errorf("in the end it is %+v", now)
			}
		})
	}
}

// TestRefresh: the files are refreshed between two listeners, never under one, and after the job that runs. A runner that is
// drained stays so, and a failure ends nothing.
func TestRefresh(t *testing.T) {
	t.Parallel()
	type order = chan<- Order
	for _, c := range []struct {
		name   string
		script string
		fails  error
		before func(*run, order)
		after  func(root string, r *run, orders order)
		starts int
		want   State
	}{
		{"idle", listening, nil, nil, nil, 2, Idle},
		{"a failure", listening, errors.New("no space"), nil, nil, 2, Idle},
		{
			"during a job", working, nil, func(r *run, _ order) { r.until("job", func(c Change) bool { return c.State == Busy }) },
			func(root string, _ *run, _ order) { write(t, filepath.Join(root, "go"), "") }, 2, Busy,
		},
		{"drained", listening, nil, func(r *run, orders order) {
			orders <- Order{Kind: Drain}
			r.until("drained", func(c Change) bool { return c.State == Drained })
		}, func(_ string, _ *run, orders order) { orders <- Order{Kind: Resume} }, 2, Idle},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			root := scripted(t, c.script)
			log := &bytes.Buffer{} // read when the run is over
			config := config(root, slog.New(slog.NewTextHandler(log, nil)))
			config.DrainTimeout = 0 // it is for those who end
			refreshed := make(chan struct{}, 10)
			config.Refresh = func(ctx context.Context) error {
				time.Sleep(20 * time.Millisecond)
				refreshed <- struct{}{}
				return errors.Join(c.fails, ctx.Err())
			}
			r, orders := ordered(t, config)
			r.until("first", func(c Change) bool { return c.State == Idle || c.State == Busy })
			if c.before != nil {
				c.before(r, orders)
			}
			orders <- Order{Kind: Refresh, Reason: "a newer version"}
			if c.after != nil {
				time.Sleep(100 * time.Millisecond)
				if len(refreshed) > 0 {
					t.Error("it did not wait")
				}
				c.after(root, r, orders)
			}
			<-refreshed
			r.until("going on", func(now Change) bool { return now.State == c.want && now.Starts == c.starts })
			if now := r.last(); now.Draining || now.Results.Canceled > 0 {
				t.Errorf("it is %+v", now)
			}
			if err := r.stop(); err != nil {
				t.Error(err)
			}
			if len(refreshed) > 0 {
				t.Error("it was refreshed more than once")
			}
			if strings.Contains(log.String(), "restarting the listener") {
				t.Errorf("it took that for a failure:\n%s", log)
			}
			if said := strings.Contains(log.String(), "goes on as it is"); said != (c.fails != nil) {
				t.Errorf("it said:\n%s", log)
			}
		})
	}
}

// What is to be refreshed first is so before any listener, and again where an order to drain has broken that off.
func TestRefreshFirst(t *testing.T) {
	t.Parallel()
	config := config(scripted(t, listening), quiet())
	begun, done := make(chan struct{}, 10), make(chan int, 10)
	config.Stale = true
	config.Refresh = func(ctx context.Context) error {
		begun <- struct{}{}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(200 * time.Millisecond):
			done <- 1
			return nil
		}
	}
	r, orders := ordered(t, config)
	time.Sleep(50 * time.Millisecond)
	orders <- Order{Kind: Drain}
	r.until("drained", func(c Change) bool { return c.State == Drained })
	if now := r.last(); len(done) > 0 || now.Starts > 0 {
		t.Errorf("refreshed %d times, it is %+v", len(done), now)
	}
	orders <- Order{Kind: Resume}
	r.listening()
	if now := r.last(); len(done) != 1 || len(begun) != 2 || now.Starts != 1 {
		t.Errorf("begun %d times, refreshed %d times, it is %+v", len(begun), len(done), now)
	}
	if err := r.stop(); err != nil {
		t.Error(err)
	}
}

// An update that the runner has begun by itself ends first: both work on the same files.
func TestRefreshAfterASelfUpdate(t *testing.T) {
	t.Parallel()
	root := scripted(t, `[ -e once ] && { echo "Listening for Jobs"; trap 'exit 0' INT; while :; do sleep 0.02; done; }
		echo >once; (sleep 1; echo >update.finished) & exit 3`)
	config := config(root, quiet())
	finished := make(chan bool, 10)
	config.Refresh = func(context.Context) error {
		_, err := os.Stat(filepath.Join(root, updateFlag))
		finished <- err == nil
		return nil
	}
	r, orders := ordered(t, config)
	r.until("the update", func(c Change) bool { return c.State == Updating })
	orders <- Order{Kind: Refresh}
	r.listening()
	if len(finished) != 1 || !<-finished {
		t.Error("its files were refreshed while it updated itself")
	}
	if now := r.last(); now.Starts != 2 {
		t.Errorf("it is %+v", now)
	}
	if err := r.stop(); err != nil {
		t.Error(err)
	}
}

// A pause between two starts is no reason to be late.
func TestStopInAPause(t *testing.T) {
	t.Parallel()
	c := config(scripted(t, "exit 5"), quiet())
	c.Backoff.Conflict = time.Hour
	r := supervise(t, c)
	r.until("pause", func(c Change) bool { return c.State == Failing })
	begun := time.Now()
	if err := r.stop(); err != nil || time.Since(begun) > patience/2 {
		t.Errorf("%v after %v", err, time.Since(begun))
	}
}

func TestLimits(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		script string
		limits Limits
		why    Outcome
		reason string
	}{
		{"jobs", `touch go; ` + working, Limits{Jobs: 1}, Served, "1 of 1 jobs"},
		{"idle", listening, Limits{Idle: 100 * time.Millisecond, Jobs: 1}, Unused, "no job for 100ms"},
		{"lifetime", listening, Limits{Lifetime: 100 * time.Millisecond, Idle: time.Hour}, Aged, "it ran for 100ms"},
		{"lifetime while it fails", "exit 2", Limits{Lifetime: 100 * time.Millisecond}, Aged, "it ran for 100ms"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			config := config(scripted(t, c.script), quiet())
			config.Limits, config.DrainTimeout = c.limits, patience
			r := supervise(t, config)
			if err := r.wait(); err != nil {
				t.Error(err)
			}
			if now := r.last(); now.State != Ended || now.Outcome != c.why || now.Reason != c.reason {
				t.Errorf("in the end it is %+v", now)
			}
		})
	}
}

// A job resets the time without one, and may last longer than it.
func TestAJobIsNotIdle(t *testing.T) {
	t.Parallel()
	root := scripted(t, working)
	c := config(root, quiet())
	c.Limits.Idle = 150 * time.Millisecond
	r := supervise(t, c)
	r.until("job", func(c Change) bool { return c.State == Busy })
	select {
	case err := <-r.ended:
		t.Fatalf("it ended while a job ran: %v", err)
	case <-time.After(3 * c.Limits.Idle):
	}
	finished := time.Now()
	write(t, filepath.Join(root, "go"), "")
	if err := r.wait(); err != nil || time.Since(finished) < c.Limits.Idle || r.last().Outcome != Unused || r.last().Reason != "no job for 150ms" || r.last().Results.Succeeded != 1 {
		t.Errorf("%v, %+v", err, r.last())
	}
}

// registration keeps what makes a root a configured one.
func registration(t *testing.T, root string, ephemeral string) {
	t.Helper()
	keep(t, root, `{"agentId":7,"agentName":"web-1","gitHubUrl":"https://github.com/o","ephemeral":`+ephemeral+`}`)
}

func TestRenew(t *testing.T) {
	t.Parallel()
	root := scripted(t, `echo "Listening for Jobs"; echo "Running job: a"; echo "Job a completed with result: Succeeded"; rm .runner; exit 0`)
	registration(t, root, "true")
	var calls atomic.Int32
	c := config(root, quiet())
	c.Limits.Jobs = 3
	c.Renew = func(context.Context) error {
		if calls.Add(1)%2 == 1 {
			return errors.New("GitHub is not well")
		}
		registration(t, root, "true")
		return nil
	}
	r := supervise(t, c)
	if err := r.wait(); err != nil {
		t.Error(err)
	}
	now := r.last()
	if now.Registrations != 2 || now.Starts != 3 || now.Results.Succeeded != 3 || now.Outcome != Served || now.Reason != "3 of 3 jobs" || calls.Load() != 4 {
		t.Errorf("in the end it is %+v after %d calls", now, calls.Load())
	}
	if failing := strings.Join(r.reasons(Failing), ","); failing != "GitHub is not well,GitHub is not well" {
		t.Errorf("it failed because of %q", failing)
	}
	// One that has no registration at all begins with one.
	if err := kept(root).Forget(); err != nil {
		t.Fatal(err)
	}
	c.Limits.Jobs = 1
	if r := supervise(t, c); r.wait() != nil || r.last().Registrations != 1 {
		t.Errorf("in the end it is %+v", r.last())
	}
}

// Being registered again and again is no hot loop, and can be stopped.
func TestRenewIsStopped(t *testing.T) {
	t.Parallel()
	root := scripted(t, `echo "The runner registration has been deleted from the server"; exit 1`)
	registration(t, root, "false")
	c := config(root, quiet())
	c.Backoff.First, c.Backoff.Most = time.Hour, time.Hour
	c.Renew = func(ctx context.Context) error {
		registration(t, root, "false")
		return nil
	}
	r := supervise(t, c)
	r.until("pause", func(c Change) bool { return c.State == Failing && c.Starts == 2 && c.Registrations == 1 })
	if err := r.stop(); err != nil {
		t.Error(err)
	}
	hangs := config(root, quiet())
	hangs.Renew = func(ctx context.Context) error {
		<-ctx.Done()
		return ctx.Err()
	}
	if err := kept(root).Forget(); err != nil {
		t.Fatal(err)
	}
	r = supervise(t, hangs)
	r.until("registering", func(c Change) bool { return c.State == Registering })
	if err := r.stop(); err != nil || r.last().Starts != 0 {
		t.Errorf("%v, %+v", err, r.last())
	}
}

func TestReplace(t *testing.T) {
	t.Parallel()
	root := scripted(t, `test -e newer || exit 7; `+listening)
	c := config(root, quiet())
	var calls atomic.Int32
	c.Replace = func(context.Context) error {
		if calls.Add(1) < 3 {
			return ErrNothingNewer
		}
		write(t, filepath.Join(root, "newer"), "")
		return nil
	}
	r := supervise(t, c)
	now := r.listening()
	if calls.Load() != 3 || now.Starts != 4 {
		t.Errorf("after %d calls it is %+v", calls.Load(), now)
	}
	if reasons := r.reasons(Failing); len(reasons) != 2 || !strings.Contains(reasons[0], ErrNothingNewer.Error()) {
		t.Errorf("it failed because of %q", reasons)
	}
	if err := r.stop(); err != nil {
		t.Error(err)
	}
}

func TestHeartbeatComesWhileWaiting(t *testing.T) {
	t.Parallel()
	c := config(scripted(t, listening), quiet())
	beats := make(chan struct{}, 100)
	c.Beat, c.BeatEach = func() { beats <- struct{}{} }, 10*time.Millisecond
	r := supervise(t, c)
	r.listening()
	for range 5 {
		select {
		case <-beats:
		case <-time.After(patience):
			t.Fatal("it does not show that it is in order")
		}
	}
	if err := r.stop(); err != nil {
		t.Error(err)
	}
}

func TestInterruptedUpdateIsFinished(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	for _, name := range []string{"bin.2.9.0", "bin.2.10.0", "bin.old", "externals.2.9.0"} {
		write(t, filepath.Join(root, name, listenerName), "")
	}
	write(t, filepath.Join(root, "externals", "whole"), "")
	if !updated(root) || CheckListener(root) == nil {
		t.Error("there is nothing to mend")
	}
	linkNewest(root)
	if to, err := os.Readlink(filepath.Join(root, "bin")); err != nil || to != filepath.Join(root, "bin.2.10.0") {
		t.Errorf("bin leads to %q, %v", to, err)
	}
	if _, err := os.Readlink(filepath.Join(root, "externals")); err == nil {
		t.Error("what was whole has been replaced")
	}
	linkNewest(root)
	if err := CheckListener(root); err != nil {
		t.Error(err)
	}
	if empty := t.TempDir(); updated(empty) {
		t.Error("nothing at all was updated")
	}
}

// Half an update is worse than a late start: the script of a listener whose
// supervisor was killed is waited for. What it does not finish is finished.
func TestUpdateOfAnotherSupervisor(t *testing.T) {
	t.Parallel()
	root := scripted(t, listening)
	write(t, filepath.Join(root, "_work", "_update.sh"), `while ! test -e go; do sleep 0.02; done; mv bin.2.0.0 bin`)
	own(t, root)
	if err := os.Rename(filepath.Join(root, "bin"), filepath.Join(root, "bin.2.0.0")); err != nil {
		t.Fatal(err)
	}
	script := exec.CommandContext(t.Context(), "sh", filepath.Join(root, "_work", "_update.sh"))
	script.Dir = root
	user().As(script)
	if err := script.Start(); err != nil {
		t.Fatal(err)
	}
	r := supervise(t, config(root, quiet()))
	if now := r.until("wait", func(c Change) bool { return c.State == Updating }); now.Starts != 0 {
		t.Errorf("it was started meanwhile: %+v", now)
	}
	write(t, filepath.Join(root, "go"), "")
	if err := script.Wait(); err != nil {
		t.Error(err)
	}
	r.listening()
	if err := r.stop(); err != nil {
		t.Error(err)
	}
	if err := os.Rename(filepath.Join(root, "bin"), filepath.Join(root, "bin.2.0.0")); err != nil {
		t.Fatal(err)
	}
	r = supervise(t, config(root, quiet())) // now nobody is at work
	r.listening()
	if err := r.stop(); err != nil {
		t.Error(err)
	}
}

// An ephemeral listener tidies up after its job, and is not interrupted in that.
func TestStopAfterTheOnlyJob(t *testing.T) {
	t.Parallel()
	root := scripted(t, `trap 'echo interrupted >interrupted; exit 0' INT
		echo "Listening for Jobs"; echo "Running job: a"
		while ! test -e go; do sleep 0.02; done
		echo "Job a completed with result: Succeeded"
		i=0; while test $i -lt 30; do sleep 0.02; i=$((i+1)); done; rm .runner`)
	registration(t, root, "true")
	c := config(root, quiet())
	c.DrainTimeout = patience
	r := supervise(t, c)
	r.until("job", func(c Change) bool { return c.State == Busy })
	r.cancel()
	r.until("draining", func(c Change) bool { return c.Draining })
	write(t, filepath.Join(root, "go"), "")
	if err := r.wait(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(root, "interrupted")); err == nil {
		t.Error("it was interrupted")
	}
}

// A version that replaced a refused one, and is refused as well, is no reason to
// fetch and start as fast as that goes.
func TestReplaceIsNoHotLoop(t *testing.T) {
	t.Parallel()
	c := config(scripted(t, "exit 7"), quiet())
	c.Backoff.First, c.Backoff.Most = time.Hour, time.Hour
	c.Replace = func(context.Context) error { return nil }
	r := supervise(t, c)
	r.until("pause", func(c Change) bool { return c.State == Failing && c.Starts == 2 })
	if err := r.stop(); err != nil {
		t.Error(err)
	}
}

// Each drain has the whole drain timeout, the end that is on its way at most its own.
func TestDrainsHaveTheirOwnTime(t *testing.T) {
	t.Parallel()
	s := &supervisor{Config: Config{Log: quiet(), DrainTimeout: time.Minute}, tracker: tracker{report: func(Change) {}}}
	s.handleCommand(Order{Kind: Drain})
	first := s.deadline
	if left := time.Until(first); left < 50*time.Second || left > time.Minute {
		t.Errorf("the first has %v", left)
	}
	s.handleCommand(Order{Kind: Resume})
	if s.drained || !s.deadline.IsZero() {
		t.Error("the time of the first drain goes on")
	}
	s.leave(Stopped)
	s.handleCommand(Order{Kind: Preempt, Deadline: first.Add(-time.Hour)})
	if !s.end().Equal(first.Add(-time.Hour)) || s.leaving != Stopped {
		t.Errorf("it ends at %v because %s", s.end(), s.leaving)
	}
	s.handleCommand(Order{Kind: Resume})
	if !s.end().Equal(first.Add(-time.Hour)) || s.leaving != Stopped {
		t.Error("an end was called off")
	}
}

// Without a time of its own, what takes the machine away leaves a job all of the drain timeout.
func TestNoticeWithoutATime(t *testing.T) {
	t.Parallel()
	for _, kind := range []OrderKind{Preempt, Hold} {
		s := &supervisor{Config: Config{Log: quiet(), DrainTimeout: time.Hour}, tracker: tracker{report: func(Change) {}}}
		s.handleCommand(Order{Kind: kind, Reason: "it goes"})
		if left := time.Until(s.end()); left < 59*time.Minute {
			t.Errorf("%s: the job has %v", kind, left)
		}
		s.handleCommand(Order{Kind: kind, Reason: "it goes", Deadline: time.Now().Add(time.Minute)})
		if left := time.Until(s.end()); left > time.Minute {
			t.Errorf("%s: a time that was told later is not heeded: %v", kind, left)
		}
	}
}

// What comes of an order is said of a job only where there is one.
func TestWordsOfOrders(t *testing.T) {
	t.Parallel()
	for _, state := range []State{Busy, Idle, Connecting, Drained} {
		for _, kind := range []OrderKind{Drain, Resume, StopNow, Preempt, Refresh, Hold, Release} {
			var said bytes.Buffer
			log := slog.New(slog.NewTextHandler(&said, nil))
			s := &supervisor{Config: Config{Log: log, DrainTimeout: time.Hour}, tracker: tracker{report: func(Change) {}}}
			s.now.State = state
			s.handleCommand(Order{Kind: kind, Reason: "interrupt"})
			ofJob := kind != Resume && kind != Release
			if got := strings.Contains(said.String(), "current job"); got != (ofJob && state == Busy) || !strings.Contains(said.String(), "reason=interrupt") {
				t.Errorf("%s, while %s: %s", kind, state, said.String())
			}
		}
	}
}

// What somebody has drained stays so when the machine is awake again, and the other way round.
func TestHeldAndDrained(t *testing.T) {
	t.Parallel()
	s := &supervisor{Config: Config{Log: quiet()}, tracker: tracker{report: func(Change) {}}}
	s.now.State = Drained // and why is said as it is now
	for _, c := range []struct {
		kind   OrderKind
		paused bool
		reason string
	}{
		{Hold, true, "it sleeps"},
		{Drain, true, "it sleeps"},
		{Release, true, ""},
		{Hold, true, "it sleeps"},
		{Resume, true, "it sleeps"},
		{Release, false, ""},
		{Resume, false, ""},
	} {
		s.handleCommand(Order{Kind: c.kind, Reason: "it sleeps"})
		if s.paused() != c.paused || s.draining() != c.paused || s.now.Reason != c.reason {
			t.Errorf("after %q it is paused: %v, as %q", c.kind, s.paused(), s.now.Reason)
		}
	}
}

// Who holds it releases its own reason alone, and what is wrong with the host is told apart from what is meant.
func TestHeldByTwo(t *testing.T) {
	t.Parallel()
	s := &supervisor{Config: Config{Log: quiet()}, tracker: tracker{report: func(Change) {}}}
	s.now.State = Drained
	for _, c := range []struct {
		order  Order
		reason string
		faulty bool
	}{
		{Order{Kind: Hold, Reason: "it sleeps"}, "it sleeps", false},
		{Order{Kind: Hold, Reason: "no disk", From: "disk", Fault: true}, "it sleeps; no disk", true},
		{Order{Kind: Hold, Reason: "it waits"}, "no disk; it waits", true},
		{Order{Kind: Release}, "no disk", true},
		{Order{Kind: Release}, "no disk", true},
		{Order{Kind: Release, From: "disk"}, "", false},
	} {
		s.handleCommand(c.order)
		if s.paused() != (c.reason != "") || s.now.Reason != c.reason || s.now.Faulty != c.faulty {
			t.Errorf("after %+v it is paused: %v, as %q, faulty: %t", c.order, s.paused(), s.now.Reason, s.now.Faulty)
		}
	}
}

// A machine that did not run for a while has not used up what was given to a job; the time of a notice has passed all the same.
func TestOversleep(t *testing.T) {
	t.Parallel()
	const gap = 25 * time.Hour
	now := time.Now()
	fresh := func() *supervisor {
		s := &supervisor{
			Config:    Config{Log: quiet(), DrainTimeout: time.Hour, Limits: Limits{Idle: time.Hour, Lifetime: 2 * time.Hour}},
			stopState: stopState{born: now.Add(-time.Minute)}, tracker: tracker{report: func(Change) {}},
		}
		s.now.State = Idle
		s.runDue(now)
		return s
	}
	s := fresh()
	oversleep(s, gap)
	if s.runDue(now.Add(gap)); s.leaving != "" {
		t.Errorf("it ends, as %s", s.leaving.Sentence())
	}
	if s.runDue(now.Add(gap + time.Hour)); s.leaving != Unused {
		t.Errorf("later it ends as %q", s.leaving)
	}
	s = fresh()
	oversleep(s, nap-1) // a busy machine
	if s.runDue(now.Add(time.Hour)); s.leaving != Unused {
		t.Errorf("after a pause of little it ends as %q", s.leaving)
	}
	s = fresh()
	s.note(func() { s.now.State = Busy })
	s.handleCommand(Order{Kind: Drain})
	oversleep(s, gap)
	if left := s.end().Sub(now.Add(gap)); left < 59*time.Minute {
		t.Errorf("a job that was drained has %s", left)
	}
	s.handleCommand(Order{Kind: Preempt, Deadline: now.Add(time.Minute)})
	oversleep(s, gap)
	if left := s.end().Sub(now); left > time.Minute {
		t.Errorf("the machine is taken away, and it has %s", left)
	}
}

// A machine that waits registers nothing and starts nothing, whatever its limits; somebody who drains it has a say of his own.
func TestHeld(t *testing.T) {
	t.Parallel()
	c := config(scripted(t, listening), quiet())
	c.Held, c.DrainTimeout = "it is in a warm pool", patience
	c.Limits = Limits{Idle: 20 * time.Millisecond, Lifetime: 20 * time.Millisecond}
	c.Beat, c.BeatEach = func() {}, 10*time.Millisecond
	c.Used = true
	renewed := make(chan struct{}, 1)
	c.Renew = func(context.Context) error {
		select {
		case renewed <- struct{}{}:
		default:
		}
		return errors.New("too early")
	}
	if err := c.Kept.Forget(); err != nil {
		t.Fatal(err)
	}
	r, orders := ordered(t, c)
	now := r.until("waiting", func(c Change) bool { return c.State == Drained })
	if now.Reason != c.Held || !now.Draining || now.Starts != 0 {
		t.Errorf("it waits as %+v", now)
	}
	orders <- Order{Kind: Drain}
	orders <- Order{Kind: Resume}
	select {
	case <-renewed:
		t.Error("it has registered though it waits")
	case <-time.After(100 * time.Millisecond):
	}
	if now := r.last(); now.State != Drained || now.Outcome != "" {
		t.Errorf("it is %+v", now)
	}
	orders <- Order{Kind: Release}
	select {
	case <-renewed:
	case <-time.After(patience):
		t.Error("it does not go on")
	}
	if err := r.wait(); err != nil || r.last().Outcome != Aged {
		t.Errorf("its lifetime has not begun: %v, %+v", err, r.last())
	}
}

// A machine that is about to sleep lets its job finish and takes no other; awake again it goes on.
func TestHoldAndRelease(t *testing.T) {
	t.Parallel()
	root := scripted(t, working)
	c := config(root, quiet())
	c.DrainTimeout = patience
	r, orders := ordered(t, c)
	r.until("job", func(c Change) bool { return c.State == Busy })
	orders <- Order{Kind: Hold, Reason: "it sleeps"}
	write(t, filepath.Join(root, "go"), "")
	if now := r.until("held", func(c Change) bool { return c.State == Drained }); now.Results.Succeeded != 1 || now.Reason != "it sleeps" {
		t.Errorf("held it is %+v", now)
	}
	orders <- Order{Kind: Release}
	now := r.until("the next job", func(c Change) bool { return c.Starts == 2 && c.State == Busy && !c.Draining })
	if now.Reason != "" {
		t.Errorf("it goes on as %+v", now)
	}
	orders <- Order{Kind: Hold, Reason: "it sleeps", Deadline: time.Now().Add(30 * time.Millisecond)}
	if now := r.until("held again", func(c Change) bool { return c.State == Drained && c.Starts == 2 }); now.Results.Canceled != 1 {
		t.Errorf("held it is %+v", now)
	}
	orders <- Order{Kind: Preempt}
	if err := r.wait(); err != nil || r.last().Outcome != Preempted {
		t.Errorf("%v, %+v", err, r.last())
	}
}
