//go:build unix

package bootstrap_test

import (
	"context"
	"errors"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/plan"
	"github.com/runner-bootstrap/runner-bootstrap/internal/startup"
	"github.com/runner-bootstrap/runner-bootstrap/internal/supervise"
	"github.com/runner-bootstrap/runner-bootstrap/internal/svc"
)

// failure is a start that comes to nothing.
type failure struct {
	name  string
	set   func(w *world)
	start func(ctx context.Context, s supervisor) error
	// reason and words are what is said, and status what status says of the listener after.
	reason error
	words  []string
	atOnce bool
	status string
	// left is set where not all of the service can be taken away: then it is remembered.
	left bool
	// within is how long it may take at most, by the bubble's clock.
	within time.Duration
}

func refusal() error {
	return &svc.Error{Op: "starting", Unit: serviceName + ".service", Output: "Job failed", Err: errors.New("exit status 1")}
}

// failures are all the ways in which a service does not come up.
func failures() []failure {
	up := func(report instance.Report) func(context.Context, supervisor) error {
		return func(_ context.Context, s supervisor) error {
			s.holds()
			s.becomes(svc.Running, 0)
			s.reports(report)
			return nil
		}
	}
	refusedWith := func(report instance.Report) func(context.Context, supervisor) error {
		return func(_ context.Context, s supervisor) error {
			s.reports(report)
			s.ends(svc.Failed, 1)
			return refusal()
		}
	}
	return []failure{
		{name: "it cannot be installed", set: func(w *world) { w.manager.breaks("install", refusal()) }, words: []string{"starting unit", "Job failed"}},
		{name: "its name cannot be written", set: func(w *world) {
			w.manager.breaksAt("install", func(int) error { return loseRoot(w) })
		}, words: []string{"writing the service's name", "removing the service's name"}, left: true},
		{name: "the manager refuses", start: refusedWith(instance.Report{}), reason: startup.ErrNotListening, words: []string{"Job failed"}},
		{
			name:   "the manager refuses, and its supervisor knows why",
			start:  refusedWith(instance.Report{Reason: "the version is refused", LastWords: "exit code 7"}),
			reason: startup.ErrNotListening, words: []string{"the version is refused: exit code 7"}, status: "install has failed: the version is refused",
		},
		{
			name: "it was stopped", start: refusedWith(instance.Report{Reason: supervise.Stopped.Sentence()}), reason: startup.ErrNotListening,
			status: "install has failed: the service could not be set up: starting service \"" + serviceName + "\": the listener did not come up: starting unit \"" + serviceName + ".service\": exit status 1",
		},
		{
			name: "no connection", start: refusedWith(instance.Report{Connection: instance.Connection{Trouble: instance.Connecting, TroubleWords: "no route"}}),
			reason: startup.ErrNotListening, words: []string{"it cannot connect to GitHub: no route"},
		},
		{
			name: "another session", start: refusedWith(instance.Report{Connection: instance.Connection{Trouble: instance.Conflict, TroubleWords: "a session exists"}}),
			reason: startup.ErrNotListening, words: []string{": a session exists"},
		},
		{name: "a sandbox", start: func(_ context.Context, s supervisor) error {
			s.ends(svc.Failed, 226)
			return &svc.SandboxError{Op: "starting", Unit: "x", Step: "226/NAMESPACE"}
		}, reason: svc.ErrSandbox, words: []string{"226/NAMESPACE"}},
		{name: "it ends at once while it is started", start: func(ctx context.Context, s supervisor) error {
			s.holds()
			for n := range 5 {
				time.Sleep(2 * time.Second)
				s.reports(instance.Report{State: instance.Starting, EndedAtOnce: n, LastWords: "exit code 1: no"})
			}
			<-ctx.Done() // systemd would wait for five minutes
			return ctx.Err()
		}, reason: startup.ErrNotListening, words: []string{"it ended at once, 3 times in a row: exit code 1: no"}, atOnce: true, within: 15 * time.Second},
		{
			name: "it ends at once after it was started", start: up(instance.Report{State: instance.Starting, EndedAtOnce: 3, LastWords: "exit code 1: no"}),
			reason: startup.ErrNotListening, words: []string{"it ended at once"}, atOnce: true, within: time.Second,
		},
		{name: "it is never up", start: func(ctx context.Context, s supervisor) error {
			s.becomes(svc.Starting, 0)
			<-ctx.Done()
			return ctx.Err()
		}, reason: startup.ErrNotListening, within: 5 * time.Minute},
		{
			name: "it never listens", set: func(w *world) { w.manager.lines = []string{"first", "second"} },
			start:  up(instance.Report{State: instance.Starting}),
			reason: startup.ErrNotListening, words: []string{"first\n  second"}, within: 91 * time.Second,
		},
		{
			name: "it never listens, and has no log", set: func(w *world) { w.manager.breaks("log", errBroken) },
			start: up(instance.Report{State: instance.Starting}), reason: errBroken, within: 91 * time.Second,
		},
		{name: "it fails a little later", start: func(_ context.Context, s supervisor) error {
			s.becomes(svc.Running, 0)
			go func() {
				time.Sleep(time.Second)
				s.reports(instance.Report{Reason: "its registration is gone"})
				s.becomes(svc.Failed, 7)
			}()
			return nil
		}, reason: startup.ErrNotListening, words: []string{"its registration is gone"}, within: 2 * time.Second},
		{name: "it ends with a failure", start: func(_ context.Context, s supervisor) error {
			s.reports(instance.Report{State: instance.Ended, Reason: "nothing to do"})
			s.ends(svc.Stopped, 3)
			return nil
		}, reason: startup.ErrNotListening, words: []string{"nothing to do"}},
		{name: "its state is not to be had", start: func(_ context.Context, s supervisor) error {
			s.becomes(svc.Running, 0)
			s.breaks("state", errBroken)
			return nil
		}, reason: errBroken},
		{name: "its lock is none", set: func(w *world) {
			w.manager.breaksAt("install", func(int) error { return loop(w.stateOf("run.lock")) })
		}, reason: syscall.ELOOP, words: []string{"looking at the lock"}},
		{name: "its lock is none after it was started", start: func(_ context.Context, s supervisor) error {
			s.becomes(svc.Running, 0)
			return loop(strings.TrimSuffix(s.report(), "listener.json") + "run.lock")
		}, reason: syscall.ELOOP, words: []string{"looking at the lock"}},
		{name: "its report is damaged", start: func(_ context.Context, s supervisor) error {
			path := s.t.Name() // only so that the name of the test is in the error
			if err := os.WriteFile(s.report(), []byte("{"+path), 0o600); err != nil {
				s.t.Error(err)
			}
			return nil
		}, words: []string{"reading report"}},
		{name: "its report is damaged when it is refused", start: func(_ context.Context, s supervisor) error {
			if err := os.WriteFile(s.report(), []byte("{"), 0o600); err != nil {
				s.t.Error(err)
			}
			return refusal()
		}, words: []string{"Job failed", "reading report"}},
	}
}

// loseRoot puts a link to itself in the place of the runner's directory.
func loseRoot(w *world) error {
	return errors.Join(os.Rename(w.root(), w.root()+".away"), loop(w.root()))
}

// report is where the report of the supervisor is.
func (s supervisor) report() string {
	return strings.TrimSuffix(s.text.Args[4], "/") + "/state/instances/" + s.runner + "/listener.json"
}

// A service that was not there before is gone again after a failure, and nothing else is.
func TestServiceThatDoesNotComeUp(t *testing.T) {
	t.Parallel()
	for _, f := range failures() {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(t *testing.T, w *world) {
				w.manager.start = f.start
				if f.set != nil {
					f.set(w)
				}
				begin := time.Now()
				err := w.refused(w.brought(), startup.ErrService, f.words...)
				if f.reason != nil && !errors.Is(err, f.reason) {
					t.Errorf("error %v, want %v", err, f.reason)
				}
				var start *startup.StartError
				if errors.Is(f.reason, startup.ErrNotListening) && (!errors.As(err, &start) || start.Service != serviceName || start.Dir != w.root() || start.AtOnce != f.atOnce) {
					t.Errorf("the error carries %+v", start)
				}
				if took := time.Since(begin); took > f.within {
					t.Errorf("it took %v, want at most %v", took, f.within)
				}
				if w.manager.unit(serviceName) != nil {
					t.Error("the service is left")
				}
				if r := w.record(); (r.Service != "") != f.left || r.Phase != instance.Registered {
					t.Errorf("the record says service %q, phase %s", r.Service, r.Phase)
				}
				if f.status != "" {
					if report, err := w.store.LoadReport(runnerName); err != nil || report.Reason != f.status {
						t.Errorf("status is to say %+v, %v", report, err)
					}
				}
			})
		})
	}
}

// What fails before the service is touched leaves none.
func TestServiceThatIsNotBegun(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		set    func(w *world)
		reason error
		words  string
	}{
		"its state is not to be had": {func(w *world) {
			w.manager.breaksAt("state", func(n int) error { // the plan has looked once
				if n == 1 {
					return errBroken
				}
				return nil
			})
		}, errBroken, ""},
		"the record is damaged": {func(w *world) {
			w.phases.begin = func(phase plan.Phase) {
				if phase == plan.ServicePhase {
					w.write("rb/state/instances/"+runnerName+"/record.json", "{")
				}
			}
		}, nil, "reading record"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			c.set(w)
			w.refused(w.brought(), c.reason, c.words)
			if calls := w.manager.changes(); len(calls) > 0 {
				t.Errorf("the service manager was asked to %q", calls)
			}
		})
	}
}

// The next install goes on from there.
func TestServiceAfterAFailure(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, w *world) {
		w.manager.breaks("restart", refusal())
		w.refused(w.brought(), startup.ErrService)
		delete(w.manager.fail, "restart")
		w.install(w.brought())
		if w.manager.unit(serviceName).active != svc.Running || w.record().Phase != instance.Installed {
			t.Error("it does not run")
		}
	})
}

// An ephemeral runner may have done its job before anybody looks.
func TestServiceThatIsDoneAtOnce(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, w *world) {
		w.manager.start = func(_ context.Context, s supervisor) error {
			s.reports(instance.Report{State: instance.Ended, Reason: "its job is done"})
			s.ends(svc.Stopped, 0)
			return nil
		}
		w.install(w.brought())
		if got := w.phases.of(plan.ServicePhase); got != "listening after 0s" {
			t.Errorf("the phase says %q", got)
		}
	})
}
