package doctor

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/runner-bootstrap/runner-bootstrap/internal/jail"
)

// lockVariable makes the test binary hold a lock until its standard input ends.
const lockVariable = "RUNNER_BOOTSTRAP_TEST_LOCK"

func TestMain(m *testing.M) {
	if code, first := jail.First(os.Args); first {
		os.Exit(code)
	}
	if path := os.Getenv(lockVariable); path != "" {
		holdLock(path)
		return
	}
	os.Exit(m.Run())
}

func holdLock(path string) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err == nil {
		err = unix.FcntlFlock(file.Fd(), unix.F_SETLK, &unix.Flock_t{Type: unix.F_WRLCK, Whence: io.SeekStart})
	}
	if err != nil {
		os.Stdout.WriteString(err.Error() + "\n")
		return
	}
	os.Stdout.WriteString("held\n")
	_, _ = io.Copy(io.Discard, os.Stdin)
	file.Close()
}

func TestHeldBy(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "lock")
	if held := heldBy(path); held != nil {
		t.Errorf("a file that is not there: %v", held)
	}
	holder := exec.CommandContext(t.Context(), os.Args[0])
	holder.Env = append(os.Environ(), lockVariable+"="+path)
	in, err := holder.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := holder.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := holder.Start(); err != nil {
		t.Fatal(err)
	}
	said := make([]byte, 5)
	if _, err := io.ReadFull(out, said); err != nil || string(said) != "held\n" {
		t.Fatalf("the holder says %q, %v", said, err)
	}
	held := heldBy(path)
	if held == nil || held.PID != holder.Process.Pid || !strings.HasPrefix(filepath.Base(os.Args[0]), held.Program) || held.Program == "" || !errors.Is(held, ErrPackagesLocked) {
		t.Errorf("held by %+v, want process %d", held, holder.Process.Pid)
	}
	in.Close()
	if err := holder.Wait(); err != nil {
		t.Error(err)
	}
	if held := heldBy(path); held != nil {
		t.Errorf("after its end: %v", held)
	}
}
