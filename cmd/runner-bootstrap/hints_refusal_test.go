package main

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/runner-bootstrap/runner-bootstrap/internal/github"
	"github.com/runner-bootstrap/runner-bootstrap/internal/secret"
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
	client := github.NewClient(transport.NewAPI(transport.Config{UserAgent: "runner-bootstrap/test"}), scope, github.Static(secret.New("t0k3n")))
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
		{name: "disabled by the enterprise", slug: org, status: 403, said: "Self-hosted runners have been disabled by your enterprise administrator.", code: exitRefused, todo: "an owner has to allow it"},
		{name: "not enabled for repositories", slug: repo, status: 403, said: "Repository-level self-hosted runners are not enabled for this organization.", code: exitRefused, todo: "an owner of octo-org has to allow runners of repositories"},
		{name: "Actions are off", slug: repo, status: 403, said: "GitHub Actions is disabled on this repository.", code: exitRefused, todo: "an owner has to allow it"},
		{name: "Actions are off for a user", slug: repo, status: 403, said: "Actions has been disabled for this user.", code: exitRefused, todo: "an owner has to allow it"},
		{name: "disabled", slug: repo, status: 403, said: "This repository has been disabled.", code: exitRefused, todo: "GitHub Support"},
		{name: "access blocked", slug: repo, status: 403, said: "Repository access blocked", header: scopes("repo", "repo"), code: exitRefused, todo: "GitHub Support"},
		{name: "being migrated", slug: repo, status: 403, said: "Repository has been locked for migration.", code: exitRefused, todo: "the migration of repository octo-org/hello"},
		{name: "a plan that is too small", slug: repo, status: 403, said: "Upgrade to GitHub Pro or make this repository public to enable this feature.", code: exitRefused, todo: "an owner has to allow it"},
		{name: "IP allow list of an enterprise", slug: "enterprises/octo", status: 403, said: "Although you appear to have the correct authorization credentials, the `octo` enterprise has an IP allow list enabled, and your IP address 192.0.2.7 is not permitted to access this resource.", code: exitRefused, todo: "the IP allow list that guards enterprise octo"},
		{name: "for legal reasons, an organization", slug: org, status: 451, said: "Repository unavailable due to DMCA takedown.", code: exitRefused, todo: "GitHub Support"},
		{name: "deleted", slug: repo, status: 410, said: "This repository has been deleted.", code: exitRefused, todo: "give another --url"},
		{name: "gone without a word", slug: repo, status: 410, said: "Gone", code: exitRefused, todo: "a newer version"},
		{name: "a fine-grained token that lives too long", slug: org, status: 403, said: "`octo-org` forbids access via a fine-grained personal access tokens if the token's lifetime is greater than 366 days.", code: exitCredential, todo: "such as a GitHub App"},
		{name: "an OAuth App", slug: org, status: 403, said: "Although you appear to have the correct authorization credentials, the `octo-org` organization has enabled OAuth App access restrictions, meaning that data access to third-parties is limited.", code: exitCredential, todo: "such as a GitHub App"},
		{name: "the user is suspended", slug: org, status: 403, said: "Sorry. Your account was suspended.", code: exitCredential, todo: "use another credential"},
		{name: "the role in an organization", slug: org, status: 403, said: "Must be an organization owner.", header: scopes("admin:org", "admin:org"), code: exitCredential, todo: "who administers organization octo-org"},
		{name: "the role, to look", slug: repo, status: 403, said: "Must have admin access to view repository self-hosted runners.", header: scopes("repo", "repo"), code: exitCredential, todo: "who administers repository octo-org/hello"},
		{name: "a wrong token", slug: org, status: 401, said: "Bad credentials", code: exitCredential, hint: "gh auth status"},
		{name: "a token that has expired", slug: org, status: 401, said: "Requires authentication", code: exitCredential, hint: "gh auth status"},
		{name: "an organization that is deleted", slug: org, status: 404, said: "Not Found", header: scopes("admin:org", "admin:org"), code: exitCredential, todo: "whether --url is spelled right"},
		{name: "a request that is not taken", slug: org, status: 422, said: "Validation Failed", code: exitRefused, hint: "runner-bootstrap install"},
		{name: "it exists", slug: org, status: 409, said: "Already exists", code: exitRefused, hint: "runner-bootstrap install"},
		{name: "GitHub is ill", slug: org, status: 501, said: "Server Error", code: exitNetwork, hint: "curl -sS https://www.githubstatus.com/api/v2/status.json"},
		{name: "no word", slug: org, status: 403, said: "Forbidden", header: scopes("admin:org", "admin:org"), code: exitCredential, todo: "who administers organization octo-org"},
	} {
		call := &session{options: []group{&credentialOptions{appID: c.appID}}, arguments: []string{"install"}}
		call.credential.token = secret.New(firstOf(c.token, "t0k3n"))
		err := refusalFor(t, c.slug, c.status, c.header, c.said)
		code, hint := call.explain(err)
		todo := call.toDo(err, hint)
		if code != c.code || hint != said(c.hint) || !strings.Contains(todo, c.todo) || (todo == "") != (c.todo == "") {
			t.Errorf("%s: exit code %d, hint %q, to do %q; want %d, %q, %q", c.name, code, hint, todo, c.code, c.hint, c.todo)
		}
		if !strings.Contains(err.Error(), c.said) {
			t.Errorf("%s: %v does not say what GitHub says", c.name, err)
		}
		if strings.Contains(err.Error(), "it needs repo") && strings.Contains(err.Error(), "has repo") {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	// A server that somebody runs says by itself whether it lives.
	ghes, err := github.ParseScope("https://ghes.test/octo-org", "")
	if err != nil {
		t.Fatal(err)
	}
	ill := github.Refusal("asking", ghes, http.StatusServiceUnavailable, []byte(`{"message":"down for maintenance"}`))
	if code, hint := (&session{}).explain(ill); code != exitNetwork || hint != said("curl -sS https://ghes.test/status") {
		t.Errorf("%v: exit code %d, hint %q", ill, code, hint)
	}
	for _, words := range []string{
		"You have exceeded a secondary rate limit and have been temporarily blocked from content creation. Please retry your request again later.",
		"API rate limit exceeded for installation ID 123.", "You have triggered an abuse detection mechanism. Please wait a few minutes before you try again.",
		"API rate limit exceeded for 192.0.2.7. (But here's the good news: Authenticated requests get a higher rate limit.)",
		"You have exceeded a secondary rate limit.", "You have triggered an abuse detection mechanism.", "API rate limit exceeded for user ID 1.", "Maximum number of login attempts exceeded.",
	} {
		err := fmt.Errorf("asking: %w", github.Refusal("asking", github.Scope{}, http.StatusForbidden, fmt.Appendf(nil, `{"message":%q}`, words)))
		if code, hint := (&session{}).explain(err); code != exitNetwork || strings.Contains(hint, "auth") || !errors.Is(err, github.ErrRateLimited) {
			t.Errorf("%q: exit code %d, hint %q", words, code, hint)
		}
	}
}
