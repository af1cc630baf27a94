//go:build unix

package bootstrap_test

import (
	"context"
	"errors"
	"os"
	"slices"
	"testing"

	"github.com/runner-bootstrap/runner-bootstrap/internal/githubtest"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/plan"
	"github.com/runner-bootstrap/runner-bootstrap/internal/startup"
	"github.com/runner-bootstrap/runner-bootstrap/internal/svc"
)

// Other options are refused, and with Replace the runner leaves and joins again, with its service at rest meanwhile.
func TestInstallAgain(t *testing.T) {
	t.Parallel()
	for name, jit := range map[string]bool{"by config.sh": false, "by its id": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			r := w.withRunner().request()
			if jit {
				r = w.byConfig()
			}
			w.install(r)
			first := w.record().RunnerID
			r.Identity.Labels, r.Identity.NoDefaultLabels = []string{"gpu"}, true
			w.refused(r, plan.ErrDiffers, "labels")
			w.manager.changes()
			r.Replace = plan.ReplaceOffline
			w.install(r)
			if got := w.manager.changes(); !slices.Equal(got, []string{"stop", "install", "restart"}) {
				t.Errorf("the service manager was asked to %q", got)
			}
			if listed := w.listed(); len(listed) != 1 || listed[0].ID == first || w.record().RunnerID != listed[0].ID {
				t.Errorf("GitHub lists %+v, first it was %d", listed, first)
			}
		})
	}
}

// One without a service has nothing to be stopped, and one whose service has no name cannot be.
func TestInstallAgainWithoutService(t *testing.T) {
	t.Parallel()
	w := newWorld(t).withGitHub()
	r := w.byConfig()
	r.Service = false
	w.install(r)
	first := w.record().RunnerID
	r.Identity.Labels, r.Identity.NoDefaultLabels, r.Replace = []string{"gpu"}, true, plan.ReplaceOffline
	w.install(r)
	if listed := w.listed(); len(listed) != 1 || listed[0].ID == first || len(w.manager.changes()) > 0 {
		t.Errorf("GitHub lists %+v, first it was %d", listed, first)
	}
	_, err := w.store.Update(t.Context(), runnerName, func(r *instance.Record) { r.Service = "-x" })
	mustDo(t, err)
	r.Identity.Labels, r.Identity.NoDefaultLabels = nil, false
	w.refused(r, nil, "naming service")
	if listed := w.listed(); len(listed) != 1 || listed[0].ID == first {
		t.Errorf("GitHub lists %+v", listed)
	}
}

// What a job has put in the place of the .env does not keep it from being written.
func TestInstallVariablesPastAFolder(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.withRunner().request()
	w.install(r)
	mustDo(t, os.RemoveAll(w.root(".env")), os.MkdirAll(w.root(".env", "x"), 0o755))
	r.Variables = []string{"A=b"}
	w.install(r)
	if text, err := os.ReadFile(w.root(".env")); err != nil || string(text) != "A=b\n" {
		t.Errorf("it says %q, %v", text, err)
	}
}

// What goes wrong while a runner that works is registered again, and what is left of it.
func TestInstallAgainFails(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		set   func(w *world)
		words string
		// active is what the service does in the end, and listed how many runners GitHub lists.
		active svc.Active
		listed int
		left   bool // the error is one that says what is left
		script bool // it is about config.sh
	}{
		"no token to leave": {func(w *world) {
			w.server.Fault(githubtest.Fault{Method: "POST", Path: runnersPath + "/remove-token", Status: 403})
		}, "403", svc.Running, 1, false, true},
		"no token to join": {func(w *world) {
			mustDo(w.t, w.store.DropToken(w.scope.URL())) // the one of the first install would do
			w.server.Fault(githubtest.Fault{Method: "POST", Path: runnersPath + "/registration-token", Status: 403})
		}, "403", svc.Running, 1, false, true},
		"it does not stop": {func(w *world) { w.manager.breaks("stop", errBroken) }, errBroken.Error(), svc.Running, 1, false, false},
		"its state is not to be had": {func(w *world) {
			w.manager.breaksAt("state", func(n int) error { // the plan has looked once
				if n == 1 {
					return errBroken
				}
				return nil
			})
		}, errBroken.Error(), svc.Running, 1, false, false},
		"it does not leave": {func(w *world) {
			w.server.Fault(githubtest.Fault{Method: "DELETE", Path: runnersPath + "/*", Status: 403})
		}, "the runner goes on as before", svc.Running, 1, true, true},
		"it does not leave, and lacks a name": {func(w *world) {
			w.server.Fault(githubtest.Fault{Method: "DELETE", Path: runnersPath + "/*", Status: 403})
			mustDo(w.t, os.Remove(w.root(".service")), os.MkdirAll(w.root(".service.new", "x"), 0o755))
		}, "the runner goes on as before", svc.Running, 1, true, false},
		"it does not leave and start": {func(w *world) {
			w.server.Fault(githubtest.Fault{Method: "DELETE", Path: runnersPath + "/*", Status: 403})
			w.manager.breaks("restart", errBroken)
		}, "and its service " + serviceName + " is stopped: " + errBroken.Error(), svc.Stopped, 1, true, false},
		"it is slow to start again": {func(w *world) {
			w.server.Fault(githubtest.Fault{Method: "DELETE", Path: runnersPath + "/*", Status: 403})
			w.manager.start = func(_ context.Context, s supervisor) error {
				s.becomes(svc.Starting, 0)
				return context.DeadlineExceeded
			}
		}, "the runner goes on as before as soon as its service has come up", svc.Starting, 1, true, false},
		"it does not join": {func(w *world) {
			w.server.Fault(githubtest.Fault{Method: "POST", Path: registerPath, Status: 403})
		}, "the runner has left GitHub, and is stopped until install is run again", svc.Stopped, 0, true, true},
		"its service does not come up": {func(w *world) { w.manager.breaks("install", refusal()) }, "Job failed", svc.Stopped, 1, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			r := w.withGitHub().byConfig()
			if c.script {
				r = w.withRunner().request()
			}
			w.install(r)
			c.set(w)
			r.Replace, r.Identity.Labels, r.Identity.NoDefaultLabels = plan.ReplaceOffline, []string{"gpu"}, true
			err := w.refused(r, nil, c.words)
			if errors.As(err, new(*startup.LeftError)) != c.left {
				t.Errorf("error %v, want one that says what is left: %v", err, c.left)
			}
			if unit := w.manager.unit(serviceName); unit == nil || unit.active != c.active {
				t.Errorf("the service is %+v, want %s", unit, c.active)
			}
			if listed := w.listed(); len(listed) != c.listed {
				t.Errorf("GitHub lists %+v", listed)
			}
		})
	}
}

// Where the supervisor registers the runner again until it is stopped for another registration, one of them is left in the end.
func TestInstallAgainWhileTheRunnerIsRegisteredAgain(t *testing.T) {
	t.Parallel()
	for name, steps := range map[string][]func(*world){
		"wholly":                            {begins, joins, keeps, notes},
		"wholly, and it has listened":       {begins, joins, keeps, notes, waits},
		"begun":                             {begins},
		"begun, with what was kept dropped": {drops, begins},
		"made":                              {drops, begins, joins},
		"made, with what was kept before":   {begins, joins},
		"kept":                              {begins, joins, keeps},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.withGitHub()
			r := w.byConfig()
			w.install(r)
			w.manager.breaksAt("stop", func(n int) error {
				if n == 0 {
					w.do(steps)
				}
				return nil
			})
			r.Identity.Labels, r.Identity.NoDefaultLabels, r.Replace = []string{"gpu"}, true, plan.ReplaceOffline
			w.install(r)
			if listed := w.listed(); len(listed) != 1 || w.record().RunnerID != listed[0].ID || len(listed[0].Labels) == 3 {
				t.Errorf("GitHub lists %+v, the record has %d", listed, w.record().RunnerID)
			}
		})
	}
}

// drops is a supervisor that forgets a registration which has done its job.
func drops(w *world) { mustDo(w.t, instance.KeptRegistration(w.store, runnerName).Drop()) }
