package github_test

import (
	"maps"
	"sync"
	"testing"

	"github.com/runner-bootstrap/runner-bootstrap/internal/github"
	"github.com/runner-bootstrap/runner-bootstrap/internal/githubtest"
	"github.com/runner-bootstrap/runner-bootstrap/internal/githubtest/contract"
)

// driven are the operations that GitHub was asked for and has performed.
type driven struct {
	mu         sync.Mutex
	operations map[string]bool // "ghes GET /orgs/{org}/actions/runners"
}

// note reads them off the simulator's record.
func (d *driven) note(t *testing.T, server *githubtest.Server) {
	t.Helper()
	held, err := theContract()
	if err != nil {
		t.Fatal(err)
	}
	performed, err := held.Driven(t.Context(), server)
	if err != nil {
		t.Error(err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, operation := range performed {
		d.operations[operation] = true
	}
}

// described lists the operations of GitHub's descriptions that are about runners.
func described(t *testing.T) []string {
	t.Helper()
	all, err := contract.Operations()
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestEveryOperation(t *testing.T) {
	t.Parallel()
	seen := &driven{operations: map[string]bool{}}
	t.Run("drive", func(t *testing.T) {
		for _, scope := range []string{"octo-org", "octo-org/.github", "enterprises/octo"} {
			for _, root := range []string{"ghes", "github"} {
				t.Run(scope+" at "+root, func(t *testing.T) {
					t.Parallel()
					server := simulate(t)
					apiURL := ""
					if root == "github" {
						apiURL = server.APIURL()
					}
					c := newClient(t, server.URL()+"/"+scope, apiURL, server.Token())
					everyOperation(t, server, c, scope, root)
					everyLabelOperation(t, server, c, scope)
					groupsAndJIT(t, server, c, scope)
					for _, version := range []string{"", "2.337.0"} {
						if _, err := c.RunnerRelease(t.Context(), version); err != nil {
							t.Error(err)
						}
					}
					if _, err := c.VersionSchedule(t.Context(), "2.337.0"); (err == nil) != (root == "github") {
						t.Errorf("the end of a version: %v", err)
					}
					if c.Scope().Kind != github.Enterprise {
						asApp(t, server, c.Scope())
					}
					for _, request := range server.Requests() {
						if request.Root != root || request.AuthScheme != "Bearer" || request.UserAgent != "runner-bootstrap/test" {
							t.Errorf("%s %s at %s by %q with %q", request.Method, request.Path, request.Root, request.UserAgent, request.AuthScheme)
						}
					}
					seen.note(t, server)
				})
			}
		}
	})
	for _, problem := range contract.Uncovered(described(t), seen.operations, contract.NotNeeded()) {
		t.Error(problem)
	}
}

func TestUncoveredIsSeen(t *testing.T) {
	t.Parallel()
	all := described(t)
	seen := map[string]bool{}
	for _, operation := range all {
		_, excepted := contract.NotNeeded()[operation]
		seen[operation] = !excepted
	}
	if problems := contract.Uncovered(all, seen, contract.NotNeeded()); len(problems) > 0 {
		t.Errorf("a full list has problems %q", problems)
	}
	const one = "github GET /orgs/{org}/actions/runners"
	for name, problems := range map[string][]string{
		"not driven":    contract.Uncovered(all, map[string]bool{}, contract.NotNeeded()),
		"excepted":      contract.Uncovered(all, seen, map[string]string{one: "x"}),
		"no reason":     contract.Uncovered(all, without(seen, one), map[string]string{one: ""}),
		"stale":         contract.Uncovered(all, seen, map[string]string{"github GET /nothing": "x"}),
		"nothing known": contract.Uncovered(nil, seen, nil),
	} {
		if len(problems) == 0 {
			t.Errorf("%s is not seen", name)
		}
	}
}

func without(seen map[string]bool, operation string) map[string]bool {
	fewer := maps.Clone(seen)
	delete(fewer, operation)
	return fewer
}
