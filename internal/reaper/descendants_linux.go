package reaper

import (
	"context"
	"fmt"
	"os"
	"slices"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Subreaper makes this process the parent of every descendant that loses its
// own, as process 1 is for the rest. It holds until this process ends and may
// be repeated. From then on somebody has to wait for every child, or
// EndDescendants has to be called now and then, or zombies add up.
//
// Races: who lost its parent before has another one, and stays with that.
func Subreaper() error {
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("becoming the parent of orphaned descendants: %w", err)
	}
	return nil
}

// reap takes the exit statuses of children that have ended. It never blocks. A number cannot be given out again while its
// zombie is there, so what is reaped is what was looked at.
func reap(entries []entry) {
	self := os.Getpid()
	for _, e := range entries {
		if e.parent == self && e.dead() {
			// Whatever it says, somebody has it, or the next walk sees it again.
			_, _ = unix.Wait4(e.pid, nil, unix.WNOHANG, nil)
		}
	}
}

// EndDescendants ends every descendant of this process: SIGTERM, up to grace
// for them to end, then SIGKILL. When ctx ends, the grace does. Those that left
// for another session or process group are found as well, and those whose
// parents ended too when this process is a Subreaper or process 1; otherwise
// the latter are nobody's. It reaps every child, so nobody may wait for one.
//
// Ended is the number of processes that were signalled and are gone. After
// success no descendant is left, not even a zombie. The error is errLeft when
// some live on five seconds after the first SIGKILL, else that the processes
// cannot be listed. It may be repeated.
//
// Races: every signal goes to exactly the process that was looked at and found
// to be a descendant. What is forked meanwhile is found in the next round.
func EndDescendants(ctx context.Context, grace time.Duration) (ended int, err error) {
	h := hunt{find: findDescendants, ask: syscall.SIGTERM, seen: map[Process]bool{}}
	gone, err := h.until(ctx, grace)
	if err == nil && !gone {
		gone, err = h.kill(context.WithoutCancel(ctx))
	}
	return h.result(gone, err)
}

// Descended tells whether a descendant of this process runs, with what [EndDescendants] says of those who left. It reaps nobody. It
// is true when the processes cannot be listed.
func Descended() bool {
	entries, err := walk()
	return err != nil || len(runningOf(entries)) > 0
}

// findDescendants returns the descendants that run, and reaps those that were
// children. None are left when there was no child at all: every
// descendant has a line of parents up to a child, and a child stays in /proc,
// be it as a zombie, until this process reaps it.
func findDescendants() (running []Process, none bool, err error) {
	entries, err := walk()
	if err != nil {
		return nil, false, err
	}
	self := os.Getpid()
	none = !slices.ContainsFunc(entries, func(e entry) bool { return e.parent == self })
	running = runningOf(entries)
	reap(entries)
	return running, none, nil
}

// runningOf are the descendants among the processes of a walk that run.
func runningOf(entries []entry) []Process {
	var running []Process
	ours := descendants(entries)
	for _, e := range entries {
		if ours[e.pid] && !e.dead() && descends(e) {
			if p, err := look(e.pid); err == nil && e.is(p) {
				running = append(running, p)
			}
		}
	}
	return running
}

// descendants returns the numbers of this process's descendants by one walk. As
// numbers may change hands during a walk, a stranger may be among them.
func descendants(entries []entry) map[int]bool {
	children := make(map[int][]int, len(entries))
	for _, e := range entries {
		children[e.parent] = append(children[e.parent], e.pid)
	}
	found := map[int]bool{}
	for queue := children[os.Getpid()]; len(queue) > 0; queue = queue[1:] {
		if pid := queue[0]; !found[pid] {
			found[pid] = true
			queue = append(queue, children[pid]...)
		}
	}
	return found
}

// descends follows the line of parents of e, each read after its child. Should
// a parent's number be given out again between the two, the new holder is
// younger than the child, which no parent is.
func descends(e entry) bool {
	self := os.Getpid()
	again, err := stat(e.pid)
	if err != nil || again.start != e.start {
		return false
	}
	const deepest = 10_000 // the line cannot be a circle, but its links are read one by one
	for range deepest {
		if again.parent == self {
			return true
		}
		parent, err := stat(again.parent)
		if err != nil || parent.start > again.start {
			return false
		}
		again = parent
	}
	return false
}
