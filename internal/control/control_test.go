package control

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
)

func TestAskAndTell(t *testing.T) {
	t.Parallel()
	path := filepath.Join(folder(t), "a.sock")
	if _, err := Ask(t.Context(), path); !errors.Is(err, ErrNoAgent) {
		t.Errorf("before anybody listens: %v", err)
	}
	server, agent := listen(t, path)
	state, err := Ask(t.Context(), path)
	if err != nil || state.Name != "web-1" || state.PID != os.Getpid() || state.Report.Job != "build" || len(agent.told) != 0 {
		t.Errorf("%+v, %v, told %v", state, err, agent.told)
	}
	for i, command := range []Command{Drain, Resume, Stop, StopNow} {
		if state, err := Tell(t.Context(), path, command); err != nil || state.Report.Starts != i+1 || agent.told[i] != command {
			t.Errorf("%s: %+v, %v, told %v", command, state, err, agent.told)
		}
	}
	if err := server.http.Close(); err != nil {
		t.Error(err)
	}
	<-server.ended
	if _, err := Tell(t.Context(), path, Drain); !errors.Is(err, ErrNoAgent) || !strings.Contains(err.Error(), "a.sock") {
		t.Errorf("after it has ended: %v", err)
	}
}

// recorder is an agent that notes what it was told.
type recorder struct {
	mu   sync.Mutex
	told []Command
}

func (r *recorder) State() State {
	r.mu.Lock()
	defer r.mu.Unlock()
	return State{Name: "web-1", PID: os.Getpid(), Report: instance.Report{State: instance.Busy, Starts: len(r.told), Job: "build"}}
}

func (r *recorder) Do(command Command) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.told = append(r.told, command)
}

func listen(t *testing.T, path string) (*Server, *recorder) {
	t.Helper()
	agent := &recorder{}
	server, err := Listen(path, agent, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	return server, agent
}

func TestTwoAgents(t *testing.T) {
	t.Parallel()
	path := filepath.Join(folder(t), "a.sock")
	listen(t, path)
	if _, err := Listen(path, &recorder{}, slog.New(slog.DiscardHandler)); !errors.Is(err, ErrRunning) {
		t.Errorf("the second one: %v", err)
	}
	if _, err := Ask(t.Context(), path); err != nil {
		t.Errorf("the first one: %v", err)
	}
}

// stranger answers at path in the way of serve, which gets each connection.
func stranger(t *testing.T, path string, serve func(net.Conn)) {
	t.Helper()
	listener, err := foreign(path)
	if err != nil {
		t.Fatal(err)
	}
	var open sync.WaitGroup
	open.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			open.Go(func() {
				defer conn.Close()
				serve(conn)
			})
		}
	})
	t.Cleanup(func() {
		_ = listener.Close() // the test is over
		open.Wait()
	})
}

func TestAnswersThatAreNone(t *testing.T) {
	t.Parallel()
	http200 := func(body string) string {
		return fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	}
	for name, text := range map[string]string{
		"nothing":          "",
		"garbage":          "\x00\x01garbage\r\n\r\n",
		"not found":        "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
		"a page":           http200("<html>hello</html>"),
		"other JSON":       http200(`{"hello": "you"}`),
		"no process":       http200(`{"name": "web-1", "pid": 0}`),
		"half an answer":   "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"name\": \"web-1\"",
		"another place":    "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
		"a header for all": "HTTP/1.1 200 OK\r\n" + strings.Repeat("X: y\r\n", 1<<20),
		"too long":         http200(`{"name": "` + strings.Repeat("x", 2<<20) + `"}`),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(folder(t), "a.sock")
			stranger(t, path, func(conn net.Conn) {
				request := make([]byte, 1024)
				_, _ = conn.Read(request)
				_, _ = conn.Write([]byte(text))
			})
			began := time.Now()
			if state, err := Ask(t.Context(), path); !errors.Is(err, ErrAnswer) || time.Since(began) > patience {
				t.Errorf("%+v, %v after %s", state, err, time.Since(began))
			}
		})
	}
}

func TestAgentThatHangs(t *testing.T) {
	t.Parallel()
	path := filepath.Join(folder(t), "a.sock")
	ended := make(chan struct{})
	defer close(ended)
	stranger(t, path, func(net.Conn) { <-ended })
	began := time.Now()
	if _, err := Ask(t.Context(), path); !errors.Is(err, ErrNoAnswer) || time.Since(began) > 2*patience {
		t.Errorf("%v after %s", err, time.Since(began))
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Ask(ctx, path); !errors.Is(err, context.Canceled) {
		t.Errorf("given up: %v", err)
	}
}

func TestUnknownAddresses(t *testing.T) {
	t.Parallel()
	path := filepath.Join(folder(t), "a.sock")
	_, agent := listen(t, path)
	client := http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return connect(ctx, path)
	}}}
	defer client.CloseIdleConnections()
	for address, want := range map[string]int{
		"POST /v1/reboot": 404, "GET /v1/drain": 405, "POST /v1/state": 405, "GET /": 404, "POST /v1/drain/": 404,
	} {
		method, where, _ := strings.Cut(address, " ")
		request, err := http.NewRequestWithContext(t.Context(), method, "http://agent"+where, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		response, err := client.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close() // its status is what counts
		if response.StatusCode != want {
			t.Errorf("%s: %s", address, response.Status)
		}
	}
	if len(agent.told) != 0 {
		t.Errorf("the agent was told %v", agent.told)
	}
}
