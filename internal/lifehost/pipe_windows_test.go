package lifehost

import (
	"context"
	"errors"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/windows"
)

// newTestPipe is a pipe for this account.
func newTestPipe(t *testing.T) *pipe {
	t.Helper()
	us, err := windows.GetCurrentProcessToken().GetTokenUser()
	if err != nil {
		t.Fatal(err)
	}
	p, err := newPipe(accessFor([]string{us.User.Sid.String()}))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// One who connects is known by the process, and there is no other beside it.
func TestAccept(t *testing.T) {
	t.Parallel()
	p := newTestPipe(t)
	connected := make(chan error, 1)
	go func() {
		file, err := os.OpenFile(p.name, os.O_RDWR, 0)
		if err == nil {
			_, err = os.OpenFile(p.name, os.O_RDWR, 0)
			if err == nil {
				err = errors.New("a second one has connected")
			} else {
				err = nil
			}
			t.Cleanup(func() { _ = file.Close() }) // the test is over
		}
		connected <- err
	}()
	file, err := p.accept(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if pid, err := client(file); err != nil || int(pid) != os.Getpid() {
		t.Errorf("process %d has connected, %v", pid, err)
	}
	if err := <-connected; err != nil {
		t.Error(err)
	}
}

// A service that does not come is given up, and its pipe is gone.
func TestAcceptIsGivenUp(t *testing.T) {
	t.Parallel()
	p := newTestPipe(t)
	short, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if _, err := p.accept(short); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("it ends with %v", err)
	}
	if _, err := os.OpenFile(p.name, os.O_RDWR, 0); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("its pipe: %v", err)
	}
}
