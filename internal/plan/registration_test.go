//go:build unix

package plan_test

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/github"
	"github.com/runner-bootstrap/runner-bootstrap/internal/githubtest"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/plan"
	"github.com/runner-bootstrap/runner-bootstrap/internal/register"
	"github.com/runner-bootstrap/runner-bootstrap/internal/secret"
)

// A runner that is registered with other options leaves first, if that was asked for.
func TestPlanReplaces(t *testing.T) {
	t.Parallel()
	w := newWorld(t).withGitHub()
	w.installed(w.request())
	r := w.request()
	r.Identity.Labels, r.Identity.NoDefaultLabels = []string{"gpu"}, true
	w.refused(r, plan.ErrDiffers, "labels")
	r.Replace = plan.ReplaceOffline
	made := w.plan(r)
	wants(t, made, plan.RegisterPhase, "change web-1 at "+w.scope.URL()+" (registered with other labels, no-default-labels)")
	wants(t, made, plan.ServicePhase, "change "+serviceName+" (what it runs has changed)")
	if !made.Details.LeaveFirst || made.Details.StopFirst {
		t.Errorf("the details are %+v", made.Details)
	}
	w.supervised() // by its service, which can be stopped before
	w.plan(r)
	w.change(func(r *instance.Record) { r.Service = "" })
	w.refused(r, plan.ErrAtWork, "process ")
	w.maker.Connect = nil
	r.RegistrationToken = secret.New("AAAA")
	w.refused(r, github.ErrNoCredential, "a registration token cannot take it away first")
}

// Other labels alone leave the registration as it is, and the service alone.
func TestPlanRelabels(t *testing.T) {
	t.Parallel()
	w := newWorld(t).withGitHub()
	w.installed(w.request())
	r := w.request()
	r.Identity.Labels = []string{"gpu"}
	for _, r.Replace = range []plan.Replace{plan.ReplaceNone, plan.ReplaceAlways} {
		made := w.plan(r)
		wants(t, made, plan.RegisterPhase, "keep web-1 at "+w.scope.URL()+" (registered already, id 101)")
		wants(t, made, plan.LabelsPhase, "change web-1 (none -> gpu, without another registration)")
		wants(t, made, plan.ServicePhase, "keep "+serviceName+" (running already)")
	}
}

// A runner leaves GitHub for the sake of its labels only where GitHub does not know them by its id.
func TestPlanLeavesForLabelsOnlyWhereItMust(t *testing.T) {
	t.Parallel()
	w := newWorld(t).withGitHub()
	w.installed(w.request())
	r := w.request()
	r.Identity.Labels, r.Replace = []string{"gpu"}, plan.ReplaceAlways
	labels := runnersPath + "/101/labels"
	w.server.Fault(githubtest.Fault{Method: "GET", Path: labels, Status: 403, Times: 1})
	w.refused(r, github.ErrForbidden, "")
	w.server.Fault(githubtest.Fault{Method: "GET", Path: labels, Status: 404})
	if made := w.plan(r); !made.ChangesIn(plan.RegisterPhase) || made.ChangesIn(plan.LabelsPhase) {
		t.Errorf("where labels are not known by an id it is to %q and %q", step(made, plan.RegisterPhase), step(made, plan.LabelsPhase))
	}
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
	mustDo(t, instance.KeptRegistration(w.maker.Store, runnerName).Drop())
	wants(t, w.plan(r), plan.RegisterPhase, "keep "+object+" (its agent registers it again)")
	w.change(func(r *instance.Record) { r.Credential = instance.Credential{} })
	r.Credential = instance.Credential{}
	wants(t, w.plan(r), plan.RegisterPhase, "change "+object+" (not registered yet)")
}

// On a machine that is not in service the registration is for later: for the agent, if it has what that takes.
func TestPlanWaits(t *testing.T) {
	t.Parallel()
	w := newWorld(t).withGitHub()
	asked := ""
	w.maker.Waits = func(_ context.Context, preemption string, _ time.Duration) string {
		asked = preemption
		return "kept for later"
	}
	r := w.request()
	r.Life.Preemption, r.Credential = "aws", instance.Credential{TokenFile: "/etc/token"}
	object := "web-1 at " + w.scope.URL()
	made := w.plan(r)
	wants(t, made, plan.RegisterPhase, "change "+object+" (not registered yet; not before the machine is in service: kept for later)")
	if !made.Details.LeftToAgent() || asked != "aws" {
		t.Errorf("left to its agent: %t; asked for %q", made.Details.LeftToAgent(), asked)
	}
	for name, change := range map[string]func(*plan.Request){
		"no credential of its own":     func(r *plan.Request) { r.Credential = instance.Credential{} },
		"a registration token as well": func(r *plan.Request) { r.RegistrationToken = secret.New("AAAA") },
	} {
		other := r
		change(&other)
		if made := w.plan(other); made.Details.Waits == "" || made.Details.LeftToAgent() {
			t.Errorf("%s: it is left to the agent", name)
		}
	}
	w.server.DeleteRunner(w.installed(r).RunnerID)
	w.change(func(r *instance.Record) { r.RunnerID, r.Credential.TokenFile = 0, "/etc/token" })
	mustDo(t, instance.KeptRegistration(w.maker.Store, runnerName).Drop())
	w.supervised()
	wants(t, w.plan(r), plan.RegisterPhase, "keep "+object+" (its agent registers it again)")
	r.Identity.Labels = []string{"gpu"}
	if made := w.plan(r); made.Details.Waits == "" || !made.ChangesIn(plan.RegisterPhase) {
		t.Errorf("with another label it is to %q", step(made, plan.RegisterPhase))
	}
}

// Where GitHub cannot be asked, the runner's own directory has to do.
func TestPlanByRegistrationToken(t *testing.T) {
	t.Parallel()
	w := newWorld(t).withGitHub()
	w.maker.Connect = nil
	r := w.request()
	r.RegistrationToken = secret.New(w.server.RegistrationToken(organization))
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
	r.Replace = plan.ReplaceOffline
	if d := w.plan(r).Details; d.Abandoned != 0 || !slices.Equal(d.Strangers, []int64{stranger}) {
		t.Errorf("abandoned is %d; strangers are %d, want %d", d.Abandoned, d.Strangers, stranger)
	}
}

// What a job has made of the copy in the runner's directory is no registration, and no reason to refuse one.
func TestPlanIsNotToldByJobs(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"another runner":  `{"agentId": 102, "agentName": "db-1"}`,
		"another id":      `{"agentId": 102, "agentName": "web-1"}`,
		"another scope":   `{"agentId": 77, "agentName": "web-1", "gitHubUrl": "https://github.com/elsewhere"}`,
		"no registration": "{",
	} {
		w := newWorld(t)
		r := w.request()
		r.RegistrationToken, r.Source = secret.New("AAAA"), w.brought().Source
		w.installed(r)
		w.write("rb/runners/web-1/.runner", text)
		w.write("rb/runners/web-1/.credentials", "{}")
		made := w.plan(r)
		if got, want := step(made, plan.RegisterPhase), "keep web-1 at "+w.scope.URL()+" (registered already, id 77; GitHub was not asked)"; got != want {
			t.Errorf("%s: the plan is to %q, want %q", name, got, want)
		}
		if made.Details.Record.RunnerID != runnerID {
			t.Errorf("%s: the record says id %d", name, made.Details.Record.RunnerID)
		}
	}
}

// One that an earlier version has registered is registered, as far as the record says so.
func TestPlanOfAnEarlierVersion(t *testing.T) {
	t.Parallel()
	for id, want := range map[int64]string{runnerID: "registered already, id 77; GitHub was not asked", 102: "not registered yet; GitHub was not asked"} {
		w := newWorld(t)
		r := w.request()
		r.RegistrationToken, r.Source = secret.New("AAAA"), w.brought().Source
		w.installed(r)
		mustDo(t, os.RemoveAll(instance.KeptRegistration(w.maker.Store, runnerName).Folder()))
		w.write("rb/runners/web-1/.runner", fmt.Sprintf(`{"agentId": %d, "agentName": "web-1", "gitHubUrl": %q}`, id, w.scope.URL()))
		w.write("rb/runners/web-1/.credentials", "{}")
		if got := step(w.plan(r), plan.RegisterPhase); !strings.HasSuffix(got, "("+want+")") {
			t.Errorf("id %d: the plan is to %q, want %q", id, got, want)
		}
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
