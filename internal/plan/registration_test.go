//go:build unix

package plan_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/runner-bootstrap/runner-bootstrap/internal/github"
	"github.com/runner-bootstrap/runner-bootstrap/internal/githubtest"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/plan"
	"github.com/runner-bootstrap/runner-bootstrap/internal/register"
)

// A runner that is registered with other options leaves first, if that was asked for.
func TestPlanReplaces(t *testing.T) {
	t.Parallel()
	w := newWorld(t).withGitHub()
	w.installed(w.request())
	r := w.request()
	r.Identity.Labels = []string{"gpu"}
	w.refused(r, plan.ErrDiffers, "labels")
	r.Replace = true
	made := w.plan(r)
	wants(t, made, plan.RegisterPhase, "change web-1 at "+w.scope.URL()+" (registered with other labels)")
	wants(t, made, plan.ServicePhase, "change "+serviceName+" (what it runs has changed)")
	if !made.Details.LeaveFirst || made.Details.StopFirst {
		t.Errorf("the details are %+v", made.Details)
	}
	w.supervised() // by its service, which can be stopped before
	w.plan(r)
	w.change(func(r *instance.Record) { r.Service = "" })
	w.refused(r, plan.ErrAtWork, "process ")
	w.maker.Connect = nil
	r.RegistrationToken = github.NewSecret("AAAA")
	w.refused(r, github.ErrNoCredential, "a registration token cannot take it away first")
}

// A registration that was brought takes the place of one whose job is done.
func TestPlanAdopts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.brought()
	wants(t, w.plan(r), plan.RegisterPhase, "change web-1 at "+w.scope.URL()+" (by its just-in-time configuration, id 77)")
	w.installed(r)
	wants(t, w.plan(r), plan.RegisterPhase, "keep web-1 at "+w.scope.URL()+" (registered already, id 77; GitHub was not asked)")
	r.JIT = w.jit(runnerName, 78, nil)
	made := w.plan(r)
	wants(t, made, plan.RegisterPhase, "change web-1 at "+w.scope.URL()+" (registered as id 77 before)")
	if !made.Details.StopFirst || made.Details.LeaveFirst {
		t.Errorf("the details are %+v", made.Details)
	}
}

// GitHub no longer lists the runner: it joins again, but while its agent lives, the registration is the agent's business.
func TestPlanUnlisted(t *testing.T) {
	t.Parallel()
	w := newWorld(t).withGitHub()
	r := w.request()
	r.Identity.Ephemeral, r.Credential = true, instance.Credential{TokenFile: "/etc/token"}
	record := w.installed(r)
	object := "web-1 at " + w.scope.URL()
	w.server.DeleteRunner(record.RunnerID)
	wants(t, w.plan(r), plan.RegisterPhase, "change "+object+" (GitHub no longer lists it)")
	w.supervised()
	wants(t, w.plan(r), plan.RegisterPhase, "keep "+object+" (GitHub no longer lists it, and its agent registers it again)")
	mustDo(t, os.Remove(w.root(".runner")))
	wants(t, w.plan(r), plan.RegisterPhase, "keep "+object+" (its agent registers it again)")
	w.change(func(r *instance.Record) { r.Credential = instance.Credential{} })
	r.Credential = instance.Credential{}
	wants(t, w.plan(r), plan.RegisterPhase, "change "+object+" (not registered yet)")
}

// Where GitHub cannot be asked, the runner's own directory has to do.
func TestPlanByRegistrationToken(t *testing.T) {
	t.Parallel()
	w := newWorld(t).withGitHub()
	w.maker.Connect = nil
	r := w.request()
	r.RegistrationToken = github.NewSecret(w.server.RegistrationToken(organization))
	wants(t, w.plan(r), plan.RegisterPhase, "change web-1 at "+w.scope.URL()+" (not registered yet; GitHub was not asked)")
	w.installed(r)
	if got := step(w.plan(r), plan.RegisterPhase); !strings.HasSuffix(got, "; GitHub was not asked)") || !strings.HasPrefix(got, "keep ") {
		t.Errorf("the plan is to %q", got)
	}
}

// What GitHub lists under the name is told apart: what an interrupted run of ours has left, and what is a stranger's.
func TestPlanTellsRunnersApart(t *testing.T) {
	t.Parallel()
	w := newWorld(t).withGitHub()
	record := w.plan(w.request()).Details.Record
	record.Phase = instance.Registering
	mustDo(t, w.maker.Store.Save(record))
	abandoned := w.server.AddRunner(organization, githubtest.Runner{Name: runnerName, Status: "offline"}).ID
	made := w.plan(w.request())
	if d := made.Details; d.Abandoned != abandoned || len(d.Strangers) > 0 {
		t.Errorf("abandoned is %d, want %d; strangers are %d", d.Abandoned, abandoned, d.Strangers)
	}
	wants(t, made, plan.RegisterPhase, "change web-1 at "+w.scope.URL()+" (an interrupted run left it at GitHub)")

	w = newWorld(t).withGitHub()
	stranger := w.server.AddRunner(organization, githubtest.Runner{Name: runnerName, Status: "offline", Version: "2.300.0"}).ID
	w.refused(w.request(), register.ErrNameListed, "offline")
	r := w.request()
	r.Replace = true
	if d := w.plan(r).Details; d.Abandoned != 0 || !slices.Equal(d.Strangers, []int64{stranger}) {
		t.Errorf("abandoned is %d; strangers are %d, want %d", d.Abandoned, d.Strangers, stranger)
	}
}

// Labels with placeholders are filled once: a runner keeps those that it has.
func TestPlanKeepsLabels(t *testing.T) {
	t.Parallel()
	w := newWorld(t).withGitHub()
	r := w.request()
	r.Identity.Labels = []string{"{random}"}
	record := w.installed(r)
	w.change(func(r *instance.Record) { r.ResolvedLabels = []string{"abc123"} })
	if d := w.plan(r).Details; !slices.Equal(d.Labels, []string{"abc123"}) {
		t.Errorf("the labels are %q, of record %+v", d.Labels, record)
	}
}
