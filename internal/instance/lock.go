package instance

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// ErrLocked is matched when another process is at work here.
var ErrLocked = errors.New("locked")

// LockedError says who holds a lock.
type LockedError struct {
	Object string // "this host", `runner "web-1"`
	PID    int
}

func (e *LockedError) Error() string {
	return fmt.Sprintf("%s is locked: process %d is at work on it", e.Object, e.PID)
}

// Is matches [ErrLocked].
func (e *LockedError) Is(target error) bool { return target == ErrLocked }

// Lock is held until Release or the end of the process and of every child that
// was given [Lock.File].
type Lock struct {
	file *os.File
	path string
}

// orphanWait is how long the children of a killed process are waited for. A
// config.sh that hangs on an unreachable server gives up within half of it.
const orphanWait = time.Minute

// glance is longer than anyone holds a lock just to see whether it is free.
const glance = time.Second

// LockHost takes the one lock for changing this host. While a living process
// holds it that fails at once with [ErrLocked]; when the holder was killed and
// its config.sh still runs, it is waited for, as what it does to GitHub and to
// the runner root must be over before anyone looks.
func (s *Store) LockHost(ctx context.Context) (*Lock, error) {
	for {
		if err := s.makeDir(); err != nil {
			return nil, fmt.Errorf("making the state directory: %w", err)
		}
		lock, err := acquire(ctx, filepath.Join(s.dir, hostLock), "this host", orphanWait)
		if errors.Is(err, os.ErrNotExist) && ctx.Err() == nil {
			continue // its holder removed the directory at this moment
		}
		if err == nil {
			s.removeParts()
		}
		return lock, err
	}
}

// makeDir makes the state directory. Only that is private: others pass through
// what is above it.
func (s *Store) makeDir() error {
	if err := os.MkdirAll(filepath.Dir(s.dir), 0o755); err != nil { //nolint:gosec // see above
		return err
	}
	if err := os.Mkdir(s.dir, 0o700); !errors.Is(err, os.ErrExist) {
		return err
	}
	return nil
}

// LockRunner takes the lock that the supervisor of a runner holds.
func (s *Store) LockRunner(ctx context.Context, name string) (*Lock, error) {
	return acquire(ctx, filepath.Join(s.home(name), runLock), fmt.Sprintf("runner %q", name), glance)
}

// Running gives the process id of the supervisor of name, 0 if there is none.
func (s *Store) Running(name string) (int, error) {
	file, err := os.Open(filepath.Join(s.home(name), runLock))
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("looking at the lock of %q: %w", name, err)
	}
	defer file.Close()
	held, err := lockFile(file)
	if err != nil {
		return 0, fmt.Errorf("looking at the lock of %q: %w", name, err)
	}
	if held {
		return 0, nil // it was free, and closing it frees it again
	}
	if pid := holder(file); alive(pid) {
		return pid, nil
	}
	return 0, nil // somebody else is looking as well; what is in it is from a dead one
}

// Release gives the lock up.
func (l *Lock) Release() { _ = l.file.Close() }

// Remove gives the lock up and takes its file away, and its directory if
// nothing else is in it. It is removed while it is held, so a process that waits for
// it finds that out by comparing the file with the path.
func (l *Lock) Remove() {
	_ = os.Remove(l.path)
	_ = os.Remove(filepath.Dir(l.path))
	_ = l.file.Close()
}

// File is the open lock: a child that inherits it holds the lock as well.
func (l *Lock) File() *os.File { return l.file }

func acquire(ctx context.Context, path, object string, patience time.Duration) (*Lock, error) {
	deadline := time.Now().Add(patience)
	for {
		lock, pid, err := tryLock(path)
		if errors.Is(err, errReplaced) {
			continue // its holder removed it at this moment: another file counts now
		}
		if err != nil {
			return nil, fmt.Errorf("locking %s: %w", object, err)
		}
		if lock != nil {
			return lock, nil
		}
		if alive(pid) || time.Now().After(deadline) {
			return nil, &LockedError{Object: object, PID: pid}
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("locking %s: %w", object, ctx.Err())
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// errReplaced means that the locked file is no longer the one at its path.
var errReplaced = errors.New("replaced")

// tryLock returns the lock, or the process id of its holder.
func tryLock(path string) (*Lock, int, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, 0, err
	}
	return claim(file, path)
}

// claim locks a file that was at path when it was opened, and closes it if it
// cannot have the lock.
func claim(file *os.File, path string) (*Lock, int, error) {
	held, err := lockFile(file)
	if err != nil || !held {
		pid := holder(file)
		return nil, pid, errors.Join(err, file.Close())
	}
	if !sameFile(file, path) {
		return nil, 0, errors.Join(errReplaced, file.Close())
	}
	if err := writeHolder(file); err != nil {
		return nil, 0, errors.Join(err, file.Close())
	}
	return &Lock{file: file, path: path}, 0, nil
}

func sameFile(file *os.File, path string) bool {
	held, err := file.Stat()
	if err != nil {
		return false
	}
	there, err := os.Stat(path)
	return err == nil && os.SameFile(held, there)
}

func writeHolder(file *os.File) error {
	if err := file.Truncate(0); err != nil {
		return err
	}
	_, err := file.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	return err
}

func holder(file *os.File) int {
	text, err := io.ReadAll(io.NewSectionReader(file, 0, 32))
	if err != nil {
		return 0
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return 0
	}
	return pid
}
