package github

import (
	"errors"
	"net/url"
	"slices"
	"strings"

	"github.com/runner-bootstrap/runner-bootstrap/internal/pattern"
)

// ScopeError says that a text is not the URL of a repository, organization or enterprise, and perhaps which one is meant.
type ScopeError struct {
	Meant string // a URL that [ParseScope] takes; empty if nothing is clear
	cause error
}

// Error is one line.
func (e *ScopeError) Error() string {
	if e.Meant == "" {
		return e.cause.Error()
	}
	return e.cause.Error() + "; is " + e.Meant + " meant?"
}

// Unwrap matches [ErrScope].
func (e *ScopeError) Unwrap() error { return e.cause }

// asMeant adds what is meant, where only one thing can be.
func asMeant(err error, raw string) error {
	if !errors.Is(err, ErrScope) {
		return err
	}
	return &ScopeError{cause: err, Meant: meant(raw)}
}

// overSSH is how git writes a repository that is reached by SSH.
var overSSH = pattern.New(`^[A-Za-z0-9_.-]+@([A-Za-z0-9.-]+):(.+)$`)

// meant reads what people copy: the address of a page of a browser, of the API or for git, a URL without its scheme, in quotes or
// with what belongs to no URL, and OWNER/REPO alone.
func meant(raw string) string {
	text := strings.ReplaceAll(strings.Trim(strings.TrimSpace(raw), "\"'`<>,;"), `\`, "/")
	if parts := overSSH.FindStringSubmatch(text); parts != nil {
		text = "https://" + parts[1] + "/" + parts[2]
	}
	scheme, rest, found := strings.Cut(text, "://")
	if !found {
		scheme, rest = "https", strings.TrimLeft(strings.TrimPrefix(text, "https:"), "/")
	}
	if host, _, _ := strings.Cut(rest, "/"); !found && !strings.ContainsAny(host, ".:") {
		rest = "github.com/" + rest
	}
	u, err := url.Parse("https://" + rest)
	if err != nil || u.Hostname() == "" {
		return ""
	}
	host, port := strings.ToLower(strings.TrimSuffix(u.Hostname(), ".")), u.Port()
	if strings.Contains(scheme, "ssh") || scheme == "git" || scheme == "http" && port == "80" {
		port = ""
	}
	if port != "" {
		port = ":" + port
	}
	secure := "https://"
	if scheme == "http" && loopback(host) {
		secure = "http://"
	}
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	candidate := secure + peopleHost(host) + port + "/" + strings.Join(scopeOf(u.Path), "/")
	if _, err := parseScope(candidate); err != nil || candidate == raw {
		return ""
	}
	return candidate
}

// peopleHost is the host of the pages for people that belongs to one of the API.
func peopleHost(host string) string {
	below, api := strings.CutPrefix(host, "api.")
	if api && (below == "github.com" || strings.HasSuffix(below, ".ghe.com")) {
		return below
	}
	return host
}

// scopeOf are the parts of a path that name a repository, an organization or an enterprise.
func scopeOf(path string) []string {
	parts := slices.DeleteFunc(strings.Split(path, "/"), func(part string) bool { return part == "" })
	if len(parts) >= 2 && parts[0] == "api" && parts[1] == "v3" {
		parts = parts[2:]
	}
	kind := ""
	if len(parts) > 1 {
		kind = strings.ToLower(parts[0])
	}
	switch kind {
	case "orgs", "organizations":
		return parts[1:2]
	case "repos":
		parts = parts[1:]
	}
	return parts[:min(len(parts), 2)]
}

// notScopes are hosts that have no runners: those of GitHub's for other things, and of others.
func notScopes(host string) string {
	below := func(domain string) bool { return host == domain || strings.HasSuffix(host, "."+domain) }
	switch {
	case host == "github.com" || host == "www.github.com":
		return ""
	case below("github.com"), below("githubusercontent.com"), below("github.io"), host == "ghe.com", host == "www.ghe.com",
		strings.HasPrefix(host, "api.") && below("ghe.com"):
		return "no runner belongs to this host of GitHub's"
	case below("gitlab.com"), below("bitbucket.org"), below("dev.azure.com"), below("visualstudio.com"), below("codeberg.org"):
		return "this host is not GitHub's"
	}
	return ""
}
