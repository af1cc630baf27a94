package jail

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// sessionTest is set for a process that begins a session of keys, with one in it, before it is what it is to be.
const sessionTest = "JAIL_TEST_SESSION"

func beginSession(key string) {
	runtime.LockOSThread()
	_, err := unix.KeyctlInt(unix.KEYCTL_JOIN_SESSION_KEYRING, 0, 0, 0, 0)
	if err == nil {
		_, err = unix.AddKey("user", key, []byte("secret"), unix.KEY_SPEC_SESSION_KEYRING)
	}
	if err == nil {
		err = os.Unsetenv(sessionTest)
	}
	if err == nil {
		err = syscall.Exec("/proc/self/exe", os.Args, os.Environ())
	}
	fmt.Println("no session:", err)
	os.Exit(1)
}

// terminal makes one, of which a process is to be in charge.
func terminal(t *testing.T) (theirs *os.File) {
	t.Helper()
	ours, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("there are no terminals here: %v", err)
	}
	t.Cleanup(func() { _ = ours.Close() })
	if err = unix.IoctlSetPointerInt(int(ours.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	number, err := unix.IoctlGetInt(int(ours.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	theirs, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("this terminal is not here: %v", err)
	}
	t.Cleanup(func() { _ = theirs.Close() })
	return theirs
}

// TestSessionOfItsOwn: who is started in a life has neither the terminal nor the keys of the session in which its supervisor runs, nor
// what it could pass on: it may be root's.
func TestSessionOfItsOwn(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		theirs, key := terminal(t), word(t)
		sets := "^Cap(Inh|Amb|Eff|Prm)"
		if w.maker.Name() == Systemd {
			sets = "^Cap(Amb|Eff|Prm)" // what is passed on there is systemd's own, which has some in a container
		}
		keys := "grep -q " + key + " /proc/keys && echo key >>found; "
		if w.user.Self {
			keys = "" // an account sees the names of all its keys, also of those that it cannot use
		}
		spec := w.spec("(: </dev/tty) 2>/dev/null && echo terminal >>found; " + keys +
			"grep -E '" + sets + "' /proc/self/status | grep -v 0000000000000000 >>found; echo end >>found; mv found told; sleep 1000")
		spec.View.Sudo = true // otherwise the account gains nothing anyway
		w.supervisorAs(t, spec, func(cmd *exec.Cmd) {
			cmd.Env = append(cmd.Env, sessionTest+"="+key)
			cmd.Stdin = theirs
			cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
			if !w.user.Self {
				cmd.SysProcAttr.AmbientCaps = []uintptr{unix.CAP_KILL} // and so among those that are passed on
			}
		})
		told := filepath.Join(w.root, "told")
		become(t, "it tells what it has", func() bool { return exists(told) })
		text, err := os.ReadFile(told)
		if err != nil || strings.TrimSpace(string(text)) != "end" {
			t.Errorf("it has %q, %v", text, err)
		}
		if err := w.maker.EndStale(t.Context(), spec.Name); err != nil {
			t.Error(err)
		}
	})
}
