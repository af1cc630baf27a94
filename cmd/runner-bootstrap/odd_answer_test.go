package main

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

// safeBuffer may be written to by many.
type safeBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *safeBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// An answer that goes on behind its stated end is odd to net/http, which would print how it goes on: of a token that is minted.
//
//nolint:paralleltest // it changes the default logger of the process
func TestNothingOfAnAnswerIsLogged(t *testing.T) {
	const answer = `{"token": "AABF3JGZDX3P5PMEXLND6TS6FCWO6", "expires_at": "2030-01-01T00:00:00Z"}`
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				_, _ = conn.Read(make([]byte, 4096))
				fmt.Fprintf(conn, "HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nContent-Length: 12\r\n\r\n%s", answer)
				_, _ = io.Copy(io.Discard, conn)
			}()
		}
	}()
	var logged, out, told safeBuffer
	slog.SetDefault(slog.New(slog.NewTextHandler(&logged, nil)))
	defer slog.SetDefault(slog.New(slog.DiscardHandler))
	t.Setenv("RUNNER_BOOTSTRAP_TOKEN", "ghp_0123456789")
	code := run([]string{"token", "registration", "--url", "http://" + l.Addr().String() + "/octo-org", "--dir", t.TempDir(), "--timeout", "2s"},
		streams{in: strings.NewReader(""), out: &out, err: &told})
	if code != exitNetwork {
		t.Errorf("it ends with %d: %s", code, told.String())
	}
	time.Sleep(200 * time.Millisecond) // what is odd is told behind the request's back
	for _, text := range []string{logged.String(), out.String(), told.String()} {
		if strings.Contains(text, "JGZDX") {
			t.Errorf("a part of the token is told: %s", text)
		}
	}
}
