package github

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"

	"github.com/runner-bootstrap/runner-bootstrap/internal/pattern"
)

// Kind says what a runner belongs to.
type Kind string

// The three kinds of scope, in GitHub's words.
const (
	Repository   Kind = "repository"
	Organization Kind = "organization"
	Enterprise   Kind = "enterprise"
)

// ErrScope is matched by every error about the shape of a scope URL.
var ErrScope = errors.New("not the URL of a repository, organization or enterprise")

// Scope is what a runner belongs to: a repository, an organization or an
// enterprise, on one server.
type Scope struct {
	Kind  Kind
	Owner string // organization, repository owner, or enterprise slug
	Repo  string // set for repositories alone

	server string // scheme://host[:port]
	api    string // root of the REST API
}

// What GitHub allows in the names of owners and repositories. Each is also a
// single path segment that needs no escaping.
var (
	validOwner = pattern.New(`^[A-Za-z0-9_-][A-Za-z0-9._-]*$`)
	validRepo  = pattern.New(`^[A-Za-z0-9._-]+$`)
)

// ParseScope reads the URL a person sees in the browser. The REST API's root
// follows from the host, as GitHub documents it: github.com has
// api.github.com, SUB.ghe.com has api.SUB.ghe.com, any other host is a GitHub
// Enterprise Server with /api/v3. A non-empty apiURL overrides that. Plain
// http is accepted for loopback alone.
//
// What is refused is an [*ScopeError], which may know what is meant.
func ParseScope(rawURL, apiURL string) (Scope, error) {
	scope, err := parseScope(rawURL)
	if err != nil {
		return Scope{}, asMeant(err, rawURL)
	}
	if apiURL != "" {
		api, err := parseRoot(apiURL)
		if err != nil {
			return Scope{}, fmt.Errorf("reading the API's URL: %w", err)
		}
		scope.api = strings.TrimRight(api.String(), "/")
	}
	return scope, nil
}

func parseScope(rawURL string) (Scope, error) {
	u, err := parseRoot(rawURL)
	if err != nil {
		return Scope{}, err
	}
	if reason := notScopes(u.Hostname()); reason != "" {
		return Scope{}, fmt.Errorf("%w: %q: %s", ErrScope, rawURL, reason)
	}
	if strings.Trim(u.Path, "/") == "" {
		return Scope{}, fmt.Errorf("%w: %q names no owner", ErrScope, rawURL)
	}
	scope := Scope{server: u.Scheme + "://" + u.Host, api: apiRoot(u)}
	if !scope.read(u.Path) {
		return Scope{}, fmt.Errorf("%w: %q", ErrScope, rawURL)
	}
	return scope, nil
}

// read takes the names out of a URL's path. Like config.sh it knows the word
// enterprises in any case.
func (s *Scope) read(path string) bool {
	first, second, two := strings.Cut(strings.Trim(path, "/"), "/")
	switch {
	case strings.EqualFold(first, "orgs") || strings.EqualFold(first, "organizations") || !validOwner.MatchString(first):
		return false
	case strings.EqualFold(first, "api") && second == "v3":
		return false // the API of a server, which is for --api-url
	case strings.EqualFold(first, "enterprises"):
		s.Kind, s.Owner = Enterprise, second
		return validOwner.MatchString(second)
	case !two:
		s.Kind, s.Owner = Organization, first
		return true
	}
	s.Kind, s.Owner, s.Repo = Repository, first, strings.TrimSuffix(second, ".git")
	return validRepo.MatchString(s.Repo) && s.Repo != "." && s.Repo != ".." && !strings.HasSuffix(s.Repo, ".git")
}

func parseRoot(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	if err != nil {
		// url.Error repeats the whole text, which may hold a password.
		return nil, fmt.Errorf("%w: it cannot be read as a URL", ErrScope)
	}
	switch {
	case u.User != nil:
		return nil, fmt.Errorf("%w: it holds a user name or password, which belongs into --token-file", ErrScope)
	case u.Host == "" || u.Scheme != "https" && u.Scheme != "http":
		return nil, fmt.Errorf("%w: %q does not begin with https://HOST/", ErrScope, raw)
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return nil, fmt.Errorf("%w: %q has a query or fragment", ErrScope, raw)
	case u.Scheme == "http" && !loopback(u.Hostname()):
		return nil, fmt.Errorf("%w: %q would send credentials unencrypted; plain http is for loopback alone", ErrScope, raw)
	}
	u.Host = strings.ToLower(u.Host)
	// A name with the root's dot behind it is the same name; certificates and lists of hosts know it without.
	if name := strings.TrimSuffix(u.Hostname(), "."); name != u.Hostname() {
		u.Host = strings.Replace(u.Host, name+".", name, 1)
	}
	return u, nil
}

func loopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

func apiRoot(u *url.URL) string {
	switch {
	case u.Hostname() == "github.com" || u.Hostname() == "www.github.com":
		return "https://api.github.com"
	case strings.HasSuffix(u.Hostname(), ".ghe.com"):
		return u.Scheme + "://api." + u.Host
	default:
		return u.Scheme + "://" + u.Host + "/api/v3"
	}
}

// URL is the scope as a person and config.sh write it.
func (s Scope) URL() string { return s.server + "/" + s.Slug() }

// Server is the root of the pages for people.
func (s Scope) Server() string { return s.server }

// Slug is the scope without its server: "octo-org", "octo-org/hello",
// "enterprises/octo".
func (s Scope) Slug() string {
	switch s.Kind {
	case Enterprise:
		return "enterprises/" + s.Owner
	case Repository:
		return s.Owner + "/" + s.Repo
	default:
		return s.Owner
	}
}

// Cloud tells whether the scope lives on github.com or, with data residency, on
// ghe.com, and not on a server that somebody runs.
func (s Scope) Cloud() bool {
	u, err := url.Parse(s.server)
	if err != nil {
		return false
	}
	return u.Hostname() == "github.com" || u.Hostname() == "www.github.com" || strings.HasSuffix(u.Hostname(), ".ghe.com")
}

// Port is the one at which the server listens, where it is not the usual one; else it is empty. What is asked without TLS, at a
// loopback address, stands in for GitHub, and has no usual one.
func (s Scope) Port() string {
	u, err := url.Parse(s.server)
	if err != nil || u.Scheme != "https" || u.Port() == "443" {
		return ""
	}
	return u.Port()
}

// AsksCloud tells whether requests about the scope go to the REST API of github.com or ghe.com.
func (s Scope) AsksCloud() bool {
	u, err := url.Parse(s.api)
	if err != nil {
		return false
	}
	host := installation(u.Hostname())
	return host == "github.com" || strings.HasSuffix(host, ".ghe.com")
}

// API is the root of the REST API.
func (s Scope) API() string { return s.api }

// String is for messages: "organization octo-org".
func (s Scope) String() string {
	return string(s.Kind) + " " + strings.TrimPrefix(s.Slug(), "enterprises/")
}

// Same tells whether rawURL, as config.sh has written it down, names this
// scope. GitHub's names ignore case.
func (s Scope) Same(rawURL string) bool {
	return strings.EqualFold(strings.TrimRight(rawURL, "/"), s.URL())
}

// Serves tells whether an address, as a runner's registration holds it, is of the
// scope's server. On github.com and ghe.com other hosts of the same domain do that
// work; a server that somebody runs has one name. A port counts where both have one.
func (s Scope) Serves(rawURL string) bool {
	at, err := url.Parse(rawURL)
	if err != nil || at.Hostname() == "" {
		return false
	}
	for _, root := range []string{s.server, s.api} {
		own, err := url.Parse(root)
		if err != nil || installation(own.Hostname()) != installation(at.Hostname()) {
			continue
		}
		if own.Port() == "" || at.Port() == "" || own.Port() == at.Port() {
			return true
		}
	}
	return false
}

// installation is what the hosts of one GitHub have in common.
func installation(host string) string {
	host = strings.ToLower(host)
	labels := strings.Split(host, ".")
	switch {
	case host == "github.com", strings.HasSuffix(host, ".github.com"), strings.HasSuffix(host, ".githubusercontent.com"):
		return "github.com"
	case strings.HasSuffix(host, ".ghe.com") && len(labels) >= 3:
		return strings.Join(labels[len(labels)-3:], ".")
	}
	return host
}

// base is the only place that knows the three shapes of the REST paths.
func (s Scope) base() string {
	switch s.Kind {
	case Enterprise:
		return "/enterprises/" + s.Owner
	case Repository:
		return "/repos/" + s.Owner + "/" + s.Repo
	default:
		return "/orgs/" + s.Owner
	}
}

// path is an operation on the scope's runners.
func (s Scope) path(suffix string) string { return s.base() + "/actions/" + suffix }
