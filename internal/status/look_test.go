package status_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/github"
	"github.com/runner-bootstrap/runner-bootstrap/internal/githubtest"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/machine"
	"github.com/runner-bootstrap/runner-bootstrap/internal/register"
	"github.com/runner-bootstrap/runner-bootstrap/internal/secret"
	"github.com/runner-bootstrap/runner-bootstrap/internal/status"
	"github.com/runner-bootstrap/runner-bootstrap/internal/svc"
	"github.com/runner-bootstrap/runner-bootstrap/internal/transport"
)

const (
	organization = "octo-org"
	runnerName   = "web-1"
	serviceName  = "actions.runner.octo-org.web-1"
)

var (
	errAny    = errors.New("any")
	errBroken = errors.New("the service manager is broken")
)

// serviced is what the service manager says.
type serviced struct {
	state svc.State
	err   error
}

func (s *serviced) State(context.Context) (svc.State, error) { return s.state, s.err }

// world is a host with one runner that is in order.
type world struct {
	t       *testing.T
	state   string
	root    string
	store   *instance.Store
	service *serviced
	server  *githubtest.Server
	look    status.Witnesses
}

func newWorld(t *testing.T) *world {
	t.Helper()
	base := t.TempDir()
	w := &world{t: t, state: filepath.Join(base, "state"), root: filepath.Join(base, "web-1")}
	w.store = instance.NewStore(w.state)
	w.service = &serviced{state: svc.State{Installed: true, Enabled: true, Active: svc.Running}}
	w.look = status.Witnesses{Store: w.store, Service: func(name string) (status.ServiceWitness, error) {
		if err := svc.CheckName(name); err != nil {
			return nil, fmt.Errorf("naming service %q: %w", name, err)
		}
		return w.service, nil
	}}
	return w
}

// withRunner puts a GitHub into the world that lists the runner, and what an install leaves of it.
func (w *world) withRunner() *world {
	w.t.Helper()
	server, err := githubtest.Start(githubtest.Config{})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		if err := server.Close(); err != nil {
			w.t.Error(err)
		}
	})
	w.server = server
	web := transport.NewAPI(transport.Config{UserAgent: "test"})
	w.look.Connect = func(scope github.Scope) *github.Client {
		return github.NewClient(web, scope, github.Static(secret.New(server.Token())))
	}
	id := server.AddRunner(organization, githubtest.Runner{Name: runnerName, Status: "offline", Ephemeral: true}).ID
	must(w.t, os.MkdirAll(filepath.Join(w.root, "bin"), 0o755))
	for _, name := range []string{"Runner.Listener", "Runner.Listener.exe"} {
		must(w.t, os.WriteFile(filepath.Join(w.root, "bin", name), []byte("#!/bin/sh\n"), 0o755))
	}
	w.save(instance.Record{
		Name: runnerName, ScopeURL: server.URL() + "/" + organization, APIURL: server.APIURL(), Dir: w.root, User: "nobody",
		Phase: instance.Installed, Service: serviceName, Registration: instance.Registration{RunnerID: id, PreRegistered: true},
		Origin: instance.Origin{Version: "2.337.0"},
	})
	w.keep(`{"agentId": ` + strconv.FormatInt(id, 10) + `, "agentName": "web-1"}`)
	// What a listener would have GitHub say, as none runs here.
	w.report(instance.Report{State: instance.Starting, PID: os.Getpid(), Since: time.Now(), Version: "2.400.0"})
	return w
}

func must(t *testing.T, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

func (w *world) save(record instance.Record) { w.t.Helper(); must(w.t, w.store.Save(record)) }

func (w *world) report(r instance.Report) { w.t.Helper(); must(w.t, w.store.SaveReport(runnerName, r)) }

func (w *world) record() instance.Record {
	w.t.Helper()
	record, err := w.store.Load(runnerName)
	must(w.t, err)
	return record
}

func (w *world) change(change func(*instance.Record)) {
	w.t.Helper()
	_, err := w.store.Update(w.t.Context(), runnerName, change)
	must(w.t, err)
}

// keep has another registration kept of the runner.
func (w *world) keep(settings string) {
	w.t.Helper()
	files := map[string][]byte{".runner": []byte(settings), ".credentials": []byte("{}")}
	must(w.t, instance.KeptRegistration(w.store, runnerName).Keep(files))
}

// Status of a runner in order, and with each thing that can be wrong.
func TestStatus(t *testing.T) {
	t.Parallel()
	gone := func(w *world) { must(w.t, os.RemoveAll(w.root)) }
	for name, c := range map[string]struct {
		set     func(w *world)
		problem string // a part of the first; empty: healthy
		reason  error  // of what Status returns beside it
	}{
		"in order":              {nil, "", nil},
		"not asked":             {func(w *world) { w.look.Connect = nil }, "", nil},
		"its service at rest":   {func(w *world) { w.service.state.Active = svc.Stopped }, "its service is stopped", nil},
		"not started at boot":   {func(w *world) { w.service.state.Enabled = false }, "its service does not start at boot", nil},
		"its service is silent": {func(w *world) { w.service.err = errBroken }, "its service cannot be looked at", nil},
		"its service has an odd name": {func(w *world) {
			w.change(func(r *instance.Record) { r.Service = "-x" })
		}, "naming service", errAny},
		"no directory":    {gone, "its directory", nil},
		"no listener":     {func(w *world) { must(w.t, os.RemoveAll(filepath.Join(w.root, "bin"))) }, "has no listener", nil},
		"no registration": {func(w *world) { must(w.t, instance.KeptRegistration(w.store, runnerName).Drop()) }, "it has no registration", nil},
		"another registration": {func(w *world) {
			w.keep(`{"agentId": 9, "agentName": "web-1"}`)
		}, "the registration that is kept is of id 9, not ", nil},
		"a damaged registration": {func(w *world) { w.keep("{") }, "its registration cannot be read", nil},
		"no copy of it for jobs": {func(w *world) { must(w.t, register.Forget(w.root)) }, "", nil},
		"another's registration, by a job": {func(w *world) {
			must(w.t, os.WriteFile(filepath.Join(w.root, ".runner"), []byte(`{"agentId": 9, "agentName": "web-1"}`), 0o644))
		}, "", nil},
		"a registration damaged by a job": {func(w *world) { must(w.t, os.WriteFile(filepath.Join(w.root, ".runner"), []byte("{"), 0o644)) }, "", nil},
		"a damaged report": {func(w *world) {
			must(w.t, os.WriteFile(filepath.Join(w.state, "instances", runnerName, "listener.json"), []byte("{"), 0o600))
		}, "reading report", errAny},
		"absent at GitHub": {func(w *world) { w.server.DeleteRunner(w.record().RunnerID) }, "GitHub does not list it", nil},
		"GitHub is silent": {func(w *world) {
			w.server.Fault(githubtest.Fault{Method: "GET", Path: "/orgs/octo-org/actions/runners", Status: 403})
		}, "GitHub cannot be asked", github.ErrForbidden},
		"an odd scope": {func(w *world) {
			w.change(func(r *instance.Record) { r.ScopeURL = "::" })
		}, "GitHub cannot be asked: reading the record", errAny},
		"interrupted": {func(w *world) {
			w.change(func(r *instance.Record) { r.Phase = instance.Fetched })
		}, "its installation was interrupted (fetched)", nil},
		"of another machine": {func(w *world) {
			w.change(func(r *instance.Record) { r.Machine.ID = "first" })
			w.look.Machine = machine.Witness{Here: instance.Machine{ID: "other"}}
		}, "this machine is a copy of the one that it was installed on: it has another machine-id", nil},
		"of this machine": {func(w *world) {
			w.change(func(r *instance.Record) { r.Machine.ID = "first" })
			w.look.Machine = machine.Witness{Here: instance.Machine{ID: "first"}}
		}, "", nil},
		"being removed": {func(w *world) {
			w.change(func(r *instance.Record) { r.Phase = instance.Removing })
		}, "its removal was interrupted", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t).withRunner()
			lock, err := w.store.LockRunner(t.Context(), runnerName)
			must(t, err)
			defer lock.Release()
			if c.set != nil {
				c.set(w)
			}
			all, err := w.look.Look(t.Context(), runnerName)
			if len(all) != 1 || (err != nil) != (c.reason != nil) || c.reason != nil && !errors.Is(c.reason, errAny) && !errors.Is(err, c.reason) {
				t.Fatalf("status %+v, error %v, want %v", all, err, c.reason)
			}
			s := all[0]
			if s.Healthy != (c.problem == "") || !strings.Contains(strings.Join(s.Problems, "; "), c.problem) {
				t.Errorf("healthy %v, problems %q, want %q", s.Healthy, s.Problems, c.problem)
			}
			if s.Copied != (name == "of another machine") {
				t.Errorf("copied %v", s.Copied)
			}
			if name == "in order" && (s.Service.State != "running" || !s.Service.Enabled || s.GitHub.State != "offline" || s.Version != "2.400.0") {
				t.Errorf("status %+v", s)
			}
		})
	}
}

func TestStatusOfNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if all, err := w.look.Look(t.Context(), ""); err != nil || all == nil || len(all) > 0 {
		t.Errorf("status %+v, %v", all, err)
	}
	if _, err := w.look.Look(t.Context(), "nothing"); !errors.Is(err, instance.ErrUnknown) {
		t.Error(err)
	}
	w.withRunner().change(func(r *instance.Record) { r.Service = "" })
	w.report(instance.Report{State: instance.Ended, Reason: "stopped", LastWords: "exit code 0"})
	all, err := w.look.Look(t.Context(), "")
	if err != nil || len(all) != 1 || all[0].Service.State != "none" || all[0].Listener.LastWords != "exit code 0" {
		t.Errorf("status %+v, %v", all, err)
	}
}

// GitHub takes a runner for one job off its list before its listener has ended: who looks then looks again.
func TestLooksAgain(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		meanwhile func(w *world)
		problem   string
	}{
		"its listener ends": {func(w *world) {
			w.report(instance.Report{State: instance.Reregistering, PID: os.Getpid(), Since: time.Now(), Starts: 1})
		}, ""},
		"it is registered again": {func(w *world) {
			id := w.server.AddRunner(organization, githubtest.Runner{Name: runnerName, Status: "offline", Ephemeral: true}).ID
			w.keep(`{"agentId": ` + strconv.FormatInt(id, 10) + `, "agentName": "web-1"}`)
			w.change(func(r *instance.Record) { r.RunnerID = id })
			w.report(instance.Report{State: instance.Starting, PID: os.Getpid(), Since: time.Now(), Starts: 2})
		}, ""},
		"somebody has deleted it": {func(*world) {}, "GitHub does not list it"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t).withRunner()
			lock, err := w.store.LockRunner(t.Context(), runnerName)
			must(t, err)
			defer lock.Release()
			w.change(func(r *instance.Record) { r.Ephemeral = true })
			w.report(instance.Report{State: instance.Busy, PID: os.Getpid(), Since: time.Now(), Starts: 1})
			w.server.DeleteRunner(w.record().RunnerID)
			var all []status.Runner
			looked := make(chan struct{})
			go func() {
				defer close(looked)
				all, err = w.look.Look(t.Context(), runnerName)
			}()
			time.Sleep(300 * time.Millisecond) // GitHub has answered
			c.meanwhile(w)
			<-looked
			if err != nil || len(all) != 1 || (len(all[0].Problems) > 0) != (c.problem != "") || !strings.Contains(strings.Join(all[0].Problems, "; "), c.problem) {
				t.Errorf("%+v, %v, want %q", all, err, c.problem)
			}
		})
	}
}
