// Package writable has a runner take no jobs while nothing can be written where it works: after an error of its disk a kernel may
// make a file system read-only, and every job that came would fail at once.
package writable

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"syscall"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/supervise"
	"github.com/runner-bootstrap/runner-bootstrap/internal/volume"
)

const (
	// From is whose the orders are.
	From = "disk"
	// lookEach is how often is looked at what seems well, and againEach at what is not.
	lookEach  = time.Minute
	againEach = 10 * time.Second
)

// Watcher looks whether folders can be written to.
type Watcher struct {
	// Folders are this program's own: one that it may not write to is none of the disk's doing.
	Folders []string
	// Order is called for each order, by one goroutine, and may wait until the order is taken.
	Order func(supervise.Order)
	Log   *slog.Logger

	hint chan struct{}
}

// New returns a watcher that may be hinted at once.
func New(folders []string, order func(supervise.Order), log *slog.Logger) *Watcher {
	return &Watcher{Folders: folders, Order: order, Log: log, hint: make(chan struct{}, 1)}
}

// Hint has it look now, if err is what a disk says that is not well.
func (w *Watcher) Hint(err error) {
	if !ill(err) {
		return
	}
	select {
	case w.hint <- struct{}{}:
	default: // it is about to look
	}
}

// Run looks at once, and again and again until ctx ends. The runner is held while a folder cannot be written to, and released when
// all can be again.
func (w *Watcher) Run(ctx context.Context) {
	held := ""
	tick := time.NewTimer(0)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-w.hint:
		case <-tick.C:
		}
		switch reason := w.look(); {
		case reason == held:
		case reason != "":
			w.Log.Error("this host's disk takes nothing; its runner takes no jobs", "reason", reason)
			w.Order(supervise.Order{Kind: supervise.Hold, From: From, Fault: true, Reason: reason})
			held = reason
		default:
			w.Log.Warn("this host's disk can be written to again", "reason", held)
			w.Order(supervise.Order{Kind: supervise.Release, From: From, Reason: "the disk can be written to again"})
			held = ""
		}
		next := lookEach
		if held != "" {
			next = againEach
		}
		tick.Reset(next)
	}
}

// look is why a folder cannot be written to; empty if all can.
func (w *Watcher) look() string {
	for _, folder := range w.Folders {
		trial, err := volume.Try(folder)
		if err == nil {
			err = trial.Close()
		}
		if ill(err) {
			return fmt.Sprintf("nothing can be written to directory %q: %v", folder, cause(err))
		}
	}
	return ""
}

// ill tells whether an error is of a disk that is not well. A full one is another matter: what is in the way there can be removed.
func ill(err error) bool { return errors.Is(err, syscall.EROFS) || errors.Is(err, syscall.EIO) }

func cause(err error) error {
	var number syscall.Errno
	if errors.As(err, &number) {
		return number
	}
	return err
}
