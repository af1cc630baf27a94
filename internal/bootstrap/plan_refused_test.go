//go:build unix

package bootstrap_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/runner-bootstrap/runner-bootstrap/internal/account"
	"github.com/runner-bootstrap/runner-bootstrap/internal/download"
	"github.com/runner-bootstrap/runner-bootstrap/internal/github"
	"github.com/runner-bootstrap/runner-bootstrap/internal/githubtest"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/plan"
	"github.com/runner-bootstrap/runner-bootstrap/internal/register"
)

// What is refused before anything is done.
func TestPlanRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		set    func(w *world, r *plan.Request)
		reason error
		words  string
	}{
		"no credential": {func(w *world, _ *plan.Request) { w.host.Connect = nil }, github.ErrNoCredential, organization},
		"the name is taken": {func(w *world, _ *plan.Request) {
			w.server.AddRunner(organization, githubtest.Runner{Name: "WEB-1", Status: "online", Version: version})
		}, register.ErrNameListed, "online"},
		"no such group": {func(_ *world, r *plan.Request) { r.Identity.Group = "Nowhere" }, github.ErrGroupUnknown, "Nowhere"},
		"a closed group": {func(w *world, r *plan.Request) {
			r.Identity.Group = "Closed"
			w.server.AddGroup(organization, "Closed")
			w.server.SetGroup(organization, "Closed", githubtest.GroupRules{Restricted: true})
		}, plan.ErrGroupClosed, "Closed"},
		"a bad label":      {func(_ *world, r *plan.Request) { r.Identity.Labels = []string{strings.Repeat("x", 300)} }, nil, "planning for"},
		"a bad name":       {func(_ *world, r *plan.Request) { r.Template = "../x" }, instance.ErrName, "../x"},
		"an unknown place": {func(_ *world, r *plan.Request) { r.Template = "{moon}" }, plan.ErrTemplate, "{moon}"},
		"a foreign folder": {func(w *world, _ *plan.Request) { w.write("rb/runners/web-1/x", "") }, plan.ErrForeignDir, "web-1"},
		"no such account":  {func(_ *world, r *plan.Request) { r.User = "nobody-of-this-name" }, nil, ""},
		"no certificate":   {func(w *world, r *plan.Request) { r.Variables = []string{"SSL_CERT_FILE=" + w.write("ca", "x")} }, plan.ErrNoCertificate, "it holds no certificate in PEM"},
		"an empty one": {func(w *world, r *plan.Request) {
			r.Variables = []string{"NODE_EXTRA_CA_CERTS=" + w.write("ca", " ")}
		}, plan.ErrNoCertificate, "it is empty"},
		"a folder":       {func(w *world, r *plan.Request) { r.Variables = []string{"SSL_CERT_FILE=" + w.base} }, plan.ErrNoCertificate, "it is no file"},
		"a relative one": {func(_ *world, r *plan.Request) { r.Variables = []string{"SSL_CERT_FILE=ca.pem"} }, plan.ErrNoCertificate, "not an absolute path"},
		"a folder of none": {func(w *world, r *plan.Request) {
			w.write("cas/a", "x")
			r.Variables = []string{"SSL_CERT_DIR=" + filepath.Join(w.base, "cas")}
		}, plan.ErrNoCertificate, "no file in it"},
		"no folder": {func(w *world, r *plan.Request) {
			r.Variables = []string{"SSL_CERT_DIR=" + filepath.Join(w.base, "nowhere")}
		}, plan.ErrNoCertificate, "no such file"},
		"an old archive": {func(_ *world, r *plan.Request) { r.Source.Archive = "/x/runner.tar.gz" }, download.ErrUnnamed, "runner.tar.gz"},
		"a work folder":  {func(_ *world, r *plan.Request) { r.Identity.Work = "/etc" }, nil, "/etc"},
		"an odd record":  {func(w *world, _ *plan.Request) { w.write("rb/state/instances/web-2/record.json", "{") }, nil, "web-2"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t).withGitHub()
			r := w.request()
			c.set(w, &r)
			w.refused(r, c.reason, c.words)
			if calls := w.manager.changes(); len(calls) > 0 {
				t.Errorf("the service manager was asked to %q", calls)
			}
			if _, err := os.Lstat(w.root("bin")); err == nil {
				t.Error("a runner was unpacked")
			}
		})
	}
}

// A runner of this host that is not as it should be.
func TestPlanRefusesWhatIsThere(t *testing.T) {
	change := func(w *world, do func(r *instance.Record)) {
		if _, err := w.store.Update(w.t.Context(), runnerName, do); err != nil {
			w.t.Fatal(err)
		}
	}
	for name, c := range map[string]struct {
		set    func(w *world, r *plan.Request)
		reason error
	}{
		"of another scope": {func(_ *world, r *plan.Request) {
			r.Scope, _ = github.ParseScope("https://ghes.example.com/elsewhere", "") // it is one
			r.JIT.Servers = nil
		}, plan.ErrOtherScope},
		"being removed": {func(w *world, _ *plan.Request) {
			change(w, func(r *instance.Record) { r.Phase = instance.Removing })
		}, instance.ErrRemoving},
		"of another account":      {func(w *world, _ *plan.Request) { change(w, func(r *instance.Record) { r.User = "somebody" }) }, plan.ErrOtherAccount},
		"of another registration": {func(w *world, r *plan.Request) { config := w.jit(runnerName, 78, nil); r.JIT = &config }, plan.ErrDiffers},
		"of a stranger": {func(w *world, _ *plan.Request) {
			mustDo(w.t, os.WriteFile(w.root(".runner"), []byte(`{"agentId": 5, "agentName": "other"}`), 0o644))
		}, plan.ErrForeign},
		"damaged":        {func(w *world, _ *plan.Request) { mustDo(w.t, os.RemoveAll(w.root("bin"))) }, plan.ErrDamaged},
		"not to be read": {func(w *world, _ *plan.Request) { mustDo(w.t, os.WriteFile(w.root(".runner"), []byte("{"), 0o644)) }, nil},
		"its job is done": {func(w *world, _ *plan.Request) {
			mustDo(w.t, os.Remove(w.root(".runner")), os.Remove(w.root(".credentials")))
		}, plan.ErrSpent},
		"of another server": {func(w *world, r *plan.Request) {
			config := w.jit(runnerName, broughtID, map[string]string{"ServerUrl": "https://other.example.com/x"})
			r.JIT = &config
		}, plan.ErrOtherServer},
		"of no server": {func(w *world, r *plan.Request) {
			config := w.jit(runnerName, broughtID, map[string]string{"ServerUrl": "::"})
			r.JIT = &config
		}, plan.ErrOtherServer},
	} {
		t.Run(name, func(t *testing.T) {
			if name == "of another account" && !account.Privileged() {
				return // jobs run as the account that installs, whatever was before
			}
			w := newWorld(t)
			w.install(w.brought())
			w.manager.changes()
			r := w.brought()
			c.set(w, &r)
			w.refused(r, c.reason)
			if calls := w.manager.changes(); len(calls) > 0 {
				t.Errorf("the service manager was asked to %q", calls)
			}
		})
	}
}
