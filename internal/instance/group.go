package instance

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/reaper"
)

// group is a process group that works under a lock. It does not inherit the lock: what
// it leaves behind as a daemon would hold it for as long as it likes. The lock names it
// instead, and who takes the lock after its holder was killed waits for the group.
type group struct {
	noted bool
	pid   int // its leader's; 0 while it is about to start
	start uint64
	uid   int
}

// StartUnder has start begin a process, which is to lead a process group of its own, under
// locks. If this process is killed, the next one that takes one of them waits for the
// group, for a minute at most. Ended is called when nothing of it works any more; it is nil
// after an error.
//
// Start calls its argument before anything begins to work: with the leader of a group that ends when the work has, and will do
// so without this process too, or with 0 where there is none yet: then a minute is waited for what nobody can see.
func StartUnder(start func(begins func(leader int) error) (pid int, err error), locks ...*Lock) (ended func(), err error) {
	ended = func() {
		// Left behind it costs a wait, and only if this process is killed.
		_ = noteAll(locks, group{})
	}
	pid, err := start(func(leader int) error {
		if leader == 0 {
			return noteAll(locks, group{noted: true})
		}
		return noteAll(locks, groupOf(leader))
	})
	if err != nil {
		ended()
		return nil, err
	}
	// That it cannot be noted costs a wait at most: what was noted before stays.
	_ = noteAll(locks, groupOf(pid))
	return ended, nil
}

func noteAll(locks []*Lock, g group) error {
	for _, l := range locks {
		if err := writeNote(l.file, note{holder: l.holder, group: g}); err != nil {
			return fmt.Errorf("noting in %s what works under it: %w", l.path, err)
		}
	}
	return nil
}

func groupOf(pid int) group {
	g := group{noted: true, pid: pid, start: startOf(pid)}
	if p, err := reaper.Look(pid); err == nil {
		g.uid = p.UID
	}
	return g
}

// lives tells whether something of the group that a dead holder of file has noted may
// still be at work. What cannot be seen is, until it has had its time.
func (n note) lives(file *os.File) bool {
	switch {
	case !n.group.noted, n.holder.Boot != boot():
		return false
	case n.group.pid == 0, n.holder.Namespace != namespace():
		info, err := file.Stat()
		return err == nil && time.Since(info.ModTime()).Abs() < orphanWait // the clock may have been set since
	}
	// While one of the group lives, its number is given to no other process.
	start := startOf(n.group.pid)
	return (start == 0 || start == n.group.start) && groupAlive(n.group.pid)
}

// end ends what is left of the group, if it is known for sure.
func (n note) end(ctx context.Context) error {
	if n.group.start == 0 || n.holder.Namespace != namespace() || n.holder.Boot != boot() {
		return nil
	}
	leader := reaper.Process{PID: n.group.pid, Start: n.group.start, UID: n.group.uid}
	// No program lies below the root that is named here: the group alone is meant.
	_, err := reaper.EndOrphans(ctx, "/", n.group.uid, leader, 0)
	if err != nil && !errors.Is(err, context.Canceled) {
		return fmt.Errorf("ending what process %d has left: %w", n.holder.PID, err)
	}
	return err
}
