package libraries

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// lockVariable makes the test binary hold a lock until its standard input ends.
const lockVariable = "RUNNER_BOOTSTRAP_TEST_LOCK"

func TestMain(m *testing.M) {
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

// TestLocksAreWaitedFor: a lock that somebody takes between two commands is waited for, as long as there is time, and nothing else is.
func TestLocksAreWaitedFor(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		says  string
		waits bool
	}{
		"lists of apt":    {"E: Could not get lock /var/lib/apt/lists/lock. It is held by process 42 (apt-get)", true},
		"archives of apt": {"E: Could not get lock /var/cache/apt/archives/lock. It is held by process 42 (apt-get)", true},
		"a lock whose holder cannot be seen": {
			"E: Could not get lock /var/lib/dpkg/lock-frontend - open (11: Resource temporarily unavailable)\n" +
				"E: Unable to acquire the dpkg frontend lock (/var/lib/dpkg/lock-frontend), is another process using it?", true,
		},
		"dpkg":   {"dpkg: error: dpkg frontend lock was locked by another process with pid 42", true},
		"rpm":    {"error: can't create transaction lock on /var/lib/rpm/.rpm.lock (Resource temporarily unavailable)", true},
		"zypper": {"System management is locked by the application with pid 42 (zypper).", true},
		"a full disk": {
			"E: Could not open lock file /var/lib/apt/lists/lock - open (28: No space left on device)\n" +
				"E: Unable to lock directory /var/lib/apt/lists/", false,
		},
		"a disk that is read-only": {
			"E: Could not open lock file /var/lib/dpkg/lock-frontend - open (30: Read-only file system)\n" +
				"E: Unable to acquire the dpkg frontend lock (/var/lib/dpkg/lock-frontend), is another process using it?", false,
		},
		"a full disk, of rpm":   {"error: can't create transaction lock on /var/lib/rpm/.rpm.lock (No space left on device)", false},
		"a package that is not": {"E: Unable to locate package libicu72", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			folder := t.TempDir()
			script := filepath.Join(folder, "manager")
			text := "#!/bin/sh\ncd " + folder + "\necho >>tries\n[ $(wc -l <tries) -gt 1 ] || { echo \"$SAYS\" >&2; exit 100; }\n"
			syscall.ForkLock.RLock()                         // as in manager
			err := os.WriteFile(script, []byte(text), 0o700) //nolint:gosec // it is run
			syscall.ForkLock.RUnlock()
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			var said []string
			r := runner{environment: []string{"SAYS=" + c.says}, say: func(line string) { said = append(said, line) }}
			_, err = r.run(ctx, script)
			if waited := strings.Contains(strings.Join(said, "\n"), "waiting for a lock"); waited != c.waits || (err == nil) != c.waits {
				t.Errorf("waited %t, %v; it said %q", waited, err, said)
			}
		})
	}
}
