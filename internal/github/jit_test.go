package github_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/github"
	"github.com/runner-bootstrap/runner-bootstrap/internal/githubtest"
)

// inBubble runs do by a clock that goes on when everybody waits.
func inBubble(t *testing.T, do func(*testing.T)) {
	t.Helper()
	synctest.Test(t, do)
}

// story is what was asked for, in short: "POST GET DELETE POST".
func story(server *githubtest.Server) string {
	var all []string
	for _, request := range server.Requests() {
		all = append(all, request.Method)
	}
	return strings.Join(all, " ")
}

const jitPath = "/orgs/octo-org/actions/runners/generate-jitconfig"

// An answer that is lost leaves a runner that nobody can use; none may stay.
func TestJITConfigSurvivesLostAnswers(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		fault  githubtest.Fault
		story  string
		suffix bool
		fails  error
		wait   time.Duration // at least
	}{
		{name: "nothing is lost", story: "POST"},
		{name: "502 with an effect", fault: githubtest.Fault{Status: 502, AfterEffect: true, Times: 1}, story: "POST GET DELETE POST", suffix: true, wait: time.Second},
		{name: "503 without an effect", fault: githubtest.Fault{Status: 503, Times: 1}, story: "POST GET POST", wait: time.Second},
		{name: "connection closed with an effect", fault: githubtest.Fault{CloseConnection: true, AfterEffect: true, Times: 1}, story: "POST GET DELETE POST", suffix: true, wait: time.Second},
		{name: "connection closed without an effect", fault: githubtest.Fault{CloseConnection: true, Times: 1}, story: "POST GET POST", wait: time.Second},
		{name: "answer cut", fault: githubtest.Fault{CutAfter: 10, Times: 1}, story: "POST GET DELETE POST", suffix: true, wait: time.Second},
		{name: "answer without a configuration", fault: githubtest.Fault{Status: 201, Body: `{}`, AfterEffect: true, Times: 1}, story: "POST GET DELETE POST", suffix: true, wait: time.Second},
		{name: "twice", fault: githubtest.Fault{Status: 502, AfterEffect: true, Times: 2}, story: "POST GET DELETE POST GET DELETE POST", suffix: true, wait: 3 * time.Second},
		{name: "always", fault: githubtest.Fault{Status: 502, AfterEffect: true}, story: "POST GET DELETE POST GET DELETE POST GET DELETE", fails: github.ErrServer, wait: 3 * time.Second},
		{name: "taken by nobody who is listed", fault: githubtest.Fault{Status: 409, Times: 1}, story: "POST GET POST", suffix: true},
		{name: "a limit is obeyed", fault: githubtest.Fault{Status: 429, Header: headers("Retry-After", "90"), Times: 1}, story: "POST POST", wait: 90 * time.Second},
		{name: "refused", fault: githubtest.Fault{Status: 422}, story: "POST", fails: github.ErrUnprocessable},
		{name: "forbidden", fault: githubtest.Fault{Status: 403}, story: "POST", fails: github.ErrForbidden},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			server := simulate(t)
			stranger := server.AddRunner(slug, githubtest.Runner{Name: "web-10"}).ID
			if c.name != "nothing is lost" {
				c.fault.Path = jitPath
				server.Fault(c.fault)
			}
			client := newClient(t, server.URL()+"/"+slug, "", server.Token())
			inBubble(t, func(t *testing.T) {
				before := time.Now()
				made, err := client.JITConfig(t.Context(), github.JITRequest{Name: "web-1", Labels: []string{"a", "B"}})
				if waited := time.Since(before); waited < c.wait || waited > c.wait*5+time.Second { // a limit spreads up to four times the wait
					t.Errorf("took %v, want %v or a little more", waited, c.wait)
				}
				left := server.Runners(slug)
				if got := story(server); got != c.story {
					t.Errorf("asked %s, want %s", got, c.story)
				}
				if c.fails != nil {
					if !errors.Is(err, c.fails) || len(left) != 1 || left[0].ID != stranger {
						t.Errorf("%v, and %+v are left", err, left)
					}
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				if len(left) != 2 || left[1].ID != made.Runner.ID || left[1].Name != made.Runner.Name || made.Config.Empty() {
					t.Errorf("%+v was made, and GitHub has %+v", made.Runner, left)
				}
				pattern := "^web-1$"
				if c.suffix {
					pattern = "^web-1-[a-z2-7]{6}$"
				}
				if !regexp.MustCompile(pattern).MatchString(made.Runner.Name) {
					t.Errorf("the runner is called %q, want %s", made.Runner.Name, pattern)
				}
				if text := fmt.Sprintf("%+v %#v", made, made); strings.Contains(text, made.Config.Reveal()) {
					t.Errorf("the configuration is shown: %s", text)
				}
			})
		})
	}
}

func TestJITConfigWhereTheNameIsTaken(t *testing.T) {
	t.Parallel()
	ours := []githubtest.Label{{Name: "A", Type: "custom"}, {Name: "b", Type: "custom"}, {Name: "more", Type: "read-only"}}
	for _, c := range []struct {
		name  string
		there githubtest.Runner
		ours  bool
	}{
		{"never connected", githubtest.Runner{Name: "WEB-1", Labels: ours}, true},
		{"online", githubtest.Runner{Name: "web-1", Labels: ours, Status: "online"}, false},
		{"busy", githubtest.Runner{Name: "web-1", Labels: ours, Busy: true}, false},
		{"it has run", githubtest.Runner{Name: "web-1", Labels: ours, Version: "2.337.0"}, false},
		{"other labels", githubtest.Runner{Name: "web-1", Labels: ours[:1]}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			server := simulate(t)
			there := server.AddRunner(slug, c.there)
			client := newClient(t, server.URL()+"/"+slug, "", server.Token())
			var made github.JIT
			var err error
			inBubble(t, func(t *testing.T) {
				before := time.Now()
				made, err = client.JITConfig(t.Context(), github.JITRequest{Name: "web-1", Labels: []string{"a", "B"}})
				if waited := time.Since(before); waited > 0 {
					t.Errorf("waited %v, and there is nothing to wait for", waited)
				}
			})
			left := server.Runners(slug)
			if c.ours {
				if err != nil || len(left) != 1 || left[0].ID != made.Runner.ID || left[0].Name == "web-1" || story(server) != "POST GET DELETE POST" {
					t.Errorf("%v after %s, and GitHub has %+v", err, story(server), left)
				}
				return
			}
			if !errors.Is(err, github.ErrNameTaken) || !errors.Is(err, github.ErrConflict) || !strings.Contains(err.Error(), fmt.Sprintf("id %d", there.ID)) {
				t.Errorf("%v does not say who has the name", err)
			}
			if len(left) != 1 || left[0].ID != there.ID || story(server) != "POST GET" {
				t.Errorf("after %s GitHub has %+v", story(server), left)
			}
		})
	}
}

func TestJITConfigOfALongName(t *testing.T) {
	t.Parallel()
	server := simulate(t)
	client := newClient(t, server.URL()+"/"+slug, "", server.Token())
	long := strings.Repeat("a", 64)
	for want := 1; want <= 2; want++ {
		made, err := client.JITConfig(t.Context(), github.JITRequest{Name: long, Labels: []string{"a"}})
		if err != nil || len(made.Runner.Name) != 64 || (made.Runner.Name == long) != (want == 1) {
			t.Errorf("%q, %v", made.Runner.Name, err)
		}
	}
}

func TestJITConfigIsNotFound(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, scope, root string
		fault             bool
		group             int64
		hidden            bool
		is, isNot         error
	}{
		{name: "an old server", scope: "octo-org", fault: true, is: github.ErrNoJIT, isNot: github.ErrGroupUnknown},
		{name: "an old server, repository", scope: "octo-org/hello", fault: true, is: github.ErrNoJIT, isNot: github.ErrGroupUnknown},
		{name: "an old server, enterprise", scope: "enterprises/octo", fault: true, is: github.ErrNoJIT, isNot: github.ErrGroupUnknown},
		{name: "the cloud", scope: "octo-org", root: "https://github.com", fault: true, is: github.ErrNotFound, isNot: github.ErrNoJIT},
		{name: "no such group", scope: "octo-org", group: 77, is: github.ErrGroupUnknown, isNot: github.ErrNoJIT},
		{name: "hidden", scope: "octo-org", hidden: true, is: github.ErrNotFound, isNot: github.ErrNoJIT},
		{name: "hidden repository", scope: "octo-org/hello", hidden: true, is: github.ErrNotFound, isNot: github.ErrNoJIT},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			server := simulate(t)
			if c.fault {
				server.Fault(githubtest.Fault{Method: "POST", Path: "/*/*/actions/runners/generate-jitconfig", Status: 404})
				server.Fault(githubtest.Fault{Method: "POST", Path: "/*/*/*/actions/runners/generate-jitconfig", Status: 404})
			}
			token := server.Token()
			if c.hidden {
				token = server.AddToken("somebody-else")
			}
			url, apiURL := server.URL(), ""
			if c.root != "" {
				url, apiURL = c.root, server.APIURL()
			}
			_, err := newClient(t, url+"/"+c.scope, apiURL, token).
				JITConfig(t.Context(), github.JITRequest{Name: "web-1", GroupID: c.group, Labels: []string{"a"}})
			if !errors.Is(err, c.is) || !errors.Is(err, github.ErrNotFound) || errors.Is(err, c.isNot) || c.hidden && errors.Is(err, github.ErrGroupUnknown) {
				t.Errorf("%v, want %q and not %q", err, c.is, c.isNot)
			}
			if errors.Is(c.is, github.ErrGroupUnknown) && !strings.Contains(err.Error(), `there are: "Default"`) {
				t.Errorf("%v does not say which groups there are", err)
			}
		})
	}
}

func TestJITConfigIsCheckedBeforeItIsSent(t *testing.T) {
	t.Parallel()
	server := simulate(t)
	client := newClient(t, server.URL()+"/"+slug, "", server.Token())
	for name, request := range map[string]github.JITRequest{
		"no name":         {Labels: []string{"a"}},
		"65 characters":   {Name: strings.Repeat("a", 65), Labels: []string{"a"}},
		"no labels":       {Name: "web-1"},
		"an empty label":  {Name: "web-1", Labels: []string{""}},
		"too many labels": {Name: "web-1", Labels: strings.Split(strings.Repeat("a,", 100)+"a", ",")},
	} {
		if _, err := client.JITConfig(t.Context(), request); err == nil || !strings.Contains(err.Error(), "organization octo-org: ") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if got := story(server); got != "" {
		t.Errorf("sent %s", got)
	}
}

// Who gives up asks for nothing more.
func TestJITConfigGivesUp(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var asked atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		// Only then does the server notice that nobody waits any more.
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			t.Error(err)
		}
		cancel()
		<-r.Context().Done()
	}))
	defer server.Close()
	_, err := newClient(t, server.URL+"/"+slug, "", "t").JITConfig(ctx, github.JITRequest{Name: "web-1", Labels: []string{"a"}})
	if !errors.Is(err, context.Canceled) || asked.Load() != 1 || strings.Contains(err.Error(), "whether") {
		t.Errorf("%v after %d requests, want one", err, asked.Load())
	}
}

// What cannot be looked at is told.
func TestJITConfigThatIsUnclear(t *testing.T) {
	t.Parallel()
	server := simulate(t)
	server.Fault(githubtest.Fault{Path: jitPath, Status: 502, AfterEffect: true, Times: 1})
	server.Fault(githubtest.Fault{Path: "/orgs/octo-org/actions/runners", Status: 403})
	_, err := newClient(t, server.URL()+"/"+slug, "", server.Token()).JITConfig(t.Context(), github.JITRequest{Name: "web-1", Labels: []string{"a"}})
	if !errors.Is(err, github.ErrServer) || !strings.Contains(err.Error(), "whether the runner is there is not known") || story(server) != "POST GET" {
		t.Errorf("%v after %s", err, story(server))
	}
}
