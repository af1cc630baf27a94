//go:build unix

package plan_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/account"
	"github.com/runner-bootstrap/runner-bootstrap/internal/github"
	"github.com/runner-bootstrap/runner-bootstrap/internal/githubtest"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/plan"
	"github.com/runner-bootstrap/runner-bootstrap/internal/secret"
	"github.com/runner-bootstrap/runner-bootstrap/internal/svc"
)

// The plan for a new runner, and the one for the same runner when it is there.
func TestPlan(t *testing.T) {
	t.Parallel()
	w := newWorld(t).withGitHub()
	w.server.AddGroup(organization, "Builders")
	r := w.request()
	r.Identity.Labels, r.Identity.Group = []string{"gpu", "n-{n}"}, "Builders"
	r.Variables, r.Life.MaxIdle = []string{"COLOR=blue"}, instance.Duration(time.Hour)
	made := w.plan(r)
	if made.Name != runnerName || made.Scope != "organization octo-org" || made.ScopeURL != w.scope.URL() || made.Dir != w.root() ||
		made.Asset == nil || made.Asset.Version != version || made.Cached || made.ServiceName != serviceName || !made.Changes() {
		t.Errorf("the plan is %+v", made)
	}
	if d := made.Details; !slices.Equal(d.Labels, []string{"gpu", "n-1"}) || !slices.Equal(d.Variables, r.Variables) || d.Found.Name != "" ||
		d.Record.Name != runnerName || d.Chooser == nil || d.JobUser.Name != made.User || d.LeaveFirst || d.StopFirst || d.Room.Path != "" {
		t.Errorf("the details are %+v", d)
	}
	wants(t, made, plan.EnvironmentPhase, "change .env (not written yet)")
	wants(t, made, plan.RegisterPhase, "change web-1 at "+w.scope.URL()+" (not registered yet)")
	wants(t, made, plan.LifePhase, "change web-1 (ends after 1h0m0s without a job)")
	wants(t, made, plan.ServicePhase, "change "+serviceName+" (not installed yet)")

	w.installed(r)
	w.write("rb/runners/web-1/.env", "COLOR=blue\n")
	again := w.plan(r)
	if again.Changes() || again.Asset != nil || again.Details.Found.Name != runnerName {
		t.Errorf("the second plan is %+v", again)
	}
	wants(t, again, plan.FetchPhase, "keep "+w.root()+" (unpacked already)")
	wants(t, again, plan.EnvironmentPhase, "keep .env (its content is right)")
	if !again.ChangesIn(plan.RegisterPhase) && !made.ChangesIn(plan.RegisterPhase) || again.ChangesIn(plan.WorkPhase) {
		t.Error("ChangesIn does not tell what the steps do")
	}
}

// What an install that failed has unpacked is made again where another version is asked for, and GitHub knows nothing of it.
func TestPlanOfAnotherVersion(t *testing.T) {
	t.Parallel()
	w := newWorld(t).withGitHub()
	w.server.DeleteRunner(w.installed(w.request()).RunnerID)
	mustDo(t, instance.KeptRegistration(w.maker.Store, runnerName).Drop())
	w.change(func(r *instance.Record) { r.Phase, r.RunnerID, r.Version = instance.Fetched, 0, "2.336.0" })
	r := w.request()
	wants(t, w.plan(r), plan.FetchPhase, "keep "+w.root()+" (unpacked already)")
	r.Source.Version = version
	made := w.plan(r)
	if made.Asset == nil || made.Asset.Version != version || !made.ChangesIn(plan.FetchPhase) {
		t.Errorf("the plan is %+v", made)
	}
	w.change(func(r *instance.Record) { r.Version = version })
	wants(t, w.plan(r), plan.FetchPhase, "keep "+w.root()+" (unpacked already)")
}

// What is printed of a plan has neither its details nor a secret.
func TestPlanInPrint(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.brought()
	r.Keep, r.RegistrationToken = secret.New("ghp_secret"), secret.New("ABCSECRET")
	text, err := json.Marshal(w.plan(r))
	mustDo(t, err)
	var fields map[string]any
	mustDo(t, json.Unmarshal(text, &fields))
	for _, name := range []string{"name", "scope", "scope_url", "id", "url", "dir", "user", "platform", "asset", "cached", "service", "steps"} {
		if _, found := fields[name]; !found {
			t.Errorf("it has no field %q: %s", name, text)
		}
		delete(fields, name)
	}
	if len(fields) > 0 || strings.Contains(strings.ToLower(string(text)), "secret") {
		t.Errorf("it has more: %s", text)
	}
}

// An account that is absent is planned to be created, if it is the usual one or that was asked for.
func TestPlanAccount(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.brought()
	if !account.Privileged() {
		own, err := account.Lookup("")
		mustDo(t, err)
		r.User = own.Name
		if made := w.plan(r); made.User != own.Name {
			t.Errorf("plan for account %q, want %q", made.User, own.Name)
		}
		r.User = "root"
		w.refused(r, account.ErrPrivilege, "running jobs as account \"root\"")
		w.maker.Private = false
		w.refused(w.brought(), account.ErrPrivilege, "writing below")
		return
	}
	r.User, r.CreateUser = "rb-nobody-yet", true
	made := w.plan(r)
	wants(t, made, plan.AccountPhase, "change rb-nobody-yet (no such account yet)")
	if made.User != "rb-nobody-yet" || made.Details.JobUser.UID >= 0 {
		t.Errorf("the plan is %+v", made)
	}
	r.User = "Not A Name"
	w.refused(r, account.ErrCreate, "a name has up to 32")
	r.User = "root"
	w.refused(r, plan.ErrAccount, "a job would own this host")
	r.User = ""
	if made := w.plan(r); made.User != plan.DefaultUser {
		t.Errorf("without a name it is for account %q", made.User)
	}
	r.User = "daemon"
	barrier := filepath.Dir(w.write("rb/runners/x", ""))
	mustDo(t, os.Chmod(barrier, 0o700))
	w.refused(r, plan.ErrUnreachable, barrier)
}

// What an account lacks, or should not have, is a warning.
func TestPlanWarnsOfAccount(t *testing.T) {
	t.Parallel()
	if !account.Privileged() {
		return // jobs run as the account that installs
	}
	w := newWorld(t)
	made := w.plan(w.brought())
	if !strings.Contains(w.log.String(), "the account has no home that it can write to") {
		t.Errorf("the log is %q, the warnings are %q", w.log, made.Warnings)
	}
}

// config.sh leaves out the port of a URL, which is said before anything is fetched.
func TestPlanWarnsOfPort(t *testing.T) {
	t.Parallel()
	ofPort := func(warning string) bool {
		return strings.Contains(warning, "config.sh leaves out the port of --url, 8443")
	}
	w := newWorld(t)
	for url, want := range map[string]bool{
		"https://ghes.example.com:8443/octo-org": true, "https://ghes.example.com/octo-org": false, "https://ghes.example.com:443/octo-org": false,
		"http://127.0.0.1:8443/octo-org": false, // a stand-in for GitHub
	} {
		scope, err := github.ParseScope(url, "")
		if err != nil {
			t.Fatal(err)
		}
		r := w.request()
		r.Scope, r.RegistrationToken, r.Source = scope, secret.New("A"), w.brought().Source
		if made := w.plan(r); slices.ContainsFunc(made.Warnings, ofPort) != want {
			t.Errorf("%s: the warnings are %q", url, made.Warnings)
		}
		if r = w.brought(); strings.HasPrefix(url, "https://") {
			r.Scope = scope
		}
		if made := w.plan(r); slices.ContainsFunc(made.Warnings, ofPort) {
			t.Errorf("%s: a just-in-time configuration does not need config.sh: %q", url, made.Warnings)
		}
	}
}

// What keeps a runner's jobs away is a warning.
func TestPlanWarnsOfGroup(t *testing.T) {
	t.Parallel()
	w := newWorld(t).withGitHub()
	w.server.AddGroup(organization, "Careful")
	w.server.SetGroup(organization, "Careful", githubtest.GroupRules{NoPublic: true, Restricted: true, Workflows: []string{"octo-org/a/.github/workflows/x.yml@main"}})
	r := w.request()
	r.Identity.Group, r.Thorough, r.Credential.TokenFile = "Careful", true, "/etc/token"
	if warnings := w.plan(r).Warnings; len(warnings) == 0 {
		t.Error("there is no warning")
	}
	w.server.Fault(githubtest.Fault{Method: "GET", Path: "/orgs/" + organization + "/actions/runner-groups", Status: 403})
	if warnings := w.plan(r).Warnings; len(warnings) != 1 || !strings.Contains(warnings[0], "could not be looked at") {
		t.Errorf("the warnings are %q", warnings)
	}
	r.Identity.Group = ""
	if warnings := w.plan(r).Warnings; len(warnings) > 0 {
		t.Errorf("the warnings are %q", warnings)
	}
	r.Identity.Group, r.Identity.JIT = "Careful", true
	w.refused(r, github.ErrForbidden, "403")
	w.server.ClearFaults()
	w.server.SetGroup(organization, "Default", githubtest.GroupRules{NoPublic: true})
	for _, thorough := range []bool{true, false} {
		r = w.request()
		r.Thorough, r.Credential.TokenFile = thorough, "/etc/token"
		if warnings := w.plan(r).Warnings; len(warnings) > 0 != thorough {
			t.Errorf("of the default group, thorough %v: the warnings are %q", thorough, warnings)
		}
	}
}

// How a runner is to be kept.
func TestPlanLife(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		set  func(r *plan.Request)
		want string
	}{
		"as usual":         {func(*plan.Request) {}, ""},
		"leaves":           {func(r *plan.Request) { r.Life.DeregisterOnStop = true }, "change web-1 (leaves GitHub when it stops)"},
		"one job":          {func(r *plan.Request) { r.Identity.Ephemeral, r.Life.MaxJobs = true, 1 }, ""},
		"no credential":    {func(r *plan.Request) { r.Identity.Ephemeral = true }, "change web-1 (ends after its job, since there is no credential to register it again)"},
		"credential: file": {func(r *plan.Request) { r.Credential.TokenFile = "/etc/token" }, "change web-1 (credential in /etc/token)"},
		"credential: command": {func(r *plan.Request) {
			r.Identity.Ephemeral, r.Credential.TokenCommand = true, "x"
		}, "change web-1 (registered again after each job, credential by its command)"},
		"many jobs": {func(r *plan.Request) {
			r.Identity.Ephemeral, r.Credential = true, instance.Credential{AppID: "1", AppKeyFile: "/etc/key.pem"}
			r.Life = instance.Life{MaxJobs: 5, MaxLifetime: instance.Duration(time.Hour), OnExit: "poweroff"}
		}, "change web-1 (registered again after each job, ends after 1h0m0s, then: poweroff, credential of app 1)"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t).withGitHub()
			r := w.request()
			c.set(&r)
			wants(t, w.plan(r), plan.LifePhase, c.want)
			w.installed(r)
			wants(t, w.plan(r), plan.LifePhase, strings.Replace(c.want, "change", "keep", 1))
			r.Life.DrainTimeout++
			if got := step(w.plan(r), plan.LifePhase); !strings.HasPrefix(got, "change web-1 (") {
				t.Errorf("with another life the plan is to %q", got)
			}
		})
	}
}

// A credential that has no place is kept where the supervisor needs it and no job can read it.
func TestPlanKeepsCredential(t *testing.T) {
	t.Parallel()
	w := newWorld(t).withGitHub()
	r := w.request()
	r.Credential, r.Keep = instance.Credential{Kept: true}, secret.New("ghp_kept")
	if d := w.plan(r).Details; d.KeepCredential || d.Record.Credential.Kept {
		t.Error("it is to be kept, though nothing needs it")
	}
	r.Life.DeregisterOnStop = true
	d := w.plan(r).Details
	if !account.Privileged() {
		if d.KeepCredential || !strings.Contains(w.log.String(), "so the credential is not kept") {
			t.Errorf("kept: %v; the log is %s", d.KeepCredential, w.log)
		}
		return
	}
	if !d.KeepCredential || !d.Record.Credential.Kept {
		t.Error("it is not to be kept")
	}
	w.installed(r)
	mustDo(t, w.maker.Store.KeepCredential(runnerName, r.Keep))
	if made := w.plan(r); made.Changes() || made.Details.KeepCredential {
		t.Errorf("the same one: %+v", made.Steps)
	}
	r.Keep = secret.New("ghp_other")
	if made := w.plan(r); !made.ChangesIn(plan.LifePhase) || !made.Details.KeepCredential {
		t.Errorf("another one: %+v", made.Steps)
	}
}

// Two runners of one account, of which one is registered again after each job, can interfere.
func TestPlanWarnsOfCompany(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	warned := func() bool {
		return strings.Contains(w.log.String(), "jobs of another runner run as the same account and can interfere")
	}
	r := w.brought()
	r.Life.DeregisterOnStop, r.Credential.TokenFile = true, "/etc/token"
	w.installed(r)
	if w.plan(r); warned() {
		t.Errorf("alone: the log is %s", w.log)
	}
	r.Template, r.JIT = "web-2", w.jit("web-2", 78, nil)
	w.services.state = svc.State{Active: svc.Absent}
	if w.plan(r); warned() != account.Privileged() {
		t.Errorf("beside another: the log is %s", w.log)
	}
}

// Variables of an earlier install that are not given any more go.
func TestPlanEnvironment(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.brought()
	w.installed(r)
	wants(t, w.plan(r), plan.EnvironmentPhase, "")
	mustDo(t, w.maker.Store.KeepVariables(runnerName, []string{"COLOR=blue", "SIZE=1"}))
	w.maker.Environment = []string{"https_proxy=http://proxy:1"}
	r.Variables = []string{"SIZE=2"}
	made := w.plan(r)
	wants(t, made, plan.EnvironmentPhase, "change .env (its content differs)")
	if d := made.Details; !slices.Equal(d.Variables, []string{"https_proxy=http://proxy:1", "SIZE=2"}) || !slices.Equal(d.OldVariables, []string{"COLOR=blue"}) {
		t.Errorf("the variables are %q, without %q", d.Variables, d.OldVariables)
	}
	w.change(func(r *instance.Record) { r.Environment = []string{"https_proxy=http://proxy:2"} })
	w.maker.Environment = nil // this shell may just not know of it
	if d := w.plan(r).Details; !slices.Equal(d.Variables, []string{"https_proxy=http://proxy:2", "SIZE=2"}) {
		t.Errorf("the variables are %q", d.Variables)
	}
	r.Variables = []string{"not a variable"}
	w.refused(r, nil, "not KEY=VALUE in one line")
	r.Variables = nil
	w.write("rb/state/instances/web-1/environment.json", "{")
	w.refused(r, nil, "reading the variables of")
}

// Facts of a cloud that does not answer are not left out of a name; a label with them is, and that is told. It is asked once.
func TestPlanAsksCloud(t *testing.T) {
	t.Parallel()
	w := newWorld(t).withGitHub()
	r := w.request()
	r.Template = runnerName + "-{region}"
	r.Metadata = plan.Metadata{Policy: plan.MetadataAuto} // no time to wait: nothing leaves this machine
	for range 2 {
		w.refused(r, plan.ErrUnfilled, "naming the runner: filling {region}: what it stands for is not known on this machine: looking for a cloud")
	}
	r.Template, r.Identity.Labels = runnerName, []string{"gpu", "zone-{zone}"}
	made := w.plan(r)
	if !slices.Equal(made.Details.Labels, []string{"gpu"}) || !slices.ContainsFunc(made.Warnings, func(text string) bool {
		return strings.Contains(text, `label "zone-{zone}" is left out: filling {zone}: what it stands for is not known`)
	}) {
		t.Errorf("labels %q, warnings %q", made.Details.Labels, made.Warnings)
	}
	r.Template = runnerName + "-{region}"
	w.maker.Cloud = &plan.Cloud{}
	r.Metadata.Policy = plan.MetadataRequired
	w.refused(r, nil, "filling {region}")
}
