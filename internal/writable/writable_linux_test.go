package writable

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/mounttest"
	"github.com/runner-bootstrap/runner-bootstrap/internal/supervise"
)

// A disk that takes nothing when a runner starts is found then, and not after the first jobs have failed.
func TestReadOnlyAtStart(t *testing.T) {
	if !mounttest.Own(t) {
		return
	}
	disk := t.TempDir()
	if err := syscall.Mount("disk", disk, "tmpfs", syscall.MS_RDONLY, "size=64k"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(disk, 0); err != nil {
			t.Error(err)
		}
	})
	orders := make(chan supervise.Order, 1)
	w := New([]string{disk}, func(o supervise.Order) { orders <- o }, slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		w.Run(ctx)
	}()
	select {
	case o := <-orders:
		if o.Kind != supervise.Hold || !o.Fault || !strings.Contains(o.Reason, disk) {
			t.Errorf("it orders %+v", o)
		}
	case <-time.After(lookEach / 4):
		t.Error("it orders nothing")
	}
	cancel()
	<-ended
}

// A runner is held while its disk takes nothing, and released when that is over: a real file system is made read-only, and made good
// again. One that is full has it held no more than one that is well.
func TestReadOnlyAndGoodAgain(t *testing.T) {
	if !mounttest.Own(t) {
		return
	}
	disk, other := t.TempDir(), t.TempDir()
	mount := func(flags uintptr) {
		t.Helper()
		if err := syscall.Mount("disk", disk, "tmpfs", flags, "size=64k"); err != nil {
			t.Fatal(err)
		}
	}
	mount(0)
	t.Cleanup(func() {
		if err := syscall.Unmount(disk, 0); err != nil {
			t.Error(err)
		}
	})
	orders := make(chan supervise.Order, 9)
	w := New([]string{other, disk}, func(o supervise.Order) { orders <- o }, slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		w.Run(ctx)
	}()
	ill := fmt.Errorf("saving the report: %w", syscall.EROFS)
	none := func(when string) {
		t.Helper()
		select {
		case o := <-orders:
			t.Errorf("%s it orders %+v", when, o)
		case <-time.After(300 * time.Millisecond):
		}
	}
	next := func(when string, within time.Duration) (o supervise.Order) {
		t.Helper()
		select {
		case o = <-orders:
		case <-time.After(within):
			t.Fatalf("%s it orders nothing", when)
		}
		return o
	}

	none("when it starts and all is well")
	w.Hint(ill)
	none("while all is well")
	if err := os.WriteFile(filepath.Join(disk, "full"), make([]byte, 1<<20), 0o600); err == nil {
		t.Fatal("it is not full")
	}
	w.Hint(ill)
	none("while the disk is full")

	mount(syscall.MS_REMOUNT | syscall.MS_RDONLY)
	w.Hint(syscall.ENOSPC)
	none("when nobody has found anything ill")
	w.Hint(ill)
	held := next("while the disk takes nothing", lookEach)
	if held.Kind != supervise.Hold || held.From != From || !held.Fault || !strings.Contains(held.Reason, disk) || !strings.Contains(held.Reason, "read-only") {
		t.Errorf("while the disk takes nothing it orders %+v", held)
	}
	w.Hint(ill)
	none("when it says the same again")

	mount(syscall.MS_REMOUNT)
	if o := next("when the disk is good again", 3*againEach); o.Kind != supervise.Release || o.From != From {
		t.Errorf("when the disk is good again it orders %+v", o)
	}
	none("after that")
	cancel()
	<-ended
}
