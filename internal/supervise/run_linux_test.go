package supervise

import (
	"os"
	"os/exec"
	"testing"
)

// A supervisor that is killed takes its listener with it: an orphan would keep
// its session, and its successor would be refused for minutes.
func TestListenerEndsWithItsSupervisor(t *testing.T) {
	t.Parallel()
	w := newWorld(t, false)
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), superviseRoot+"="+w.root)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	listening := w.WaitListening(t.Context(), "web-1")
	pid := w.listenerPID(t)
	if err := cmd.Process.Kill(); err != nil {
		t.Error(err)
	}
	if err := cmd.Wait(); err == nil {
		t.Error("it was not killed")
	}
	if listening != nil {
		t.Fatal(listening)
	}
	gone(t, pid)
}
