//go:build e2e && linux

package wine

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/githubtest"
	"github.com/runner-bootstrap/runner-bootstrap/internal/githubtest/contract"
)

const (
	program = `C:\Program Files\runner-bootstrap\runner-bootstrap.exe`
	token   = `C:\secrets\token`
	runner  = "web-1"
	version = "2.337.0"
)

// host is a Windows with the program on it, and its GitHub.
type host struct {
	*Machine

	server *githubtest.Server
}

func (h *host) For(t testing.TB) *host { return &host{Machine: h.Machine.For(t), server: h.server} }

// newHost boots a Windows and starts a GitHub beside it, on this host's loopback.
func newHost(t *testing.T) *host {
	t.Helper()
	m := Boot(t, Options{})
	m.Put(Build(t, "cmd/runner-bootstrap"), program)
	h := &host{Machine: m, server: serve(t)}
	m.Write(token, h.server.Token()+"\n")
	return h
}

func serve(t *testing.T) *githubtest.Server {
	t.Helper()
	listener, err := githubtest.BuildListener(t.Context(), t.TempDir(), "windows", "amd64")
	if err != nil {
		t.Fatal(err)
	}
	archive, err := githubtest.NewArchive(githubtest.ArchiveSpec{Platform: "win-x64", Version: version, Listener: listener})
	if err != nil {
		t.Fatal(err)
	}
	rules, err := contract.New()
	if err != nil {
		t.Fatal(err)
	}
	server, err := githubtest.Start(githubtest.Config{Archive: archive, Wrap: func(next http.Handler) http.Handler {
		return rules.Wrap(next, func(err error) { t.Error(err) })
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, problem := range server.Problems() {
			t.Error(problem)
		}
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	return server
}

// does runs the program, which is to end with that code and to say those words.
func (h *host) does(t *testing.T, code int, words []string, arguments ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	result := h.Run(ctx, program, arguments...)
	text := result.Stdout + result.Stderr
	for _, word := range words {
		if !strings.Contains(text, word) {
			t.Errorf("%s does not say %q", arguments[0], word)
		}
	}
	if result.Code != code {
		t.Errorf("%s: exit code %d, want %d", arguments[0], result.Code, code)
	}
	if t.Failed() {
		t.Fatalf("%q: %s", arguments, result)
	}
	return text
}

func (h *host) ranJob(t *testing.T, job githubtest.Job) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	done := h.server.QueueJob(runner, job)
	if conclusion, err := done.Wait(ctx); err != nil || conclusion != "succeeded" {
		t.Errorf("the job %s, %v: %s", conclusion, err, done.Output())
	}
}

// online waits until GitHub has the runner so.
func (h *host) online(t *testing.T, want bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		all := h.server.Runners("")
		if len(all) == 1 && (all[0].Status == "online") == want {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("GitHub has the runners %+v, want one that is online: %v", all, want)
		}
	}
}

// TestForeground is a life without a service, as somebody who is no administrator.
func TestForeground(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	at := []string{"--dir", `C:\a place`}
	install := slices.Concat([]string{"install", "--url", h.server.URL() + "/octo-org", "--name", runner, "--no-service", "--token-file", token}, at)
	h.does(t, 0, nil, install...)
	h.does(t, 0, nil, install...)
	run := h.Start(program, slices.Concat([]string{"run", "--name", runner}, at)...)
	h.online(t, true)
	h.ranJob(t, githubtest.Job{Script: "echo %SystemRoot% && cmd /c ver"})
	h.does(t, 0, []string{"idle since"}, "status", at[0], at[1])
	run.Kill()
	h.does(t, 0, nil, "uninstall", "--token-file", token, at[0], at[1])
	if all := h.server.Runners(""); len(all) != 0 {
		t.Errorf("GitHub still has %+v", all)
	}
}

// TestService is a whole life as an administrator has it, with the service.
func TestService(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	h.Elevate(program)
	install := []string{"install", "--url", h.server.URL() + "/octo-org", "--name", runner, "--token-file", token}
	h.does(t, 0, []string{"listening after"}, install...)
	h.online(t, true)
	h.does(t, 0, []string{"running already"}, install...)
	h.ranJob(t, githubtest.Job{Script: "whoami & echo %TEMP%"})
	h.does(t, 0, []string{"idle since"}, "status")
	t.Log(h.does(t, 0, []string{"is starting", "job started", "job ended"}, "logs"))
	t.Log(h.does(t, 0, nil, "uninstall", "--token-file", token))
	if all := h.server.Runners(""); len(all) != 0 {
		t.Errorf("GitHub still has %+v", all)
	}
}
