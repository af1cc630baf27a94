package github_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/github"
	"github.com/runner-bootstrap/runner-bootstrap/internal/githubtest"
)

// answering is a server that says the same to everybody.
func answering(t *testing.T, status int, header http.Header, body string) *github.Client {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for name, values := range header {
			w.Header()[name] = values
		}
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	}))
	t.Cleanup(server.Close)
	return newClient(t, server.URL+"/"+slug, "", "t0k3n")
}

func headers(words ...string) http.Header {
	h := http.Header{}
	for i := 0; i < len(words); i += 2 {
		h.Set(words[i], words[i+1])
	}
	return h
}

func TestWhatARefusalTells(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		status int
		header http.Header
		body   string
		is     []error
		isNot  []error
		says   string // the end of the message
		has    []string
		needs  []string
		sso    string
		link   string
	}{
		{
			name: "fields", status: 422, is: []error{github.ErrUnprocessable}, isNot: []error{github.ErrBusy},
			body: `{"message":"Validation Failed","documentation_url":"https://docs.github.com/rest/x","errors":[{"resource":"Runner","field":"labels","code":"missing_field"},
				{"field":"name","code":"custom","message":"name is too long"},"a sentence",{"code":"invalid"},{},7,null]}`,
			header: headers("X-GitHub-Request-Id", "ABCD:1234"),
			says:   "GitHub answered 422: Validation Failed: labels: missing field; name is too long; a sentence; invalid (request id ABCD:1234)",
			link:   "https://docs.github.com/rest/x",
		},
		{name: "errors of another kind", status: 422, body: `{"message":"no","errors":7}`, is: []error{github.ErrUnprocessable}, says: "GitHub answered 422: no"},
		{
			name: "busy", status: 422, body: `{"message":"Bad request - Runner \"x\" is still running a job\""}`,
			is: []error{github.ErrBusy}, isNot: []error{github.ErrUnprocessable}, says: `running a job"`,
		},
		{
			name: "single sign-on", status: 403, body: `{"message":"Resource protected by organization SAML enforcement."}`,
			header: headers("X-GitHub-SSO", "required; url=https://github.com/orgs/octo-org/sso?authorization_request=AZ"),
			is:     []error{github.ErrSSO, github.ErrForbidden}, sso: "https://github.com/orgs/octo-org/sso?authorization_request=AZ",
			says: "enforcement. (authorize it at https://github.com/orgs/octo-org/sso?authorization_request=AZ)",
		},
		{
			name: "single sign-on that hides", status: 404, body: `{"message":"Not Found"}`, header: headers("X-GitHub-SSO", "required; url=https://github.com/sso"),
			is: []error{github.ErrSSO, github.ErrNotFound}, sso: "https://github.com/sso", says: "permission) (authorize it at https://github.com/sso)",
		},
		{
			name: "single sign-on at a strange place", status: 403, body: `{"message":"no"}`, header: headers("X-GitHub-SSO", "required; url=javascript:alert(1)"),
			is: []error{github.ErrSSO}, says: "403: no",
		},
		{
			name: "a partial list", status: 403, body: `{"message":"no"}`, header: headers("X-GitHub-SSO", "partial-results; organizations=1,2"),
			is: []error{github.ErrForbidden}, isNot: []error{github.ErrSSO}, says: "403: no",
		},
		{
			name: "classic token", status: 403, body: `{"message":"no"}`,
			header: headers("X-OAuth-Scopes", "repo, read:org", "X-Accepted-OAuth-Scopes", "admin:org", "X-Accepted-GitHub-Permissions", "x=read"),
			is:     []error{github.ErrForbidden}, isNot: []error{github.ErrSSO}, has: []string{"repo", "read:org"}, needs: []string{"admin:org"}, says: "403: no (the token has repo, read:org; it needs admin:org)",
		},
		{
			name: "classic token without scopes", status: 403, body: `{"message":"no"}`,
			header: headers("X-OAuth-Scopes", "", "X-Accepted-OAuth-Scopes", "admin:org, repo"), has: []string{}, needs: []string{"admin:org", "repo"},
			says: "403: no (the token has no scope; it needs admin:org or repo)",
		},
		{
			name: "fine-grained token", status: 403, body: `{"message":"no"}`,
			header: headers("X-Accepted-GitHub-Permissions", "administration=write; organization_self_hosted_runners=write"),
			needs:  []string{"administration=write", "organization_self_hosted_runners=write"},
			says:   "403: no (it needs the permission administration=write or organization_self_hosted_runners=write)",
		},
		{name: "many lines", status: 400, body: `{"message":"Invalid\n\n\u001b[31mrequest\u0000."}`, says: "400: Invalid [31mrequest ."},
		{name: "a long one", status: 400, body: `{"message":"` + strings.Repeat("ü", 5000) + `"}`, says: strings.Repeat("ü", 500) + "..."},
		{name: "a failing gateway", status: 501, body: "<html><title>Bad\n Gateway</title></html>", is: []error{github.ErrServer}, isNot: []error{github.ErrNotGitHub}, says: "501: Bad Gateway"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := answering(t, c.status, c.header, c.body).Runners(t.Context(), "")
			var refused *github.Error
			if !errors.As(err, &refused) {
				t.Fatalf("%v is no refusal", err)
			}
			for _, sentinel := range c.is {
				if !errors.Is(err, sentinel) {
					t.Errorf("%v is not %q", err, sentinel)
				}
			}
			for _, sentinel := range c.isNot {
				if errors.Is(err, sentinel) {
					t.Errorf("%v is %q", err, sentinel)
				}
			}
			if !strings.HasSuffix(err.Error(), c.says) {
				t.Errorf("%v does not end in %q", err, c.says)
			}
			if !slices.Equal(refused.Has, c.has) || (refused.Has == nil) != (c.has == nil) || !slices.Equal(refused.Needs, c.needs) {
				t.Errorf("has %#v and needs %#v, want %#v and %#v", refused.Has, refused.Needs, c.has, c.needs)
			}
			if refused.SSO != c.sso || refused.Documentation != c.link {
				t.Errorf("authorize at %q, read at %q", refused.SSO, refused.Documentation)
			}
		})
	}
}

func TestPortals(t *testing.T) {
	t.Parallel()
	const page = "<!doctype html>\n<html><head><TITLE lang=en>\n Hotel &amp; Spa:\n sign in \x1b</TITLE></head></html>"
	long := "<html><title>" + strings.Repeat("x", 1000) + "</title>"
	for _, c := range []struct {
		name   string
		status int
		header http.Header
		body   string
		says   string
	}{
		{"page", 200, nil, page, `not GitHub's JSON: a page titled "Hotel & Spa: sign in"`},
		{"page that refuses", 403, nil, page, `not GitHub's JSON: status 403: a page titled "Hotel & Spa: sign in"`},
		{"page of another success", 204 - 1, nil, page, `unexpected status 203: a page titled "Hotel & Spa: sign in"`},
		{"page that calls itself JSON", 200, headers("Content-Type", "application/json"), page, `a page titled "Hotel & Spa: sign in"`},
		{"long title", 200, nil, long, `a page titled "` + strings.Repeat("x", 100) + `..."`},
		{"no title", 200, nil, "<html></html>", "not GitHub's JSON: a page of HTML"},
		{"no page", 200, headers("Content-Type", "text/plain"), "hello", "not GitHub's JSON"},
		{"elsewhere", 302, headers("Location", "https://portal.test/login?back=x"), "", `unexpected status 302, which leads to "portal.test"`},
		{"nowhere", 302, nil, "", `unexpected status 302`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			client := answering(t, c.status, c.header, c.body)
			_, err := client.Runners(t.Context(), "")
			var refused *github.Error
			if !errors.Is(err, github.ErrNotGitHub) || errors.As(err, &refused) || !strings.HasSuffix(err.Error(), c.says) {
				t.Errorf("%v does not end in %q", err, c.says)
			}
		})
	}
}

// A gigabyte is neither read nor kept.
func TestAnswerWithoutEnd(t *testing.T) {
	t.Parallel()
	for _, status := range []int{200, 400} {
		var sent atomic.Int64
		done := make(chan struct{})
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			defer close(done)
			w.WriteHeader(status)
			blanks := []byte(strings.Repeat(" ", 1<<20))
			for sent.Load() < 1<<30 {
				n, err := w.Write(blanks)
				sent.Add(int64(n))
				if err != nil {
					return
				}
			}
		}))
		_, err := newClient(t, server.URL+"/"+slug, "", "t").Runners(t.Context(), "")
		<-done
		server.Close()
		if status == 200 && (!errors.Is(err, github.ErrNotGitHub) || !strings.HasSuffix(err.Error(), "it is longer than 16 MiB")) {
			t.Errorf("%v does not say that the answer is too long", err)
		}
		if status == 400 && (err == nil || !strings.Contains(err.Error(), "GitHub answered 400: Bad Request")) {
			t.Errorf("%v does not say what was answered", err)
		}
		if got := sent.Load(); got < 16<<20 || got > 64<<20 {
			t.Errorf("status %d: %d MiB were taken", status, got>>20)
		}
	}
}

// A scope that was renamed is followed where nothing else can come of it.
func TestRenamedOwner(t *testing.T) {
	t.Parallel()
	for _, status := range []int{301, 302, 307, 308} {
		server := simulate(t)
		id := server.AddRunner("octo-org", githubtest.Runner{Name: "web-1"}).ID
		path := fmt.Sprintf("/actions/runners/%d", id)
		for _, suffix := range []string{"/actions/runners", "/actions/runners/registration-token", path, path + "/labels"} {
			server.Fault(githubtest.Fault{Path: "/orgs/old-name" + suffix, Redirect: "/api/v3/orgs/octo-org" + suffix + "?x=1", Status: status})
		}
		c := newClient(t, server.URL()+"/old-name", "", server.Token())
		if runners, err := c.Runners(t.Context(), ""); err != nil || len(runners) != 1 {
			t.Errorf("%d on a GET: %+v, %v", status, runners, err)
		}
		followed := status > 302
		for name, do := range map[string]func(context.Context) error{
			"POST":             func(ctx context.Context) error { _, err := c.RegistrationToken(ctx); return err },
			"POST with a body": func(ctx context.Context) error { _, err := c.AddLabels(ctx, id, []string{"gpu"}); return err },
			"PUT":              func(ctx context.Context) error { _, err := c.SetLabels(ctx, id, []string{"gpu", "big"}); return err },
			"DELETE":           func(ctx context.Context) error { _, err := c.ClearLabels(ctx, id); return err },
		} {
			err := do(t.Context())
			switch {
			case followed && err != nil:
				t.Errorf("%d on a %s: %v", status, name, err)
			case !followed && (!errors.Is(err, github.ErrMoved) || !strings.Contains(err.Error(), `to "/api/v3/orgs/octo-org/actions/runners/`) ||
				strings.Contains(err.Error(), "x=1") || strings.Contains(err.Error(), "127.0.0.1")):
				t.Errorf("%d on a %s: %v does not say where it went", status, name, err)
			}
		}
		if err := c.DeleteRunner(t.Context(), id); (err == nil) != followed || len(server.Runners("octo-org")) == 0 != followed {
			t.Errorf("%d on a DELETE: %v, and %d runners are left", status, err, len(server.Runners("octo-org")))
		}
	}
}

// A runner may be another one than was asked for only by mistake.
func TestAnotherRunner(t *testing.T) {
	t.Parallel()
	if _, err := answering(t, 200, nil, `{"id":8,"name":"web-8"}`).Runner(t.Context(), 7); !errors.Is(err, github.ErrNotGitHub) {
		t.Errorf("%v", err)
	}
	if runner, err := answering(t, 200, nil, `{"id":7,"name":"web-7"}`).Runner(t.Context(), 7); err != nil || runner.Name != "web-7" {
		t.Errorf("%+v, %v", runner, err)
	}
}

func TestWaitsForLimits(t *testing.T) {
	t.Parallel()
	server := simulate(t)
	server.Fault(githubtest.Fault{Status: 429, Header: headers("Retry-After", "600"), Times: 1})
	c := newClient(t, server.URL()+"/"+slug, "", server.Token())
	inBubble(t, func(t *testing.T) {
		before := time.Now()
		if _, err := c.RegistrationToken(t.Context()); err != nil {
			t.Error(err)
		}
		if waited := time.Since(before); waited < 10*time.Minute || waited > 14*time.Minute {
			t.Errorf("waited %v, want what was asked for and up to four minutes", waited)
		}
	})
}
