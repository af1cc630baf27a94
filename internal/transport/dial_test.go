package transport

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
	"time"
)

// An address that connects and is silent comes last, until it answers or its time is over.
func TestSilentAddressIsAvoided(t *testing.T) {
	t.Parallel()
	deaf, err := net.Listen("tcp", "127.0.0.1:0") // the system accepts, and nobody answers
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { deaf.Close() })
	at := netip.MustParseAddrPort(deaf.Addr().String())
	d := newDialer()
	dial := func(write bool) {
		t.Helper()
		conn, err := d.dial(t.Context(), "tcp", deaf.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		if write {
			if _, err := conn.Write([]byte("hello")); err != nil {
				t.Fatal(err)
			}
		}
		if err := conn.Close(); err != nil {
			t.Fatal(err)
		}
	}
	dial(false)
	if d.avoids(at) {
		t.Error("an address that was asked nothing is avoided")
	}
	dial(true)
	if !d.avoids(at) {
		t.Error("a silent address is not avoided")
	}
	dial(true) // it is the only one: it is taken all the same
	d.avoided[at] = time.Now().Add(-time.Second)
	if d.avoids(at) || d.any() {
		t.Error("it is avoided for ever")
	}
}

// A host with a silent address and one that answers is reached by the second request. The one that answers is 127.0.0.1, and the
// silent one ::1, as localhost has them.
func TestAnotherAddressIsTried(t *testing.T) {
	t.Parallel()
	addresses, err := net.DefaultResolver.LookupNetIP(t.Context(), "ip", "localhost")
	if err != nil || len(addresses) < 2 {
		t.Skipf("localhost has the addresses %v, %v", addresses, err)
	}
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(server.Close)
	_, port, err := net.SplitHostPort(server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	deaf, err := net.Listen("tcp", net.JoinHostPort("::1", port))
	if err != nil {
		t.Skipf("no second address: %v", err)
	}
	t.Cleanup(func() { deaf.Close() })
	client := NewDownload(Config{UserAgent: "test"})
	t.Cleanup(client.CloseIdleConnections)
	get := func(within time.Duration) error {
		ctx, cancel := context.WithTimeout(t.Context(), within)
		defer cancel()
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://localhost:"+port, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := client.Do(req)
		if err == nil {
			err = resp.Body.Close()
		}
		return err
	}
	if err := get(500 * time.Millisecond); err == nil {
		t.Skip("this system takes the address that answers first")
	}
	for range 3 {
		if err := get(10 * time.Second); err != nil {
			t.Fatalf("the address that answers is not taken: %v", err)
		}
	}
}
