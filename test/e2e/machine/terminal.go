//go:build e2e && linux

package machine

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"regexp"
	"sync"
	"testing"
	"time"
)

// answerTimeout is how long a command at a terminal may take to show what is waited for.
const answerTimeout = 2 * time.Minute

// Terminal is a terminal in the machine, at which one command runs. Its methods fail the test when what they wait
// for does not come.
type Terminal struct {
	t     testing.TB
	line  string
	in    io.WriteCloser
	ended chan error

	mu    sync.Mutex
	shown bytes.Buffer
	read  int // how much of it Until has seen
}

// OpenTerminal starts a shell's command line at a new terminal of so many columns in the machine, as root. It ends with
// the test.
func OpenTerminal(t testing.TB, m *Machine, columns int, line string) *Terminal {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	cmd, err := m.command(ctx, "script", "-qefc", fmt.Sprintf("stty cols %d rows 24; %s", columns, line), "/dev/null")
	if err != nil {
		cancel()
		t.Fatalf("opening a terminal in the machine: %v", err)
	}
	cmd.Env = append(cmd.Env, "SHELL=/bin/sh", "TERM=xterm-256color")
	w := &Terminal{t: t, line: line, ended: make(chan error, 1)}
	cmd.Stdout, cmd.Stderr = w, w
	if w.in, err = cmd.StdinPipe(); err == nil {
		err = cmd.Start()
	}
	if err != nil {
		cancel()
		t.Fatalf("opening a terminal in the machine: %v", err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.ended <- cmd.Wait()
	}()
	t.Cleanup(func() {
		cancel()
		<-done
	})
	return w
}

// Write takes what the terminal shows; it never fails.
func (w *Terminal) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.shown.Write(p)
}

// Shown is everything that was written to the terminal so far, with what moves its cursor.
func (w *Terminal) Shown() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.shown.String()
}

// Type is what a person types, Enter included where it is meant.
func (w *Terminal) Type(text string) {
	w.t.Helper()
	if _, err := io.WriteString(w.in, text); err != nil {
		w.t.Fatalf("typing at %q: %v\n%s", w.line, err, w.Shown())
	}
}

// Until waits until the terminal shows what matches, after what it waited for before.
func (w *Terminal) Until(pattern string) {
	w.t.Helper()
	expression := regexp.MustCompile(pattern)
	for deadline := time.Now().Add(answerTimeout); ; time.Sleep(glance) {
		shown := w.Shown()
		if at := expression.FindStringIndex(shown[w.read:]); at != nil {
			w.read += at[1]
			return
		}
		if time.Now().After(deadline) {
			w.t.Fatalf("waiting for %q at %q: it shows\n%s", pattern, w.line, shown)
		}
	}
}

// End waits until the command has ended, and returns what it has shown, and its error if it failed.
func (w *Terminal) End() (string, error) {
	w.t.Helper()
	select {
	case err := <-w.ended:
		return w.Shown(), err
	case <-time.After(answerTimeout):
		w.t.Fatalf("waiting for the end of %q: it shows\n%s", w.line, w.Shown())
		return "", nil
	}
}
