package transport

import (
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// greeting is a server that says something to each connection at once, as those of SSH and SMTP do.
func greeting(t *testing.T, words string) (address string, connections *atomic.Int32) {
	t.Helper()
	connections = &atomic.Int32{}
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			connections.Add(1)
			go func() {
				defer conn.Close()
				_, _ = io.WriteString(conn, words)
				_ = conn.SetReadDeadline(time.Now().Add(time.Second)) // without it, the read ends with the client
				_, _ = io.Copy(io.Discard, conn)
			}()
		}
	}()
	return listener.Addr().String(), connections
}

// Who answers at an address of https without TLS is told, in a line of ours, and is not asked again and again.
func TestNoTLS(t *testing.T) {
	t.Parallel()
	plain := httptest.NewServer(http.HandlerFunc(fine))
	t.Cleanup(plain.Close)
	ssh, sshConnections := greeting(t, "SSH-2.0-OpenSSH_9.2\r\n")
	mail, mailConnections := greeting(t, "220 mail.example.org ESMTP \x1b[31m\r\n")
	for address, c := range map[string]struct {
		says        string
		connections *atomic.Int32
	}{
		plain.Listener.Addr().String(): {"it speaks no TLS there, but HTTP", nil},
		ssh:                            {"it speaks no TLS there", sshConnections},
		mail:                           {"it speaks no TLS there", mailConnections},
	} {
		for name, client := range map[string]interface {
			Do(req *http.Request) (*http.Response, error)
		}{"api": NewAPI(Config{}), "downloads": NewDownload(Config{})} {
			before := int32(0)
			if c.connections != nil {
				before = c.connections.Load()
			}
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+address+"/x", nil)
			if err != nil {
				t.Fatal(err)
			}
			resp, err := client.Do(req)
			if err == nil {
				_ = resp.Body.Close() // the answer itself is the fault
			}
			if !errors.Is(err, ErrNoTLS) || !strings.HasSuffix(err.Error(), c.says) {
				t.Errorf("%s of %s: %v, want %q", name, address, err, c.says)
			}
			if c.connections != nil && c.connections.Load() != before+1 {
				t.Errorf("%s of %s: asked %d times", name, address, c.connections.Load()-before)
			}
		}
	}
}
