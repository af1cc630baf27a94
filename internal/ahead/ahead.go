// Package ahead makes the next copy of a runner while its listener waits and works.
package ahead

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime/debug"
	"sync"

	"github.com/runner-bootstrap/runner-bootstrap/internal/acl"
	"github.com/runner-bootstrap/runner-bootstrap/internal/download"
	"github.com/runner-bootstrap/runner-bootstrap/internal/inuse"
	"github.com/runner-bootstrap/runner-bootstrap/internal/removal"
)

// Copies makes the next copy of a runner while its listener waits and works, and removes the one before then as well,
// so that neither lies between two jobs. Both are in a folder that only root can enter until the copy takes its
// place. The zero value does nothing.
type Copies struct {
	// Dir is that folder, beside the runner's.
	Dir string
	// Make puts a copy of what the runner is made of there, and says what it is.
	Make func(ctx context.Context, there string) (download.Asset, error)
	Log  *slog.Logger

	mu     sync.Mutex
	made   download.Asset     // what lies there whole; zero if nothing does
	cancel context.CancelFunc // of the one at work
	done   chan struct{}      // closed when nobody is; nil where nobody ever was
}

func (a *Copies) next() string { return filepath.Join(a.Dir, "next") }
func (a *Copies) old() string  { return filepath.Join(a.Dir, "old") }

// Begin has the next copy made, unless it lies there or is on its way. It does not wait.
func (a *Copies) Begin() {
	if a == nil || a.Make == nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.made != (download.Asset{}) || a.working() {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	a.cancel, a.done = cancel, make(chan struct{})
	go func(done chan struct{}) {
		defer close(done)
		defer cancel()
		made, err := a.work(ctx)
		// The supervisor then waits for hours, beside jobs that can use the memory.
		debug.FreeOSMemory()
		if err != nil && ctx.Err() == nil {
			a.Log.Info("the next copy of the runner is made after the job", "reason", err.Error())
		}
		a.mu.Lock()
		a.made = made
		a.mu.Unlock()
	}(a.done)
}

// working tells whether somebody is at work; the caller holds mu.
func (a *Copies) working() bool {
	if a.done == nil {
		return false
	}
	select {
	case <-a.done:
		return false
	default:
		return true
	}
}

// work removes what lies there, also what a killed process has left, and makes the next copy.
func (a *Copies) work(ctx context.Context) (download.Asset, error) {
	if err := removal.Path(a.Dir); err != nil {
		return download.Asset{}, err
	}
	if err := ctx.Err(); err != nil {
		return download.Asset{}, err
	}
	if err := acl.MakePrivate(a.Dir); err != nil {
		return download.Asset{}, err
	}
	made, err := a.Make(ctx, a.next())
	if err != nil {
		return download.Asset{}, errors.Join(err, removal.Path(a.next()))
	}
	return made, nil
}

// Take moves the copy to a path where nothing is, if it is one of this asset. One that is on its way is
// waited for: it takes less long than another.
func (a *Copies) Take(ctx context.Context, asset download.Asset, to string) (bool, error) {
	if a == nil || a.Make == nil {
		return false, nil
	}
	a.wait(ctx)
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.working() {
		return false, nil
	}
	made := a.made
	a.made = download.Asset{} // one of another version is of no use any more: Begin makes the next one in its place
	if made.Version == "" || made.Version != asset.Version || made.SHA256 != asset.SHA256 {
		return false, nil
	}
	if err := inuse.Rename(a.next(), to); err != nil {
		return false, fmt.Errorf("taking the next copy of the runner: %w", err)
	}
	return true, nil
}

// Leave takes over a copy that is to be removed; Begin does so. What cannot be moved is the caller's to remove.
func (a *Copies) Leave(ctx context.Context, from string) error {
	if a == nil || a.Make == nil {
		return errors.ErrUnsupported
	}
	a.wait(ctx)
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.working() {
		return context.Cause(ctx)
	}
	if err := acl.MakePrivate(a.Dir); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	return inuse.Rename(from, a.old())
}

func (a *Copies) wait(ctx context.Context) {
	a.mu.Lock()
	done := a.done
	a.mu.Unlock()
	if done == nil {
		return
	}
	select {
	case <-done:
	case <-ctx.Done():
	}
}

// End stops the one at work, and leaves nothing.
func (a *Copies) End() {
	if a == nil || a.Make == nil {
		return
	}
	a.mu.Lock()
	if a.cancel != nil {
		a.cancel()
	}
	a.mu.Unlock()
	a.wait(context.Background())
	a.mu.Lock()
	defer a.mu.Unlock()
	a.made = download.Asset{}
	if err := removal.Path(a.Dir); err != nil {
		a.Log.Warn("cannot remove copies of the runner", "error", err)
	}
}
