//go:build unix

package bootstrap_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/control"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
)

const (
	// holdVariable makes the test's own program the agent of a runner in that state directory, socketVariable one that
	// answers on a socket, and stubbornVariable one that does not end when it is asked to.
	holdVariable     = "BOOTSTRAP_TEST_HOLD"
	socketVariable   = "BOOTSTRAP_TEST_SOCKET"
	stubbornVariable = "BOOTSTRAP_TEST_STUBBORN"
)

// agent is one as far as others see it: it holds the lock of the runner, reports, and obeys. Starts in its report are how
// many commands it has heard.
type agent struct {
	store *instance.Store
	told  chan control.Command

	mu     sync.Mutex
	report instance.Report
}

// State implements control.Agent.
func (a *agent) State() control.State {
	a.mu.Lock()
	defer a.mu.Unlock()
	return control.State{Name: runnerName, PID: os.Getpid(), Report: a.report}
}

// Do implements control.Agent.
func (a *agent) Do(command control.Command) { a.told <- command }

func (a *agent) becomes(change func(r *instance.Report)) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	change(&a.report)
	return a.store.SaveReport(runnerName, a.report)
}

// holdRunner is the agent's main program. It ends after a while in any case. A file "deaf" in the state directory has it
// obey no more.
func holdRunner(state string) (err error) {
	a := &agent{store: instance.NewStore(state), told: make(chan control.Command, 4)}
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGUSR1, syscall.SIGUSR2)
	lock, err := a.store.LockRunner(context.Background(), runnerName)
	if err != nil {
		return err
	}
	defer lock.Release()
	if path := os.Getenv(socketVariable); path != "" {
		server, err := control.Listen(path, a, slog.New(slog.DiscardHandler))
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, server.Close()) }()
	}
	err = a.becomes(func(r *instance.Report) { r.State, r.PID, r.Since = instance.Idle, os.Getpid(), time.Now() })
	over := time.After(time.Minute)
	for err == nil {
		var command control.Command
		select {
		case <-over:
			return nil
		case command = <-a.told:
		case what := <-signals:
			command = map[os.Signal]control.Command{
				syscall.SIGUSR1: control.Drain, syscall.SIGUSR2: control.Resume, syscall.SIGTERM: control.Stop, syscall.SIGINT: control.StopNow,
			}[what]
		}
		if stops := command == control.Stop || command == control.StopNow; stops && os.Getenv(stubbornVariable) == "" {
			return nil
		}
		_, missing := os.Stat(filepath.Join(state, "deaf"))
		err = a.becomes(func(r *instance.Report) {
			r.Starts++
			switch {
			case missing == nil:
			case command == control.Drain:
				r.State, r.Draining = instance.Drained, true
			case command == control.Resume:
				r.State, r.Draining = instance.Idle, false
			}
		})
	}
	return err
}

// outsideAgent is a process that is the agent of the runner: see holdRunner.
func (w *world) outsideAgent(environment ...string) *exec.Cmd {
	w.t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(append(os.Environ(), holdVariable+"="+w.host.Paths.State), environment...)
	cmd.Stderr = w.log
	if err := cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = cmd.Wait() // it ends by a signal, or because it is told to
	}()
	w.t.Cleanup(func() {
		if err := cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
			w.t.Error(err)
		}
		<-ended
	})
	w.await("the agent comes up", func() bool {
		report, err := w.store.LoadReport(runnerName)
		return err == nil && report.PID == cmd.Process.Pid && report.State != ""
	})
	return cmd
}

// await waits until something is so.
func (w *world) await(what string, so func() bool) {
	w.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !so(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			w.t.Fatalf("in vain: %s", what)
		}
	}
}

// socket has the record say on which socket the runner's agent answers, and returns what has an agent do so.
func (w *world) socket() (environment string) {
	w.t.Helper()
	path := filepath.Join(w.base, "run", "web-1.sock")
	_, err := w.store.Update(w.t.Context(), runnerName, func(r *instance.Record) { r.Control = path })
	mustDo(w.t, err)
	return socketVariable + "=" + path
}

// ways are those in which an agent hears commands.
func ways() map[string]func(w *world) (environment string) {
	return map[string]func(w *world) string{
		"by signals":       func(*world) string { return "" },
		"on its socket":    (*world).socket,
		"without a socket": func(w *world) string { w.socket(); return "" }, // as of an agent that could make none
	}
}

// Drain and resume are told to the agent, and waited for.
func TestDrain(t *testing.T) {
	t.Parallel()
	for name, way := range ways() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			r := w.brought()
			r.Service = false
			w.install(r)
			w.outsideAgent(way(w))
			report := func() instance.Report {
				report, err := w.store.LoadReport(runnerName)
				mustDo(t, err)
				return report
			}
			mustDo(t, w.host.Drain(t.Context(), runnerName), w.host.Drain(t.Context(), runnerName))
			// The second one was done before it was heard, and two signals that wait come in no order.
			w.await("it hears both", func() bool { return report().Starts == 2 })
			if now, _, _, err := control.Latest(t.Context(), w.store, w.record()); err != nil || now.State != instance.Drained || !now.Draining {
				t.Errorf("after draining: %+v, %v", now, err)
			}
			_, err := w.host.Resume(t.Context(), runnerName)
			mustDo(t, err)
			if got := report().State; got != instance.Idle {
				t.Errorf("after resuming it is %s", got)
			}
			mustDo(t, os.WriteFile(filepath.Join(w.host.Paths.State, "deaf"), nil, 0o600))
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			expect(t, w.host.Drain(ctx, runnerName), context.DeadlineExceeded, "draining runner")
		})
	}
}

// A runner that is resumed may go on waiting for its machine; where something is wrong with that, it is an error.
func TestResumeWaits(t *testing.T) {
	t.Parallel()
	for name, faulty := range map[string]bool{"not in service": false, "faulty": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			r := w.brought()
			r.Service = false
			w.install(r)
			w.socket()
			lock, err := w.store.LockRunner(t.Context(), runnerName)
			mustDo(t, err)
			defer lock.Release()
			a := &agent{store: w.store, told: make(chan control.Command, 4)}
			mustDo(t, a.becomes(func(r *instance.Report) { r.State, r.PID, r.Draining = instance.Drained, os.Getpid(), true }))
			server, err := control.Listen(w.record().Control, a, slog.New(slog.DiscardHandler))
			mustDo(t, err)
			defer server.Close()
			heard := make(chan control.Command, 1)
			go func() {
				heard <- <-a.told
				if err := a.becomes(func(r *instance.Report) { r.Draining, r.Reason, r.Faulty = false, "its disk is full", faulty }); err != nil {
					t.Error(err)
				}
			}()
			waits, err := w.host.Resume(t.Context(), runnerName)
			if command := <-heard; command != control.Resume {
				t.Errorf("it was told %q", command)
			}
			if faulty {
				expect(t, err, syscall.EROFS, "resuming runner", "its disk is full")
			}
			if !faulty && (err != nil || waits != "its disk is full") {
				t.Errorf("it waits, %q, %v", waits, err)
			}
		})
	}
}
