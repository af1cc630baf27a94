package jail

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/runner-bootstrap/runner-bootstrap/internal/account"
)

// keyTest is set for the process that puts a key where its account keeps them.
const keyTest = "JAIL_TEST_KEY"

// leaveKey says why it could not.
func leaveKey(name string) {
	code := 0
	if _, err := unix.AddKey("user", name, []byte("secret"), unix.KEY_SPEC_USER_KEYRING); err != nil {
		os.Stdout.WriteString(err.Error())
		code = 1
	}
	os.Exit(code)
}

// TestKeysAreForgotten: what the account has in the kernel's keyrings is gone for a life whose account is its own, and there for others.
func TestKeysAreForgotten(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		if w.user.Self {
			t.Skip("who is the account is nobody else")
		}
		// An account whose keys no other test looks at, nor the same one in another machine, which has the same kernel.
		number := 1_000_000_000 + int(time.Now().UnixNano()%1_000_000_000)
		w.user = account.User{UID: number, GID: number}
		if err := w.user.Own(w.root); err != nil {
			t.Fatal(err)
		}
		key := word(t)
		leave := exec.CommandContext(t.Context(), "/proc/self/exe")
		leave.Env = append(os.Environ(), keyTest+"="+key)
		leave.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(w.user.UID), Gid: uint32(w.user.GID)}}
		if said, err := leave.Output(); err != nil {
			t.Skipf("this host lets nobody have keys: %s, %v", said, err)
		}
		for _, own := range []bool{false, true} {
			// The kernel takes a moment to throw away what is in no keyring any more.
			spec := w.spec("for i in 1 2 3 4 5 6 7 8 9; do grep -q " + key + " /proc/keys || exec echo gone; sleep 0.2; done; echo there")
			spec.View.Fresh, spec.View.OwnKeys = true, own
			if got, _ := w.runs(t, spec); (strings.TrimSpace(got) == "gone") != own {
				t.Errorf("account of its own %t: it is %s", own, got)
			}
		}
	})
}

// TestKeysOfALargeNumber: the account is the right one on a processor of 32 bits as well, where the kernel has two calls for it.
func TestKeysOfALargeNumber(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root becomes another account")
	}
	const number = 1<<16 + 601
	var uid, gid int
	err := onThread(func() error {
		err := clearKeyrings(account.User{UID: number, GID: number})
		status, readErr := os.ReadFile("/proc/thread-self/status")
		for line := range strings.Lines(string(status)) {
			_, _ = fmt.Sscanf(line, "Uid: %d", &uid)
			_, _ = fmt.Sscanf(line, "Gid: %d", &gid)
		}
		return errors.Join(err, readErr)
	})
	if err != nil || uid != number || gid != number {
		t.Errorf("it cleared the keys of account %d of group %d: %v", uid, gid, err)
	}
}

// TestOnThread: the main thread is never used up, whichever one it begins on.
func TestOnThread(t *testing.T) {
	t.Parallel()
	for range 200 {
		err := onThread(func() error {
			if unix.Gettid() == os.Getpid() {
				return errors.ErrUnsupported
			}
			return nil
		})
		if err != nil {
			t.Fatal("it ran on the main thread")
		}
	}
}
