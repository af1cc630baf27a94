package main

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/runner-bootstrap/runner-bootstrap/internal/github"
	"github.com/runner-bootstrap/runner-bootstrap/internal/transport"
)

// refusalFor is what the client makes of an answer of GitHub's.
func refusalFor(t *testing.T, slug string, status int, header map[string]string, said string) error {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for name, value := range header {
			w.Header().Set(name, value)
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		fmt.Fprintf(w, `{"message":%q}`, said)
	}))
	defer server.Close()
	scope, err := github.ParseScope("https://github.com/"+slug, server.URL)
	if err != nil {
		t.Fatal(err)
	}
	client := github.NewClient(transport.NewAPI(transport.Config{UserAgent: "runner-bootstrap/test"}), scope, github.Static(github.NewSecret("t0k3n")))
	_, err = client.Labels(t.Context(), 1)
	return err
}

// Each cause of a refusal has its exit code, a command only where one helps, and otherwise says who has to change what.
func TestEveryRefusalHasARemedy(t *testing.T) {
	t.Parallel()
	const (
		repo, org = "octo-org/hello", "octo-org"
		admin     = "Must have admin rights to Repository."
	)
	scopes := func(has, needs string) map[string]string {
		return map[string]string{"X-OAuth-Scopes": has, "X-Accepted-OAuth-Scopes": needs}
	}
	grained := map[string]string{"X-Accepted-GitHub-Permissions": "administration=write"}
	for _, c := range []struct {
		name   string
		slug   string
		status int
		header map[string]string
		said   string
		appID  string
		token  string
		code   int
		hint   string // all of it
		todo   string // a part of it
	}{
		{name: "the role", slug: repo, status: 403, said: admin, header: scopes("repo, workflow", "repo"), code: exitCredential, todo: "a user who administers repository octo-org/hello"},
		{name: "the role, and nothing is known of the token", slug: org, status: 403, said: admin, code: exitCredential, todo: "have an owner give"},
		{name: "the scope", slug: repo, status: 403, said: admin, header: scopes("gist", "repo"), code: exitCredential, hint: "gh auth refresh --scopes repo"},
		{name: "the scope of an organization", slug: org, status: 403, said: admin, header: scopes("repo", ""), code: exitCredential, hint: "gh auth refresh --scopes admin:org"},
		{name: "the scope of an enterprise", slug: "enterprises/octo", status: 403, said: "Forbidden", header: scopes("admin:org", ""), code: exitCredential, hint: "gh auth refresh --scopes manage_runners:enterprise"},
		{name: "disabled for repositories", slug: repo, status: 403, said: "Repository level self-hosted runners are disabled on this repository", header: scopes("repo", "repo"), code: exitRefused, todo: "--url https://github.com/octo-org"},
		{name: "disabled, without the scope", slug: repo, status: 403, said: "Repository level self-hosted runners are disabled on this repository", header: scopes("", "repo"), code: exitRefused, todo: "allow runners of repositories"},
		{name: "archived", slug: repo, status: 403, said: "Repository was archived so is read-only.", code: exitRefused, todo: "unarchive repository octo-org/hello"},
		{name: "IP allow list", slug: org, status: 403, said: "the `octo-org` organization has an IP allow list enabled, and your IP address is not permitted", code: exitRefused, todo: "the IP allow list that guards organization octo-org"},
		{name: "policy of the enterprise", slug: org, status: 403, said: "Your enterprise's policies do not allow this.", code: exitRefused, todo: "an owner has to allow it"},
		{name: "for legal reasons", slug: repo, status: 451, said: "Repository access blocked", code: exitRefused, todo: "GitHub Support"},
		{name: "gone", slug: repo, status: 410, said: "This endpoint has been removed.", code: exitRefused, todo: "a newer version"},
		{name: "single sign-on with its page", slug: org, status: 403, said: "Resource protected by organization SAML enforcement.", header: map[string]string{"X-GitHub-SSO": "required; url=https://github.com/orgs/octo-org/sso?x=1"}, code: exitCredential, hint: "xdg-open 'https://github.com/orgs/octo-org/sso?x=1'"},
		{name: "single sign-on without it", slug: org, status: 403, said: "Resource protected by organization SAML enforcement.", code: exitCredential, hint: "xdg-open https://github.com/settings/tokens"},
		{name: "classic tokens are forbidden", slug: org, status: 403, said: "`octo-org` forbids access via a personal access token (classic).", header: scopes("repo", "admin:org"), code: exitCredential, todo: "such as a GitHub App"},
		{name: "the installation is suspended", slug: org, status: 403, said: "This installation has been suspended", appID: "1", code: exitCredential, todo: "end the suspension"},
		{name: "an App's permission", slug: org, status: 403, said: "Resource not accessible by integration", appID: "1", code: exitCredential, hint: "xdg-open https://github.com/organizations/octo-org/settings/installations"},
		{name: "a workflow's own token", slug: repo, status: 403, said: "Resource not accessible by integration", token: "ghs_x", code: exitCredential, todo: `"Administration: write"`},
		{name: "a fine-grained token", slug: repo, status: 403, said: "Resource not accessible by personal access token", code: exitCredential, hint: "xdg-open https://github.com/settings/personal-access-tokens"},
		{name: "a fine-grained token, by the header", slug: repo, status: 404, said: "Not Found", header: grained, code: exitCredential, hint: "xdg-open https://github.com/settings/personal-access-tokens"},
		{name: "a fine-grained token, by its prefix", slug: repo, status: 404, said: "Not Found", token: "github_pat_x", code: exitCredential, hint: "xdg-open https://github.com/settings/personal-access-tokens"},
		{name: "not found, with the scope", slug: repo, status: 404, said: "Not Found", header: scopes("repo", "repo"), code: exitCredential, todo: "whether --url is spelled right"},
		{name: "not found, without it", slug: repo, status: 404, said: "Not Found", header: scopes("", "repo"), code: exitCredential, hint: "gh auth refresh --scopes repo"},
		{name: "not found, and nothing is known", slug: repo, status: 404, said: "Not Found", code: exitCredential, hint: "gh auth refresh --scopes repo"},
		{name: "no word", slug: org, status: 403, said: "Forbidden", header: scopes("admin:org", "admin:org"), code: exitCredential, todo: "who administers organization octo-org"},
	} {
		call := &session{options: []group{&credentialOptions{appID: c.appID}}, arguments: []string{"install"}}
		call.credential.token = github.NewSecret(firstOf(c.token, "t0k3n"))
		err := refusalFor(t, c.slug, c.status, c.header, c.said)
		code, hint := call.explain(err)
		todo := call.toDo(err, hint)
		if code != c.code || hint != c.hint || !strings.Contains(todo, c.todo) || (todo == "") != (c.todo == "") {
			t.Errorf("%s: exit code %d, hint %q, to do %q; want %d, %q, %q", c.name, code, hint, todo, c.code, c.hint, c.todo)
		}
		if !strings.Contains(err.Error(), c.said) {
			t.Errorf("%s: %v does not say what GitHub says", c.name, err)
		}
		if strings.Contains(err.Error(), "it needs repo") && strings.Contains(err.Error(), "has repo") {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	for _, said := range []string{"You have exceeded a secondary rate limit.", "You have triggered an abuse detection mechanism.", "API rate limit exceeded for user ID 1.", "Maximum number of login attempts exceeded."} {
		err := fmt.Errorf("asking: %w", github.Refusal("asking", github.Scope{}, http.StatusForbidden, fmt.Appendf(nil, `{"message":%q}`, said)))
		if code, hint := (&session{}).explain(err); code != exitNetwork || strings.Contains(hint, "auth") || !errors.Is(err, github.ErrRateLimited) {
			t.Errorf("%q: exit code %d, hint %q", said, code, hint)
		}
	}
}
