package bootstrap_test

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/bootstrap"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/svc"
)

// inBubble runs a test whose waits cost nothing.
func inBubble(t *testing.T, test func(t *testing.T, w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { test(t, newWorld(t)) })
}

// A service that comes up: what it is told, what is written down, and that a second install keeps it.
func TestServiceComesUp(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.manager.start = func(ctx context.Context, s supervisor) error {
			s.holds()
			s.becomes(svc.Starting, 0)
			s.reports(instance.Report{State: instance.Starting})
			time.Sleep(7 * time.Second)
			return ready(s)
		}
		plan := w.install(w.brought())
		if got := w.phases.of(bootstrap.ServicePhase); got != "listening after 7s" {
			t.Errorf("the phase says %q", got)
		}
		if got := w.manager.changes(); !slices.Equal(got, []string{"install", "restart"}) {
			t.Errorf("the service manager was asked to %q", got)
		}
		unit := w.manager.unit(serviceName)
		if plan.ServiceName != serviceName || unit == nil || !unit.enabled {
			t.Fatalf("service %q, unit %+v", plan.ServiceName, unit)
		}
		text := unit.text
		if want := []string{"run", "--name", runnerName, "--dir", w.base + "/rb"}; !slices.Equal(text.Args, want) || text.Executable != w.host.Executable {
			t.Errorf("it runs %s %q, want %q", text.Executable, text.Args, want)
		}
		if !text.Notify || !slices.Contains(text.NoRestartStatus, 7) || !text.Sandbox.Enabled || text.Directory != "/" {
			t.Errorf("its unit is %+v", text)
		}
		if got, err := os.ReadFile(w.root(".service")); err != nil || string(got) != serviceName+".service\n" {
			t.Errorf("GitHub's scripts are told %q, %v", got, err)
		}
		if r := w.record(); r.Service != serviceName || r.Phase != instance.Installed || r.RunnerID != broughtID || !r.Brought {
			t.Errorf("the record is %+v", r)
		}
		w.install(w.brought())
		if got := w.phases.of(bootstrap.ServicePhase); got != "kept: running already" || len(w.manager.changes()) > 0 {
			t.Errorf("the second time: %q", got)
		}
	})
}

// ready is the end of a start that took a while.
func ready(s supervisor) error {
	s.becomes(svc.Running, 0)
	s.reports(instance.Report{State: instance.Idle})
	return nil
}

// What cannot become a service is refused before anything is changed.
func TestServiceIsRefused(t *testing.T) {
	for name, c := range map[string]struct {
		set    func(w *world, r *bootstrap.Request)
		reason error
		words  string
	}{
		"no privileges":       {func(w *world, _ *bootstrap.Request) { w.manager.away = bootstrap.ErrPrivilege }, bootstrap.ErrPrivilege, "installing a service"},
		"no service manager":  {func(w *world, _ *bootstrap.Request) { w.manager.away = &svc.UnavailableError{Found: "OpenRC"} }, svc.ErrUnavailable, "OpenRC"},
		"a temporary program": {func(w *world, _ *bootstrap.Request) { w.host.Executable = "/tmp/x/runner-bootstrap" }, bootstrap.ErrTemporary, "/tmp/x/"},
		"no description":      {func(w *world, _ *bootstrap.Request) { w.host.Executable = "usr/bin/x" }, nil, "describing service"},
		"no answer":           {func(w *world, _ *bootstrap.Request) { w.manager.breaks("state", errBroken) }, errBroken, ""},
		"somebody else's": {func(w *world, _ *bootstrap.Request) {
			w.manager.units[serviceName] = &unit{active: svc.Failed}
		}, bootstrap.ErrForeignService, "/units/" + serviceName},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			r := w.brought()
			c.set(w, &r)
			w.refused(r, c.reason, c.words)
			w.forgotten()
			if calls := w.manager.changes(); len(calls) > 0 {
				t.Errorf("the service manager was asked to %q", calls)
			}
		})
	}
}

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
			w.manager.breaksAt("install", func(int) error { return os.MkdirAll(w.root(".service", "x"), 0o755) })
		}, words: []string{"writing the service's name", "removing the service's name"}, left: true},
		{name: "the manager refuses", start: refusedWith(instance.Report{}), reason: bootstrap.ErrNotListening, words: []string{"Job failed"}},
		{name: "the manager refuses, and its supervisor knows why",
			start:  refusedWith(instance.Report{Reason: "the version is refused", LastWords: "exit code 7"}),
			reason: bootstrap.ErrNotListening, words: []string{"the version is refused: exit code 7"}, status: "install has failed: the version is refused"},
		{name: "it was stopped", start: refusedWith(instance.Report{Reason: "stopped"}), reason: bootstrap.ErrNotListening},
		{name: "no connection", start: refusedWith(instance.Report{Trouble: instance.Connecting, TroubleWords: "no route"}),
			reason: bootstrap.ErrNotListening, words: []string{"it cannot connect to GitHub: no route"}},
		{name: "another session", start: refusedWith(instance.Report{Trouble: instance.Conflict, TroubleWords: "a session exists"}),
			reason: bootstrap.ErrNotListening, words: []string{": a session exists"}},
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
		}, reason: bootstrap.ErrNotListening, words: []string{"it ended at once, 3 times in a row: exit code 1: no"}, atOnce: true, within: 15 * time.Second},
		{name: "it ends at once after it was started", start: up(instance.Report{State: instance.Starting, EndedAtOnce: 3, LastWords: "exit code 1: no"}),
			reason: bootstrap.ErrNotListening, words: []string{"it ended at once"}, atOnce: true, within: time.Second},
		{name: "it is never up", start: func(ctx context.Context, s supervisor) error {
			s.becomes(svc.Starting, 0)
			<-ctx.Done()
			return ctx.Err()
		}, reason: bootstrap.ErrNotListening, within: 5 * time.Minute},
		{name: "it never listens", set: func(w *world) { w.manager.lines = []string{"first", "second"} },
			start:  up(instance.Report{State: instance.Starting}),
			reason: bootstrap.ErrNotListening, words: []string{"first\n  second"}, within: 91 * time.Second},
		{name: "it never listens, and has no log", set: func(w *world) { w.manager.breaks("log", errBroken) },
			start: up(instance.Report{State: instance.Starting}), reason: errBroken, within: 91 * time.Second},
		{name: "it fails a little later", start: func(_ context.Context, s supervisor) error {
			s.becomes(svc.Running, 0)
			go func() {
				time.Sleep(time.Second)
				s.reports(instance.Report{Reason: "its registration is gone"})
				s.becomes(svc.Failed, 7)
			}()
			return nil
		}, reason: bootstrap.ErrNotListening, words: []string{"its registration is gone"}, within: 2 * time.Second},
		{name: "it ends with a failure", start: func(_ context.Context, s supervisor) error {
			s.reports(instance.Report{State: instance.Ended, Reason: "nothing to do"})
			s.ends(svc.Stopped, 3)
			return nil
		}, reason: bootstrap.ErrNotListening, words: []string{"nothing to do"}},
		{name: "its state is not to be had", start: func(_ context.Context, s supervisor) error {
			s.becomes(svc.Running, 0)
			s.breaks("state", errBroken)
			return nil
		}, reason: errBroken},
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

// report is where the report of the supervisor is.
func (s supervisor) report() string {
	return strings.TrimSuffix(s.text.Args[4], "/") + "/state/instances/" + s.runner + "/listener.json"
}

// A service that was not there before is gone again after a failure, and nothing else is.
func TestServiceThatDoesNotComeUp(t *testing.T) {
	for _, f := range failures() {
		t.Run(f.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, w *world) {
				w.manager.start = f.start
				if f.set != nil {
					f.set(w)
				}
				begin := time.Now()
				err := w.refused(w.brought(), bootstrap.ErrService, f.words...)
				if f.reason != nil && !errors.Is(err, f.reason) {
					t.Errorf("error %v, want %v", err, f.reason)
				}
				var start *bootstrap.StartError
				if f.reason == bootstrap.ErrNotListening && (!errors.As(err, &start) || start.Service != serviceName || start.Dir != w.root() || start.AtOnce != f.atOnce) {
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
					if all, err := w.host.Status(t.Context(), ""); err != nil || all[0].Listener.Reason != f.status {
						t.Errorf("status says %+v, %v", all, err)
					}
				}
			})
		})
	}
}

// The next install goes on from there.
func TestServiceAfterAFailure(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.manager.breaks("restart", refusal())
		w.refused(w.brought(), bootstrap.ErrService)
		delete(w.manager.fail, "restart")
		w.install(w.brought())
		if w.manager.unit(serviceName).active != svc.Running || w.record().Phase != instance.Installed {
			t.Error("it does not run")
		}
	})
}

// An ephemeral runner may have done its job before anybody looks.
func TestServiceThatIsDoneAtOnce(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.manager.start = func(_ context.Context, s supervisor) error {
			s.reports(instance.Report{State: instance.Ended, Reason: "its job is done", Succeeded: 1})
			s.ends(svc.Stopped, 0)
			return nil
		}
		w.install(w.brought())
		if got := w.phases.of(bootstrap.ServicePhase); got != "listening after 0s" {
			t.Errorf("the phase says %q", got)
		}
	})
}

// Ctrl-C while a service comes up: one that is new is taken away, one that was there goes on coming up.
func TestServiceInterrupted(t *testing.T) {
	for name, before := range map[string]bool{"new": false, "there before": true} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, w *world) {
				r := w.brought()
				if before {
					w.install(r)
				}
				// Each has something of its own to do.
				for place, start := range map[string]func(context.Context, supervisor) error{
					"starting": func(ctx context.Context, s supervisor) error { <-ctx.Done(); return context.Cause(ctx) },
					"waiting": func(_ context.Context, s supervisor) error {
						s.becomes(svc.Running, 0)
						return nil
					},
				} {
					w.manager.start = start
					r.Life.DrainTimeout += instance.Duration(time.Minute)
					ctx, cancel := context.WithCancel(t.Context())
					time.AfterFunc(5*time.Second, cancel)
					_, err := w.host.Install(ctx, r)
					if !errors.Is(err, context.Canceled) || errors.Is(err, bootstrap.ErrService) {
						t.Errorf("%s: error %v", place, err)
					}
					if there := w.manager.unit(serviceName) != nil; there != before {
						t.Errorf("%s: the service is there: %v", place, there)
					}
				}
			})
		})
	}
}

// A service that was there before comes back, when a changed one does not come up.
func TestServiceIsPutBack(t *testing.T) {
	for name, c := range map[string]struct {
		set   func(w *world)
		words string
		up    bool
	}{
		"running":       {nil, "its unit is as before, and runs", true},
		"at rest":       {func(w *world) { w.manager.halt(w.manager.unit(serviceName), svc.Stopped) }, "its unit is as before", false},
		"no undo":       {func(w *world) { w.manager.breaks("undo", errBroken) }, "and its unit before could not be put back: " + errBroken.Error(), false},
		"no restart":    {func(w *world) { w.manager.breaksAt("restart", func(int) error { return errBroken }) }, "its unit is as before, and does not start either", true},
		"the same unit": {func(w *world) { w.manager.breaks("install", refusal()) }, "Job failed", true},
		"no record then": {func(w *world) {
			w.manager.breaksAt("undo", func(int) error { return os.Rename(w.base+"/rb/state/instances", w.base+"/away") })
		}, "its unit is as before, and its record could not be", false},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, w *world) {
				w.install(w.brought())
				before := w.manager.unit(serviceName).text
				if c.set != nil {
					c.set(w)
				}
				tries := 0
				w.manager.start = func(ctx context.Context, s supervisor) error {
					if tries++; tries > 1 {
						return listens(ctx, s)
					}
					s.ends(svc.Failed, 1)
					return refusal()
				}
				r := w.brought()
				r.Life.DrainTimeout = instance.Duration(time.Hour)
				err := w.refused(r, bootstrap.ErrService, c.words)
				if name == "the same unit" == errors.As(err, new(*bootstrap.LeftError)) {
					t.Errorf("error %v", err)
				}
				unit := w.manager.unit(serviceName)
				if unit == nil || c.up != (unit.active == svc.Running) {
					t.Fatalf("the unit is %+v", unit)
				}
				if name == "running" && (unit.text.StopTimeout != before.StopTimeout || w.record().DrainTimeout != 0 || w.record().Phase != instance.Installed) {
					t.Errorf("it stops within %v, before %v; the record is %+v", unit.text.StopTimeout, before.StopTimeout, w.record())
				}
			})
		})
	}
}

// A changed service, the same one that has stopped, and one that is not enabled are started anew.
func TestServiceIsMended(t *testing.T) {
	for name, c := range map[string]struct {
		set    func(w *world, r *bootstrap.Request)
		reason string
	}{
		"changed":     {func(_ *world, r *bootstrap.Request) { r.Life.DrainTimeout = instance.Duration(time.Hour) }, "its unit differs"},
		"not enabled": {func(w *world, _ *bootstrap.Request) { w.manager.unit(serviceName).enabled = false }, "its unit differs"},
		"stopped":     {func(w *world, _ *bootstrap.Request) { w.manager.halt(w.manager.unit(serviceName), svc.Stopped) }, "it is stopped"},
		"gone": {func(w *world, _ *bootstrap.Request) {
			w.manager.halt(w.manager.unit(serviceName), svc.Stopped)
			delete(w.manager.units, serviceName)
		}, "not installed yet"},
		"its life": {func(_ *world, r *bootstrap.Request) { r.Life.MaxJobs = 3 }, "what it runs has changed"},
		"its .env": {func(_ *world, r *bootstrap.Request) { r.Variables = []string{"A=1"} }, "what it runs has changed"},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, w *world) {
				w.install(w.brought())
				w.manager.changes()
				r := w.brought()
				c.set(w, &r)
				plan := w.install(r)
				last := plan.Steps[len(plan.Steps)-1]
				if last.Phase != bootstrap.ServicePhase || last.Reason != c.reason || !last.Change {
					t.Errorf("the plan is to %+v, want %q", last, c.reason)
				}
				if got := w.manager.changes(); !slices.Equal(got, []string{"install", "restart"}) || w.manager.unit(serviceName).active != svc.Running {
					t.Errorf("the service manager was asked to %q", got)
				}
			})
		})
	}
}

// A service is taken away by an install without one.
func TestServiceIsDropped(t *testing.T) {
	for name, c := range map[string]struct {
		set   func(w *world)
		words string
	}{
		"all is well":       {nil, ""},
		"it does not stop":  {func(w *world) { w.manager.breaks("stop", errBroken) }, errBroken.Error()},
		"it is not removed": {func(w *world) { w.manager.breaks("uninstall", errBroken) }, errBroken.Error()},
		"its name is a folder": {func(w *world) {
			mustDo(w.t, os.Remove(w.root(".service")), os.MkdirAll(w.root(".service", "x"), 0o755))
		}, "removing the service's name"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.install(w.brought())
			if c.set != nil {
				c.set(w)
			}
			r := w.brought()
			r.Service = false
			if c.words != "" {
				w.refused(r, nil, c.words)
				if w.record().Service != serviceName {
					t.Error("the record has forgotten the service")
				}
				return
			}
			w.install(r)
			if w.manager.unit(serviceName) != nil || w.record().Service != "" || w.phases.of(bootstrap.ServicePhase) != "removed" {
				t.Errorf("the record is %+v", w.record())
			}
			if _, err := os.Lstat(w.root(".service")); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("its name is left: %v", err)
			}
		})
	}
}

func mustDo(t *testing.T, all ...error) {
	t.Helper()
	if err := errors.Join(all...); err != nil {
		t.Fatal(err)
	}
}
