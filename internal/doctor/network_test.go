package doctor

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/github"
	"github.com/runner-bootstrap/runner-bootstrap/internal/secret"
	"github.com/runner-bootstrap/runner-bootstrap/internal/transport"
)

// again stands for the call that was typed.
func again(words ...string) string {
	return strings.Join(append([]string{"runner-bootstrap", "doctor"}, words...), " ")
}

func scope(t *testing.T, raw string) *github.Scope {
	t.Helper()
	s, err := github.ParseScope(raw, "")
	if err != nil {
		t.Fatal(err)
	}
	return &s
}

// through sends everything to a proxy.
func through(t *testing.T, raw string) func(*http.Request) (*url.URL, error) {
	t.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	return func(*http.Request) (*url.URL, error) { return u, nil }
}

// closedPort is an address at which nobody listens.
func closedPort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// expect compares the only finding.
func expect(t *testing.T, got []Finding, state State, found, fix string) {
	t.Helper()
	if runtime.GOOS == "windows" {
		found, fix = strings.Replace(found, "only root", "only an administrator", 1), onWindows(fix)
	}
	if len(got) != 1 || got[0].State != state || !strings.Contains(got[0].Found, found) || !strings.Contains(got[0].Fix, fix) || (fix == "") != (got[0].Fix == "") {
		t.Errorf("got %+v, want one that is %s with %q and the fix %q", got, state, found, fix)
	}
}

// onWindows is a command as it is said there.
func onWindows(fix string) string {
	if strings.HasPrefix(fix, "https_proxy=") {
		return "" // no word before a command sets a variable there
	}
	return strings.NewReplacer(
		"sudo timedatectl set-ntp true", "w32tm /resync", "timedatectl set-ntp", "w32tm /resync", "timedatectl ", "w32tm /query /",
		"curl -", "curl.exe -", "getent ahosts ", "nslookup ", "df ", "fsutil volume diskfree ", "sudo ", "", "'", `"`,
	).Replace(fix)
}

// newTLS is a server with the certificate of httptest, which is for example.com and 127.0.0.1.
func newTLS(t *testing.T) *httptest.Server {
	t.Helper()
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError) // it complains of everybody who does not trust it
	server.StartTLS()
	t.Cleanup(server.Close)
	return server
}

func TestTLS(t *testing.T) {
	t.Parallel()
	server := newTLS(t)
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	silent, err := net.Listen("tcp", "127.0.0.1:0") // its backlog takes connections, and nobody answers them
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { silent.Close() })
	for name, c := range map[string]struct {
		server     string
		roots      *x509.CertPool
		state      State
		found, fix string
	}{
		"trusted":         {server.URL, roots, OK, "reached", ""},
		"not trusted":     {server.URL, nil, Failed, `issued by "O=Acme Co"`, "--ca-file FILE"},
		"nobody listens":  {"https://" + closedPort(t), nil, Failed, "refused", "curl -v https://127.0.0.1:"},
		"nobody answers":  {"https://" + silent.Addr().String(), nil, Failed, "no answer within 10s", "curl -v"},
		"without TLS":     {"http://" + silent.Addr().String(), nil, OK, "reached", ""},
		"no such name":    {"https://ghes.invalid", nil, Skipped, "no connection", ""},
		"another's names": {strings.Replace(server.URL, "127.0.0.1", "localhost", 1), roots, Failed, "certificate is valid for", "curl -v"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := Host{Again: again, Scope: scope(t, c.server+"/octo"), Roots: c.roots}
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
			defer cancel()
			expect(t, network{h}.tls(ctx), c.state, c.found, c.fix)
		})
	}
}

func TestExpiredCertificate(t *testing.T) {
	t.Parallel()
	err := &tls.CertificateVerificationError{Err: x509.CertificateInvalidError{Reason: x509.Expired}}
	found, fix := network{Host{Again: again}}.explain(secure("h", true), err)
	want := "timedatectl status"
	if runtime.GOOS == "windows" {
		want = onWindows(want)
	}
	if !strings.Contains(found, "clock") || fix != want {
		t.Errorf("got %q and %q", found, fix)
	}
}

func TestDNS(t *testing.T) {
	t.Parallel()
	h := Host{Again: again, Scope: scope(t, "https://ghes.invalid/octo")}
	expect(t, network{h}.dns(t.Context()), Failed, "cannot be resolved", "getent ahosts ghes.invalid")
	h.Scope = scope(t, "https://localhost/octo")
	expect(t, network{h}.dns(t.Context()), OK, "resolved", "")
	h.Proxy = through(t, "http://127.0.0.1:1")
	expect(t, network{h}.dns(t.Context()), Skipped, "the proxy does it", "")
	expect(t, network{}.dns(t.Context()), Skipped, "no --url given", "")
}

// proxy is an HTTP proxy that asks for a name and a password unless they are empty, and then passes everything on to to.
func proxy(t *testing.T, secret, to string, status int) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Method != http.MethodConnect:
			http.Error(w, "only CONNECT", http.StatusMethodNotAllowed)
		case secret != "" && r.Header.Get("Proxy-Authorization") != "Basic "+base64.StdEncoding.EncodeToString([]byte(secret)):
			w.WriteHeader(http.StatusProxyAuthRequired)
		case status != 0:
			w.WriteHeader(status)
		default:
			out, err := net.Dial("tcp", to)
			if err != nil {
				t.Error(err)
				return
			}
			defer out.Close()
			in, _, err := w.(http.Hijacker).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			defer in.Close()
			io.WriteString(in, "HTTP/1.1 200 Connection established\r\n\r\n")
			go io.Copy(out, in)
			io.Copy(in, out)
		}
	}))
	t.Cleanup(server.Close)
	return server
}

// socks is a proxy of SOCKS5 that passes everything on to to; empty: it forbids it.
func socks(t *testing.T, to string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	serve := func(in net.Conn) {
		defer in.Close()
		_, _ = in.Read(make([]byte, 300))
		_, _ = in.Write([]byte{5, 0})
		_, _ = in.Read(make([]byte, 300))
		if to == "" {
			_, _ = in.Write([]byte{5, 2, 0, 1, 0, 0, 0, 0, 0, 0})
			return
		}
		out, err := net.Dial("tcp", to)
		if err != nil {
			t.Error(err)
			return
		}
		defer out.Close()
		_, _ = in.Write([]byte{5, 0, 0, 1, 0, 0, 0, 0, 0, 0})
		go io.Copy(out, in)
		io.Copy(in, out)
	}
	go func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			go serve(in)
		}
	}()
	return l.Addr().String()
}

func TestProxy(t *testing.T) {
	t.Parallel()
	server := newTLS(t)
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	to := server.Listener.Addr().String()
	withUser := strings.Replace(proxy(t, "me:secret", to, 0).URL, "http://", "http://me:secret@", 1)
	wrongUser := strings.Replace(withUser, "secret", "wrong", 1)
	for name, c := range map[string]struct {
		proxy      string
		state      State
		found, fix string
	}{
		"lets through":    {proxy(t, "", to, 0).URL, OK, "it lets us through to example.com:443", ""},
		"with a password": {withUser, OK, "it lets us through", ""},
		"wrong password":  {wrongUser, Failed, "refuses with status 407", "https_proxy=http://USER:PASSWORD@127.0.0.1:"},
		"forbids":         {proxy(t, "", to, 403).URL, Failed, "refuses with status 403", "curl -v --proxy http://127.0.0.1:"},
		"nobody listens":  {"http://" + closedPort(t), Failed, "cannot be reached", "curl -v --proxy"},
		"of SOCKS":        {"socks5://" + socks(t, to), OK, "it lets us through", ""},
		"of SOCKS, names": {"socks5h://" + socks(t, to), OK, "it lets us through", ""},
		"SOCKS forbids":   {"socks5://" + socks(t, ""), Failed, "does not let us through: connection not allowed by ruleset", "curl -v --proxy socks5://127.0.0.1:"},
		"SOCKS, nobody":   {"socks5h://" + closedPort(t), Failed, "cannot be reached", "curl -v --proxy socks5h://127.0.0.1:"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := Host{Again: again, Scope: scope(t, "https://example.com/octo"), Roots: roots, Proxy: through(t, c.proxy)}
			got := network{h}.proxy(t.Context())
			expect(t, got, c.state, c.found, c.fix)
			if text := got[0].Object + got[0].Found + got[0].Fix; strings.Contains(text, "secret") || strings.Contains(text, "wrong") {
				t.Errorf("it tells the password: %+v", got)
			}
			if c.state == OK {
				expect(t, network{h}.tls(t.Context()), OK, "reached", "") // the certificate of httptest is for example.com
			}
			if c.state == Failed {
				expect(t, network{h}.tls(t.Context()), Skipped, "see above", "")
			}
		})
	}
	h := Host{Again: again, Scope: scope(t, "https://example.com/octo")}
	expect(t, network{h}.proxy(t.Context()), Skipped, "none is set for example.com", "")
}

// TestSilentProxy: one that takes the connection and says nothing holds nobody up.
func TestSilentProxy(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	h := Host{Again: again, Scope: scope(t, "https://example.com/octo"), Proxy: through(t, "http://"+l.Addr().String())}
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	done := make(chan []Finding, 1)
	go func() { done <- network{h}.proxy(ctx) }()
	select {
	case got := <-done:
		expect(t, got, Failed, "does not answer", "curl -v --proxy")
	case <-time.After(10 * time.Second):
		t.Error("it waits for the proxy beyond its time")
	}
}

func TestHosts(t *testing.T) {
	t.Parallel()
	cloud := network{Host{Again: again, Scope: scope(t, "https://github.com/octo")}}
	var ours []string
	for _, e := range cloud.ours() {
		ours = append(ours, e.address())
	}
	if !slices.Equal(ours, []string{"github.com:443", "api.github.com:443"}) {
		t.Errorf("an install speaks to %q", ours)
	}
	if !slices.ContainsFunc(cloud.forJobs(), func(e endpoint) bool { return e.needed && e.name() == "broker.actions.githubusercontent.com" }) {
		t.Error("the runner's broker is not among the hosts of jobs")
	}
	server := network{Host{Again: again, Scope: scope(t, "https://ghes.example.com:8443/octo")}}
	if ours := server.ours(); len(ours) != 1 || ours[0].address() != "ghes.example.com:8443" {
		t.Errorf("an install from a server speaks to %v", ours)
	}
	expect(t, server.jobHosts(t.Context()), OK, "jobs need no other host", "")

	all := []endpoint{secure("a", true), secure("b", false), secure("c", true)}
	got := cloud.summed("hosts", "reached", all, []error{nil, errors.New("b is broken"), errors.New("c is broken")})
	var states []State
	for _, f := range got {
		states = append(states, f.State)
	}
	if !slices.Equal(states, []State{OK, Warning, Failed}) || got[0].Object != "a" || got[2].Object != "c:443" {
		t.Errorf("got %+v", got)
	}
}

// On ghe.com a company has hosts of its own, and none of github.com's is asked for.
func TestHostsOfACompany(t *testing.T) {
	t.Parallel()
	for _, url := range []string{"https://octo.ghe.com/octo-org", "https://OCTO.ghe.com/octo-org/hello"} {
		company := network{Host{Again: again, Scope: scope(t, url)}}
		var names []string
		for _, e := range append(company.ours(), company.forJobs()...) {
			names = append(names, e.name())
			if e.needed != slices.Contains([]string{"octo.ghe.com", "api.octo.ghe.com"}, e.name()) {
				t.Errorf("%s: that %s is not reached is told wrongly", url, e.name())
			}
		}
		want := []string{
			"octo.ghe.com", "api.octo.ghe.com", "broker.actions.octo.ghe.com", "results-receiver.actions.octo.ghe.com",
			"token.actions.octo.ghe.com", "codeload.octo.ghe.com", "containers.octo.ghe.com",
		}
		if !slices.Equal(names, want) {
			t.Errorf("%s: %q, want %q", url, names, want)
		}
	}
}

// config.sh leaves the port out of --url: who is at the usual one is asked.
func TestPort(t *testing.T) {
	t.Parallel()
	const fix = "runner-bootstrap install --jit --url "
	expect(t, network{Host{}}.port(t.Context()), Skipped, noURL, "")
	for _, url := range []string{"https://github.com/octo", "https://ghes.test:443/octo", "http://127.0.0.1/octo", "http://127.0.0.1:8080/octo"} {
		expect(t, network{Host{Scope: scope(t, url)}}.port(t.Context()), Skipped, "the usual one", "")
	}
	const alone = "127.61.8.1"
	for _, address := range []string{alone + ":8443", "[::1]:8443"} {
		found := network{Host{Scope: scope(t, "https://"+address+"/octo")}}.port(t.Context())
		host, _, _ := net.SplitHostPort(address)
		if strings.Contains(host, ":") {
			host = "[" + host + "]"
		}
		expect(t, found, Failed, "leaves out the port of --url, 8443, and asks https://"+host+", which does not answer", fix)
	}
	l, err := net.Listen("tcp", "127.0.0.1:443") // which the certificate is for
	if err != nil {
		t.Skip(err) // only root may
	}
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	if err := server.Listener.Close(); err != nil {
		t.Fatal(err)
	}
	server.Listener = l
	server.StartTLS()
	defer server.Close()
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	found := network{Host{Scope: scope(t, "https://127.0.0.1:8443/octo"), Roots: roots}}.port(t.Context())
	expect(t, found, Warning, "and asks https://127.0.0.1", fix+"https://127.0.0.1:8443/octo")
}

func TestIPv6(t *testing.T) {
	t.Parallel()
	h := Host{Again: again, Scope: scope(t, "https://"+closedPort(t)+"/octo")}
	expect(t, network{h}.ipv6(t.Context()), OK, "", "")
	h.Proxy = through(t, "http://127.0.0.1:1")
	expect(t, network{h}.ipv6(t.Context()), Skipped, "the proxy", "")
	// A context that ends says the same as an address that swallows everything.
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := swallowed(ctx, "[::1]:443"); err == nil {
		t.Error("a connection without an answer is taken for one that is refused")
	}
	if err := swallowed(t.Context(), "[::1]:1"); err != nil {
		t.Errorf("a connection that is refused, or has no route, is said to get no answer: %v", err)
	}
}

// api is a server with GitHub's answers to what the checks ask.
func api(t *testing.T, ahead time.Duration, scopes, groups string, status int) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet {
			t.Errorf("it sends %s %s", r.Method, r.URL.Path)
		}
		w.Header().Set("Date", time.Now().Add(ahead).UTC().Format(http.TimeFormat))
		w.Header().Set("Content-Type", "application/json")
		if scopes != "-" && r.Header.Get("Authorization") != "" {
			w.Header()["X-Oauth-Scopes"] = []string{scopes}
		}
		switch {
		case strings.HasSuffix(r.URL.Path, "/rate_limit"):
			io.WriteString(w, "{}")
		case status != 0:
			w.WriteHeader(status)
			io.WriteString(w, `{"message":"Bad credentials"}`)
		case strings.HasSuffix(r.URL.Path, "/runners"):
			io.WriteString(w, `{"total_count":0,"runners":[]}`)
		default:
			io.WriteString(w, groups)
		}
	}))
	t.Cleanup(server.Close)
	return server
}

// asked is a host with a credential for a server.
func asked(t *testing.T, server *httptest.Server, slug, token string) Host {
	t.Helper()
	config := transport.Config{UserAgent: "test"}
	h := Host{Again: again, Scope: scope(t, server.URL+"/"+slug), Web: transport.NewDownload(config), Token: secret.New(token)}
	if token != "" {
		h.Client = github.NewClient(transport.NewAPI(config), *h.Scope, github.Static(h.Token))
	}
	return h
}

func TestClock(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		ahead      time.Duration // GitHub's
		state      State
		found, fix string
	}{
		"right":      {0, OK, "agrees", ""},
		"a little":   {40 * time.Second, OK, "agrees", ""},
		"some":       {-90 * time.Second, Warning, "ahead of GitHub's", "timedatectl set-ntp"},
		"slow":       {2 * time.Minute, Warning, "behind GitHub's", "timedatectl set-ntp"},
		"far":        {6 * time.Minute, Failed, "behind GitHub's", "sudo timedatectl set-ntp true"},
		"far beyond": {-time.Hour, Failed, "1h0m", "sudo timedatectl set-ntp true"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := asked(t, api(t, c.ahead, "-", "", 0), "octo", "")
			got := network{h}.gitHub(t.Context())
			expect(t, got[:1], c.state, c.found, c.fix)
			expect(t, got[1:2], Skipped, "no credential given", "")
			expect(t, got[2:], Skipped, "no --runnergroup given", "")
		})
	}
}

func TestToken(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		slug, token, scopes string
		status              int
		state               State
		object, found, fix  string
		cause               error
	}{
		"enough for a repository":     {"octo/hello", "ghp_a", "repo, gist", 0, OK, "a classic token", "scope repo", "", nil},
		"enough for an organization":  {"octo", "ghp_a", "admin:org", 0, OK, "a classic token", "admin:org", "", nil},
		"too little":                  {"octo", "ghp_a", "repo", 0, Failed, "a classic token", "not admin:org", "--scopes admin:org", nil},
		"too little for a repository": {"octo/hello", "gho_a", "public_repo", 0, Failed, "a token of an OAuth App", "not repo", "--scopes repo", nil},
		"no scopes":                   {"enterprises/octo", "ghp_a", "", 0, Failed, "a classic token", "not manage_runners:enterprise", "manage_runners", nil},
		"fine-grained":                {"octo", "github_pat_a", "-", 0, OK, "a fine-grained token", "may list the runners", "", nil},
		"of an App":                   {"octo", "ghs_a", "-", 0, OK, "a token of a GitHub App", "may list the runners", "", nil},
		"unknown":                     {"octo", "abc", "-", 0, OK, "a token of an unknown kind", "may list the runners", "", nil},
		"refused":                     {"octo", "ghp_a", "-", 401, Failed, "a classic token", "Bad credentials", "", github.ErrUnauthorized},
		"too weak":                    {"octo", "ghp_a", "-", 403, Failed, "a classic token", "403", "", github.ErrForbidden},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := asked(t, api(t, 0, c.scopes, "", c.status), c.slug, c.token)
			got := network{h}.gitHub(t.Context())[1:2]
			expect(t, got, c.state, c.found, c.fix)
			if got[0].Object != c.object || !errors.Is(got[0].Cause, c.cause) {
				t.Errorf("got %q because of %v, want %q because of %v", got[0].Object, got[0].Cause, c.object, c.cause)
			}
		})
	}
}

func TestGroup(t *testing.T) {
	t.Parallel()
	h := asked(t, api(t, 0, "-", `{"total_count":1,"runner_groups":[{"id":7,"name":"Builders"}]}`, 0), "octo", "ghs_a")
	h.Group = "builders"
	expect(t, network{h}.gitHub(t.Context())[2:], OK, "id 7", "")
	h.Group = "painters"
	expect(t, network{h}.gitHub(t.Context())[2:], Failed, `"Builders"`, "--runnergroup Default")
	h.Client = nil
	expect(t, network{h}.gitHub(t.Context())[2:], Skipped, "no credential", "")
}

// A group that lets somebody not in is told of, and so is the default one that nobody has named.
func TestGroupThatDoesNotLetIn(t *testing.T) {
	t.Parallel()
	h := asked(t, api(t, 0, "-", `{"total_count":2,"runner_groups":[{"id":1,"name":"Default","default":true,"allows_public_repositories":false},
		{"id":7,"name":"Builders","allows_public_repositories":true,"restricted_to_workflows":true,"selected_workflows":[]}]}`, 0), "octo", "ghs_a")
	expect(t, network{h}.gitHub(t.Context())[2:], Warning, "takes no jobs of public repositories", "")
	h.Group = "builders"
	expect(t, network{h}.gitHub(t.Context())[2:], Failed, "its runners get no job", "--runnergroup Default")
	h = asked(t, api(t, 0, "repo", `{"total_count":0,"runners":[]}`, 0), "octo/hello", "ghp_a")
	expect(t, network{h}.gitHub(t.Context())[2:], Skipped, "a repository has no runner groups", "")
}

func TestGitHubOutOfReach(t *testing.T) {
	t.Parallel()
	server := api(t, 0, "-", "", 0)
	h := asked(t, server, "octo", "ghs_a")
	server.Close()
	for _, f := range (network{h}).gitHub(t.Context()) {
		expect(t, []Finding{f}, Skipped, "was not reached", "")
	}
}

// A host that is only to be reached is asked nothing, however the request and its end fall together.
func TestNothingIsAsked(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	const times = 200
	heard := make(chan string, times)
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				text, _ := io.ReadAll(io.LimitReader(conn, 1000)) // until the other side has closed
				heard <- string(text)
			}()
		}
	}()
	at := endpoint{url: &url.URL{Scheme: "http", Host: listener.Addr().String()}}
	for range times {
		if err := (network{}).reach(t.Context(), at); err != nil {
			t.Fatal(err)
		}
		if text := <-heard; text != "" {
			t.Fatalf("it was asked %q", text)
		}
	}
}
