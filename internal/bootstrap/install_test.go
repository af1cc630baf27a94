//go:build unix

package bootstrap_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/account"
	"github.com/runner-bootstrap/runner-bootstrap/internal/bootstrap"
	"github.com/runner-bootstrap/runner-bootstrap/internal/download"
	"github.com/runner-bootstrap/runner-bootstrap/internal/github"
	"github.com/runner-bootstrap/runner-bootstrap/internal/githubtest"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/plan"
	"github.com/runner-bootstrap/runner-bootstrap/internal/register"
	"github.com/runner-bootstrap/runner-bootstrap/internal/secret"
	"github.com/runner-bootstrap/runner-bootstrap/internal/svc"
)

const (
	runnersPath  = "/orgs/" + organization + "/actions/runners"
	registerPath = "/actions/runners/register"
)

// listed is what GitHub lists.
func (w *world) listed() []githubtest.Runner { return w.server.Runners("") }

// Install with a credential: the runner is at GitHub, and a second install changes nothing.
func TestInstall(t *testing.T) {
	t.Parallel()
	w := newWorld(t).withRunner()
	r := w.request()
	r.Identity.Labels, r.Identity.Group = []string{"gpu", "n-{n}"}, "Builders"
	r.Variables, r.Life.MaxIdle = []string{"COLOR=blue"}, instance.Duration(time.Hour)
	w.server.AddGroup(organization, "Builders")
	made := w.install(r)
	if made.Scope != "organization octo-org" || made.Dir != w.root() || made.Asset == nil || !made.Cached || !made.Changes() {
		t.Errorf("the plan is %+v", made)
	}
	listed := w.listed()
	if len(listed) != 1 || listed[0].Name != runnerName || !slices.ContainsFunc(listed[0].Labels, func(l githubtest.Label) bool { return l.Name == "n-1" }) {
		t.Fatalf("GitHub lists %+v", listed)
	}
	if r := w.record(); r.RunnerID != listed[0].ID || r.Phase != instance.Installed || r.Version != version || !slices.Equal(r.ResolvedLabels, []string{"gpu", "n-1"}) {
		t.Errorf("the record is %+v", r)
	}
	if env, err := os.ReadFile(w.root(".env")); err != nil || !strings.Contains(string(env), "COLOR=blue\n") {
		t.Errorf(".env is %q, %v", env, err)
	}
	again := w.install(r)
	if again.Changes() || len(w.listed()) != 1 {
		t.Errorf("the second plan is %+v", again.Steps)
	}
	r.Variables = nil
	w.install(r)
	if got := w.phases.of(plan.EnvironmentPhase); got != "without COLOR" {
		t.Errorf("a variable less: %q", got)
	}
}

// What the plan refuses, and what cannot be begun, changes nothing.
func TestInstallIsRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		set    func(w *world)
		reason error
		words  string
	}{
		"no credential": {func(w *world) { w.host.Connect = nil }, github.ErrNoCredential, organization},
		"no privileges": {func(w *world) { w.manager.away = account.ErrPrivilege }, account.ErrPrivilege, "installing a service"},
		"the name is taken": {func(w *world) {
			w.server.AddRunner(organization, githubtest.Runner{Name: "WEB-1", Status: "online", Version: version})
		}, register.ErrNameListed, "online"},
		"somebody's service": {func(w *world) {
			w.manager.units[serviceName] = &unit{active: svc.Failed}
		}, plan.ErrForeignService, "/units/" + serviceName},
		"an odd description": {func(w *world) { w.host.Executable = "usr/bin/x" }, nil, "describing service"},
		"a service that cannot be described any more": {func(w *world) {
			w.manager.breaksAt("describe", func(n int) error { // the plan has looked once
				if n == 1 {
					return errBroken
				}
				return nil
			})
		}, errBroken, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t).withGitHub()
			c.set(w)
			before := len(w.listed())
			w.refused(w.request(), c.reason, c.words)
			w.forgotten()
			if calls := w.manager.changes(); len(calls) > 0 || len(w.listed()) != before {
				t.Errorf("the service manager was asked to %q, and GitHub lists %+v", calls, w.listed())
			}
		})
	}
}

// A plan is made with what the host knows: its service manager, and what the cloud has said to the plan before.
func TestPlanner(t *testing.T) {
	t.Parallel()
	w := newWorld(t).withGitHub()
	r := w.request()
	r.Template, r.Metadata = runnerName+"-{region}", plan.Metadata{Policy: plan.MetadataAuto} // no time to wait: nothing leaves this machine
	for range 2 {
		_, err := w.host.Planner().Make(t.Context(), r)
		expect(t, err, plan.ErrUnfilled, "filling {region}")
	}
	r.Template = runnerName
	if made, err := w.host.Planner().Make(t.Context(), r); err != nil || made.Name != runnerName || !made.Cached {
		t.Errorf("plan %+v, %v", made, err)
	}
	w.host.Executable = "usr/bin/x"
	_, err := w.host.Planner().Make(t.Context(), r)
	expect(t, err, nil, "describing service")
}

// A registration that was made elsewhere takes the place of one whose runner is at rest.
func TestInstallBroughtAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.install(w.brought())
	r := w.brought()
	config := w.jit(runnerName, 78, nil)
	r.JIT = &config
	r.Service = false
	w.manager.halt(w.manager.unit(serviceName), svc.Stopped)
	w.install(r)
	if got := w.phases.of(plan.RegisterPhase); got != "id 78, by its just-in-time configuration" || w.record().RunnerID != 78 {
		t.Errorf("the phase says %q, the record %+v", got, w.record())
	}
}

// What an interrupted run has left at GitHub is found, and taken away first; a stranger's runner is not.
func TestInstallGhost(t *testing.T) {
	t.Parallel()
	w := newWorld(t).withRunner()
	w.server.Fault(githubtest.Fault{Method: "POST", Path: registerPath, Status: 503, AfterEffect: true})
	w.server.Fault(githubtest.Fault{Method: "DELETE", Path: runnersPath + "/*", Status: 403})
	w.refused(w.request(), nil)
	w.says("GitHub may list the runner; the next install or uninstall looks for it again")
	if listed := w.listed(); len(listed) == 0 || w.record().Phase != instance.Registering {
		t.Fatalf("GitHub lists %+v, the record is %+v", listed, w.record())
	}
	w.refused(w.request(), github.ErrForbidden) // it cannot be taken away yet
	if w.record().Phase != instance.Registering {
		t.Fatalf("the record has forgotten it: %+v", w.record())
	}
	w.server.ClearFaults()
	w.install(w.request())
	if listed := w.listed(); len(listed) != 1 || w.record().RunnerID != listed[0].ID {
		t.Errorf("GitHub lists %+v, the record is %+v", listed, w.record())
	}
}

// A registration that fails leaves nothing at GitHub.
func TestInstallUndoesRegistration(t *testing.T) {
	t.Parallel()
	w := newWorld(t).withRunner()
	stranger := w.server.AddRunner(organization, githubtest.Runner{Name: runnerName, Status: "offline", Version: "2.300.0"})
	w.server.Fault(githubtest.Fault{Method: "POST", Path: registerPath, Status: 403})
	w.server.Fault(githubtest.Fault{Method: "PUT", Path: "/actions/runners/*", Status: 403})
	r := w.request()
	r.Replace = plan.ReplaceOffline
	w.refused(r, nil)
	if listed := w.listed(); len(listed) > 1 || len(listed) == 1 && listed[0].ID != stranger.ID {
		t.Errorf("GitHub lists %+v", listed)
	}
	if got := w.record().Phase; got != instance.Fetched {
		t.Errorf("the phase is %s", got)
	}
}

// A registration token that was minted elsewhere does, without a credential.
func TestInstallByRegistrationToken(t *testing.T) {
	t.Parallel()
	w := newWorld(t).withRunner()
	w.host.Connect = nil
	r := w.request()
	r.RegistrationToken = secret.New(w.server.RegistrationToken(organization))
	w.install(r)
	if len(w.listed()) != 1 || w.record().Phase != instance.Installed {
		t.Errorf("GitHub lists %+v, the record is %+v", w.listed(), w.record())
	}
	r.Identity.Labels, r.Identity.NoDefaultLabels, r.Replace = []string{"gpu"}, true, plan.ReplaceOffline
	w.refused(r, github.ErrNoCredential, "a registration token cannot take it away first")

	w = newWorld(t).withRunner()
	w.host.Connect = nil
	w.server.Fault(githubtest.Fault{Method: "POST", Path: registerPath, Status: 503})
	r = w.request()
	r.RegistrationToken = secret.New(w.server.RegistrationToken(organization))
	w.refused(r, nil)
	w.says("GitHub may list the runner all the same; without a credential it was not asked")
}

// GitHub no longer lists the runner: it joins again.
func TestInstallUnlisted(t *testing.T) {
	t.Parallel()
	w := newWorld(t).withGitHub()
	w.install(w.byConfig())
	w.server.DeleteRunner(w.record().RunnerID)
	w.manager.halt(w.manager.unit(serviceName), svc.Stopped)
	w.install(w.byConfig())
	if listed := w.listed(); len(listed) != 1 || w.record().RunnerID != listed[0].ID {
		t.Errorf("GitHub lists %+v, the record is %+v", listed, w.record())
	}
}

// The supervisor has registered the runner between the plan and the phase.
func TestInstallJoinedMeanwhile(t *testing.T) {
	t.Parallel()
	w := newWorld(t).withGitHub()
	w.install(w.byConfig())
	w.server.DeleteRunner(w.record().RunnerID)
	w.manager.halt(w.manager.unit(serviceName), svc.Stopped)
	w.phases.begin = func(phase plan.Phase) {
		if phase == plan.RegisterPhase {
			_, err := w.store.Update(t.Context(), runnerName, func(r *instance.Record) { r.RunnerID = 99 })
			mustDo(t, err)
			w.keep(`{"agentId": 99, "agentName": "web-1", "gitHubUrl": "` + w.scope.URL() + `"}`)
		}
	}
	r := w.byConfig()
	r.Life.MaxIdle, r.Credential.TokenFile = instance.Duration(time.Hour), "/etc/token"
	w.install(r)
	if record := w.record(); record.MaxIdle != r.Life.MaxIdle || record.Credential != r.Credential || record.RunnerID != 99 {
		t.Errorf("the record has lost what the runner is to be kept by: %+v", record)
	}
	if got := w.phases.of(plan.RegisterPhase); got != "id 99, by its supervisor" {
		t.Errorf("the phase says %q", got)
	}
}

// A download that fails leaves nothing, and the reason is that of the token if that comes first.
func TestInstallFetchFails(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fault  githubtest.Fault
		reason error
	}{
		"no archive": {githubtest.Fault{Host: "archive", Status: 401}, nil}, // others may pass, and are asked for again
		"no token":   {githubtest.Fault{Method: "POST", Path: runnersPath + "/registration-token", Status: 403}, github.ErrForbidden},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t).withGitHub()
			w.ownCache()
			w.server.Fault(c.fault)
			if c.reason != nil {
				w.server.Fault(githubtest.Fault{Host: "archive", Delay: time.Second, StallAfter: -1})
			}
			w.refused(w.request(), c.reason)
			w.forgotten()
		})
	}
	w := newWorld(t).withGitHub()
	w.ownCache()
	r := w.atGitHub()
	r.Source = download.Source{}
	if made := w.install(r); made.Cached || !strings.Contains(w.phases.of(plan.FetchPhase), "SHA-256 verified, downloaded") {
		t.Errorf("the phase says %q", w.phases.of(plan.FetchPhase))
	}
}

// ownCache gives the world a cache of its own, with nothing in it.
func (w *world) ownCache() {
	w.host.Paths.Cache = filepath.Join(w.base, "rb", "cache")
	w.host.Fetcher.Cache = download.Cache{Dir: w.host.Paths.Cache, Volatile: true}
}

// A cached runner that is damaged is left out, and the next choice is made.
func TestInstallDamagedCache(t *testing.T) {
	t.Parallel()
	w := newWorld(t).withGitHub()
	w.ownCache()
	entry, err := w.host.Prepare(t.Context(), bootstrap.PrepareRequest{Scope: w.scope})
	mustDo(t, err)
	listener := filepath.Join(entry.Dir, "bin", "Runner.Listener")
	if files, err := filepath.Glob(filepath.Join(entry.Dir, "*", "bin", "Runner.Listener")); err == nil && len(files) > 0 {
		listener = files[0]
	}
	mustDo(t, os.Chmod(filepath.Dir(listener), 0o755), os.Chmod(listener, 0o755), os.Truncate(listener, 10))
	w.host.Connect = nil
	r := w.brought()
	r.Source = download.Source{}
	w.install(r)
	w.says("a cached runner was damaged")
}

// The credential is kept where the supervisor needs it, and dropped where not.
func TestInstallKeepsCredential(t *testing.T) {
	t.Parallel()
	w := newWorld(t).withGitHub()
	r := w.byConfig()
	r.Life.DeregisterOnStop, r.Credential, r.Keep = true, instance.Credential{Kept: true}, secret.New("ghp_kept")
	w.install(r)
	kept, err := w.store.KeptCredential(runnerName)
	if !account.Privileged() {
		if err == nil && kept != "" {
			t.Errorf("jobs can read %q", kept)
		}
		w.says("so the credential is not kept")
		return
	}
	if kept != "ghp_kept" || err != nil || !w.record().Credential.Kept {
		t.Errorf("kept %q, %v", kept, err)
	}
	if made := w.install(r); made.Changes() {
		t.Errorf("the second plan is %+v", made.Steps)
	}
	r.Credential, r.Keep = instance.Credential{TokenCommand: "cat /token"}, secret.Secret{}
	w.install(r)
	if got := w.phases.of(plan.LifePhase); got != "leaves GitHub when it stops, credential by its command" {
		t.Errorf("the phase says %q", got)
	}
	if kept, err := w.store.KeptCredential(runnerName); kept != "" {
		t.Errorf("kept %q, %v", kept, err)
	}
}

// What is not agreed to changes nothing.
func TestInstallIsNotAgreedTo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	declined := errors.New("declined")
	w.host.Agree = func(_ context.Context, made *plan.Plan) error {
		if made.Name != runnerName || !made.Changes() {
			t.Errorf("it was asked about %+v", made)
		}
		return declined
	}
	w.refused(w.brought(), declined)
	w.forgotten()
	if calls := w.manager.changes(); len(calls) > 0 {
		t.Errorf("the service manager was asked to %q", calls)
	}
}

// A runner that is no longer in the cache leaves and joins by the program that is on offer now.
func TestInstallAgainWithoutItsProgram(t *testing.T) {
	t.Parallel()
	w := newWorld(t).withRunner()
	r := w.request()
	w.install(r)
	first := w.record().RunnerID
	w.ownCache() // with nothing in it
	r.Identity.Labels, r.Identity.NoDefaultLabels, r.Replace = []string{"gpu"}, true, plan.ReplaceOffline
	w.install(r)
	if listed := w.listed(); len(listed) != 1 || listed[0].ID == first || w.record().RunnerID != listed[0].ID {
		t.Errorf("GitHub lists %+v, first it was %d", listed, first)
	}
	if all, err := w.host.ListCache(); err != nil || len(all) != 1 || all[0].Version != version {
		t.Errorf("the cache has %+v, %v", all, err)
	}
}
