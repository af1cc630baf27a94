//go:build unix

package bootstrap_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/account"
	"github.com/runner-bootstrap/runner-bootstrap/internal/bootstrap"
	"github.com/runner-bootstrap/runner-bootstrap/internal/github"
	"github.com/runner-bootstrap/runner-bootstrap/internal/githubtest"
	"github.com/runner-bootstrap/runner-bootstrap/internal/health"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/plan"
	"github.com/runner-bootstrap/runner-bootstrap/internal/register"
	"github.com/runner-bootstrap/runner-bootstrap/internal/secret"
	"github.com/runner-bootstrap/runner-bootstrap/internal/startup"
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
	t.Parallel()
	for name, c := range map[string]struct {
		set     func(w *world)
		removal bootstrap.Removal
		stop    string
		how     string
	}{
		"by config.sh": {nil, bootstrap.Removal{}, "stop", "removed by config.sh, GitHub no longer lists it"},
		"at once":      {nil, bootstrap.Removal{Force: true}, "stop now", "deleted by id, GitHub no longer lists it"},
		"by its id": {func(w *world) {
			mustDo(w.t, instance.KeptRegistration(w.store, runnerName).Drop())
		}, bootstrap.Removal{}, "stop", "deleted by id, GitHub no longer lists it"},
		"by config.sh, which a job has replaced": {func(w *world) {
			mustDo(w.t, os.WriteFile(w.root("config.sh"), []byte("#!/bin/sh\ntouch "+w.base+"/ran; exit 1\n"), 0o755))
		}, bootstrap.Removal{}, "stop", "removed by config.sh, GitHub no longer lists it"},
		"config.sh is refused": {func(w *world) {
			w.server.Fault(githubtest.Fault{Method: "DELETE", Path: runnersPath + "/*", Status: 403, Times: 1})
		}, bootstrap.Removal{}, "stop", "deleted by id, GitHub no longer lists it"},
		"no config.sh in the cache": {func(w *world) {
			w.host.Paths.Cache, w.host.Fetcher.Cache.Dir = w.base+"/empty", w.base+"/empty"
		}, bootstrap.Removal{}, "stop", "deleted by id, GitHub no longer lists it"},
		"config.sh of another version": {func(w *world) {
			_, err := w.store.Update(w.t.Context(), runnerName, func(r *instance.Record) { r.Version, r.SHA256 = "2.1.0", strings.Repeat("0", 64) })
			mustDo(w.t, err)
		}, bootstrap.Removal{}, "stop", "removed by config.sh, GitHub no longer lists it"},
		"gone at GitHub": {func(w *world) { w.server.DeleteRunner(w.record().RunnerID) }, bootstrap.Removal{}, "stop", "gone already, GitHub no longer lists it"},
		"without GitHub": {func(w *world) { w.host.Connect = nil }, bootstrap.Removal{SkipGitHub: true}, "stop", "GitHub was not told (--local), id 101 may still be listed there"},
		"of another name, too": {func(w *world) {
			w.server.AddRunner("octo-org/hello", githubtest.Runner{Name: "web-1"})
		}, bootstrap.Removal{}, "stop", "deleted by id, GitHub no longer lists it"},
		"registered again while it stops": {func(w *world) {
			w.manager.breaksAt("stop", func(n int) error {
				if n == 0 {
					w.server.DeleteRunner(w.record().RunnerID)
					id := w.server.AddRunner(organization, githubtest.Runner{Name: runnerName, Status: "offline"}).ID
					_, err := w.store.Update(w.t.Context(), runnerName, func(r *instance.Record) { r.RunnerID = id })
					mustDo(w.t, err, instance.KeptRegistration(w.store, runnerName).Drop())
				}
				return nil
			})
		}, bootstrap.Removal{}, "stop", "deleted by id, GitHub no longer lists it"},
		"it writes metrics": {func(w *world) {
			file := w.write("metrics/web.prom", "x")
			_, err := w.store.Update(w.t.Context(), runnerName, func(r *instance.Record) { r.MetricsFile = file })
			mustDo(w.t, err)
		}, bootstrap.Removal{}, "stop", "deleted by id, GitHub no longer lists it"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			if strings.Contains(name, "config.sh") {
				w.install(w.withRunner().request())
			} else {
				w.install(w.withGitHub().atGitHub())
			}
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
			if _, err := os.Lstat(filepath.Join(w.base, "ran")); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("a job's program was run: %v", err)
			}
			if _, err := os.Lstat(w.host.Paths.State); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("the state directory is left: %v", err)
			}
		})
	}
}

// The supervisor may register the runner again at any moment until it is stopped: nothing of that is left at GitHub.
func TestUninstallWhileTheRunnerIsRegisteredAgain(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		looked  []func(w *world) // what the supervisor does during the look
		stopped []func(w *world) // and while it stops
	}{
		"wholly":                          {looked: []func(*world){begins, joins, keeps, notes}},
		"and it has listened":             {looked: []func(*world){begins, joins, keeps, notes}, stopped: []func(*world){waits}},
		"begun":                           {looked: []func(*world){begins}},
		"begun, and made while it stops":  {looked: []func(*world){begins}, stopped: []func(*world){joins}},
		"begun, and noted while it stops": {looked: []func(*world){begins}, stopped: []func(*world){joins, keeps, notes, waits}},
		"made":                            {looked: []func(*world){begins, joins}},
		"made, and noted while it stops":  {looked: []func(*world){begins, joins}, stopped: []func(*world){keeps, notes, waits}},
		"kept":                            {looked: []func(*world){begins, joins, keeps}},
		"kept, and noted while it stops":  {looked: []func(*world){begins, joins, keeps}, stopped: []func(*world){notes, waits}},
		"while it stops":                  {stopped: []func(*world){begins, joins, keeps, notes, waits}},
		"while it stops, and not noted":   {stopped: []func(*world){begins, joins, keeps}},
		"while it stops, of which is nothing kept": {stopped: []func(*world){begins, joins}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t).withGitHub()
			w.install(w.atGitHub())
			connect, looked := w.host.Connect, false
			w.host.Connect = func(scope github.Scope) *github.Client {
				if !looked {
					looked = true
					w.do(c.looked)
				}
				return connect(scope)
			}
			w.manager.breaksAt("stop", func(n int) error {
				if n == 0 {
					w.do(c.stopped)
				}
				return nil
			})
			w.uninstall(bootstrap.Removal{})
			if left := w.listed(); len(left) > 0 {
				t.Errorf("GitHub lists %+v", left)
			}
		})
	}
}

func (w *world) do(steps []func(*world)) {
	for _, step := range steps {
		step(w)
	}
}

// begins, joins, keeps, notes and waits are what a supervisor does to register a runner again, in this order.
func begins(w *world) {
	_, err := w.store.Update(w.t.Context(), runnerName, func(r *instance.Record) {
		w.server.DeleteRunner(r.RunnerID)
		r.Renewing, r.RunnerID = true, 0
	})
	mustDo(w.t, err)
}

func joins(w *world) {
	labels := []githubtest.Label{{Name: "self-hosted", Type: "read-only"}, {Name: "Linux", Type: "read-only"}, {Name: "X64", Type: "read-only"}}
	w.server.AddRunner(organization, githubtest.Runner{Name: runnerName, Status: "offline", Ephemeral: true, Labels: labels})
}

func keeps(w *world) {
	w.keep(fmt.Sprintf(`{"AgentId":"%d","AgentName":%q}`, w.listed()[0].ID, runnerName))
}

func notes(w *world) {
	_, err := w.store.Update(w.t.Context(), runnerName, func(r *instance.Record) { r.Renewing, r.RunnerID = false, w.listed()[0].ID })
	mustDo(w.t, err)
}

func waits(w *world) {
	runner := w.listed()[0]
	w.server.DeleteRunner(runner.ID)
	runner.Status, runner.Version = "offline", "2.337.0"
	w.server.AddRunner(organization, runner)
}

// What is refused leaves everything as it is.
func TestUninstallIsRefused(t *testing.T) {
	t.Parallel()
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
		"a job runs, and GitHub cannot be asked": {func(w *world) {
			mustDo(w.t, w.store.SaveReport(runnerName, instance.Report{State: instance.Busy, Job: "build", PID: os.Getpid()}))
			w.server.Fault(githubtest.Fault{Method: "GET", Path: runnersPath, Status: 403})
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
			t.Parallel()
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

// A job of which GitHub has heard the end, and the agent has not, is waited for.
func TestUninstallAfterAJob(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		hears time.Duration // when the agent hears of the end; zero: never
		busy  bool          // at GitHub
		ends  time.Duration // when the uninstall is interrupted; zero: never
		want  error
	}{
		"heard a moment later": {hears: 300 * time.Millisecond},
		"never heard":          {want: bootstrap.ErrBusy},
		"interrupted":          {ends: 300 * time.Millisecond, want: context.Canceled},
		"not over":             {hears: 300 * time.Millisecond, busy: true, want: bootstrap.ErrBusy},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t).withGitHub()
			w.install(w.atGitHub())
			if c.busy {
				runner := w.listed()[0]
				w.server.DeleteRunner(runner.ID)
				runner.Busy = true
				id := w.server.AddRunner(organization, runner).ID
				_, err := w.store.Update(t.Context(), runnerName, func(r *instance.Record) { r.RunnerID = id })
				mustDo(t, err)
			}
			mustDo(t, w.store.SaveReport(runnerName, instance.Report{State: instance.Busy, Job: "build", PID: os.Getpid()}))
			heard := make(chan error, 1)
			if c.hears > 0 {
				time.AfterFunc(c.hears, func() {
					heard <- w.store.SaveReport(runnerName, instance.Report{State: instance.Idle, PID: os.Getpid()})
				})
			} else {
				heard <- nil
			}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if c.ends > 0 {
				time.AfterFunc(c.ends, cancel)
			}
			if err := w.host.Uninstall(ctx, bootstrap.Removal{Name: runnerName}); !errors.Is(err, c.want) {
				t.Errorf("error %v", err)
			}
			mustDo(t, <-heard)
			if _, err := w.store.Load(runnerName); (err == nil) != (c.want != nil) {
				t.Errorf("afterwards its record: %v", err)
			}
		})
	}
}

// What fails on the way is said, and the next uninstall goes on from there.
func TestUninstallFails(t *testing.T) {
	t.Parallel()
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
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			if name == "no token to remove it" {
				w.install(w.withRunner().request())
			} else {
				w.install(w.withGitHub().atGitHub())
			}
			c.set(w)
			err := w.stays(bootstrap.Removal{}, nil, c.words)
			if errors.As(err, new(*startup.LeftError)) != c.left || w.record().Phase != instance.Removing {
				t.Errorf("error %v, the record is %+v", err, w.record())
			}
			if name == "its service is unnamed" {
				return
			}
			w.manager.fail = nil
			w.server.ClearFaults()
			w.uninstall(bootstrap.Removal{})
		})
	}
}

// GitHub goes on listing the runner until the user has enough of it.
func TestUninstallInterrupted(t *testing.T) {
	t.Parallel()
	w := newWorld(t).withGitHub()
	w.install(w.atGitHub())
	w.server.Lag(1000)
	ctx, cancel := context.WithCancel(t.Context())
	w.phases.begin = func(phase plan.Phase) {
		if phase == plan.DeregisterPhase {
			time.AfterFunc(100*time.Millisecond, cancel)
		}
	}
	err := w.host.Uninstall(ctx, bootstrap.Removal{Name: runnerName})
	expect(t, err, context.Canceled, "uninstall goes on from here when it is run again")
	if w.record().Phase != instance.Removing || len(w.listed()) > 0 {
		t.Errorf("GitHub lists %+v, the record is %+v", w.listed(), w.record())
	}
}

// Without a credential: a remove token does for what config.sh has registered, and nothing is needed for what was never
// registered.
func TestUninstallByRemoveToken(t *testing.T) {
	t.Parallel()
	w := newWorld(t).withRunner()
	w.install(w.request())
	w.host.Connect = nil
	w.stays(bootstrap.Removal{RemoveToken: secret.New("wrong")}, nil)
	cache := w.host.Fetcher.Cache.Dir
	w.host.Fetcher.Cache.Dir = w.base + "/empty"
	w.stays(bootstrap.Removal{RemoveToken: secret.New(w.server.RemoveToken(organization))}, register.ErrNoProgram)
	w.host.Fetcher.Cache.Dir = cache
	w.uninstall(bootstrap.Removal{RemoveToken: secret.New(w.server.RemoveToken(organization))})
	if got := w.phases.of(plan.DeregisterPhase); got != "removed by config.sh, GitHub was not asked for the proof" || len(w.listed()) > 0 {
		t.Errorf("the phase says %q, GitHub lists %+v", got, w.listed())
	}
}

func TestUninstallOfWhatWasNeverRegistered(t *testing.T) {
	t.Parallel()
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
			t.Parallel()
			w := newWorld(t).withGitHub()
			w.server.Fault(githubtest.Fault{Method: "POST", Path: runnersPath + "/generate-jitconfig", Status: 403})
			w.refused(w.byConfig(), nil)
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

// A runner without a service is stopped by its process.
func TestUninstallStopsProcess(t *testing.T) {
	t.Parallel()
	for name, way := range ways() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			r := w.brought()
			r.Service = false
			w.install(r)
			cmd := w.outsideAgent(way(w))
			w.uninstall(bootstrap.Removal{SkipGitHub: true, Force: name != "by signals"})
			if got := w.phases.of(plan.StopPhase); got != "stopped process "+itoa(int64(cmd.Process.Pid)) {
				t.Errorf("the phase says %q", got)
			}
		})
	}
}

// One that does not stop, or does not answer, is not waited for longer than is allowed, and nothing is removed.
func TestUninstallOfAStubbornProcess(t *testing.T) {
	t.Parallel()
	for name, silent := range map[string]bool{"it does not stop": false, "it does not answer": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			r := w.brought()
			r.Service = false
			w.install(r)
			w.outsideAgent(stubbornVariable + "=1")
			if silent {
				w.socket()
				mustDo(t, os.Mkdir(filepath.Join(w.base, "run"), 0o700))
				listener, err := net.Listen("unix", w.record().Control) // what connects is heard by nobody
				mustDo(t, err)
				defer listener.Close()
			}
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			defer cancel()
			err := w.host.Uninstall(ctx, bootstrap.Removal{Name: runnerName, SkipGitHub: true})
			expect(t, err, context.DeadlineExceeded, "stopping process")
			if _, err := os.Lstat(w.root("bin")); err != nil {
				t.Error(err)
			}
			if silent { // there was no time left for a signal
				time.Sleep(50 * time.Millisecond)
				if report, err := w.store.LoadReport(runnerName); err != nil || report.Starts > 0 {
					t.Errorf("it has heard %d commands, %v", report.Starts, err)
				}
			}
		})
	}
}

// What cannot be told is an error.
func TestNobodyToTell(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.brought()
	r.Service = false
	w.install(r)
	expect(t, w.host.Drain(t.Context(), "nothing"), instance.ErrUnknown)
	expect(t, w.host.Drain(t.Context(), runnerName), bootstrap.ErrNotSupervised, "draining runner")
	mustDo(t, loop(w.stateOf("run.lock")))
	_, err := w.host.Resume(t.Context(), runnerName)
	expect(t, err, syscall.ELOOP, "looking at the lock")
	w.stays(bootstrap.Removal{SkipGitHub: true}, syscall.ELOOP, "looking at the lock")
}

// stateOf is a file that is kept for the runner.
func (w *world) stateOf(name string) string {
	return filepath.Join(w.host.Paths.State, "instances", runnerName, name)
}

// loop makes a link to itself in the place of a file.
func loop(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return os.Symlink(filepath.Base(path), path)
}

// Tidy takes away the state that a killed uninstall has left.
func TestTidy(t *testing.T) {
	t.Parallel()
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

// Without privileges one writes where that needs none, and is told so before anything is made.
func TestPrivileges(t *testing.T) {
	t.Parallel()
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

// A just-in-time configuration may have been given to two machines. GitHub goes on listing the runner of the one that is at
// work; where it is this one's listener that GitHub sees, it is this one's runner.
func TestUninstallLeavesAnothersRunner(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		here    instance.Report // of this machine's listener
		force   bool
		another bool // the runner is another machine's
	}{
		"its session is another's": {instance.Report{State: instance.Conflict}, false, true},
		"by force":                 {instance.Report{State: instance.Conflict}, true, false},
		"it listens here":          {instance.Report{State: instance.Idle}, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t).withGitHub()
			w.install(w.atGitHub())
			id := w.record().RunnerID
			w.server.DeleteRunner(id)
			w.server.AddRunner(organization, githubtest.Runner{ID: id, Name: runnerName, Status: "online"})
			c.here.PID = os.Getpid()
			mustDo(t, w.store.SaveReport(runnerName, c.here))
			w.uninstall(bootstrap.Removal{Force: c.force})
			want := "deleted by id, GitHub no longer lists it"
			if c.another {
				want = "id " + itoa(id) + " is left to the machine that is at work as it"
				w.says("another machine is at work as this runner")
			}
			if got := w.phases.of(plan.DeregisterPhase); got != want || w.lists(id) != c.another {
				t.Errorf("the phase says %q, GitHub lists %+v", got, w.listed())
			}
		})
	}
}

// A webhook is told of the beginning, the registration and the end. One that cannot be told stops nothing.
func TestWebhookIsTold(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var kinds []string
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var event struct {
			Type string `json:"type"`
		}
		err := json.NewDecoder(r.Body).Decode(&event)
		mu.Lock()
		defer mu.Unlock()
		if kinds = append(kinds, event.Type); err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(receiver.Close)
	w := newWorld(t).withGitHub()
	r := w.byConfig()
	r.Life.Webhook = receiver.URL
	w.install(r)
	w.uninstall(bootstrap.Removal{})
	mu.Lock()
	defer mu.Unlock()
	if want := []string{health.EventInstalling, health.EventRegistered, health.EventDeregistered}; !slices.Equal(kinds, want) {
		t.Errorf("it was told %q, want %q", kinds, want)
	}

	w.install(w.byConfig())
	_, err := w.store.Update(t.Context(), runnerName, func(r *instance.Record) { r.Webhook = "gopher://example.com/" })
	mustDo(t, err)
	w.uninstall(bootstrap.Removal{})
	w.says("cannot tell the webhook")
}
