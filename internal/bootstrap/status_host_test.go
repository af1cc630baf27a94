//go:build unix

package bootstrap_test

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
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
	"github.com/runner-bootstrap/runner-bootstrap/internal/svc"
)

func itoa(n int64) string { return strconv.FormatInt(n, 10) }

// Status of a runner in order, and with each thing that can be wrong.
func TestStatus(t *testing.T) {
	t.Parallel()
	gone := func(w *world) { mustDo(w.t, os.RemoveAll(w.root())) }
	for name, c := range map[string]struct {
		set     func(w *world)
		problem string // a part of the first; empty: healthy
		reason  error  // of what Status returns beside it
	}{
		"in order":              {nil, "", nil},
		"not asked":             {func(w *world) { w.host.Connect = nil }, "", nil},
		"its service at rest":   {func(w *world) { w.manager.halt(w.manager.unit(serviceName), svc.Stopped) }, "its service is stopped", nil},
		"not started at boot":   {func(w *world) { w.manager.unit(serviceName).enabled = false }, "its service does not start at boot", nil},
		"its service is silent": {func(w *world) { w.manager.breaks("state", errBroken) }, "its service cannot be looked at", nil},
		"its service has an odd name": {func(w *world) {
			_, err := w.store.Update(w.t.Context(), runnerName, func(r *instance.Record) { r.Service = "-x" })
			mustDo(w.t, err)
		}, "naming service", errAny},
		"no directory":    {gone, "its directory", nil},
		"no listener":     {func(w *world) { mustDo(w.t, os.RemoveAll(w.root("bin"))) }, "has no listener", nil},
		"no registration": {func(w *world) { mustDo(w.t, instance.KeptRegistration(w.store, runnerName).Drop()) }, "it has no registration", nil},
		"another registration": {func(w *world) {
			w.keep(`{"agentId": 9, "agentName": "web-1"}`)
		}, "the registration that is kept is of id 9, not ", nil},
		"a damaged registration": {func(w *world) { w.keep("{") }, "its registration cannot be read", nil},
		"no copy of it for jobs": {func(w *world) { mustDo(w.t, register.Forget(w.root())) }, "", nil},
		"another's registration, by a job": {func(w *world) {
			mustDo(w.t, os.WriteFile(w.root(".runner"), []byte(`{"agentId": 9, "agentName": "web-1"}`), 0o644))
		}, "", nil},
		"a registration damaged by a job": {func(w *world) { mustDo(w.t, os.WriteFile(w.root(".runner"), []byte("{"), 0o644)) }, "", nil},
		"a damaged report": {func(w *world) {
			mustDo(w.t, os.WriteFile(filepath.Join(w.host.Paths.State, "instances", runnerName, "listener.json"), []byte("{"), 0o600))
		}, "reading report", errAny},
		"absent at GitHub": {func(w *world) { w.server.DeleteRunner(w.record().RunnerID) }, "GitHub does not list it", nil},
		"GitHub is silent": {func(w *world) {
			w.server.Fault(githubtest.Fault{Method: "GET", Path: runnersPath, Status: 403})
		}, "GitHub cannot be asked", github.ErrForbidden},
		"an odd scope": {func(w *world) {
			_, err := w.store.Update(w.t.Context(), runnerName, func(r *instance.Record) { r.ScopeURL = "::" })
			mustDo(w.t, err)
		}, "GitHub cannot be asked: reading the record", errAny},
		"interrupted": {func(w *world) {
			_, err := w.store.Update(w.t.Context(), runnerName, func(r *instance.Record) { r.Phase = instance.Fetched })
			mustDo(w.t, err)
		}, "its installation was interrupted (fetched)", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t).withGitHub()
			w.install(w.atGitHub())
			// What a listener would have GitHub say, as none runs here.
			mustDo(t, w.store.SaveReport(runnerName, instance.Report{State: instance.Starting, PID: os.Getpid(), Since: time.Now(), Version: "2.400.0"}))
			if c.set != nil {
				c.set(w)
			}
			all, err := w.host.Status(t.Context(), runnerName)
			if len(all) != 1 || (err != nil) != (c.reason != nil) || c.reason != nil && !errors.Is(c.reason, errAny) && !errors.Is(err, c.reason) {
				t.Fatalf("status %+v, error %v, want %v", all, err, c.reason)
			}
			s := all[0]
			if s.Healthy != (c.problem == "") || !strings.Contains(strings.Join(s.Problems, "; "), c.problem) {
				t.Errorf("healthy %v, problems %q, want %q", s.Healthy, s.Problems, c.problem)
			}
			if name == "in order" && (s.Service.State != "running" || !s.Service.Enabled || s.GitHub.State != "offline" || s.Version != "2.400.0") {
				t.Errorf("status %+v", s)
			}
		})
	}
}

var errAny = errors.New("any")

func TestStatusOfNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if all, err := w.host.Status(t.Context(), ""); err != nil || all == nil || len(all) > 0 {
		t.Errorf("status %+v, %v", all, err)
	}
	_, err := w.host.Status(t.Context(), "nothing")
	expect(t, err, instance.ErrUnknown, "nothing")
	r := w.brought()
	r.Service = false
	w.install(r)
	mustDo(t, w.store.SaveReport(runnerName, instance.Report{State: instance.Ended, Reason: "stopped", LastWords: "exit code 0"}))
	all, err := w.host.Status(t.Context(), "")
	if err != nil || len(all) != 1 || all[0].Service.State != "none" || all[0].Listener.LastWords != "exit code 0" {
		t.Errorf("status %+v, %v", all, err)
	}
}

// The cache is filled for an image, and what must not be in one is refused.
func TestPrepare(t *testing.T) {
	t.Parallel()
	w := newWorld(t).withGitHub()
	w.ownCache()
	prepared, err := w.host.Prepare(t.Context(), bootstrap.PrepareRequest{Scope: w.scope, Seal: true})
	if err != nil || prepared.Cached || !prepared.Sealed || prepared.Version != version {
		t.Fatalf("prepared %+v, %v", prepared, err)
	}
	secret := w.write("rb/x.txt", "ghp_"+strings.Repeat("a", 36))
	_, err = w.host.Prepare(t.Context(), bootstrap.PrepareRequest{Scope: w.scope, Seal: true, Source: download.Source{Archive: plain.file, SHA256: plain.archive.SHA256}})
	expect(t, err, bootstrap.ErrNotClean, secret)
	mustDo(t, os.Remove(secret))
	r := w.atGitHub()
	r.Service = false
	w.install(r)
	_, err = w.host.Prepare(t.Context(), bootstrap.PrepareRequest{Scope: w.scope, Seal: true})
	expect(t, err, bootstrap.ErrNotClean, "it has web-1, and each copy would be the same runner")
	again, err := w.host.Prepare(t.Context(), bootstrap.PrepareRequest{Scope: w.scope})
	if err != nil || !again.Cached || again.Sealed {
		t.Errorf("again %+v, %v", again, err)
	}
	_, err = w.host.Prepare(t.Context(), bootstrap.PrepareRequest{Scope: w.scope, Source: download.Source{Version: "2.0.0"}})
	expect(t, err, nil)
}

func TestCache(t *testing.T) {
	t.Parallel()
	w := newWorld(t).withGitHub()
	w.ownCache()
	_, err := w.host.Prepare(t.Context(), bootstrap.PrepareRequest{Scope: w.scope, Source: download.Source{Archive: plain.file, SHA256: plain.archive.SHA256}})
	mustDo(t, err)
	if got := w.phases.of(plan.FetchPhase); got != "version "+version+", SHA-256 verified, from "+filepath.Dir(plain.file) {
		t.Errorf("the phase says %q", got)
	}
	if all, err := w.host.ListCache(); err != nil || len(all) != 1 || all[0].Version != version {
		t.Errorf("the cache has %+v, %v", all, err)
	}
	for _, dry := range []bool{true, false} {
		if gone, err := w.host.PruneCache(t.Context(), 0, dry); err != nil || len(gone) != 1 {
			t.Errorf("pruned %+v, %v", gone, err)
		}
	}
	if all, err := w.host.ListCache(); err != nil || len(all) > 0 {
		t.Errorf("the cache has %+v, %v", all, err)
	}
	if !account.Privileged() {
		w.host.Private = false
		_, err := w.host.PruneCache(t.Context(), 0, false)
		expect(t, err, account.ErrPrivilege)
	}
}
