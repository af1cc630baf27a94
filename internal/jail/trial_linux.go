package jail

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"

	"golang.org/x/sys/unix"
)

// probe tries whether a life can be had with namespaces. A thread makes them as a first process would, and they end with it: a
// process for it would cost as much as the life itself.
func (m *byProcess) probe(ctx context.Context) error {
	at := m.room("probe-" + strconv.Itoa(os.Getpid()))
	b := beginning{View: View{Confined: true}, Room: at.path}
	if err := at.make(b.View, nobody()); err != nil {
		return err
	}
	err := onThreadOfItsOwn(func() error {
		if err := unix.Unshare(unix.CLONE_NEWNS | unix.CLONE_NEWIPC | unix.CLONE_NEWPID); err != nil {
			return fmt.Errorf("making namespaces: %w", err)
		}
		if step, err := b.view(); err != nil {
			return fmt.Errorf("%s: %w", step, err)
		}
		return nil
	})
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return errors.Join(err, at.discard())
}

// onThreadOfItsOwn does something on a thread that ends with it, with all that was made that thread's own.
func onThreadOfItsOwn(do func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // for good, which is what ends the thread with this goroutine
		if unix.Gettid() != unix.Getpid() {
			done <- do()
			return
		}
		// The first thread ends with the process alone, and /proc shows the process as that thread is.
		done <- onThreadOfItsOwn(do)
		runtime.UnlockOSThread()
	}()
	return <-done
}
