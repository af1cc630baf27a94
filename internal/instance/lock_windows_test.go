package instance

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// A lock that is removed leaves no file and no folder.
func TestRemovedLockLeavesNothing(t *testing.T) {
	t.Parallel()
	s := NewStore(filepath.Join(t.TempDir(), "state"))
	lock, err := s.LockHost(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.LockHost(t.Context()); !errors.Is(err, ErrLocked) {
		t.Errorf("it was locked twice: %v", err)
	}
	lock.Remove()
	if _, err := os.Stat(s.dir); !errors.Is(err, fs.ErrNotExist) {
		left, _ := os.ReadDir(s.dir)
		t.Errorf("left: %v, %v", left, err)
	}
	if lock, err = s.LockHost(t.Context()); err != nil {
		t.Fatal(err)
	}
	lock.Remove()
}

// Several commands at the same time: each gets the lock in the end, and never both.
func TestLocksThatAreRemovedWhileOthersWait(t *testing.T) {
	t.Parallel()
	s := NewStore(filepath.Join(t.TempDir(), "state"))
	var all sync.WaitGroup
	var held sync.Mutex
	for range 4 {
		all.Go(func() {
			for taken := 0; taken < 5; {
				lock, err := s.LockHost(t.Context())
				if errors.Is(err, ErrLocked) {
					<-time.After(time.Millisecond)
					continue
				}
				if err != nil {
					t.Error(err)
					return
				}
				if !held.TryLock() {
					t.Error("two have the lock")
				}
				<-time.After(time.Millisecond)
				held.Unlock()
				lock.Remove()
				taken++
			}
		})
	}
	all.Wait()
}
