package life

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/control"
	"github.com/runner-bootstrap/runner-bootstrap/internal/githubtest"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
)

// socket is where the runner's agent answers, as its record says.
func (h *host) socket() string {
	h.t.Helper()
	record, err := h.store.Load(runnerName)
	if err != nil || record.Control == "" {
		h.t.Fatalf("the record names no control socket: %+v, %v", record, err)
	}
	return record.Control
}

func (h *host) asked(want instance.State) {
	h.t.Helper()
	h.eventually(patience, "state "+string(want), func() error {
		state, err := control.Ask(h.t.Context(), h.socket())
		if err != nil || state.Report.State != want || state.Name != runnerName {
			return fmt.Errorf("it says %+v, %w", state, err)
		}
		return nil
	})
}

func (h *host) told(command control.Command) {
	h.t.Helper()
	if _, err := control.Tell(h.t.Context(), h.socket(), command); err != nil {
		h.t.Fatal(err)
	}
}

// What an agent is told on its control socket, it does.
func TestControl(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	h.install("--token-file", h.token, "--drain-timeout", "1m")
	run := h.run()
	h.comesUp(1, patience)
	h.asked(instance.Idle)
	if info, err := os.Lstat(h.socket()); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the socket is %v, %v", info, err)
	}
	h.told(control.Drain)
	h.asked(instance.Drained)
	h.told(control.Drain) // again
	h.told(control.Resume)
	h.asked(instance.Idle)

	// A stop lets the job finish.
	gate := filepath.Join(h.root(), "_work", "gate")
	job := h.server.QueueJob(runnerName, githubtest.Job{Script: "while ! test -e " + gate + "; do sleep 0.1; done"})
	h.asked(instance.Busy)
	h.told(control.Stop)
	h.eventually(patience, "a drain", func() error {
		if state, err := control.Ask(t.Context(), h.socket()); err != nil || !state.Report.Draining {
			return fmt.Errorf("it says %+v, %w", state, err)
		}
		return nil
	})
	h.put("_work/gate", "")
	if got, err := job.Wait(t.Context()); err != nil || got != "succeeded" {
		t.Errorf("the job %s, %v", got, err)
	}
	h.ends(run, 0, "it was asked to stop")
	if _, err := control.Ask(t.Context(), h.socket()); !errors.Is(err, control.ErrNoAgent) {
		t.Errorf("after its end: %v", err)
	}
	if _, err := os.Lstat(h.socket()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket is still there: %v", err)
	}

	// At once, it does not; and the socket of a killed agent is in nobody's way.
	if err := os.WriteFile(h.socket(), []byte("left"), 0o600); err != nil {
		t.Fatal(err)
	}
	run = h.run()
	h.comesUp(1, patience)
	job = h.server.QueueJob(runnerName, githubtest.Job{Script: "sleep 60"})
	h.asked(instance.Busy)
	began := time.Now()
	h.told(control.StopNow)
	if got, err := job.Wait(t.Context()); err != nil || got != "canceled" || time.Since(began) > 30*time.Second {
		t.Errorf("the job %s after %s, %v", got, time.Since(began), err)
	}
	h.ends(run, 0, "it was asked to stop")
}

// Commands use the socket, and status says of an agent that hangs that it does.
func TestCommandsUseTheSocket(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	h.install("--token-file", h.token)
	run := h.run()
	h.comesUp(1, patience)
	h.asked(instance.Idle)
	for _, words := range [][]string{{"drain"}, {"drain", "--resume"}} {
		if code := h.call(append(words, "--name", runnerName)...); code != 0 {
			t.Errorf("%q ended with %d", words, code)
		}
	}
	if n := strings.Count(h.log(), `reason="a command on the control socket"`); n != 2 {
		t.Errorf("the agent was told %d times on its socket, want 2", n)
	}
	state, err := control.Ask(t.Context(), h.socket())
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(state.PID, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	code := h.call("status", "--name", runnerName)
	if err := syscall.Kill(state.PID, syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	if want := fmt.Sprintf("its agent, process %d, does not answer", state.PID); code != 9 || !strings.Contains(h.log(), want) {
		t.Errorf("status of one that hangs ended with %d, without %q:\n%s", code, want, h.tail())
	}
	h.stops(run)
}
