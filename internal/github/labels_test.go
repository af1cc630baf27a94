package github_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/runner-bootstrap/runner-bootstrap/internal/github"
	"github.com/runner-bootstrap/runner-bootstrap/internal/githubtest"
)

// oddNames are names that a careless path or query would take apart.
func oddNames() []string {
	return []string{
		"a/b", "..", ".", "../..", "a/../b", `..\..`, "a?b", "?name=x", "a#b", "ünï-日本", "100%", "%2F", "%2e%2e", "a b", "a+b", "a;b", "a&b=c", "a:b", "a,b",
	}
}

func TestRemovingReachesExactlyThatLabel(t *testing.T) {
	t.Parallel()
	for _, root := range []string{"ghes", "github"} {
		t.Run(root, func(t *testing.T) {
			t.Parallel()
			server := simulate(t)
			apiURL := ""
			if root == "github" {
				apiURL = server.APIURL()
			}
			c := newClient(t, server.URL()+"/"+slug, apiURL, server.Token())
			other := server.AddRunner(slug, githubtest.Runner{Name: "other"}).ID
			for _, name := range oddNames() {
				id := server.AddRunner(slug, githubtest.Runner{Name: "web", Labels: []githubtest.Label{
					{Name: "self-hosted", Type: "read-only"}, {Name: "a", Type: "custom"}, {Name: name, Type: "custom"}, {Name: "b", Type: "custom"},
				}}).ID
				left, err := c.RemoveLabel(t.Context(), id, name)
				if err != nil || names(left) != "self-hosted a b" {
					t.Errorf("removing %q leaves %q, %v", name, names(left), err)
				}
				if _, err := c.Runner(t.Context(), id); err != nil {
					t.Errorf("removing label %q: the runner is gone: %v", name, err)
				}
				before := len(server.Requests())
				if left, err := c.RemoveLabel(t.Context(), other, name); err != nil || names(left) != "self-hosted Linux X64" {
					t.Errorf("removing %q, which is not there, leaves %q, %v", name, names(left), err)
				}
				if requests := server.Requests()[before:]; slices.Contains([]string{".", "..", "../..", "a/../b", `..\..`}, name) &&
					slices.ContainsFunc(requests, func(r githubtest.Request) bool { return r.Method == http.MethodDelete }) {
					t.Errorf("%q, which is not there, was put into a path: %+v", name, requests)
				}
			}
		})
	}
}

func TestLabelRefusals(t *testing.T) {
	t.Parallel()
	server := simulate(t)
	c := newClient(t, server.URL()+"/"+slug, "", server.Token())
	id := server.AddRunner(slug, githubtest.Runner{Name: "web"}).ID
	if _, err := c.RemoveLabel(t.Context(), id, "self-hosted"); !errors.Is(err, github.ErrUnprocessable) {
		t.Errorf("removing what GitHub gave: %v", err)
	}
	for name, do := range map[string]func(context.Context) ([]github.Label, error){
		"listing":  func(ctx context.Context) ([]github.Label, error) { return c.Labels(ctx, 9999) },
		"adding":   func(ctx context.Context) ([]github.Label, error) { return c.AddLabels(ctx, 9999, []string{"a"}) },
		"setting":  func(ctx context.Context) ([]github.Label, error) { return c.SetLabels(ctx, 9999, []string{"a"}) },
		"clearing": func(ctx context.Context) ([]github.Label, error) { return c.ClearLabels(ctx, 9999) },
		"removing": func(ctx context.Context) ([]github.Label, error) { return c.RemoveLabel(ctx, 9999, "a") },
	} {
		if _, err := do(t.Context()); !errors.Is(err, github.ErrNotFound) || !strings.Contains(err.Error(), "runner 9999 of organization octo-org") {
			t.Errorf("%s labels of no runner: %v", name, err)
		}
	}
	custom := server.AddRunner(slug, githubtest.Runner{Name: "b", Labels: []githubtest.Label{{Name: "gpu", Type: "custom"}}}).ID
	server.Fault(githubtest.Fault{Method: http.MethodDelete, Status: 404, Times: 1})
	if _, err := c.RemoveLabel(t.Context(), custom, "GPU"); !errors.Is(err, github.ErrNotFound) {
		t.Errorf("a label that is not found and still there: %v", err)
	}
	server.Fault(githubtest.Fault{Status: 200, Body: `{}`})
	if _, err := c.Labels(t.Context(), id); !errors.Is(err, github.ErrNotGitHub) {
		t.Errorf("an answer without labels: %v", err)
	}
}

func TestLabelsAreCheckedBeforeTheyAreSent(t *testing.T) {
	t.Parallel()
	server := simulate(t)
	c := newClient(t, server.URL()+"/"+slug, "", server.Token())
	id := server.AddRunner(slug, githubtest.Runner{Name: "web"}).ID
	many := func(n int) []string { return slices.Repeat([]string{"a"}, n) }
	const all = "adding setting"
	for _, k := range []struct {
		name    string
		labels  []string
		refused string // by which
		says    string
	}{
		{"none", nil, "adding", "0 of them"},
		{"100", many(100), "", ""},
		{"101", many(101), all, "101 of them"},
		{"256 characters", []string{strings.Repeat("a", 256)}, "", ""},
		{"257 characters", []string{strings.Repeat("ü", 257)}, all, "257 characters"},
		{"empty", []string{"a", ""}, all, "an empty one"},
		{"blank", []string{" "}, all, "an empty one"},
		{"not UTF-8", []string{"\xff"}, all, "not UTF-8"},
	} {
		for op, do := range map[string]func() ([]github.Label, error){
			"adding":  func() ([]github.Label, error) { return c.AddLabels(t.Context(), id, k.labels) },
			"setting": func() ([]github.Label, error) { return c.SetLabels(t.Context(), id, k.labels) },
		} {
			before := len(server.Requests())
			_, err := do()
			sent := len(server.Requests()) > before
			if refused := strings.Contains(k.refused, op); errors.Is(err, github.ErrLabels) != refused || sent == refused {
				t.Errorf("%s %s: %v, sent: %t", op, k.name, err, sent)
			} else if refused && !strings.Contains(err.Error(), k.says) {
				t.Errorf("%s %s: %v does not say %q", op, k.name, err, k.says)
			}
		}
	}
	before := len(server.Requests())
	if _, err := c.RemoveLabel(t.Context(), id, ""); !errors.Is(err, github.ErrLabels) || len(server.Requests()) != before {
		t.Errorf("removing nothing, which would remove all: %v", err)
	}
}

// A label that is added twice is there once, so adding bears with a lost answer.
func TestAddingLabelsIsRepeated(t *testing.T) {
	t.Parallel()
	server := simulate(t)
	id := server.AddRunner(slug, githubtest.Runner{Name: "web"}).ID
	server.Fault(githubtest.Fault{Method: http.MethodPost, Status: 502, AfterEffect: true, Times: 1})
	c := newClient(t, server.URL()+"/"+slug, "", server.Token())
	inBubble(t, func(t *testing.T) {
		if got, err := c.AddLabels(t.Context(), id, []string{"gpu"}); err != nil || names(got) != "self-hosted Linux X64 gpu" {
			t.Errorf("%q, %v", names(got), err)
		}
	})
}
