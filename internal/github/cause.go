package github

import (
	"errors"
	"net/http"
	"regexp"
	"slices"
	"strings"
)

// Why GitHub forbids something, as told by its own sentence: the status alone is
// the same for all of them. Each is [ErrForbidden] as well where the status is
// 403.
var (
	// ErrPolicy means that no credential would do: the repository is archived or
	// blocked, or the settings of its owner do not allow self-hosted runners there
	// or this host's address.
	ErrPolicy = errors.New("the settings there do not allow it")
	// ErrRole means that the credential's user has no right to administer the scope.
	ErrRole = errors.New("the credential's user may not administer it")
	// ErrSuspended means that the App's installation or the user is suspended.
	ErrSuspended = errors.New("the credential's owner is suspended")
	// ErrTokenKind means that credentials of this kind are not let in.
	ErrTokenKind = errors.New("this kind of credential is not allowed there")
	// ErrIntegration means that an App, or a workflow's own token, lacks a permission.
	ErrIntegration = errors.New("the App lacks the permission")
	// ErrFineGrained means that a fine-grained token lacks a permission.
	ErrFineGrained = errors.New("the fine-grained token lacks the permission")
	// ErrWithdrawn means that GitHub does not offer the operation any more.
	ErrWithdrawn = errors.New("GitHub no longer offers it")
)

// words by which GitHub tells why, in the order in which they are looked for.
type words struct {
	pattern *regexp.Regexp
	cause   error
}

// causes are GitHub's sentences, in lower case. They differ between its versions,
// so that no more than their core is looked for.
func causes() []words {
	of := func(pattern string, cause error) words { return words{regexp.MustCompile(pattern), cause} }
	return []words{
		of(`secondary rate limit|abuse detection|rate limit exceeded|login attempts exceeded`, ErrRateLimited),
		of(`saml`, ErrSSO),
		of(`forbids access via|oauth app access restrictions`, ErrTokenKind),
		of(`suspended`, ErrSuspended),
		of(`(token|credential)s? (has|have|is|are) expired|expired (token|credential)`, ErrUnauthorized),
		of(`archived|repository (is |was |has been )?(currently )?(disabled|locked|migrated)`, ErrPolicy),
		of(`ip allow list|ip address`, ErrPolicy),
		of(`runners?\b.*\b(disabled|not (allowed|permitted|enabled|available))`, ErrPolicy),
		of(`actions (is|are|has been|have been) (currently )?(disabled|not enabled)`, ErrPolicy),
		of(`access blocked|access to this repository has been|disabled by|polic(y|ies)\b|upgrade to github`, ErrPolicy),
		of(`(must (have|be)|not)( an?)?( [a-z]+)* (admin|owner|administrator)|admin (rights|access)`, ErrRole),
		of(`not accessible by integration`, ErrIntegration),
		of(`not accessible by personal access token`, ErrFineGrained),
	}
}

// causeOf is why a status and a sentence of GitHub's refuse; nil if they do not
// tell.
func causeOf(status int, said string) error {
	switch status {
	case http.StatusUnavailableForLegalReasons, http.StatusPaymentRequired, http.StatusLocked:
		return ErrPolicy
	case http.StatusGone:
		return ErrWithdrawn
	case http.StatusForbidden:
	default:
		return nil
	}
	said = strings.ToLower(said)
	for _, w := range causes() {
		if w.pattern.MatchString(said) {
			return w.cause
		}
	}
	return nil
}

// implied are the scopes of a classic token that hold others.
func implied() map[string][]string {
	return map[string][]string{
		"repo":             {"public_repo", "repo:status", "repo_deployment", "repo:invite", "security_events"},
		"admin:org":        {"write:org", "read:org", "manage_runners:org"},
		"write:org":        {"read:org"},
		"admin:enterprise": {"manage_runners:enterprise", "manage_billing:enterprise", "read:enterprise"},
	}
}

// needed are the scopes each of which would do. Where GitHub does not tell, they
// are what the scope's kind demands (GitHub's REST reference).
func (e *Error) needed() []string {
	if len(e.Needs) > 0 {
		return e.Needs
	}
	switch e.Scope.Kind {
	case Organization:
		return []string{"admin:org"}
	case Enterprise:
		return []string{"manage_runners:enterprise"}
	case Repository:
	}
	return []string{"repo"}
}

// UsualScope is a scope by which a classic token may do what was refused.
func (e *Error) UsualScope() string { return e.needed()[0] }

// MissingScope is the scope that a classic token lacks. It is empty if the token
// has one that does, and if the credential is of another kind or not known.
func (e *Error) MissingScope() string {
	if e.Has == nil || e.cause != nil && !errors.Is(e.cause, ErrRole) {
		return ""
	}
	needed := e.needed()
	for _, has := range e.Has {
		if slices.Contains(needed, has) || slices.ContainsFunc(implied()[has], func(s string) bool { return slices.Contains(needed, s) }) {
			return ""
		}
	}
	return needed[0]
}
