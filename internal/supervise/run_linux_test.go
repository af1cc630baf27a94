package supervise

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
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

// Where all that an update consists of was killed, it is not waited for.
func TestSelfUpdateThatIsKilled(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("without namespaces, what is left of a life comes to this process")
	}
	root := scripted(t, `echo "Listening for Jobs"
		[ -e once ] && { trap 'exit 0' INT; while :; do sleep 0.05; done; }
		echo >once; (while :; do sleep 1; done) & exit 3`)
	c := config(root, quiet())
	c.Backoff.Update = 2 * patience
	r := supervise(t, c)
	r.until("the update", func(c Change) bool { return c.State == Updating })
	// Who keeps the life: with it the kernel ends all that it has left.
	text, err := os.ReadFile(filepath.Join(filepath.Dir(root), "lives", c.Life.Name, "first"))
	var keeper struct {
		PID int `json:"pid"`
	}
	if err := errors.Join(err, json.Unmarshal(text, &keeper)); err != nil || keeper.PID <= 1 {
		t.Fatalf("%q: %v", text, err)
	}
	if err := syscall.Kill(keeper.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	r.until("another listener", func(c Change) bool { return c.State == Idle && c.Starts == 2 })
	if err := r.stop(); err != nil {
		t.Error(err)
	}
}
