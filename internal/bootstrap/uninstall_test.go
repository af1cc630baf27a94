//go:build unix

package bootstrap_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/account"
	"github.com/runner-bootstrap/runner-bootstrap/internal/bootstrap"
	"github.com/runner-bootstrap/runner-bootstrap/internal/github"
	"github.com/runner-bootstrap/runner-bootstrap/internal/githubtest"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/plan"
	"github.com/runner-bootstrap/runner-bootstrap/internal/register"
)

// uninstall does so, and wants it to succeed.
func (w *world) uninstall(r bootstrap.Removal) {
	w.t.Helper()
	w.phases.reset()
	r.Name = runnerName
	if err := w.host.Uninstall(w.t.Context(), r); err != nil {
		w.t.Fatalf("uninstall: %v", err)
	}
	w.forgotten()
	if w.manager.unit(serviceName) != nil {
		w.t.Error("the service is left")
	}
}

// stays does so, and wants it to fail for a reason, with the runner remembered.
func (w *world) stays(r bootstrap.Removal, reason error, words ...string) error {
	w.t.Helper()
	w.phases.reset()
	r.Name = runnerName
	err := w.host.Uninstall(w.t.Context(), r)
	expect(w.t, err, reason, words...)
	w.record()
	return err
}

func TestUninstall(t *testing.T) {
	for name, c := range map[string]struct {
		set     func(w *world)
		removal bootstrap.Removal
		stop    string
		how     string
	}{
		"by config.sh": {nil, bootstrap.Removal{}, "stop", "removed by config.sh, GitHub no longer lists it"},
		"at once":      {nil, bootstrap.Removal{Force: true}, "stop now", "removed by config.sh, GitHub no longer lists it"},
		"by its id": {func(w *world) {
			mustDo(w.t, register.Forget(w.root()))
		}, bootstrap.Removal{}, "stop", "deleted by id, GitHub no longer lists it"},
		"config.sh is broken": {func(w *world) {
			mustDo(w.t, os.WriteFile(w.root("config.sh"), []byte("#!/bin/sh\nexit 1\n"), 0o755))
		}, bootstrap.Removal{}, "stop", "deleted by id, GitHub no longer lists it"},
		"gone at GitHub": {func(w *world) { w.server.DeleteRunner(w.record().RunnerID) }, bootstrap.Removal{}, "stop", "gone already, GitHub no longer lists it"},
		"without GitHub": {func(w *world) { w.host.Connect = nil }, bootstrap.Removal{SkipGitHub: true}, "stop", "GitHub was not told (--local), id 101 may still be listed there"},
		"of another name, too": {func(w *world) {
			w.server.AddRunner("octo-org/hello", githubtest.Runner{Name: "web-1"})
		}, bootstrap.Removal{}, "stop", "removed by config.sh, GitHub no longer lists it"},
		"slow lists": {func(w *world) { w.server.Lag(1) }, bootstrap.Removal{}, "stop", "removed by config.sh, GitHub no longer lists it"},
		"registered anew while it stops": {func(w *world) {
			w.manager.breaksAt("stop", func(n int) error {
				if n == 0 {
					w.server.DeleteRunner(w.record().RunnerID)
					id := w.server.AddRunner(organization, githubtest.Runner{Name: runnerName, Status: "offline"}).ID
					_, err := w.store.Update(w.t.Context(), runnerName, func(r *instance.Record) { r.RunnerID = id })
					mustDo(w.t, err, register.Forget(w.root()))
				}
				return nil
			})
		}, bootstrap.Removal{}, "stop", "deleted by id, GitHub no longer lists it"},
		"it writes metrics": {func(w *world) {
			file := w.write("metrics/web.prom", "x")
			_, err := w.store.Update(w.t.Context(), runnerName, func(r *instance.Record) { r.MetricsFile = file })
			mustDo(w.t, err)
		}, bootstrap.Removal{}, "stop", "removed by config.sh, GitHub no longer lists it"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t).withGitHub()
			w.install(w.request())
			w.manager.changes()
			if c.set != nil {
				c.set(w)
			}
			if name == "without GitHub" {
				c.how = strings.Replace(c.how, "101", itoa(w.record().RunnerID), 1)
			}
			w.uninstall(c.removal)
			if got := w.phases.of(plan.DeregisterPhase); got != c.how {
				t.Errorf("the phase says %q, want %q", got, c.how)
			}
			if got := w.manager.changes(); len(got) == 0 || got[0] != c.stop || got[len(got)-1] != "uninstall" {
				t.Errorf("the service manager was asked to %q", got)
			}
			left := slices.DeleteFunc(w.listed(), func(r githubtest.Runner) bool { return r.Scope != organization })
			if len(left) > 0 != c.removal.SkipGitHub {
				t.Errorf("GitHub lists %+v", left)
			}
			if _, err := os.Lstat(filepath.Join(w.base, "metrics", "web.prom")); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("the metrics are left: %v", err)
			}
			if _, err := os.Lstat(w.host.Paths.State); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("the state directory is left: %v", err)
			}
		})
	}
}

// What is refused leaves everything as it is.
func TestUninstallIsRefused(t *testing.T) {
	for name, c := range map[string]struct {
		set    func(w *world)
		reason error
	}{
		"no credential": {func(w *world) { w.host.Connect = nil }, github.ErrNoCredential},
		"a weak one": {func(w *world) {
			w.server.Fault(githubtest.Fault{Method: "GET", Path: runnersPath, Status: 403})
		}, github.ErrForbidden},
		"a job runs": {func(w *world) {
			mustDo(w.t, w.store.SaveReport(runnerName, instance.Report{State: instance.Busy, Job: "build", PID: os.Getpid()}))
		}, bootstrap.ErrBusy},
		"GitHub says that a job runs": {func(w *world) {
			w.server.DeleteRunner(w.record().RunnerID)
			id := w.server.AddRunner(organization, githubtest.Runner{Name: runnerName, Status: "online", Busy: true}).ID
			_, err := w.store.Update(w.t.Context(), runnerName, func(r *instance.Record) { r.RunnerID = id })
			mustDo(w.t, err)
		}, bootstrap.ErrBusy},
		"the record is odd": {func(w *world) {
			_, err := w.store.Update(w.t.Context(), runnerName, func(r *instance.Record) { r.ScopeURL = "::" })
			mustDo(w.t, err)
		}, nil},
		"the report is damaged": {func(w *world) {
			mustDo(w.t, os.WriteFile(filepath.Join(w.host.Paths.State, "instances", runnerName, "listener.json"), []byte("{"), 0o600))
		}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t).withGitHub()
			w.install(w.atGitHub())
			w.manager.changes()
			c.set(w)
			w.stays(bootstrap.Removal{}, c.reason)
			if got := w.manager.changes(); len(got) > 0 || w.record().Phase != instance.Installed {
				t.Errorf("the service manager was asked to %q, the record is %+v", got, w.record())
			}
		})
	}
	w := newWorld(t)
	if err := w.host.Uninstall(t.Context(), bootstrap.Removal{Name: "nothing"}); !errors.Is(err, instance.ErrUnknown) {
		t.Errorf("error %v", err)
	}
}

// What fails on the way is said, and the next uninstall goes on from there.
func TestUninstallFails(t *testing.T) {
	for name, c := range map[string]struct {
		set   func(w *world)
		words string
		left  bool // something was changed
	}{
		"it does not stop":  {func(w *world) { w.manager.breaks("stop", errBroken) }, errBroken.Error(), false},
		"its service stays": {func(w *world) { w.manager.breaks("uninstall", errBroken) }, errBroken.Error() + "; the runner is stopped, and uninstall goes on from here when it is run again", true},
		"its service is unnamed": {func(w *world) {
			_, err := w.store.Update(w.t.Context(), runnerName, func(r *instance.Record) { r.Service = "-x" })
			mustDo(w.t, err)
		}, "naming service", false},
		"GitHub does not delete it": {func(w *world) {
			w.server.Fault(githubtest.Fault{Method: "DELETE", Path: runnersPath + "/*", Status: 403})
		}, "403", true},
		"no token to remove it": {func(w *world) {
			w.server.Fault(githubtest.Fault{Method: "POST", Path: runnersPath + "/remove-token", Status: 403})
		}, "403", true},
		"GitHub goes on listing it": {func(w *world) { w.server.Lag(1000) }, register.ErrStillListed.Error(), true},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t).withGitHub()
			if name == "no token to remove it" {
				w.install(w.request())
			} else {
				w.install(w.atGitHub())
			}
			c.set(w)
			err := w.stays(bootstrap.Removal{}, nil, c.words)
			if errors.As(err, new(*bootstrap.LeftError)) != c.left || w.record().Phase != instance.Removing {
				t.Errorf("error %v, the record is %+v", err, w.record())
			}
			if all, err := w.host.Status(t.Context(), runnerName); len(all) != 1 || !slices.Contains(all[0].Problems, "its removal was interrupted") {
				t.Errorf("status says %+v, %v", all, err)
			}
			if name == "its service is unnamed" {
				return
			}
			w.manager.fail = nil
			w.server.ClearFaults()
			w.server.Lag(0)
			if name != "GitHub goes on listing it" { // its lag lasts
				w.uninstall(bootstrap.Removal{})
			}
		})
	}
}

// Without a credential: a remove token does for what config.sh has registered, and nothing is needed for what was never
// registered.
func TestUninstallByRemoveToken(t *testing.T) {
	w := newWorld(t).withGitHub()
	w.install(w.request())
	w.host.Connect = nil
	w.stays(bootstrap.Removal{RemoveToken: github.NewSecret("wrong")}, nil)
	w.uninstall(bootstrap.Removal{RemoveToken: github.NewSecret(w.server.RemoveToken(organization))})
	if got := w.phases.of(plan.DeregisterPhase); got != "removed by config.sh, GitHub was not asked for the proof" || len(w.listed()) > 0 {
		t.Errorf("the phase says %q, GitHub lists %+v", got, w.listed())
	}
}

func TestUninstallOfWhatWasNeverRegistered(t *testing.T) {
	for name, c := range map[string]struct {
		set func(w *world)
		how string
	}{
		"GitHub lists none":   {nil, "this host has not registered it, GitHub lists none of its name"},
		"GitHub lists one":    {func(w *world) { w.server.AddRunner(organization, githubtest.Runner{Name: runnerName}) }, "this host has not registered it"},
		"GitHub is not asked": {func(w *world) { w.host.Connect = nil }, "this host has not registered it; GitHub was not asked"},
		"GitHub says nothing": {func(w *world) {
			w.server.Fault(githubtest.Fault{Method: "GET", Path: runnersPath, Status: 403})
		}, "this host has not registered it; GitHub was not asked"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t).withGitHub()
			w.server.Fault(githubtest.Fault{Method: "POST", Path: registerPath, Status: 403})
			w.refused(w.request(), nil)
			w.server.ClearFaults()
			if c.set != nil {
				c.set(w)
			}
			w.uninstall(bootstrap.Removal{})
			if got := w.phases.of(plan.DeregisterPhase); got != c.how {
				t.Errorf("the phase says %q, want %q", got, c.how)
			}
		})
	}
}

// outsideSupervisor is a process that holds the lock of a runner, reports, and obeys signals: that of a runner without a
// service. See holdRunner.
func (w *world) outsideSupervisor() *exec.Cmd {
	w.t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), holdVariable+"="+w.host.Paths.State)
	if err := cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = cmd.Wait() // it ends by a signal, or because it is told to
	}()
	w.t.Cleanup(func() {
		if err := cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
			w.t.Error(err)
		}
		<-ended
	})
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if report, err := w.store.LoadReport(runnerName); err == nil && report.PID == cmd.Process.Pid && report.State != "" {
			return cmd
		}
	}
	w.t.Fatal("the supervisor does not come up")
	return nil
}

// A runner without a service is stopped by its process.
func TestUninstallStopsProcess(t *testing.T) {
	for name, force := range map[string]bool{"gently": false, "now": true} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			r := w.brought()
			r.Service = false
			w.install(r)
			cmd := w.outsideSupervisor()
			w.uninstall(bootstrap.Removal{SkipGitHub: true, Force: force})
			if got := w.phases.of(plan.StopPhase); got != "stopped process "+itoa(int64(cmd.Process.Pid)) {
				t.Errorf("the phase says %q", got)
			}
			if text, err := os.ReadFile(filepath.Join(w.host.Paths.State, "told")); err == nil {
				t.Errorf("it was told %q", text)
			}
		})
	}
}

// One that does not stop is not waited for longer than is allowed, and nothing is removed.
func TestUninstallOfAStubbornProcess(t *testing.T) {
	w := newWorld(t)
	r := w.brought()
	r.Service = false
	w.install(r)
	t.Setenv(stubbornVariable, "1")
	w.outsideSupervisor()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	err := w.host.Uninstall(ctx, bootstrap.Removal{Name: runnerName, SkipGitHub: true})
	expect(t, err, context.DeadlineExceeded, "stopping process")
	if _, err := os.Lstat(w.root("bin")); err != nil {
		t.Error(err)
	}
}

// Drain and resume are told to the supervisor, and waited for.
func TestDrain(t *testing.T) {
	w := newWorld(t)
	r := w.brought()
	r.Service = false
	w.install(r)
	expect(t, w.host.Drain(t.Context(), "nothing"), instance.ErrUnknown)
	expect(t, w.host.Drain(t.Context(), runnerName), bootstrap.ErrNotSupervised, "draining runner")
	w.outsideSupervisor()
	state := func() instance.State {
		all, err := w.host.Status(t.Context(), runnerName)
		if err != nil || len(all) != 1 {
			t.Fatalf("status %+v, %v", all, err)
		}
		return all[0].Listener.State
	}
	mustDo(t, w.host.Drain(t.Context(), runnerName), w.host.Drain(t.Context(), runnerName))
	if got := state(); got != instance.Drained {
		t.Errorf("after draining it is %s", got)
	}
	mustDo(t, w.host.Resume(t.Context(), runnerName))
	if got := state(); got != instance.Idle {
		t.Errorf("after resuming it is %s", got)
	}
	mustDo(t, os.WriteFile(filepath.Join(w.host.Paths.State, "deaf"), nil, 0o600))
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	expect(t, w.host.Drain(ctx, runnerName), context.DeadlineExceeded, "its listener is idle")
}

// Tidy takes away the state that a killed uninstall has left.
func TestTidy(t *testing.T) {
	w := newWorld(t)
	mustDo(t, w.host.Tidy(t.Context()), os.MkdirAll(w.base+"/rb", 0o755), os.Mkdir(w.host.Paths.State, 0o700), w.host.Tidy(t.Context()))
	if _, err := os.Lstat(w.host.Paths.State); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the state directory is left: %v", err)
	}
	w.install(w.brought())
	mustDo(t, w.host.Tidy(t.Context()))
	w.record()
	lock, err := w.store.LockHost(t.Context())
	mustDo(t, err)
	defer lock.Release()
	expect(t, w.host.Tidy(t.Context()), instance.ErrLocked)
	expect(t, w.host.Uninstall(t.Context(), bootstrap.Removal{Name: runnerName}), instance.ErrLocked)
	_, err = w.host.Install(t.Context(), w.brought())
	expect(t, err, instance.ErrLocked)
}

// Whoever has no privileges writes where that needs none, and is told so before anything is made.
func TestPrivileges(t *testing.T) {
	if account.Privileged() {
		return // the same tests run without
	}
	w := newWorld(t)
	w.host.Private = false
	w.refused(w.brought(), account.ErrPrivilege)
	if _, err := os.Lstat(w.host.Paths.State); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a state directory was made: %v", err)
	}
	w.host.Private = true
	r := w.brought()
	r.User = "root"
	w.refused(r, account.ErrPrivilege, "root")
}
