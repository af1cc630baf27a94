//go:build unix

package bootstrap_test

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/github"
	"github.com/runner-bootstrap/runner-bootstrap/internal/githubtest"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/plan"
	"github.com/runner-bootstrap/runner-bootstrap/internal/secret"
	"github.com/runner-bootstrap/runner-bootstrap/internal/svc"
	"github.com/runner-bootstrap/runner-bootstrap/internal/transport"
)

const notYet = "its warm pool keeps it"

// spare gives the world a GitHub and a machine that is not in service yet, and a supervisor that waits for that.
func (w *world) spare() *world {
	w.withGitHub()
	w.host.Waits = func(context.Context, string, time.Duration) string { return notYet }
	w.manager.start = func(_ context.Context, s supervisor) error {
		s.holds()
		s.becomes(svc.Running, 0)
		s.reports(instance.Report{State: instance.Drained, Reason: notYet + " still"})
		return nil
	}
	return w
}

// On a machine that is not in service yet, an install leaves it to the agent to register, and says so.
func TestInstallIsLeftToItsAgent(t *testing.T) {
	t.Parallel()
	w := newWorld(t).spare()
	r := w.request()
	r.Credential.TokenFile, r.Identity.Labels = w.write("token", "x"), []string{"gpu-{n}"}
	made := w.install(r)
	if got := w.phases.of(plan.RegisterPhase); got != "left to its agent: "+notYet {
		t.Errorf("the phase says %q", got)
	}
	if got := w.phases.of(plan.ServicePhase); got != "waiting: "+notYet+" still" || made.Details.Waits != notYet+" still" {
		t.Errorf("the phase says %q, the plan %q", got, made.Details.Waits)
	}
	record := w.record()
	if record.RunnerID != 0 || record.Phase != instance.Installed || !slices.Equal(record.ResolvedLabels, []string{"gpu-1"}) || len(w.listed()) > 0 {
		t.Errorf("GitHub lists %+v, the record is %+v", w.listed(), record)
	}
	if again := w.install(r); again.Changes() {
		t.Errorf("again: %+v", again.Steps)
	}
}

// A token that was asked for ahead is not waited for by an install that fails before it needs one, and comes to nobody after its end.
func TestInstallGivesUpItsToken(t *testing.T) {
	t.Parallel()
	w := newWorld(t).spare()
	var givenUp atomic.Bool
	web := transport.NewAPI(transport.Config{UserAgent: "test", Proxy: func(r *http.Request) (*url.URL, error) {
		if !strings.HasSuffix(r.URL.Path, "/registration-token") {
			return nil, nil
		}
		<-r.Context().Done()
		givenUp.Store(true)
		return nil, r.Context().Err()
	}})
	w.host.Connect = func(scope github.Scope) *github.Client {
		return github.NewClient(web, scope, github.Static(secret.New(w.server.Token())))
	}
	w.refused(w.request(), plan.ErrNotInService, notYet)
	if !givenUp.Load() {
		t.Error("a token is asked for when the install is over")
	}
}

// Where the agent could not do that, it is refused, before GitHub lists anything; and so is a credential that may not.
func TestInstallIsNotLeftToItsAgent(t *testing.T) {
	t.Parallel()
	w := newWorld(t).spare()
	r := w.request()
	w.refused(r, plan.ErrNotInService, notYet)
	r.Credential.TokenFile = w.write("token", "x")
	w.server.Fault(githubtest.Fault{Method: "POST", Path: runnersPath + "/registration-token", Status: 403})
	mustDo(t, w.store.DropToken(w.scope.URL())) // the one of the first install would do
	w.refused(r, github.ErrForbidden)
	if record := w.record(); len(w.listed()) > 0 || len(w.manager.changes()) > 0 || record.Phase != instance.Fetched {
		t.Errorf("GitHub lists %+v, the record is %+v", w.listed(), record)
	}
}
