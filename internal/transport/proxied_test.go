package transport

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// impostor listens, and does one thing with each connection. It counts them.
func impostor(t *testing.T, do func(net.Conn)) (address string, asked *atomic.Int32) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	asked = &atomic.Int32{}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			asked.Add(1)
			go func() {
				defer conn.Close()
				do(conn)
			}()
		}
	}()
	return l.Addr().String(), asked
}

// answering reads the head of a request, and says something.
func answering(text string) func(net.Conn) {
	return func(conn net.Conn) {
		_, _ = conn.Read(make([]byte, 4096))
		_, _ = io.WriteString(conn, text)
	}
}

// socks is a proxy of SOCKS5 that wants this method, and then answers with this code.
func socks(method, code byte) func(net.Conn) {
	return func(conn net.Conn) {
		_, _ = conn.Read(make([]byte, 300))
		_, _ = conn.Write([]byte{5, method})
		if method == 2 {
			_, _ = conn.Read(make([]byte, 600))
			_, _ = conn.Write([]byte{1, code})
			return
		}
		_, _ = conn.Read(make([]byte, 600))
		_, _ = conn.Write([]byte{5, code, 0, 1, 0, 0, 0, 0, 0, 0})
	}
}

// What a proxy does wrong is said to be the proxy's, and what will last is tried once.
func TestProxyFaults(t *testing.T) {
	t.Parallel()
	nobody, _ := impostor(t, func(net.Conn) {})
	untrusted := httptest.NewUnstartedServer(http.NotFoundHandler())
	untrusted.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	untrusted.StartTLS()
	t.Cleanup(untrusted.Close)
	const all = retries + 1
	for name, c := range map[string]struct {
		scheme string
		do     func(net.Conn)
		at     string // instead of do
		says   string
		tries  int32
	}{
		"closes":                 {scheme: "http", do: answering(""), says: "ends the connection without an answer", tries: all},
		"speaks something else":  {scheme: "http", do: answering("SSH-2.0-OpenSSH_9.6\r\n"), says: "does not answer as a proxy does: malformed HTTP", tries: all},
		"wants NTLM":             {scheme: "http", do: answering("HTTP/1.1 407 x\r\nProxy-Authenticate: NTLM\r\nProxy-Authenticate: Negotiate\r\n\r\n"), says: "it takes NTLM or Negotiate, and this program can only do Basic", tries: 1},
		"wants Basic among them": {scheme: "http", do: answering("HTTP/1.1 407 x\r\nProxy-Authenticate: NTLM\r\nProxy-Authenticate: basic realm=\"x\"\r\n\r\n"), says: "status 407 (Proxy Authentication Required)", tries: 1},
		"a portal":               {scheme: "http", do: answering("HTTP/1.1 511 x\r\n\r\n"), says: "status 511", tries: 1},
		"leads elsewhere":        {scheme: "http", do: answering("HTTP/1.1 302 x\r\nLocation: http://portal.invalid/\r\n\r\n"), says: "status 302", tries: 1},
		"fails":                  {scheme: "http", do: answering("HTTP/1.1 502 x\r\n\r\n"), says: "status 502", tries: all},
		"no TLS":                 {scheme: "https", do: answering("HTTP/1.1 400 x\r\n\r\n"), says: "does not answer as a proxy does: it speaks no TLS there, but HTTP", tries: 1},
		"not trusted":            {scheme: "https", at: untrusted.Listener.Addr().String(), says: "is not used: its certificate is not trusted; it was issued by"},
		"nobody listens":         {scheme: "http", at: "127.0.0.1:1", says: "cannot be reached: dial tcp 127.0.0.1:1: "},
		"no such name":           {scheme: "socks5h", at: "proxy.invalid:1080", says: "cannot be reached: dial tcp: lookup proxy.invalid"},
		"SOCKS fails":            {scheme: "socks5", do: socks(0, 1), says: "does not let us through: general SOCKS server failure", tries: all},
		"SOCKS forbids":          {scheme: "socks5h", do: socks(0, 2), says: "does not let us through: connection not allowed by ruleset", tries: 1},
		"SOCKS wrong password":   {scheme: "socks5", do: socks(2, 1), says: "does not let us through: username/password authentication failed", tries: 1},
		"SOCKS no method":        {scheme: "socks5", do: socks(255, 0), says: "does not let us through: no acceptable authentication methods", tries: 1},
		"SOCKS that is HTTP":     {scheme: "socks5", do: answering("HTTP/1.1 400 x\r\n\r\n"), says: "does not let us through: ", tries: all},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			at, asked := c.at, &atomic.Int32{}
			if at == "" {
				at, asked = impostor(t, c.do)
			}
			proxy := &url.URL{Scheme: c.scheme, Host: at, User: url.UserPassword("me", "s3cr3t")}
			client := NewAPI(Config{UserAgent: "test", Proxy: http.ProxyURL(proxy)})
			client.retry.RetryWaitMin, client.retry.RetryWaitMax = 1, 1
			_, err := client.Do(asking(t.Context(), t, "https://"+nobody+"/x"))
			var refused *ProxyError
			if !errors.As(err, &refused) || !errors.Is(err, ErrProxy) || !strings.Contains(err.Error(), "the proxy "+at+" ") || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v does not say %q of the proxy %s", err, c.says, at)
			}
			if err != nil && strings.Contains(err.Error(), "s3cr3t") {
				t.Errorf("it tells the password: %v", err)
			}
			if c.tries != 0 && asked.Load() != c.tries {
				t.Errorf("the proxy was asked %d times, want %d", asked.Load(), c.tries)
			}
		})
	}
}

// A proxy that takes a connection and says nothing is named when the time is over.
func TestSilentProxyIsNamed(t *testing.T) {
	t.Parallel()
	at, _ := impostor(t, func(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) })
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	client := NewAPI(Config{UserAgent: "test", Proxy: http.ProxyURL(&url.URL{Scheme: "http", Host: at})})
	_, err := client.Do(asking(ctx, t, "https://github.invalid/x"))
	if !errors.Is(err, ErrProxy) || !errors.Is(err, context.DeadlineExceeded) || !strings.HasSuffix(err.Error(), "the proxy "+at+" does not answer") {
		t.Errorf("it says %v", err)
	}
}

// What goes wrong behind a proxy that lets requests through is none of its faults.
func TestNotTheProxysFault(t *testing.T) {
	t.Parallel()
	tunnel := func(conn net.Conn) {
		_, _ = conn.Read(make([]byte, 4096))
		_, _ = io.WriteString(conn, "HTTP/1.1 200 Connection established\r\n\r\n")
		answering("this is no TLS, and it is the server's\r\n")(conn)
	}
	granted := func(conn net.Conn) {
		socks(0, 0)(conn)
		answering("")(conn)
	}
	for name, c := range map[string]struct {
		scheme string
		do     func(net.Conn)
		target string
	}{
		"no TLS":                     {"http", tunnel, "https://github.invalid/x"},
		"an answer that is none":     {"http", answering("SSH-2.0-OpenSSH_9.6\r\n"), "http://github.invalid/x"},
		"no answer":                  {"http", answering(""), "http://github.invalid/x"},
		"no answer behind SOCKS":     {"socks5h", granted, "http://github.invalid/x"},
		"no TLS answer behind SOCKS": {"socks5h", granted, "https://github.invalid/x"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			at, _ := impostor(t, c.do)
			client := NewAPI(Config{UserAgent: "test", Proxy: http.ProxyURL(&url.URL{Scheme: c.scheme, Host: at})})
			client.retry.RetryWaitMin, client.retry.RetryWaitMax = 1, 1
			_, err := client.Do(asking(t.Context(), t, c.target))
			if err == nil || errors.Is(err, ErrProxy) {
				t.Errorf("it says %v", err)
			}
		})
	}
}

func asking(ctx context.Context, t *testing.T, target string) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, target, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	return req
}

// What is no HTTP may be any bytes, of which a few are told; and an address that cannot be read may be signed, and is not told.
func TestOddAnswersAreShort(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ answer, says, not string }{
		"binary":           {"\x1f\x8b" + strings.Repeat("\xff\x01s3cr3t", 2000) + "\r\n\r\n", "malformed HTTP", strings.Repeat("s3cr3t", 2)},
		"a broken address": {"HTTP/1.1 302 x\r\nLocation: http://[::1/?sig=s3cr3t\r\nContent-Length: 0\r\n\r\n", "leads to an address that cannot be read", "s3cr3t"},
	} {
		at, _ := impostor(t, answering(c.answer))
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		client := NewAPI(Config{UserAgent: "test"})
		client.retry.RetryWaitMin, client.retry.RetryWaitMax = time.Millisecond, time.Millisecond
		_, err := client.Do(asking(ctx, t, "http://"+at+"/x"))
		cancel()
		if err == nil {
			t.Fatalf("%s: no error", name)
		}
		text := bare(err).Error()
		if !strings.Contains(text, c.says) || strings.Contains(text, c.not) || len(text) > 500 {
			t.Errorf("%s: it says %d bytes, %s", name, len(text), text)
		}
	}
}
