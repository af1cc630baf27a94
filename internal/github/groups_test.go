package github_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/runner-bootstrap/runner-bootstrap/internal/github"
	"github.com/runner-bootstrap/runner-bootstrap/internal/githubtest"
)

func TestUnknownGroup(t *testing.T) {
	t.Parallel()
	server := simulate(t)
	server.AddGroup(slug, "Big ones")
	c := newClient(t, server.URL()+"/"+slug, "", server.Token())
	_, err := c.GroupID(t.Context(), "big")
	var unknown *github.UnknownGroupError
	if !errors.Is(err, github.ErrGroupUnknown) || !errors.As(err, &unknown) || !slices.Equal(unknown.Known, []string{"Default", "Big ones"}) ||
		err.Error() != `finding runner group "big" of organization octo-org: there is no such runner group; there are: "Default", "Big ones"` {
		t.Errorf("%v", err)
	}
	for range 40 {
		server.AddGroup(slug, "another")
	}
	if _, err := c.GroupID(t.Context(), "big"); err == nil || !strings.HasSuffix(err.Error(), " and 22 more") {
		t.Errorf("%v does not end", err)
	}
}

func TestGroupIDWithoutAsking(t *testing.T) {
	t.Parallel()
	server := simulate(t)
	for scope, list := range map[string][]string{"octo-org": {""}, "octo-org/hello": {"", "Default", "default"}, "enterprises/octo": {""}} {
		c := newClient(t, server.URL()+"/"+scope, "", server.Token())
		for _, name := range list {
			if id, err := c.GroupID(t.Context(), name); err != nil || id != 1 {
				t.Errorf("%s: group %q is %d, %v", scope, name, id, err)
			}
		}
	}
	c := newClient(t, server.URL()+"/octo-org/hello", "", server.Token())
	if _, err := c.GroupID(t.Context(), "big"); !errors.Is(err, github.ErrNoGroups) {
		t.Errorf("a group of a repository: %v", err)
	}
	if _, err := c.Groups(t.Context()); !errors.Is(err, github.ErrNoGroups) {
		t.Errorf("groups of a repository: %v", err)
	}
	if got := len(server.Requests()); got != 0 {
		t.Errorf("%d requests", got)
	}
}

func TestOwnGroupGoesBeforeAnInheritedOne(t *testing.T) {
	t.Parallel()
	for _, order := range []string{"7 8", "8 7"} {
		var first, second int
		if _, err := fmt.Sscan(order, &first, &second); err != nil {
			t.Fatal(err)
		}
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprintf(w, `{"runner_groups":[{"id":%d,"name":"Big","inherited":%t},{"id":%d,"name":"big","inherited":%t}]}`,
				first, first == 8, second, second == 8)
		}))
		id, err := newClient(t, server.URL+"/"+slug, "", "t").GroupID(t.Context(), "BIG")
		server.Close()
		if err != nil || id != 7 {
			t.Errorf("%s: group %d, %v, want the organization's own", order, id, err)
		}
	}
}

func TestWhomAGroupDoesNotLetIn(t *testing.T) {
	t.Parallel()
	const public = `runner group "Big" takes no jobs of public repositories`
	for _, c := range []struct {
		name, rules string
		closed      bool
		limits      []string
	}{
		{"everybody", `"visibility":"all","allows_public_repositories":true,"restricted_to_workflows":false,"selected_workflows":[]`, false, nil},
		{"an old server", `"visibility":"all"`, false, nil},
		{"no public repository", `"visibility":"all","allows_public_repositories":false`, false, []string{public}},
		{"private ones", `"visibility":"private","allows_public_repositories":true`, false, []string{public}},
		{
			"selected workflows", `"allows_public_repositories":true,"restricted_to_workflows":true,"selected_workflows":["a/b/.github/workflows/c.yml@main"]`, false,
			[]string{`runner group "Big" takes no jobs but those of the workflows "a/b/.github/workflows/c.yml@main"`},
		},
		{
			"no workflow", `"allows_public_repositories":false,"restricted_to_workflows":true,"selected_workflows":[]`, true,
			[]string{`runner group "Big" is restricted to selected workflows and none is selected: its runners get no job`},
		},
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprintf(w, `{"runner_groups":[{"id":1,"name":"Default","default":true},{"id":7,"name":"Big",%s}]}`, c.rules)
		}))
		client := newClient(t, server.URL+"/"+slug, "", "t")
		group, err := client.FindGroup(t.Context(), "big")
		usual, usualErr := client.FindGroup(t.Context(), "")
		server.Close()
		if err != nil || group.Closed() != c.closed || !slices.Equal(group.Limits(), c.limits) {
			t.Errorf("%s: %v, closed %t, %q; want %t, %q", c.name, err, group.Closed(), group.Limits(), c.closed, c.limits)
		}
		if usualErr != nil || usual.ID != 1 {
			t.Errorf("%s: the default group is %+v, %v", c.name, usual, usualErr)
		}
	}
}

func TestRunnersByOddNames(t *testing.T) {
	t.Parallel()
	server := simulate(t)
	c := newClient(t, server.URL()+"/"+slug, "", server.Token())
	for _, name := range oddNames() {
		server.AddRunner(slug, githubtest.Runner{Name: name})
	}
	for _, name := range oddNames() {
		if runner, err := c.RunnerNamed(t.Context(), name); err != nil || runner.Name != name {
			t.Errorf("the runner called %q is %q, %v", name, runner.Name, err)
		}
	}
	for _, name := range []string{"", "a", "%2F%2F"} {
		_, err := c.RunnerNamed(t.Context(), name)
		if !errors.Is(err, github.ErrNoRunner) || !strings.Contains(err.Error(), "of organization octo-org") {
			t.Errorf("the runner called %q: %v", name, err)
		}
	}
	for _, request := range server.Requests() {
		if request.Path != "/orgs/octo-org/actions/runners" {
			t.Errorf("a name became a path: %s", request.Path)
		}
	}
}

// Lists that never end, repeat themselves or shift while they are read, and
// servers that do not know the filter.
func TestListsOfOddServers(t *testing.T) {
	t.Parallel()
	full := func(first int) string {
		var items []string
		for id := first; id < first+100; id++ {
			items = append(items, fmt.Sprintf(`{"id":%d,"name":"web-%d"}`, id, id))
		}
		return strings.Join(items, ",")
	}
	for _, c := range []struct {
		name     string
		page     func(number int) string
		filter   string
		requests int
		runners  int
		fails    bool
	}{
		{name: "the same page for ever", page: func(int) string { return full(1) }, requests: 2, runners: 100},
		{name: "two pages in turn", page: func(n int) string { return full(1 + 100*(n%2)) }, requests: 3, runners: 200},
		{name: "new ones for ever", page: func(n int) string { return full(100 * n) }, requests: 500, fails: true},
		{name: "one that came meanwhile shifts the rest", page: func(n int) string {
			return map[int]string{1: full(1), 2: full(100), 3: `{"id":200,"name":"last"}`}[n]
		}, requests: 3, runners: 200},
		{name: "no filter", page: func(int) string { return `{"id":1,"name":"web-10"},{"id":2,"name":"WEB-1"},{"id":3,"name":"b"}` }, filter: "web-1", requests: 1, runners: 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			asked := 0
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				asked++
				if got := r.URL.Query().Get("page"); got != fmt.Sprint(asked) {
					t.Errorf("page %s is asked for, want %d", got, asked)
				}
				w.Header().Set("Link", `<https://attacker.test/runners?page=2>; rel="next"`)
				fmt.Fprintf(w, `{"total_count":1,"runners":[%s]}`, c.page(asked))
			}))
			defer server.Close()
			runners, err := newClient(t, server.URL+"/"+slug, "", "t").Runners(t.Context(), c.filter)
			if errors.Is(err, github.ErrNotGitHub) != c.fails || asked != c.requests || len(runners) != c.runners {
				t.Errorf("%d requests gave %d runners, %v, want %d and %d", asked, len(runners), err, c.requests, c.runners)
			}
			if c.fails && !strings.Contains(err.Error(), "the list has no end") {
				t.Errorf("%v does not say that the list has no end", err)
			}
		})
	}
}
