//go:build e2e && linux

package life

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/githubtest"
	"github.com/runner-bootstrap/runner-bootstrap/internal/githubtest/contract"
	"github.com/runner-bootstrap/runner-bootstrap/test/wine"
)

// patience is for what takes moments, on a host that does much else.
const patience = 3 * time.Minute

const (
	// Program is where an administrator has the program.
	Program = `C:\Program Files\runner-bootstrap\runner-bootstrap.exe`

	token   = `C:\secrets\token`
	runner  = "web-1"
	version = "2.337.0"
)

// host is a Windows with the program on it, and its GitHub.
type host struct {
	*wine.Machine

	program string
	server  *githubtest.Server
}

func (h *host) For(t testing.TB) *host {
	return &host{Machine: h.Machine.For(t), program: h.program, server: h.server}
}

// newHost starts a GitHub beside a Windows, on this host's loopback.
func newHost(t *testing.T, m *wine.Machine, program string) *host {
	t.Helper()
	server := contract.Start(t, githubtest.Config{Archive: offered(t, version), SessionTTL: time.Second})
	h := &host{Machine: m, program: program, server: server}
	m.Write(token, h.server.Token()+"\n")
	return h
}

// offered is the archive of a runner for Windows.
func offered(t *testing.T, version string) *githubtest.Archive {
	t.Helper()
	listener, err := githubtest.BuildListener(t.Context(), t.TempDir(), "windows", "amd64")
	if err != nil {
		t.Fatal(err)
	}
	archive, err := githubtest.NewArchive(githubtest.ArchiveSpec{Platform: "win-x64", Version: version, Listener: listener})
	if err != nil {
		t.Fatal(err)
	}
	return archive
}

// does runs the program, which is to end with that code and to say those words.
func (h *host) does(t *testing.T, code int, words []string, arguments ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	result := h.Run(ctx, h.program, arguments...)
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
		t.Fatalf("%q: %s\n%s\n%v", arguments, result, h.log(), h.Processes())
	}
	return text
}

// log is what the agent has logged, where that is still there.
func (h *host) log() string {
	const path = `C:\ProgramData\runner-bootstrap\state\instances\` + runner + `\agent.log`
	if !h.Exists(path) {
		return ""
	}
	return h.Read(path)
}

func (h *host) ranJob(t *testing.T, job githubtest.Job) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	done := h.server.QueueJob(runner, job)
	if conclusion, err := done.Wait(ctx); err != nil || conclusion != "succeeded" {
		t.Errorf("the job %s, %v: %s", conclusion, err, done.Output())
	}
}

// online waits until GitHub has the runner so.
func (h *host) online(t *testing.T) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		all := h.server.Runners("")
		if len(all) == 1 && all[0].Status == "online" {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("GitHub has the runners %+v, want one that is online", all)
		}
	}
}

func (h *host) soon(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

func (h *host) succeeded(t *testing.T, run *githubtest.JobRun) {
	t.Helper()
	if conclusion, err := run.Wait(h.soon(t)); err != nil || conclusion != "succeeded" {
		t.Errorf("the job %s, %v: %s", conclusion, err, run.Output())
	}
}

func (h *host) busy(t *testing.T) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		if all := h.server.Runners(""); len(all) == 1 && all[0].Busy {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("no job runs")
		}
	}
}

// processes are those whose command line ends so.
func (h *host) processes(end string) []wine.Process {
	return slices.DeleteFunc(h.Processes(), func(p wine.Process) bool { return !strings.HasSuffix(strings.Join(p.Args, " "), end) })
}

// end kills the one whose command line ends so.
func (h *host) end(t *testing.T, end string) (pid int) {
	t.Helper()
	found := h.processes(end)
	if len(found) != 1 {
		t.Fatalf("%d processes end with %q: %v", len(found), end, h.Processes())
	}
	if err := found[0].Kill(); err != nil {
		t.Fatal(err)
	}
	return found[0].PID
}

func (h *host) stopped(t *testing.T, name string) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(100 * time.Millisecond) {
		said := h.Run(t.Context(), "sc", "query", name).Stdout
		if strings.Contains(said, "STOPPED") {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("service %s does not stop: %s", name, said)
		}
	}
}
