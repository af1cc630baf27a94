package transport

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
)

// witness is a server that remembers what it received.
type witness struct {
	*httptest.Server
	mu   sync.Mutex
	seen []*http.Request
	text []string
}

func newWitness(t *testing.T, start func(http.Handler) *httptest.Server, handler http.HandlerFunc) *witness {
	t.Helper()
	w := &witness{}
	w.Server = start(http.HandlerFunc(func(out http.ResponseWriter, req *http.Request) {
		body, err := io.ReadAll(req.Body)
		if err != nil {
			t.Errorf("reading a request: %v", err)
		}
		w.mu.Lock()
		w.seen, w.text = append(w.seen, req), append(w.text, string(body))
		w.mu.Unlock()
		handler(out, req)
	}))
	t.Cleanup(w.Close)
	return w
}

func (w *witness) requests() ([]*http.Request, []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.seen, w.text
}

func fine(out http.ResponseWriter, _ *http.Request) { out.WriteHeader(http.StatusOK) }

// redirect leads /from to target with a status, and is fine with the rest.
func redirect(status int, target func() string) http.HandlerFunc {
	return func(out http.ResponseWriter, req *http.Request) {
		if req.URL.Path == "/from" {
			http.Redirect(out, req, target(), status)
			return
		}
		fine(out, req)
	}
}

func TestAPIFollowsOnlyItsOwnHostWithTheSameMethod(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name      string
		method    string
		status    int
		elsewhere bool // another port
		byName    bool // the same port under another name
		want      int
	}{
		{name: "GET 301", method: "GET", status: 301, want: 200},
		{name: "GET 302", method: "GET", status: 302, want: 200},
		{name: "GET 307", method: "GET", status: 307, want: 200},
		{name: "GET 308", method: "GET", status: 308, want: 200},
		{name: "POST 307", method: "POST", status: 307, want: 200},
		{name: "POST 308", method: "POST", status: 308, want: 200},
		{name: "POST 301 would become a GET", method: "POST", status: 301, want: 301},
		{name: "POST 302 would become a GET", method: "POST", status: 302, want: 302},
		{name: "POST 303 would become a GET", method: "POST", status: 303, want: 303},
		{name: "DELETE 302 would become a GET", method: "DELETE", status: 302, want: 302},
		{name: "GET to another port", method: "GET", status: 302, elsewhere: true, want: 302},
		{name: "POST to another port", method: "POST", status: 307, elsewhere: true, want: 307},
		{name: "GET to another name", method: "GET", status: 308, byName: true, want: 308},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			other := newWitness(t, httptest.NewServer, fine)
			var home *witness
			home = newWitness(t, httptest.NewServer, redirect(c.status, func() string {
				switch {
				case c.elsewhere:
					return other.URL + "/to"
				case c.byName:
					return strings.Replace(home.URL, "127.0.0.1", "localhost", 1) + "/to"
				}
				return "/to"
			}))
			req, err := http.NewRequestWithContext(t.Context(), c.method, home.URL+"/from", strings.NewReader("the body"))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Authorization", "Bearer s3cr3t")
			resp, err := NewAPI(Config{UserAgent: "runner-bootstrap/1"}).Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			if resp.StatusCode != c.want {
				t.Errorf("status %d, want %d", resp.StatusCode, c.want)
			}
			if seen, _ := other.requests(); len(seen) != 0 {
				t.Errorf("the other host received %d requests", len(seen))
			}
			seen, text := home.requests()
			wantSeen := 1
			if c.want == http.StatusOK {
				wantSeen = 2
			}
			if len(seen) != wantSeen {
				t.Fatalf("%d requests, want %d", len(seen), wantSeen)
			}
			for i, req := range seen {
				if req.Method != c.method || req.UserAgent() != "runner-bootstrap/1" || req.Header.Get("Authorization") != "Bearer s3cr3t" {
					t.Errorf("request %d: %s by %q, headers %v", i, req.Method, req.UserAgent(), req.Header)
				}
				if c.method == http.MethodPost && text[i] != "the body" {
					t.Errorf("request %d has the body %q", i, text[i])
				}
			}
		})
	}
}

func TestAPINeverLeavesTLS(t *testing.T) {
	t.Parallel()
	c := NewAPI(Config{UserAgent: "test"})
	var asked []string
	c.retry.HTTPClient.Transport = roundTrip(func(req *http.Request) (*http.Response, error) {
		asked = append(asked, req.URL.String())
		header := http.Header{"Location": {"http://github.test/runners"}}
		return &http.Response{StatusCode: http.StatusTemporaryRedirect, Header: header, Body: http.NoBody, Request: req}, nil
	})
	resp, err := c.Do(request(t.Context(), t, http.MethodGet, ""))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusTemporaryRedirect || len(asked) != 1 {
		t.Errorf("status %d after asking %q", resp.StatusCode, asked)
	}
}

func TestRedirectsAreBounded(t *testing.T) {
	t.Parallel()
	circle := newWitness(t, httptest.NewServer, func(out http.ResponseWriter, req *http.Request) {
		http.Redirect(out, req, "/again", http.StatusTemporaryRedirect)
	})
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, circle.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := NewAPI(Config{}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if seen, _ := circle.requests(); resp.StatusCode != http.StatusTemporaryRedirect || len(seen) != maxRedirects+1 {
		t.Errorf("status %d after %d requests, want 307 after %d", resp.StatusCode, len(seen), maxRedirects+1)
	}
	resp, err = NewDownload(Config{}).Do(req)
	if err == nil {
		resp.Body.Close()
		t.Fatalf("the download client went in circles to a status %d", resp.StatusCode)
	}
	if seen, _ := circle.requests(); len(seen) != 2*(maxRedirects+1) || !strings.Contains(err.Error(), "too many redirects") {
		t.Errorf("%v after %d requests", err, len(seen)-maxRedirects-1)
	}
}

func TestUntrustedCertificateFailsAtOnce(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	connections := 0
	server := httptest.NewUnstartedServer(http.HandlerFunc(fine))
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0) // it complains about the refused handshake
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			mu.Lock()
			connections++
			mu.Unlock()
		}
	}
	server.StartTLS()
	defer server.Close()
	for name, do := range map[string]func(*http.Request) (*http.Response, error){
		"API": NewAPI(Config{}).Do, "download": NewDownload(Config{}).Do,
	} {
		mu.Lock()
		connections = 0
		mu.Unlock()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := do(req)
		var untrusted x509.UnknownAuthorityError
		if !errors.As(err, &untrusted) {
			t.Errorf("%s: %v, %v, want an untrusted certificate", name, resp, err)
		}
		mu.Lock()
		if connections != 1 {
			t.Errorf("%s: %d connections: it was tried again", name, connections)
		}
		mu.Unlock()
	}
}

// everywhere is a download client that reaches one server under every name.
func everywhere(server *witness) *http.Client {
	c := NewDownload(Config{UserAgent: "runner-bootstrap/1"})
	c.Transport = agent{name: "runner-bootstrap/1", proxy: http.ProxyFromEnvironment, next: &http.Transport{
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, server.Listener.Addr().String())
		},
	}}
	return c
}

func TestDownloadTakesItsCredentialToNoOtherHost(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		to    string
		again string // and from there
		want  []string
	}{
		{name: "same host", to: "http://git.test/to", want: []string{"Bearer s3cr3t", "Bearer s3cr3t"}},
		{name: "another host", to: "http://storage.test/to", want: []string{"Bearer s3cr3t", ""}},
		{name: "a host below it", to: "http://cdn.git.test/to", want: []string{"Bearer s3cr3t", ""}},
		{name: "another port", to: "http://git.test:8080/to", want: []string{"Bearer s3cr3t", ""}},
		{name: "two hosts on", to: "http://storage.test/hop", again: "http://cdn.storage.test/to", want: []string{"Bearer s3cr3t", "", ""}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			server := newWitness(t, httptest.NewServer, func(out http.ResponseWriter, req *http.Request) {
				switch req.URL.Path {
				case "/from":
					http.Redirect(out, req, c.to, http.StatusFound)
				case "/hop":
					http.Redirect(out, req, c.again, http.StatusFound)
				}
			})
			client := everywhere(server)
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://git.test/from", nil)
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Authorization", "Bearer s3cr3t")
			resp, err := client.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			seen, _ := server.requests()
			if len(seen) != len(c.want) {
				t.Fatalf("%d requests, want %d", len(seen), len(c.want))
			}
			for i, req := range seen {
				if got := req.Header.Get("Authorization"); got != c.want[i] {
					t.Errorf("request %d to %s carried %q, want %q", i, req.Host, got, c.want[i])
				}
				if req.UserAgent() != "runner-bootstrap/1" {
					t.Errorf("request %d to %s is by %q", i, req.Host, req.UserAgent())
				}
			}
		})
	}
}

func TestDownloadRefusesToLeaveTLS(t *testing.T) {
	t.Parallel()
	plain := newWitness(t, httptest.NewServer, fine)
	secure := newWitness(t, httptest.NewTLSServer, redirect(http.StatusFound, func() string { return plain.URL + "/to" }))
	client := NewDownload(Config{UserAgent: "test"})
	client.Transport = secure.Client().Transport
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, secure.URL+"/from", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client.Do(req)
	var withURL *url.Error
	if !errors.Is(err, errDowngrade) || !errors.As(err, &withURL) {
		t.Errorf("%v, %v, want the redirect refused", resp, err)
	}
	if seen, _ := plain.requests(); len(seen) != 0 {
		t.Errorf("%d requests went out without TLS", len(seen))
	}
}

// The released program is built without HTTP/2, and the others behave as it does.
func TestSpeaksOneProtocol(t *testing.T) {
	t.Parallel()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(out http.ResponseWriter, req *http.Request) {
		_, _ = io.WriteString(out, req.Proto) // a client that is gone does not read it
	}))
	server.EnableHTTP2 = true
	server.StartTLS()
	t.Cleanup(server.Close)
	config := Config{UserAgent: "test", Roots: x509.NewCertPool()}
	config.Roots.AddCert(server.Certificate())
	for name, do := range map[string]func(*http.Request) (*http.Response, error){
		"for the API": NewAPI(config).Do, "for downloads": NewDownload(config).Do,
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := do(req)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		proto, err := io.ReadAll(resp.Body)
		if err := errors.Join(err, resp.Body.Close()); err != nil || string(proto) != "HTTP/1.1" {
			t.Errorf("%s: %s, %v", name, proto, err)
		}
	}
}

// Over HTTP/2 all parts of an archive would share one connection.
func TestDownloadHasAConnectionForEachRequest(t *testing.T) {
	t.Parallel()
	const together = maxDownloadConnections
	var all sync.WaitGroup
	all.Add(together)
	server := newWitness(t, func(h http.Handler) *httptest.Server {
		s := httptest.NewUnstartedServer(h)
		s.EnableHTTP2 = true
		s.StartTLS()
		return s
	}, func(out http.ResponseWriter, _ *http.Request) {
		all.Done()
		all.Wait() // nobody is answered before all have come
		out.WriteHeader(http.StatusOK)
	})
	client := NewDownload(Config{UserAgent: "test"})
	wire := client.Transport.(agent).next.(*http.Transport)
	wire.TLSClientConfig = server.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
	wire.TLSClientConfig.NextProtos = nil
	get := func() {
		resp, err := client.Get(server.URL)
		if err != nil {
			t.Error(err)
			return
		}
		resp.Body.Close()
	}
	for range 2 { // the second time on the same connections
		var got sync.WaitGroup
		for range together {
			got.Go(get)
		}
		got.Wait()
		all.Add(together)
	}
	seen, _ := server.requests()
	connections := map[string]bool{}
	for _, req := range seen {
		if req.Proto != "HTTP/1.1" {
			t.Errorf("a request over %s", req.Proto)
		}
		connections[req.RemoteAddr] = true
	}
	if len(connections) != together || len(seen) != 2*together {
		t.Errorf("%d connections for %d requests, want %d for %d", len(connections), len(seen), together, 2*together)
	}
}

func TestRootsAreTrusted(t *testing.T) {
	t.Parallel()
	server := httptest.NewTLSServer(http.HandlerFunc(fine))
	defer server.Close()
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	for name, do := range map[string]func(*http.Request) (*http.Response, error){
		"API": NewAPI(Config{Roots: roots}).Do, "download": NewDownload(Config{Roots: roots}).Do,
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := do(req)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		resp.Body.Close()
	}
}

// Whatever is done to the text of an error, it is as before to who asks for its kind: [*url.Error] asks the one in it alone.
func TestErrorsKeepTheirKind(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("a-very-long-name.", 20) + "test"
	late := &net.OpError{Op: "read", Net: "tcp", Err: fmt.Errorf("%s: %w", long, os.ErrDeadlineExceeded)}
	never := &net.DNSError{Err: "no such host", Name: long, IsNotFound: true}
	proxy := &url.URL{Scheme: "http", Host: "proxy.test:3128"}
	for name, c := range map[string]struct {
		err     error
		timeout bool
	}{
		"short":              {short(late), true},
		"of another kind":    {short(never), false},
		"proxy":              {&ProxyError{Proxy: proxy, Cause: late}, true},
		"proxy, short":       {short(&ProxyError{Proxy: proxy, Cause: late}), true},
		"proxy that answers": {&ProxyError{Proxy: proxy, Status: 403}, false},
	} {
		err := &url.Error{Op: "Get", URL: "https://x.test", Err: c.err}
		var network net.Error
		if err.Timeout() != c.timeout || !errors.As(err, &network) || network.Timeout() != c.timeout {
			t.Errorf("%s: the time was over: %t, want %t", name, err.Timeout(), c.timeout)
		}
		if c.timeout != errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%s: errors.Is no longer finds what was behind it", name)
		}
	}
	var dns *net.DNSError
	if err := short(never); len(err.Error()) > maxText+len("...") || !errors.As(err, &dns) || dns != never {
		t.Errorf("%v", err)
	}
}
