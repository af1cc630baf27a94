//go:build unix

package plan_test

import (
	"os"
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

// What is refused for a new runner.
func TestPlanRefuses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		set    func(w *world, r *plan.Request)
		reason error
		words  string
	}{
		"no credential": {func(w *world, _ *plan.Request) { w.maker.Connect = nil }, github.ErrNoCredential, organization},
		"the name is taken": {func(w *world, _ *plan.Request) {
			w.server.AddRunner(organization, githubtest.Runner{Name: "WEB-1", Status: "online", Version: version})
		}, register.ErrNameListed, "online"},
		"GitHub does not say": {func(w *world, _ *plan.Request) {
			w.server.Fault(githubtest.Fault{Method: "GET", Path: runnersPath, Status: 403})
		}, github.ErrForbidden, ""},
		"no such group": {func(_ *world, r *plan.Request) { r.Identity.Group = "Nowhere" }, github.ErrGroupUnknown, "Nowhere"},
		"a closed group": {func(w *world, r *plan.Request) {
			r.Identity.Group = "Closed"
			w.server.AddGroup(organization, "Closed")
			w.server.SetGroup(organization, "Closed", githubtest.GroupRules{Restricted: true})
		}, plan.ErrGroupClosed, "Closed"},
		"a bad label":      {func(_ *world, r *plan.Request) { r.Identity.Labels = []string{strings.Repeat("x", 300)} }, nil, "planning for"},
		"a bad name":       {func(_ *world, r *plan.Request) { r.Template = "../x" }, instance.ErrName, "../x"},
		"an unknown place": {func(_ *world, r *plan.Request) { r.Template = "{moon}" }, plan.ErrTemplate, "{moon}"},
		"an unknown fact": {func(_ *world, r *plan.Request) {
			r.Template, r.Metadata = runnerName+"-{region}", plan.Metadata{Policy: plan.MetadataOff}
		}, plan.ErrTemplate, "--metadata off"},
		"a foreign folder": {func(w *world, _ *plan.Request) { w.write("rb/runners/web-1/x", "") }, plan.ErrForeignDir, "web-1"},
		"no such account": {func(_ *world, r *plan.Request) { r.User = "nobody-of-this-name" }, map[bool]error{
			true: account.ErrAbsent, false: account.ErrPrivilege,
		}[account.Privileged()], "nobody-of-this-name"},
		"an archive without a version": {func(_ *world, r *plan.Request) { r.Source.Archive = "/x/runner.tar.gz" }, download.ErrUnnamed, "runner.tar.gz"},
		"a work folder of the system":  {func(_ *world, r *plan.Request) { r.Identity.Work = "/etc" }, nil, "/etc"},
		"a damaged record":             {func(w *world, _ *plan.Request) { w.write("rb/state/instances/web-2/record.json", "{") }, nil, "web-2"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t).withGitHub()
			r := w.request()
			c.set(w, &r)
			w.refused(r, c.reason, c.words)
		})
	}
}

// A runner of this host that is not as it should be.
func TestPlanRefusesWhatIsThere(t *testing.T) {
	t.Parallel()
	brought := func(w *world, name string, id int64, server string) *register.JITConfig {
		return w.jit(name, id, map[string]string{"ServerUrl": server})
	}
	for name, c := range map[string]struct {
		set    func(w *world, r *plan.Request)
		reason error
		words  string
	}{
		"of another scope": {func(_ *world, r *plan.Request) {
			r.Scope, _ = github.ParseScope("https://ghes.example.com/elsewhere", "") // it is one
			r.JIT.Servers = nil
		}, plan.ErrOtherScope, "https://ghes.example.com/octo-org"},
		"being removed": {func(w *world, _ *plan.Request) {
			w.change(func(r *instance.Record) { r.Phase = instance.Removing })
		}, instance.ErrRemoving, runnerName},
		"of another account": {func(w *world, _ *plan.Request) {
			w.change(func(r *instance.Record) { r.User = "somebody" })
		}, plan.ErrOtherAccount, "somebody"},
		"of another registration": {func(w *world, r *plan.Request) {
			r.JIT = w.jit(runnerName, 78, map[string]string{"Ephemeral": "false"})
			w.supervised()
		}, plan.ErrDiffers, "it is registered as id 77, not as 78"},
		"of another registration, at work": {func(w *world, r *plan.Request) {
			w.change(func(r *instance.Record) { r.Service = "" })
			r.JIT, r.Replace, r.Service = w.jit(runnerName, 78, nil), plan.ReplaceOffline, false
			w.supervised()
		}, plan.ErrAtWork, "process "},
		"damaged":        {func(w *world, _ *plan.Request) { mustDo(w.t, os.RemoveAll(w.root("bin"))) }, plan.ErrDamaged, "rb/runners/web-1"},
		"not to be read": {func(w *world, _ *plan.Request) { w.keep("{") }, nil, ""},
		"its job is done": {func(w *world, _ *plan.Request) {
			mustDo(w.t, instance.KeptRegistration(w.maker.Store, runnerName).Drop())
		}, plan.ErrSpent, "id 77"},
		"of another server": {func(w *world, r *plan.Request) {
			r.JIT = brought(w, runnerName, runnerID, "https://other.example.com/x")
		}, plan.ErrOtherServer, "other.example.com"},
		"of no server": {func(w *world, r *plan.Request) {
			r.JIT = brought(w, runnerName, runnerID, "::")
		}, plan.ErrOtherServer, "an unknown one"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if name == "of another account" && !account.Privileged() {
				return // jobs run as the account that installs, whatever was before
			}
			w := newWorld(t)
			w.installed(w.brought())
			r := w.brought()
			c.set(w, &r)
			w.refused(r, c.reason, c.words)
		})
	}
}
