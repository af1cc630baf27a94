package github_test

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/runner-bootstrap/runner-bootstrap/internal/github"
)

// everyCause are the sentinels of which a refusal may have one.
func everyCause() []error {
	return []error{
		github.ErrPolicy, github.ErrRole, github.ErrSuspended, github.ErrTokenKind, github.ErrIntegration,
		github.ErrFineGrained, github.ErrWithdrawn, github.ErrSSO, github.ErrRateLimited,
	}
}

// GitHub's own sentence decides what a refusal is; its status is the same for nearly all.
func TestTheSentenceTellsTheCause(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		status int
		said   string
		cause  error // nil: it does not tell
	}{
		{403, "Must have admin rights to Repository.", github.ErrRole},
		{403, "Must be an organization owner", github.ErrRole},
		{403, "You must be an organization owner or a member with the right role", github.ErrRole},
		{403, "Repository level self-hosted runners are disabled on this repository", github.ErrPolicy},
		{403, "Repository-level self-hosted runners are disabled for this organization.", github.ErrPolicy},
		{403, "self-hosted runners are not allowed here", github.ErrPolicy},
		{403, "Repository was archived so is read-only.", github.ErrPolicy},
		{403, "Although you appear to have the correct authorization credentials, the `octo-org` organization has an IP allow list enabled, and 192.0.2.1 is not permitted to access this resource.", github.ErrPolicy},
		{403, "GitHub Actions is disabled on this repository.", github.ErrPolicy},
		{403, "Your enterprise's policies do not allow this.", github.ErrPolicy},
		{403, "Repository access blocked", github.ErrPolicy},
		{451, "Repository access blocked", github.ErrPolicy},
		{451, "", github.ErrPolicy},
		{410, "This endpoint has been removed.", github.ErrWithdrawn},
		{403, "Resource protected by organization SAML enforcement. You must grant your Personal Access token access to this organization.", github.ErrSSO},
		{403, "`octo-org` forbids access via a personal access token (classic). Please use a GitHub App, OAuth App, or a personal access token with fine-grained permissions.", github.ErrTokenKind},
		{403, "The 'octo-org' organization forbids access via a fine-grained personal access tokens if the token's lifetime is greater than 366 days.", github.ErrTokenKind},
		{403, "Although you appear to have the correct authorization credentials, the `octo-org` organization has enabled OAuth App access restrictions, meaning that data access to third-parties is limited.", github.ErrTokenKind},
		{403, "This installation has been suspended", github.ErrSuspended},
		{403, "Sorry. Your account was suspended.", github.ErrSuspended},
		{403, "Resource not accessible by integration", github.ErrIntegration},
		{403, "Resource not accessible by personal access token", github.ErrFineGrained},
		{403, "You have exceeded a secondary rate limit. Please wait a few minutes before you try again.", github.ErrRateLimited},
		{403, "You have triggered an abuse detection mechanism. Please wait a few minutes before you try again.", github.ErrRateLimited},
		{403, "API rate limit exceeded for user ID 1.", github.ErrRateLimited},
		{403, "Maximum number of login attempts exceeded. Please try again later.", github.ErrRateLimited},
		{403, "Repository disabled", github.ErrPolicy},
		{403, "The requesting user is not an admin of the enterprise", github.ErrRole},
		{403, "Your token has expired", github.ErrUnauthorized},
		{402, "Payment required", github.ErrPolicy},
		{423, "Repository is locked", github.ErrPolicy},
		{400, "Problems parsing JSON", github.ErrRefused},
		{405, "Method Not Allowed", github.ErrRefused},
		{413, "Payload Too Large", github.ErrRefused},
		{418, "", github.ErrRefused},
		{403, "Forbidden", nil},
		{404, "Not Found", nil},
		{404, "Repository was archived so is read-only.", nil},
		{422, "Runner \"abuse detection\" is not archived", nil},
	} {
		err := github.Refusal("asking", github.Scope{}, c.status, fmt.Appendf(nil, `{"message":%q}`, c.said))
		for _, cause := range everyCause() {
			if is := c.cause != nil && cause.Error() == c.cause.Error(); errors.Is(err, cause) != is {
				t.Errorf("%d %q: is %q: %t", c.status, c.said, cause, !is)
			}
		}
		if c.cause != nil && !errors.Is(err, c.cause) {
			t.Errorf("%d %q is not %q", c.status, c.said, c.cause)
		}
		limited := errors.Is(c.cause, github.ErrRateLimited)
		if errors.Is(err, github.ErrForbidden) != (c.status == 403 && !limited) {
			t.Errorf("%d %q is forbidden, or is not: %v", c.status, c.said, err)
		}
		if !strings.Contains(err.Error(), c.said) {
			t.Errorf("%v does not say %q", err, c.said)
		}
	}
}

// GitHub has some of its sentences beside the message, as a text alone.
func TestASentenceBesideTheMessage(t *testing.T) {
	t.Parallel()
	const said = "Repository level self-hosted runners are disabled on this repository"
	err := github.Refusal("asking", github.Scope{}, 403, []byte(`{"message":"Forbidden","errors":"`+said+`"}`))
	if !errors.Is(err, github.ErrPolicy) || err.Error() != "asking: GitHub answered 403: Forbidden: "+said {
		t.Errorf("%v", err)
	}
}

// Which scope a classic token lacks is told only where it lacks one.
func TestTheMissingScope(t *testing.T) {
	t.Parallel()
	const sentence = "Must have admin rights to Repository."
	for _, c := range []struct {
		name, url, said string
		has, needs      []string // nil: no header
		missing         string
	}{
		{"it has it", "octo-org/hello", sentence, []string{"repo", "workflow"}, []string{"repo"}, ""},
		{"it has it, and GitHub does not say what it needs", "octo-org/hello", sentence, []string{"repo", "workflow"}, nil, ""},
		{"it has more than that", "octo-org", sentence, []string{"admin:org"}, []string{"manage_runners:org", "write:org"}, ""},
		{"it has it for the enterprise", "enterprises/octo", sentence, []string{"admin:enterprise"}, nil, ""},
		{"it lacks it", "octo-org/hello", sentence, []string{"public_repo"}, []string{"repo"}, "repo"},
		{"it lacks all", "octo-org/hello", "Not Found", []string{}, []string{"repo"}, "repo"},
		{"organization", "octo-org", sentence, []string{"repo"}, nil, "admin:org"},
		{"enterprise", "enterprises/octo", sentence, []string{"repo"}, nil, "manage_runners:enterprise"},
		{"a fine-grained token", "octo-org", sentence, nil, []string{"administration=write"}, ""},
		{"no scope would help", "octo-org/hello", "Repository was archived so is read-only.", []string{"gist"}, []string{"repo"}, ""},
	} {
		header := http.Header{}
		if c.has != nil {
			header.Set("X-OAuth-Scopes", strings.Join(c.has, ", "))
		}
		if c.needs != nil {
			header.Set("X-Accepted-OAuth-Scopes", strings.Join(c.needs, ", "))
		}
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			maps.Copy(w.Header(), header)
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprintf(w, `{"message":%q}`, c.said)
		}))
		defer server.Close()
		_, err := newClient(t, server.URL+"/"+c.url, "", "t0k3n").Runners(t.Context(), "")
		var refused *github.Error
		if !errors.As(err, &refused) || refused.MissingScope() != c.missing {
			t.Errorf("%s: %v, and it lacks %q", c.name, err, refused.MissingScope())
		}
		if told := strings.Contains(err.Error(), "it needs"); told != (c.missing != "" && len(c.needs) > 0) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}
