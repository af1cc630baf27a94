//go:build unix

package bootstrap_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/account"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/plan"
	"github.com/runner-bootstrap/runner-bootstrap/internal/secret"
	"github.com/runner-bootstrap/runner-bootstrap/internal/startup"
	"github.com/runner-bootstrap/runner-bootstrap/internal/svc"
)

// inBubble runs a test whose waits cost nothing.
func inBubble(t *testing.T, test func(t *testing.T, w *world)) {
	t.Helper()
	bubbles.Lock()
	defer bubbles.Unlock()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.host.Paths.Cache, w.host.Fetcher.Cache.Dir = still.cache, still.cache
		test(t, w)
	})
}

// A service that comes up: what it is told, what is written down, and that a second install keeps it.
func TestServiceComesUp(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, w *world) {
		w.manager.start = func(ctx context.Context, s supervisor) error {
			s.holds()
			s.becomes(svc.Starting, 0)
			s.reports(instance.Report{State: instance.Starting})
			time.Sleep(7 * time.Second)
			return ready(s)
		}
		made := w.install(w.brought())
		if got := w.phases.of(plan.ServicePhase); got != "listening after 7s" {
			t.Errorf("the phase says %q", got)
		}
		if got := w.manager.changes(); !slices.Equal(got, []string{"install", "restart"}) {
			t.Errorf("the service manager was asked to %q", got)
		}
		unit := w.manager.unit(serviceName)
		if made.ServiceName != serviceName || unit == nil || !unit.enabled {
			t.Fatalf("service %q, unit %+v", made.ServiceName, unit)
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
		if r := w.record(); r.Service != serviceName || r.Phase != instance.Installed || r.RunnerID != broughtID || !r.PreRegistered {
			t.Errorf("the record is %+v", r)
		}
		w.install(w.brought())
		if got := w.phases.of(plan.ServicePhase); got != "kept: running already" || len(w.manager.changes()) > 0 {
			t.Errorf("the second time: %q", got)
		}
	})
}

// What the agent has found to be weaker on this host is said when its service is up.
func TestServiceIsConfinedLess(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, w *world) {
		var log bytes.Buffer
		w.host.Log = slog.New(slog.NewTextHandler(&log, nil))
		w.manager.start = func(_ context.Context, s supervisor) error {
			s.holds()
			s.becomes(svc.Running, 0)
			confined := instance.Confinement{ConfinedBy: "descendants", Weaker: "this systemd is too old"}
			s.reports(instance.Report{State: instance.Idle, Confinement: confined})
			return nil
		}
		w.install(w.brought())
		if said := log.String(); !strings.Contains(said, `by=descendants reason="this systemd is too old"`) {
			t.Errorf("install says %s", said)
		}
	})
}

// ready is the end of a start that took a while.
func ready(s supervisor) error {
	s.becomes(svc.Running, 0)
	s.reports(instance.Report{State: instance.Idle})
	return nil
}

// Ctrl-C while a service comes up: one that is new is taken away, one that was there goes on coming up.
func TestServiceInterrupted(t *testing.T) {
	t.Parallel()
	for name, before := range map[string]bool{"new": false, "there before": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
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
					w.manager.changes()
					ctx, cancel := context.WithCancel(t.Context())
					time.AfterFunc(5*time.Second, cancel)
					_, err := w.host.Install(ctx, r)
					if !errors.Is(err, context.Canceled) || errors.Is(err, startup.ErrService) {
						t.Errorf("%s: error %v", place, err)
					}
					if got := w.manager.changes(); before && !slices.Equal(got, []string{"install", "restart"}) {
						t.Errorf("%s: the service manager was asked to %q", place, got)
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
	t.Parallel()
	for name, c := range map[string]struct {
		set   func(w *world)
		words string
		up    bool
	}{
		"running":       {nil, "its unit is as before, and runs", true},
		"at rest":       {func(w *world) { w.manager.halt(w.manager.unit(serviceName), svc.Stopped) }, "its unit is as before", false},
		"no undo":       {func(w *world) { w.manager.breaks("undo", errBroken) }, "and its unit before could not be put back: " + errBroken.Error(), false},
		"no restart":    {func(w *world) { w.manager.breaksAt("restart", func(int) error { return errBroken }) }, "its unit is as before, and does not start either", true},
		"not installed": {func(w *world) { w.manager.breaks("install", refusal()) }, "its unit is as before, and runs", true},
		"no record then": {func(w *world) {
			w.manager.breaksAt("undo", func(int) error { return os.Rename(w.base+"/rb/state/instances", w.base+"/away") })
		}, "its unit is as before, and what it runs with could not be", false},
		"no place for its .env": {func(w *world) {
			w.manager.breaksAt("undo", func(int) error { return loseRoot(w) })
		}, "its unit is as before, and what it runs with could not be", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(t *testing.T, w *world) {
				w.install(w.brought())
				before := w.manager.unit(serviceName).text
				if c.set != nil {
					c.set(w)
				}
				tries := 0
				if name == "not installed" {
					tries = 1 // what is started is the one before
				}
				w.manager.start = func(ctx context.Context, s supervisor) error {
					if tries++; tries > 1 {
						return listens(ctx, s)
					}
					s.ends(svc.Failed, 1)
					return refusal()
				}
				r := w.brought()
				r.Life.DrainTimeout, r.Variables = instance.Duration(time.Hour), []string{"COLOR=red"}
				err := w.refused(r, startup.ErrService, c.words)
				if !errors.As(err, new(*startup.LeftError)) {
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

// What a service was kept with is there again, when it does not come up with anything else.
func TestServiceKeepsWhatItHad(t *testing.T) {
	t.Parallel()
	kept := func(w *world) string {
		secret, err := w.store.KeptCredential(runnerName)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			w.t.Error(err)
		}
		return secret
	}
	before, after := instance.Credential{TokenFile: "/etc/token"}, instance.Credential{Kept: true}
	for name, reverse := range map[string]bool{"a place, then a credential that is kept": false, "the other way round": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(t *testing.T, w *world) {
				r := w.brought()
				first, second := before, after
				if reverse {
					first, second = after, before
				}
				r.Variables, r.Life.DeregisterOnStop = []string{"COLOR=blue"}, true
				r.Credential, r.Keep = first, secret.New("ghp_kept")
				w.install(r)
				secret := kept(w)
				r.Credential, r.Variables = second, []string{"COLOR=red"}
				w.manager.breaksAt("restart", func(n int) error { return [...]error{refusal(), nil}[n] })
				w.refused(r, startup.ErrService, "its unit is as before, and runs")
				if r := w.record(); r.Credential.TokenFile != "" == reverse && account.Privileged() || kept(w) != secret {
					t.Errorf("the credential is %+v, kept %q, before %q", r.Credential, kept(w), secret)
				}
				if env, err := os.ReadFile(w.root(".env")); err != nil || string(env) != "COLOR=blue\n" {
					t.Errorf(".env is %q, %v", env, err)
				}
			})
		})
	}
}

// What cannot be remembered of a service is not changed.
func TestServiceIsNotForgotten(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		phase plan.Phase
		spoil func(w *world) error
		words string
	}{
		"its .env":       {plan.EnvironmentPhase, func(w *world) error { return loop(w.root(".env")) }, "reading the runner's .env"},
		"its variables":  {plan.EnvironmentPhase, func(w *world) error { return loop(w.stateOf("environment.json")) }, "reading the variables"},
		"its credential": {plan.LifePhase, func(w *world) error { return loop(w.stateOf("credential")) }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.install(w.brought())
			w.manager.changes()
			w.phases.begin = func(phase plan.Phase) {
				if phase == c.phase {
					mustDo(t, c.spoil(w))
				}
			}
			r := w.brought()
			r.Variables, r.Life.MaxJobs = []string{"COLOR=red"}, 3
			w.refused(r, syscall.ELOOP, c.words)
			if calls := w.manager.changes(); len(calls) > 0 {
				t.Errorf("the service manager was asked to %q", calls)
			}
		})
	}
}

// A changed service, the same one that has stopped, and one that is not enabled are restarted.
func TestServiceIsMended(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		set    func(w *world, r *plan.Request)
		reason string
	}{
		"changed":     {func(_ *world, r *plan.Request) { r.Life.DrainTimeout = instance.Duration(time.Hour) }, "its unit differs"},
		"not enabled": {func(w *world, _ *plan.Request) { w.manager.unit(serviceName).enabled = false }, "its unit differs"},
		"stopped":     {func(w *world, _ *plan.Request) { w.manager.halt(w.manager.unit(serviceName), svc.Stopped) }, "it is stopped"},
		"gone": {func(w *world, _ *plan.Request) {
			w.manager.halt(w.manager.unit(serviceName), svc.Stopped)
			delete(w.manager.units, serviceName)
		}, "not installed yet"},
		"its life": {func(_ *world, r *plan.Request) { r.Life.MaxJobs = 3 }, "what it runs has changed"},
		"its .env": {func(_ *world, r *plan.Request) { r.Variables = []string{"A=1"} }, "what it runs has changed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(t *testing.T, w *world) {
				w.install(w.brought())
				w.manager.changes()
				r := w.brought()
				c.set(w, &r)
				made := w.install(r)
				last := made.Steps[len(made.Steps)-1]
				if last.Phase != plan.ServicePhase || last.Reason != c.reason || !last.Change {
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
	t.Parallel()
	for name, c := range map[string]struct {
		set   func(w *world)
		words string
	}{
		"all is well":       {nil, ""},
		"it does not stop":  {func(w *world) { w.manager.breaks("stop", errBroken) }, errBroken.Error()},
		"it is not removed": {func(w *world) { w.manager.breaks("uninstall", errBroken) }, errBroken.Error()},
		"it has no name": {func(w *world) {
			_, err := w.store.Update(w.t.Context(), runnerName, func(r *instance.Record) { r.Service = "-x" })
			mustDo(w.t, err)
		}, "naming service"},
		"its name is a folder": {func(w *world) {
			mustDo(w.t, os.Remove(w.root(".service")), os.MkdirAll(w.root(".service", "x"), 0o755))
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.install(w.brought())
			if c.set != nil {
				c.set(w)
			}
			r := w.brought()
			r.Service = false
			if c.words != "" {
				before := w.record().Service
				w.refused(r, nil, c.words)
				if w.record().Service != before {
					t.Error("the record has forgotten the service")
				}
				return
			}
			w.install(r)
			if w.manager.unit(serviceName) != nil || w.record().Service != "" || w.phases.of(plan.ServicePhase) != "removed" {
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
