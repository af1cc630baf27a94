package github

import (
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

func TestParseScope(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, url, apiURL  string
		kind               Kind
		path, api, wantURL string
	}{
		{name: "organization", url: "https://github.com/octo-org", kind: Organization, path: "/orgs/octo-org", api: "https://api.github.com", wantURL: "https://github.com/octo-org"},
		{name: "organization with a slash", url: "https://github.com/octo-org/", kind: Organization, path: "/orgs/octo-org", api: "https://api.github.com", wantURL: "https://github.com/octo-org"},
		{name: "repository", url: "https://github.com/octo-org/hello", kind: Repository, path: "/repos/octo-org/hello", api: "https://api.github.com", wantURL: "https://github.com/octo-org/hello"},
		{name: "repository as cloned", url: "https://github.com/octo-org/hello.git", kind: Repository, path: "/repos/octo-org/hello", api: "https://api.github.com", wantURL: "https://github.com/octo-org/hello"},
		{name: "repository with dots", url: "https://github.com/octo-org/octo.github.io", kind: Repository, path: "/repos/octo-org/octo.github.io", api: "https://api.github.com", wantURL: "https://github.com/octo-org/octo.github.io"},
		{name: "an owner's repository of community files", url: "https://github.com/octo-org/.github", kind: Repository, path: "/repos/octo-org/.github", api: "https://api.github.com", wantURL: "https://github.com/octo-org/.github"},
		{name: "enterprise", url: "https://github.com/enterprises/octo", kind: Enterprise, path: "/enterprises/octo", api: "https://api.github.com", wantURL: "https://github.com/enterprises/octo"},
		{name: "enterprise in capitals", url: "https://github.com/Enterprises/octo", kind: Enterprise, path: "/enterprises/octo", api: "https://api.github.com", wantURL: "https://github.com/enterprises/octo"},
		{name: "managed user", url: "https://github.com/mona_octo/hello", kind: Repository, path: "/repos/mona_octo/hello", api: "https://api.github.com", wantURL: "https://github.com/mona_octo/hello"},
		{name: "host in capitals", url: "https://GitHub.com/octo-org", kind: Organization, path: "/orgs/octo-org", api: "https://api.github.com", wantURL: "https://github.com/octo-org"},
		{name: "www", url: "https://www.github.com/octo-org", kind: Organization, path: "/orgs/octo-org", api: "https://api.github.com", wantURL: "https://www.github.com/octo-org"},
		{name: "data residency", url: "https://octo.ghe.com/octo-org", kind: Organization, path: "/orgs/octo-org", api: "https://api.octo.ghe.com", wantURL: "https://octo.ghe.com/octo-org"},
		{name: "enterprise server", url: "https://git.corp.example/octo-org", kind: Organization, path: "/orgs/octo-org", api: "https://git.corp.example/api/v3", wantURL: "https://git.corp.example/octo-org"},
		{name: "enterprise server with a port", url: "https://git.corp.example:8443/octo-org/hello", kind: Repository, path: "/repos/octo-org/hello", api: "https://git.corp.example:8443/api/v3", wantURL: "https://git.corp.example:8443/octo-org/hello"},
		{name: "enterprise server that looks like another", url: "https://notgithub.com/octo-org", kind: Organization, path: "/orgs/octo-org", api: "https://notgithub.com/api/v3", wantURL: "https://notgithub.com/octo-org"},
		{name: "enterprise server that ends alike", url: "https://notghe.com/octo-org", kind: Organization, path: "/orgs/octo-org", api: "https://notghe.com/api/v3", wantURL: "https://notghe.com/octo-org"},
		{name: "another API root", url: "https://github.com/octo-org", apiURL: "https://api.corp.example/github/", kind: Organization, path: "/orgs/octo-org", api: "https://api.corp.example/github", wantURL: "https://github.com/octo-org"},
		{name: "the root's dot", url: "https://github.com./octo-org", kind: Organization, path: "/orgs/octo-org", api: "https://api.github.com", wantURL: "https://github.com/octo-org"},
		{name: "the root's dot and a port", url: "https://git.corp.example.:8443/octo-org", kind: Organization, path: "/orgs/octo-org", api: "https://git.corp.example:8443/api/v3", wantURL: "https://git.corp.example:8443/octo-org"},
		{name: "loopback by number", url: "http://127.0.0.1:3000/octo-org", kind: Organization, path: "/orgs/octo-org", api: "http://127.0.0.1:3000/api/v3", wantURL: "http://127.0.0.1:3000/octo-org"},
		{name: "loopback by name", url: "http://localhost:3000/octo-org", kind: Organization, path: "/orgs/octo-org", api: "http://localhost:3000/api/v3", wantURL: "http://localhost:3000/octo-org"},
		{name: "loopback of IPv6", url: "http://[::1]:3000/octo-org", kind: Organization, path: "/orgs/octo-org", api: "http://[::1]:3000/api/v3", wantURL: "http://[::1]:3000/octo-org"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			scope, err := ParseScope(c.url, c.apiURL)
			if err != nil {
				t.Fatal(err)
			}
			if scope.Kind != c.kind || scope.path("runners") != c.path+"/actions/runners" || scope.API() != c.api || scope.URL() != c.wantURL {
				t.Errorf("%s %s at %s, written %s", scope.Kind, scope.path("runners"), scope.API(), scope.URL())
			}
			if !scope.Same(c.wantURL) || !scope.Same(strings.ToUpper(c.wantURL)+"/") || scope.Same(c.wantURL+"x") {
				t.Errorf("Same does not know its own URL %s", c.wantURL)
			}
		})
	}
}

// What people copy is refused with what it means, where that is one thing.
func TestScopeMeant(t *testing.T) {
	t.Parallel()
	const hello, octo = "https://github.com/octo-org/hello", "https://github.com/octo-org"
	for url, want := range map[string]string{
		"https://github.com/octo-org/hello/settings/actions/runners/new":         hello,
		"https://github.com/octo-org/hello/tree/main":                            hello,
		"https://github.com/octo-org/hello?tab=readme":                           hello,
		"https://github.com/octo-org/hello#readme":                               hello,
		"https://github.com/orgs/octo-org/repositories":                          octo,
		"https://github.com/organizations/octo-org/settings/actions/runners/new": octo,
		"https://github.com/enterprises/octo/settings/actions/runners":           "https://github.com/enterprises/octo",
		"https://api.github.com/repos/octo-org/hello/actions/runners":            hello,
		"https://api.github.com/orgs/octo-org":                                   octo,
		"https://api.octo.ghe.com/orgs/octo-org":                                 "https://octo.ghe.com/octo-org",
		"https://git.corp.example/api/v3/repos/octo-org/hello":                   "https://git.corp.example/octo-org/hello",
		"git@github.com:octo-org/hello.git":                                      hello + ".git",
		"ssh://git@github.com:22/octo-org/hello":                                 hello,
		"git+ssh://git@git.corp.example/octo-org/hello":                          "https://git.corp.example/octo-org/hello",
		"git://github.com/octo-org/hello":                                        hello,
		"http://github.com/octo-org/hello":                                       hello,
		"http://git.corp.example:80/octo-org":                                    "https://git.corp.example/octo-org",
		"https://mona:s3cr3t@git.corp.example:8443/octo-org":                     "https://git.corp.example:8443/octo-org",
		"http://127.0.0.1:3000/octo-org#tab":                                     "http://127.0.0.1:3000/octo-org",
		"http://[::1]:3000/octo-org?x":                                           "http://[::1]:3000/octo-org",
		"https://[fd00::1]/octo-org/a/b":                                         "https://[fd00::1]/octo-org/a",
		"github.com/octo-org/hello":                                              hello,
		"octo-org/hello":                                                         hello,
		"https:/github.com/octo-org":                                             octo,
		`"https://github.com/octo-org"`:                                          octo,
		"<https://github.com/octo-org>":                                          octo,
		" https://github.com/octo-org\n":                                         octo,
		`https:\\github.com\octo-org\hello`:                                      hello,
		"":                                                                       "", "https://github.com": "", "https://github.com/enterprises": "", "https://gitlab.com/octo-org": "", "https://gist.github.com/octo-org": "",
		"https://github.com/octo-org/..": "", "https://git.corp.example/api/v3": "", "https://mona:s3cr3t@git hub/octo-org": "", "two words": "",
	} {
		_, err := ParseScope(url, "")
		var refused *ScopeError
		if !errors.As(err, &refused) || refused.Meant != want || strings.Contains(err.Error(), "s3cr3t") || want != "" && !strings.HasSuffix(err.Error(), "; is "+want+" meant?") {
			t.Errorf("%q: %v, want %q", url, err, want)
		}
		if want == "" {
			continue
		}
		if _, err := ParseScope(want, ""); err != nil {
			t.Errorf("%q: what is said to be meant is none: %v", url, err)
		}
	}
}

func TestParseScopeRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, url, apiURL, not string }{
		{name: "nothing", url: ""},
		{name: "no host", url: "octo-org/hello"},
		{name: "no scheme", url: "github.com/octo-org"},
		{name: "another scheme", url: "ssh://github.com/octo-org"},
		{name: "as git over ssh", url: "git@github.com:octo-org/hello.git"},
		{name: "no path", url: "https://github.com"},
		{name: "a slash", url: "https://github.com/"},
		{name: "three parts", url: "https://github.com/octo-org/hello/actions"},
		{name: "an empty part", url: "https://github.com/octo-org//hello"},
		{name: "enterprises alone", url: "https://github.com/enterprises"},
		{name: "an enterprise's organization", url: "https://github.com/enterprises/octo/hello"},
		{name: "a page about an organization", url: "https://github.com/orgs/octo-org"},
		{name: "plain http", url: "http://github.com/octo-org"},
		{name: "plain http to a name like loopback's", url: "http://localhost.corp.example/octo-org"},
		{name: "password", url: "https://mona:s3cr3t@github.com/octo-org", not: "s3cr3t"},
		{name: "password in what is no URL", url: "https://mona:s3cr3t@git hub/octo-org", not: "s3cr3t"},
		{name: "query", url: "https://github.com/octo-org?tab=repositories"},
		{name: "empty query", url: "https://github.com/octo-org?"},
		{name: "fragment", url: "https://github.com/octo-org#readme"},
		{name: "escaped query", url: "https://github.com/octo-org%3Fx"},
		{name: "escaped fragment", url: "https://github.com/octo-org%23x"},
		{name: "escaped percent", url: "https://github.com/octo-org%25x"},
		{name: "upwards", url: "https://github.com/octo-org/.."},
		{name: "upwards, escaped", url: "https://github.com/octo-org/%2e%2e"},
		{name: "upwards once .git is off", url: "https://github.com/octo-org/...git"},
		{name: "here once .git is off", url: "https://github.com/octo-org/..git"},
		{name: "nothing once .git is off", url: "https://github.com/octo-org/.git"},
		{name: "two endings", url: "https://github.com/octo-org/hello.git.git"},
		{name: "blank", url: "https://github.com/octo org"},
		{name: "a host for files", url: "https://raw.githubusercontent.com/octo-org/hello"},
		{name: "a host for snippets", url: "https://gist.github.com/octo-org/hello"},
		{name: "the API's host", url: "https://api.github.com/octo-org/hello"},
		{name: "the API's host of a company", url: "https://api.octo.ghe.com/octo-org"},
		{name: "no company", url: "https://ghe.com/octo-org"},
		{name: "somebody else's", url: "https://gitlab.com/octo-org/hello"},
		{name: "a server's API", url: "https://git.corp.example/api/v3"},
		{name: "settings of an organization", url: "https://github.com/organizations/octo-org"},
		{name: "newline", url: "https://github.com/octo-org\n"},
		{name: "API without TLS", url: "https://github.com/octo-org", apiURL: "http://api.corp.example"},
		{name: "API with a password", url: "https://github.com/octo-org", apiURL: "https://mona:s3cr3t@api.corp.example", not: "s3cr3t"},
		{name: "API with a query", url: "https://github.com/octo-org", apiURL: "https://api.corp.example/?x=1"},
		{name: "API with an empty query, which would swallow every path", url: "https://github.com/octo-org", apiURL: "https://api.corp.example/?"},
		{name: "API that is no URL", url: "https://github.com/octo-org", apiURL: "api.corp.example"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			scope, err := ParseScope(c.url, c.apiURL)
			if !errors.Is(err, ErrScope) {
				t.Fatalf("%#v, %v, want ErrScope", scope, err)
			}
			if c.not != "" && strings.Contains(err.Error(), c.not) {
				t.Errorf("%v tells the password", err)
			}
			if scope != (Scope{}) {
				t.Errorf("a scope %#v in spite of %v", scope, err)
			}
		})
	}
}

func FuzzParseScope(f *testing.F) {
	for _, seed := range [][2]string{
		{"https://github.com/octo-org", ""},
		{"https://github.com/octo-org/hello.git", ""},
		{"https://github.com/enterprises/octo", "https://api.corp.example/x"},
		{"https://octo.ghe.com/octo-org", ""},
		{"http://[::1]:8080/octo-org/...git", ""},
		{"https://github.com/a%2f..%2fb?x#y", "https://api.corp.example/?"},
		{"https://github.com/o/%2e%2e", "https://h/%3f%23"},
		{"//", "https://h:/"},
	} {
		f.Add(seed[0], seed[1])
	}
	shape := regexp.MustCompile(`^/(orgs/[^/]+|repos/[^/]+/[^/]+|enterprises/[^/]+)/actions/runners$`)
	f.Fuzz(func(t *testing.T, rawURL, apiURL string) {
		scope, err := ParseScope(rawURL, apiURL)
		if err != nil {
			return
		}
		path := scope.path("runners")
		if !shape.MatchString(path) || strings.ContainsAny(path, "?#%\\ ") {
			t.Fatalf("%q gives the path %q", rawURL, path)
		}
		for segment := range strings.SplitSeq(path, "/") {
			if segment == "." || segment == ".." {
				t.Fatalf("%q gives the path %q", rawURL, path)
			}
		}
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, scope.API()+path, nil)
		if err != nil {
			t.Fatalf("%q and %q give no request: %v", rawURL, apiURL, err)
		}
		if req.URL.RawQuery != "" || req.URL.Fragment != "" || req.URL.User != nil || !strings.HasSuffix(req.URL.Path, path) {
			t.Fatalf("%q and %q ask for %q", rawURL, apiURL, req.URL)
		}
		if req.URL.Scheme != "https" && !loopback(req.URL.Hostname()) {
			t.Fatalf("%q and %q send a credential to %q", rawURL, apiURL, req.URL)
		}
		again, err := ParseScope(scope.URL(), scope.API())
		if err != nil || again != scope || !scope.Same(scope.URL()) {
			t.Fatalf("%q is written %q, which reads as %#v, %v", rawURL, scope.URL(), again, err)
		}
		if apiURL != "" {
			return
		}
		asked, err := url.Parse(rawURL)
		if err != nil || !strings.HasSuffix(req.URL.Hostname(), strings.TrimPrefix(strings.ToLower(asked.Hostname()), "www.")) {
			t.Fatalf("%q is asked for at %q", rawURL, req.URL)
		}
	})
}

func TestPort(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]string{
		"https://github.com/octo": "", "https://ghes.test/octo": "", "https://ghes.test:443/octo": "", "https://ghes.test:8443/octo": "8443",
		"https://ghes.test:80/octo": "80", "http://127.0.0.1/octo": "", "http://127.0.0.1:80/octo": "", "http://127.0.0.1:443/octo": "", "http://127.0.0.1:8443/octo": "",
		"https://[::1]:8443/octo": "8443", "https://[::1]/octo": "", "https://octo.ghe.com:8443/octo/hello": "8443", "https://ghes.test:/octo": "",
	} {
		scope, err := ParseScope(url, "")
		if err != nil {
			t.Fatal(err)
		}
		if got := scope.Port(); got != want {
			t.Errorf("%s: %q, want %q", url, got, want)
		}
	}
}

// A registration says by its addresses which GitHub it is of.
func TestWhichServerAnAddressIsOf(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		url, api, address string
		serves            bool
	}{
		{"https://github.com/octo", "", "https://broker.actions.githubusercontent.com/", true},
		{"https://github.com/octo", "", "https://pipelines.actions.githubusercontent.com/abc/", true},
		{"https://github.com/octo", "", "https://api.github.com/x", true},
		{"https://www.github.com/octo", "", "https://tokenghub.actions.githubusercontent.com/_apis/oauth2/token/x", true},
		{"https://github.com/octo", "", "https://ghes.test/_services/pipelines/x", false},
		{"https://github.com/octo", "", "https://broker.actions.corp.ghe.com/", false},
		{"https://github.com/octo", "", "https://githubusercontent.com.evil.test/", false},
		{"https://corp.ghe.com/octo", "", "https://broker.actions.corp.ghe.com/", true},
		{"https://corp.ghe.com/octo", "", "https://broker.actions.other.ghe.com/", false},
		{"https://ghes.test/octo", "", "https://GHES.test/_services/pipelines/x", true},
		{"https://ghes.test:8443/octo", "", "https://ghes.test/_services/pipelines/x", true},
		{"https://ghes.test:8443/octo", "", "https://ghes.test:9443/_services/pipelines/x", false},
		{"https://ghes.test/octo", "", "https://broker.actions.githubusercontent.com/", false},
		{"https://ghes.test/octo", "", "https://other.test/_services/pipelines/x", false},
		{"https://github.com/octo", "https://proxy.test/api", "https://proxy.test/broker", true},
		{"http://127.0.0.1:81/octo", "", "http://127.0.0.1:82/broker", false},
		{"https://ghes.test/octo", "", "no address", false},
	} {
		scope, err := ParseScope(c.url, c.api)
		if err != nil {
			t.Fatal(err)
		}
		if got := scope.Serves(c.address); got != c.serves {
			t.Errorf("%s serves %s: %t", c.url, c.address, got)
		}
	}
}
