package instance

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/acl"
	"github.com/runner-bootstrap/runner-bootstrap/internal/inuse"
	"github.com/runner-bootstrap/runner-bootstrap/internal/openfile"
)

// ErrLocked is matched when another process is at work here.
var ErrLocked = errors.New("locked")

// LockedError says who holds a lock.
type LockedError struct {
	Object string // "this host", `runner "web-1"`
	Holder Holder // none where that cannot be told
}

func (e *LockedError) Error() string {
	return fmt.Sprintf("%s is locked: %v is at work on it", e.Object, e.Holder)
}

// Is matches [ErrLocked].
func (e *LockedError) Is(target error) bool { return target == ErrLocked }

// Lock is held until Release or the end of the process. No child inherits it.
type Lock struct {
	file   *os.File
	path   string
	holder Holder
	made   []string // the folders that were made for it above its own, the nearest first
}

// orphanWait is how long what a killed process has started under a lock is waited for.
// A config.sh that hangs on an unreachable server gives up within half of it.
const orphanWait = time.Minute

// glance is longer than anyone holds a lock just to see whether it is free.
const glance = time.Second

// lockEach is how often it is looked whether a lock has become free.
const lockEach = 100 * time.Millisecond

// LockHost takes the one lock for changing this host. While a living process
// holds it that fails at once with [ErrLocked]; when the holder was killed and
// its config.sh still runs, that is waited for, as what it does to GitHub and to
// the runner root must be over before anyone looks; what works on after a minute is ended.
func (s *Store) LockHost(ctx context.Context) (*Lock, error) {
	made := missing(filepath.Dir(s.dir))
	for {
		if err := s.makeDir(); err != nil {
			return nil, fmt.Errorf("making the state directory: %w", err)
		}
		lock, err := acquire(ctx, filepath.Join(s.dir, hostLock), "this host")
		if errors.Is(err, os.ErrNotExist) && ctx.Err() == nil {
			continue // its holder removed the directory at this moment
		}
		if err == nil {
			lock.made = made
			s.removeParts()
		}
		return lock, err
	}
}

// missing are a folder and those above it that do not exist, the nearest first.
func missing(dir string) []string {
	var all []string
	for {
		if _, err := os.Lstat(dir); !errors.Is(err, os.ErrNotExist) || filepath.Dir(dir) == dir {
			return all
		}
		all = append(all, dir)
		dir = filepath.Dir(dir)
	}
}

// makeDir makes the state directory. Only that is private: others pass through
// what is above it.
func (s *Store) makeDir() error {
	if err := acl.KeepPublic(filepath.Dir(s.dir)); err != nil {
		return err
	}
	return acl.KeepPrivate(s.dir)
}

// LockRunner takes the lock that the supervisor of a runner holds.
func (s *Store) LockRunner(ctx context.Context, name string) (*Lock, error) {
	return acquire(ctx, filepath.Join(s.home(name), runLock), fmt.Sprintf("runner %q", name))
}

// Running gives the supervisor of name, none if there is none.
func (s *Store) Running(name string) (Holder, error) {
	file, err := openfile.Open(filepath.Join(s.home(name), runLock))
	if errors.Is(err, os.ErrNotExist) {
		return Holder{}, nil
	}
	if err != nil {
		return Holder{}, fmt.Errorf("looking at the lock of %q: %w", name, err)
	}
	defer file.Close()
	for looks := 1; ; looks++ {
		held, err := lockFile(file)
		if err != nil {
			return Holder{}, fmt.Errorf("looking at the lock of %q: %w", name, err)
		}
		if held {
			return Holder{}, unlockFile(file) // it was free
		}
		// None: somebody else is looking as well, and what is in it is from a dead one. Of one
		// elsewhere that cannot be told, but nobody looks for long.
		if now := readNote(file).holder.judge(file); !now.Elsewhere() || looks == 3 {
			return now, nil
		}
		<-time.After(lockEach / 2)
	}
}

// Path is where the lock's file is.
func (l *Lock) Path() string { return l.path }

// Release gives the lock up.
func (l *Lock) Release() {
	_ = emptyNote(l.file) // a name that stays is that of a dead one
	_ = letGo(l.file)     // what cannot be given up ends with this process
}

// Remove gives the lock up and takes its file away, and its directory and those that were made for
// that if nothing else is in them. It is removed while it is held, so a process that waits for
// it finds that out by comparing the file with the path.
func (l *Lock) Remove() {
	_ = inuse.Remove(l.path)
	_ = letGo(l.file) // what cannot be given up ends with this process
	// After the file, which on Windows may bear its name until nobody has it open.
	for _, dir := range append([]string{filepath.Dir(l.path)}, l.made...) {
		if os.Remove(dir) != nil {
			return
		}
	}
}

// letGo ends a lock with its file.
func letGo(file *os.File) error { return errors.Join(unlockFile(file), file.Close()) }

// TryLock takes the lock at path, which is somebody's who has no record, unless it is held
// or what a killed holder has started under it works on: then the error matches [ErrLocked].
func TryLock(ctx context.Context, path, object string) (*Lock, error) {
	for {
		lock, held, err := tryLock(ctx, path, false)
		if errors.Is(err, errReplaced) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("locking %s: %w", object, err)
		}
		if lock == nil {
			return nil, &LockedError{Object: object, Holder: held.by}
		}
		return lock, nil
	}
}

func acquire(ctx context.Context, path, object string) (*Lock, error) {
	return acquireWithin(ctx, path, object, orphanWait)
}

// acquireWithin takes a lock from the dead: what a killed process has left at work is
// waited for, and ended when patience is.
func acquireWithin(ctx context.Context, path, object string, patience time.Duration) (*Lock, error) {
	began := time.Now()
	for {
		waited := time.Since(began)
		lock, held, err := tryLock(ctx, path, waited > patience)
		if errors.Is(err, errReplaced) {
			continue // its holder removed it at this moment: another file counts now
		}
		if err != nil {
			return nil, fmt.Errorf("locking %s: %w", object, err)
		}
		if lock != nil {
			return lock, nil
		}
		// Somebody may just look whether it is free, or be about to write its name.
		certain := !held.by.None() && !held.by.Elsewhere()
		if certain || !held.left && waited > glance {
			return nil, &LockedError{Object: object, Holder: held.by}
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("locking %s: %w", object, ctx.Err())
		case <-time.After(lockEach):
		}
	}
}

// errReplaced means that the locked file is no longer the one at its path.
var errReplaced = errors.New("replaced")

// hindrance is what keeps a lock from being taken.
type hindrance struct {
	by   Holder // who holds it; none if that cannot be told
	left bool   // it is free, and what a killed holder has started under it works on
}

// tryLock returns the lock, or what keeps it. With force, nothing that was left does.
func tryLock(ctx context.Context, path string, force bool) (*Lock, hindrance, error) {
	file, err := inuse.Open(path, os.O_RDWR|os.O_CREATE, 0o600) // to read and write, which waits for no other end of a pipe
	if err != nil {
		return nil, hindrance{}, err
	}
	if info, err := file.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, hindrance{}, errors.Join(err, fmt.Errorf("opening %q: %w", path, openfile.ErrNotRegular), file.Close())
	}
	return claim(ctx, file, path, force)
}

// claim locks a file that was at path when it was opened, and closes it if it
// cannot have the lock.
func claim(ctx context.Context, file *os.File, path string, force bool) (*Lock, hindrance, error) {
	held, err := lockFile(file)
	if err != nil || !held {
		return nil, hindrance{by: readNote(file).holder.judge(file)}, errors.Join(err, file.Close())
	}
	if !sameFile(file, path) {
		return nil, hindrance{}, errors.Join(errReplaced, letGo(file))
	}
	before := readNote(file)
	if before.lives(file) {
		if !force {
			return nil, hindrance{left: true}, letGo(file)
		}
		if err := before.end(ctx); err != nil {
			return nil, hindrance{}, errors.Join(err, letGo(file))
		}
	}
	l := &Lock{file: file, path: path, holder: self()}
	if err := writeNote(file, note{holder: l.holder}); err != nil {
		return nil, hindrance{}, errors.Join(err, letGo(file))
	}
	return l, hindrance{}, nil
}

func sameFile(file *os.File, path string) bool {
	held, err := file.Stat()
	if err != nil {
		return false
	}
	there, err := os.Stat(path)
	return err == nil && os.SameFile(held, there)
}
