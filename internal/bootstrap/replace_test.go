//go:build unix

package bootstrap_test

import (
	"strings"
	"testing"

	"github.com/runner-bootstrap/runner-bootstrap/internal/github"
	"github.com/runner-bootstrap/runner-bootstrap/internal/githubtest"
	"github.com/runner-bootstrap/runner-bootstrap/internal/plan"
	"github.com/runner-bootstrap/runner-bootstrap/internal/register"
)

// A runner of the same name is replaced where it is offline, which GitHub is asked for right before; any, if that is wanted.
func TestReplace(t *testing.T) {
	t.Parallel()
	ghost := githubtest.Runner{Name: runnerName, Status: "offline"}
	online := githubtest.Runner{Name: runnerName, Status: "online"}
	busy := githubtest.Runner{Name: runnerName, Status: "online", Busy: true}
	away := githubtest.Runner{Name: runnerName, Status: "offline", Busy: true}
	for name, c := range map[string]struct {
		there   githubtest.Runner
		replace plan.Replace
		token   bool // a registration token alone: GitHub cannot be asked
		later   *githubtest.Runner
		refused error // nil: it takes the place
		planned string
	}{
		"a ghost":                     {there: ghost, replace: plan.ReplaceOffline, planned: "replaces id ID, offline"},
		"a ghost, unasked":            {there: ghost, refused: register.ErrNameListed},
		"one that waits":              {there: online, replace: plan.ReplaceOffline, refused: register.ErrNameAtWork},
		"one that works":              {there: busy, replace: plan.ReplaceOffline, refused: register.ErrNameAtWork},
		"one that works out of reach": {there: away, replace: plan.ReplaceOffline, refused: register.ErrNameAtWork},
		"one that waits, always":      {there: online, replace: plan.ReplaceAlways, planned: "replaces id ID, online"},
		"one that works, always":      {there: busy, replace: plan.ReplaceAlways, planned: "replaces id ID, online, busy"},
		"one that comes back":         {there: ghost, replace: plan.ReplaceOffline, later: &online, refused: register.ErrNameAtWork, planned: "replaces id ID, offline"},
		"one that comes back, always": {there: ghost, replace: plan.ReplaceAlways, later: &online, planned: "replaces id ID, offline"},
		"unasked of GitHub":           {there: ghost, replace: plan.ReplaceOffline, token: true, refused: register.ErrNameTaken},
		"unasked of GitHub, always":   {there: online, replace: plan.ReplaceAlways, token: true},
	} {
		for _, jit := range []bool{false, true} {
			if jit && (c.token || c.replace == plan.ReplaceAlways && c.there.Busy) {
				continue // GitHub deletes none that works
			}
			t.Run(name+map[bool]string{true: ", by a configuration"}[jit], func(t *testing.T) {
				t.Parallel()
				w := newWorld(t).withRunner()
				there := w.server.AddRunner(organization, c.there).ID
				r := w.request()
				if jit {
					r = w.byConfig()
				}
				r.Service, r.Replace = false, c.replace
				if c.token {
					client := w.host.Connect(w.scope)
					token, err := client.RegistrationToken(t.Context())
					mustDo(t, err)
					r.RegistrationToken, w.host.Connect = token.Value, nil
				}
				if c.planned != "" {
					made, err := w.host.Planner().Make(t.Context(), r)
					mustDo(t, err)
					if got, want := reasonFor(made, plan.RegisterPhase), "not registered yet; "+replaceID(c.planned, there); got != want {
						t.Errorf("the plan says %q, want %q", got, want)
					}
				}
				w.phases.begin = func(phase plan.Phase) {
					if phase == plan.RegisterPhase && c.later != nil {
						w.server.DeleteRunner(there)
						again := *c.later
						again.ID = there
						w.server.AddRunner(organization, again)
					}
				}
				if c.refused != nil {
					w.refused(r, c.refused)
					if !w.lists(there) || len(w.server.Runners(organization)) != 1 {
						t.Errorf("GitHub lists %+v", w.server.Runners(organization))
					}
					return
				}
				w.install(r)
				all := w.server.Runners(organization)
				if len(all) != 1 || all[0].ID != w.record().RunnerID || all[0].Status != "offline" {
					t.Errorf("GitHub lists %+v, the record is of %d", all, w.record().RunnerID)
				}
			})
		}
	}
}

// Where GitHub does not answer the second question, nothing is taken away.
func TestReplaceIsNotGuessed(t *testing.T) {
	t.Parallel()
	w := newWorld(t).withRunner()
	there := w.server.AddRunner(organization, githubtest.Runner{Name: runnerName, Status: "offline"}).ID
	r := w.request()
	r.Service, r.Replace = false, plan.ReplaceOffline
	w.phases.begin = func(phase plan.Phase) {
		if phase == plan.RegisterPhase {
			w.server.Fault(githubtest.Fault{Method: "GET", Path: runnersPath, Status: 403})
		}
	}
	w.refused(r, github.ErrForbidden)
	if !w.lists(there) {
		t.Error("it is gone")
	}
}

func reasonFor(made *plan.Plan, phase plan.Phase) string {
	for _, step := range made.Steps {
		if step.Phase == phase {
			return step.Reason
		}
	}
	return ""
}

func replaceID(text string, id int64) string { return strings.Replace(text, "ID", itoa(id), 1) }
