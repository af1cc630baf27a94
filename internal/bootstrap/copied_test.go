//go:build unix

package bootstrap_test

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/runner-bootstrap/runner-bootstrap/internal/account"
	"github.com/runner-bootstrap/runner-bootstrap/internal/bootstrap"
	"github.com/runner-bootstrap/runner-bootstrap/internal/githubtest"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/machine"
	"github.com/runner-bootstrap/runner-bootstrap/internal/plan"
)

// becomesCopy has the host be a copy of the machine that its runners were installed on.
func (w *world) becomesCopy() {
	w.host.Machine = machine.Witness{Here: instance.Machine{ID: "other"}}
}

// onMachine gives the world a machine that is known.
func (w *world) onMachine() *world {
	w.host.Machine = machine.Witness{Here: instance.Machine{ID: "first"}}
	return w
}

// lists tells whether GitHub lists a runner by that id.
func (w *world) lists(id int64) bool {
	for _, runner := range w.server.Runners(organization) {
		if runner.ID == id {
			return true
		}
	}
	return false
}

// works has GitHub say that a runner is at work.
func (w *world) works(id int64) {
	w.server.DeleteRunner(id)
	w.server.AddRunner(organization, githubtest.Runner{ID: id, Name: runnerName, Status: "online", Busy: true})
}

// On a copy of the machine, uninstall removes what is there, and neither asks nor tells GitHub: with a credential, without
// one, by force, and where the removal had begun on the first machine.
func TestUninstallOnACopy(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		removal bootstrap.Removal
		set     func(w *world)
	}{
		"with a credential": {},
		"without one":       {set: func(w *world) { w.host.Connect = nil }},
		"by force":          {removal: bootstrap.Removal{Force: true}},
		"begun before it was copied": {set: func(w *world) {
			_, err := w.store.Update(w.t.Context(), runnerName, func(r *instance.Record) {
				r.Phase, r.PendingDeletes = instance.Removing, []int64{r.RunnerID}
			})
			mustDo(w.t, err)
		}},
		"while GitHub calls it busy": {set: func(w *world) {
			w.works(w.record().RunnerID)
		}},
		"while its registration is in doubt": {set: func(w *world) {
			_, err := w.store.Update(w.t.Context(), runnerName, func(r *instance.Record) { r.Renewing = true })
			mustDo(w.t, err)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t).withGitHub().onMachine()
			w.install(w.atGitHub())
			id := w.record().RunnerID
			if c.set != nil {
				c.set(w)
			}
			w.becomesCopy()
			before := len(w.server.Requests())
			w.uninstall(c.removal)
			if asked := w.server.Requests()[before:]; len(asked) > 0 || !w.lists(id) {
				t.Errorf("GitHub was asked %+v, and lists it: %v", asked, w.lists(id))
			}
			w.says("GitHub is not told: the runner that it lists is of another machine")
		})
	}
}

// A runner of this machine is one after its machine-id has changed, if something nearer says so, and its removal is whole.
func TestUninstallOnTheSameMachine(t *testing.T) {
	t.Parallel()
	w := newWorld(t).withGitHub()
	w.host.Machine = machine.Witness{Here: instance.Machine{ID: "first", Firmware: "f"}}
	w.install(w.atGitHub())
	id := w.record().RunnerID
	w.host.Machine = machine.Witness{Here: instance.Machine{ID: "later", Firmware: "f"}}
	w.uninstall(bootstrap.Removal{})
	if w.lists(id) {
		t.Error("GitHub lists it")
	}
}

// An install on a copy forgets what came with it, and makes a runner of its own: GitHub keeps the other machine's.
func TestInstallOnACopy(t *testing.T) {
	t.Parallel()
	w := newWorld(t).withRunner().onMachine()
	w.install(w.atGitHub())
	first := w.record()
	if first.Machine.ID != "first" {
		t.Fatalf("the record is of %+v", first.Machine)
	}
	mustDo(t, os.WriteFile(w.root("_diag"), nil, 0o600))
	w.becomesCopy()
	r := w.request()
	r.Template = "web-2"
	planned, err := w.host.Planner().Make(t.Context(), r)
	if err != nil || len(planned.Steps) == 0 || planned.Steps[0].Phase != plan.ForgetPhase || planned.Steps[0].Object != runnerName {
		t.Fatalf("the plan is %+v, %v", planned, err)
	}
	if w.record().Machine.ID != "first" {
		t.Error("planning has changed something")
	}
	w.install(r)
	if _, err := os.Lstat(w.root()); err == nil || w.manager.unit(serviceName) != nil {
		t.Error("what came with the copy is left")
	}
	second, err := w.store.Load("web-2")
	if err != nil || second.Machine.ID != "other" || second.RunnerID == first.RunnerID || !w.lists(first.RunnerID) || !w.lists(second.RunnerID) {
		t.Errorf("the second is %+v, %v", second, err)
	}
	// It is this machine's now: again changes nothing.
	if again := w.install(r); again.Changes() {
		t.Errorf("again: %+v", again.Steps)
	}
}

// Under the name of the first, whose runner is at work, it is refused, and leaves everything.
func TestInstallOnACopyUnderItsName(t *testing.T) {
	t.Parallel()
	w := newWorld(t).withRunner().onMachine()
	w.install(w.request())
	first := w.record().RunnerID
	w.works(first)
	w.becomesCopy()
	err := w.refused(w.request(), nil, runnerName)
	if !strings.Contains(err.Error(), "exists") || !w.lists(first) || w.record().RunnerID != first {
		t.Errorf("error %v; the record is %+v", err, w.record())
	}
}

// A just-in-time configuration makes the copy a runner under the name that was there, in the same directory.
func TestInstallOnACopyInItsPlace(t *testing.T) {
	t.Parallel()
	w := newWorld(t).onMachine()
	w.install(w.brought())
	w.becomesCopy()
	r := w.brought()
	config := w.jit(runnerName, broughtID+1, nil)
	r.JIT = &config
	w.install(r)
	if record := w.record(); record.RunnerID != broughtID+1 || record.Machine.ID != "other" {
		t.Errorf("the record is %+v", record)
	}
	if account.Privileged() && w.manager.unit(serviceName) == nil {
		t.Error("it has no service")
	}
}

// Who asks an agent for something on a copy is told why there is none.
func TestDrainOnACopy(t *testing.T) {
	t.Parallel()
	w := newWorld(t).onMachine()
	r := w.brought()
	r.Service = false
	w.install(r)
	w.becomesCopy()
	expect(t, w.host.Drain(t.Context(), runnerName), machine.ErrCopied, "it has another machine-id")
	_, err := w.host.Resume(t.Context(), runnerName)
	expect(t, err, machine.ErrCopied)
}

// What does not go from a copy is remembered, and goes the next time.
func TestUninstallOnACopyFails(t *testing.T) {
	t.Parallel()
	w := newWorld(t).withGitHub().onMachine()
	w.install(w.atGitHub())
	id := w.record().RunnerID
	w.becomesCopy()
	w.manager.breaks("uninstall", errBroken)
	w.stays(bootstrap.Removal{}, errBroken, "the runner is stopped, and uninstall goes on from here")
	w.manager.fail = nil
	w.uninstall(bootstrap.Removal{})
	if !w.lists(id) {
		t.Error("GitHub was told")
	}
}

// An install that cannot forget what came with the copy changes nothing else, and names all of it when it can.
func TestInstallOnACopyForgets(t *testing.T) {
	t.Parallel()
	w := newWorld(t).onMachine()
	named := func(name string, id int64) plan.Request {
		r := w.brought()
		config := w.jit(name, id, nil)
		r.Template, r.JIT = name, &config
		return r
	}
	w.install(w.brought())
	bare := named("web-2", broughtID+1)
	bare.Service = false
	w.install(bare)
	w.becomesCopy()
	w.manager.breaks("stop now", errBroken)
	w.refused(named("web-3", broughtID+2), errBroken)
	if _, err := w.store.Load("web-3"); w.record().Service == "" || !errors.Is(err, instance.ErrUnknown) {
		t.Errorf("the record is %+v, of the new one %v", w.record(), err)
	}
	w.manager.fail = nil
	w.install(named("web-3", broughtID+2))
	want := "removed here, and left as it is at GitHub (id " + itoa(broughtID) + ", id " + itoa(broughtID+1) + ")"
	if got := w.phases.of(plan.ForgetPhase); got != want {
		t.Errorf("the phase says %q, want %q", got, want)
	}
}
