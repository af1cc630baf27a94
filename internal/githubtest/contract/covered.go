package contract

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/runner-bootstrap/runner-bootstrap/internal/githubtest"
)

// fewest is below the number of operations that are described: fewer were not read.
const fewest = 90

// aboutRunners are the paths that managing runners needs; the descriptions have a few others.
var aboutRunners = regexp.MustCompile(`/actions/runners|/actions/runner-groups|/installation$|/access_tokens$|/releases/`)

// Operations lists the operations of GitHub's descriptions that are about runners, in order, each with the root that has
// it: "ghes GET /orgs/{org}/actions/runners".
func Operations() ([]string, error) {
	var all []string
	for _, d := range []struct{ file, roots string }{
		{"github-runners", "github"}, {"github-runners-ghes", "ghes"}, {"github-releases", "github ghes"},
	} {
		text, err := descriptions.ReadFile("testdata/" + d.file + ".openapi.json")
		if err != nil {
			return nil, fmt.Errorf("reading the description %q: %w", d.file, err)
		}
		var description struct {
			Paths map[string]map[string]json.RawMessage `json:"paths"`
		}
		if err := json.Unmarshal(text, &description); err != nil {
			return nil, fmt.Errorf("reading the description %q: %w", d.file, err)
		}
		for path, item := range description.Paths {
			for method := range item {
				if method == "parameters" || !aboutRunners.MatchString(path) {
					continue
				}
				for root := range strings.FieldsSeq(d.roots) {
					all = append(all, root+" "+strings.ToUpper(method)+" "+path)
				}
			}
		}
	}
	slices.Sort(all)
	return all, nil
}

// NotNeeded are the operations that neither the client nor any command asks for, each with the reason.
func NotNeeded() map[string]string {
	const oneGroup = "the list has all there is to know of a group"
	return map[string]string{
		"github GET /orgs/{org}/actions/runner-groups/{runner_group_id}":               oneGroup,
		"github GET /enterprises/{enterprise}/actions/runner-groups/{runner_group_id}": oneGroup,
		"ghes GET /orgs/{org}/actions/runner-groups/{runner_group_id}":                 oneGroup,
		"ghes GET /enterprises/{enterprise}/actions/runner-groups/{runner_group_id}":   oneGroup,
		"github GET /enterprises/{enterprise}/installation":                            "no App may manage an enterprise's runners",
	}
}

// Driven reads off a simulated GitHub's record which operations it was asked for and has performed, in the form of
// [Operations]. What was refused, redirected or cut is not performed.
func (c *Contract) Driven(ctx context.Context, server *githubtest.Server) ([]string, error) {
	var all []string
	for _, request := range server.Requests() {
		if request.Status < 200 || request.Status >= 300 || request.Root != "ghes" && request.Root != "github" {
			continue
		}
		prefix := map[string]string{"ghes": ghesPrefix}[request.Root]
		req, err := http.NewRequestWithContext(ctx, request.Method, server.URL(), http.NoBody)
		if err != nil {
			return nil, fmt.Errorf("naming %s %s: %w", request.Method, request.Path, err)
		}
		req.URL.Path = prefix + request.Path
		root, operation, err := c.Operation(req)
		if err != nil {
			return nil, fmt.Errorf("naming %s %s: %w", request.Method, request.Path, err)
		}
		all = append(all, root+" "+operation)
	}
	return all, nil
}

// Uncovered compares what is described with what was driven and with what is left out, each with its reason. It tells
// of every operation that is neither, of every exception that is driven or not described, and of a list too short to be
// one; nothing if all is well.
func Uncovered(all []string, driven map[string]bool, left map[string]string) []string {
	var problems []string
	for _, operation := range all {
		switch _, excepted := left[operation]; {
		case !driven[operation] && !excepted:
			problems = append(problems, fmt.Sprintf("%s is described, and nothing drives it", operation))
		case driven[operation] && excepted:
			problems = append(problems, fmt.Sprintf("%s is driven and should not be among the exceptions", operation))
		}
	}
	for operation, reason := range left {
		switch {
		case !slices.Contains(all, operation):
			problems = append(problems, fmt.Sprintf("%s is among the exceptions and not described", operation))
		case reason == "":
			problems = append(problems, fmt.Sprintf("%s is among the exceptions without a reason", operation))
		}
	}
	if len(all) < fewest {
		problems = append(problems, fmt.Sprintf("only %d operations are described: they were not read", len(all)))
	}
	return problems
}
