//go:build unix

package bootstrap_test

import (
	"context"
	"slices"
	"syscall"
	"testing"

	"github.com/runner-bootstrap/runner-bootstrap/internal/bootstrap"
	"github.com/runner-bootstrap/runner-bootstrap/internal/github"
	"github.com/runner-bootstrap/runner-bootstrap/internal/githubtest"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/machine"
	"github.com/runner-bootstrap/runner-bootstrap/internal/plan"
	"github.com/runner-bootstrap/runner-bootstrap/internal/startup"
	"github.com/runner-bootstrap/runner-bootstrap/internal/svc"
)

// own are the labels of the only runner that GitHub lists, beside those that GitHub gave it.
func (w *world) own() []string {
	w.t.Helper()
	var names []string
	for _, runner := range w.listed() {
		for _, label := range runner.Labels {
			if label.Type == "custom" {
				names = append(names, label.Name)
			}
		}
	}
	slices.Sort(names)
	return names
}

// Other labels alone are changed where the runner is, whose service does not notice. Those of somebody else stay.
func TestRelabel(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.withRunner().request()
	r.Identity.Labels = []string{"gpu", "Old"}
	w.install(r)
	first := w.record().RunnerID
	if _, err := w.host.Connect(w.scope).AddLabels(t.Context(), first, []string{"mine"}); err != nil {
		t.Fatal(err)
	}
	w.manager.changes()
	r.Identity.Labels = []string{"GPU", "new-{n}"}
	w.install(r)
	if got := w.own(); !slices.Equal(got, []string{"GPU", "mine", "new-1"}) && !slices.Equal(got, []string{"gpu", "mine", "new-1"}) {
		t.Errorf("GitHub lists %q", got)
	}
	record := w.record()
	if record.RunnerID != first || !slices.Equal(record.ResolvedLabels, []string{"GPU", "new-1"}) || record.Phase != instance.Installed || len(w.manager.changes()) > 0 {
		t.Errorf("the record is %+v", record)
	}

	// What GitHub refuses leaves everything as it was.
	w.server.Fault(githubtest.Fault{Method: "PUT", Path: runnersPath + "/*/labels", Status: 403})
	r.Identity.Labels = []string{"no"}
	w.refused(r, github.ErrForbidden)
	if !slices.Equal(w.record().ResolvedLabels, []string{"GPU", "new-1"}) {
		t.Errorf("the record is %+v", w.record())
	}

	// One that is gone, and that its agent registers again, has them then.
	w.server.DeleteRunner(first)
	if _, err := w.store.Update(t.Context(), runnerName, func(r *instance.Record) { r.Credential.TokenFile = "/token" }); err != nil {
		t.Fatal(err)
	}
	w.install(r)
	if record := w.record(); !slices.Equal(record.Labels, []string{"no"}) || w.phases.of(plan.LabelsPhase) != "no, from its next registration on" {
		t.Errorf("%q, the record is %+v", w.phases.of(plan.LabelsPhase), record)
	}
}

// Each is told when it is up again, and one without a service cannot be.
func TestRestart(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.install(w.brought())
	for how, want := range map[svc.StopMode][]string{svc.Gently: {"restart"}, svc.Now: {"stop now", "restart"}} {
		w.manager.changes()
		var told []string
		err := w.host.Restart(t.Context(), []string{runnerName}, how, func(name string) { told = append(told, name) })
		if err != nil || !slices.Equal(told, []string{runnerName}) || !slices.Equal(w.manager.changes(), want) {
			t.Errorf("%v: told %q, error %v", how, told, err)
		}
	}
	w.manager.breaks("restart", errBroken)
	none := func(name string) { t.Errorf("%s is said to be up", name) }
	expect(t, w.host.Restart(t.Context(), []string{runnerName}, svc.Gently, none), errBroken, "restarting runner")
	expect(t, w.host.Restart(t.Context(), []string{"nobody"}, svc.Gently, none), instance.ErrUnknown)
	if _, err := w.store.Update(t.Context(), runnerName, func(r *instance.Record) { r.Service = "" }); err != nil {
		t.Fatal(err)
	}
	expect(t, w.host.Restart(t.Context(), []string{runnerName}, svc.Gently, none), bootstrap.ErrNoService)
}

// Why a runner is not restarted, or does not come up, is said of that runner.
func TestRestartFails(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		set    func(w *world)
		how    svc.StopMode
		reason error
		calls  []string
	}{
		"a copied machine":   {func(w *world) { w.becomesCopy() }, svc.Gently, machine.ErrCopied, nil},
		"its lock is none":   {func(w *world) { mustDo(w.t, loop(w.stateOf("run.lock"))) }, svc.Gently, syscall.ELOOP, nil},
		"its report is none": {func(w *world) { mustDo(w.t, loop(w.stateOf("listener.json"))) }, svc.Gently, syscall.ELOOP, nil},
		"its service has no name": {func(w *world) {
			_, err := w.store.Update(w.t.Context(), runnerName, func(r *instance.Record) { r.Service = "-x" })
			mustDo(w.t, err)
		}, svc.Gently, nil, nil},
		"it does not stop": {func(w *world) { w.manager.breaks("stop now", errBroken) }, svc.Now, errBroken, []string{"stop now"}},
		"it does not listen": {func(w *world) {
			w.manager.start = func(_ context.Context, s supervisor) error { s.becomes(svc.Failed, 1); return nil }
		}, svc.Gently, startup.ErrNotListening, []string{"restart"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t).onMachine()
			w.install(w.brought())
			w.manager.changes()
			c.set(w)
			err := w.host.Restart(t.Context(), []string{runnerName}, c.how, func(name string) { t.Errorf("%s is said to be up", name) })
			expect(t, err, c.reason, "restarting runner \""+runnerName+"\": ")
			if calls := w.manager.changes(); !slices.Equal(calls, c.calls) {
				t.Errorf("the service manager was asked to %q", calls)
			}
		})
	}
}

// While another command has the host, nothing is restarted.
func TestRestartWaitsForTheHost(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.install(w.brought())
	w.manager.changes()
	lock, err := w.store.LockHost(t.Context())
	mustDo(t, err)
	defer lock.Release()
	none := func(name string) { t.Errorf("%s is said to be up", name) }
	expect(t, w.host.Restart(t.Context(), []string{runnerName}, svc.Gently, none), instance.ErrLocked)
	if calls := w.manager.changes(); len(calls) > 0 {
		t.Errorf("the service manager was asked to %q", calls)
	}
}
