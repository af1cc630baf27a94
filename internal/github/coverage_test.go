package github_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/runner-bootstrap/runner-bootstrap/internal/github"
	"github.com/runner-bootstrap/runner-bootstrap/internal/githubtest"
)

// driven are the operations that GitHub was asked for and has performed.
type driven struct {
	mu         sync.Mutex
	operations map[string]bool // "ghes GET /orgs/{org}/actions/runners"
}

// note reads off the simulator's record what the contract's router makes of it.
func (d *driven) note(t *testing.T, server *githubtest.Server) {
	t.Helper()
	held, err := theContract()
	if err != nil {
		t.Fatal(err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, request := range server.Requests() {
		if request.Status >= 300 || request.Root != "ghes" && request.Root != "github" {
			continue
		}
		prefix := map[string]string{"ghes": "/api/v3"}[request.Root]
		req, err := http.NewRequestWithContext(t.Context(), request.Method, server.URL()+prefix+request.Path, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		root, operation, err := held.Operation(req)
		if err != nil {
			t.Errorf("%s %s: %v", request.Method, request.Path, err)
		}
		d.operations[root+" "+operation] = true
	}
}

// described lists the operations of GitHub's descriptions that are about runners.
func described(t *testing.T) []string {
	t.Helper()
	ours := regexp.MustCompile(`/actions/runners|/actions/runner-groups|/installation$|/access_tokens$|/releases/`)
	var all []string
	for _, d := range []struct{ file, roots string }{
		{"github-runners", "github"}, {"github-runners-ghes", "ghes"}, {"github-releases", "github ghes"},
	} {
		text, err := os.ReadFile("../githubtest/contract/testdata/" + d.file + ".openapi.json")
		if err != nil {
			t.Fatal(err)
		}
		var description struct {
			Paths map[string]map[string]json.RawMessage `json:"paths"`
		}
		if err := json.Unmarshal(text, &description); err != nil {
			t.Fatal(err)
		}
		for path, item := range description.Paths {
			for method := range item {
				if method == "parameters" || !ours.MatchString(path) {
					continue
				}
				for root := range strings.FieldsSeq(d.roots) {
					all = append(all, root+" "+strings.ToUpper(method)+" "+path)
				}
			}
		}
	}
	slices.Sort(all)
	return all
}

// left are the operations that the package does without, each with the reason.
func left() map[string]string {
	oneGroup := "the list has all there is to know of a group"
	return map[string]string{
		"github GET /orgs/{org}/actions/runner-groups/{runner_group_id}":               oneGroup,
		"github GET /enterprises/{enterprise}/actions/runner-groups/{runner_group_id}": oneGroup,
		"ghes GET /orgs/{org}/actions/runner-groups/{runner_group_id}":                 oneGroup,
		"ghes GET /enterprises/{enterprise}/actions/runner-groups/{runner_group_id}":   oneGroup,
		"github GET /enterprises/{enterprise}/installation":                            "no App may manage an enterprise's runners",
	}
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
	for _, problem := range uncovered(described(t), seen.operations, left()) {
		t.Error(problem)
	}
}

// uncovered compares what is described with what was driven.
func uncovered(all []string, seen map[string]bool, left map[string]string) []string {
	var problems []string
	for _, operation := range all {
		switch _, excepted := left[operation]; {
		case !seen[operation] && !excepted:
			problems = append(problems, fmt.Sprintf("%s is described, and no test drives it", operation))
		case seen[operation] && excepted:
			problems = append(problems, fmt.Sprintf("%s is driven and should not be among the exceptions", operation))
		}
	}
	for operation := range left {
		if !slices.Contains(all, operation) {
			problems = append(problems, fmt.Sprintf("%s is among the exceptions and not described", operation))
		}
	}
	if len(all) < 90 {
		problems = append(problems, fmt.Sprintf("only %d operations are described: they were not read", len(all)))
	}
	return problems
}

func TestUncoveredIsSeen(t *testing.T) {
	t.Parallel()
	all := described(t)
	seen := map[string]bool{}
	for _, operation := range all {
		_, excepted := left()[operation]
		seen[operation] = !excepted
	}
	if problems := uncovered(all, seen, left()); len(problems) > 0 {
		t.Errorf("a full list has problems %q", problems)
	}
	const one = "github GET /orgs/{org}/actions/runners"
	for name, problems := range map[string][]string{
		"not driven":    uncovered(all, map[string]bool{}, left()),
		"excepted":      uncovered(all, seen, map[string]string{one: "x"}),
		"stale":         uncovered(all, seen, map[string]string{"github GET /nothing": "x"}),
		"nothing known": uncovered(nil, seen, nil),
	} {
		if len(problems) == 0 {
			t.Errorf("%s is not seen", name)
		}
	}
}
