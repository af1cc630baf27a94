package reaper

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// EndOrphans ends what the listener of a supervisor that was killed has left:
// the running processes of the account uid whose program was started by an
// absolute path below root's bin, bin.*, externals or externals.*, and that are
// no descendants of this process, and those of the process group that the old
// listener led. Root is an absolute path, as it is or with its links followed;
// the root of the file system, whose bin is everybody's, holds none. What cannot
// be looked at is not found.
//
// What counts of a program is argv[0], since the file behind a process of another
// account is not told without more rights than a service needs. A process can
// change it, and so hide or expose itself, but not those of other accounts.
//
// Group is that listener as Look told it in this boot, or zero when it is
// not known; of its group count the processes of the account uid that started
// no earlier. When its number has been given out again, the group is not its
// own. Never signalled are this process, its process group, its descendants,
// process 1, and processes of other accounts.
//
// They get SIGINT, on which a listener cancels its job and closes its session,
// up to grace to end, and SIGKILL. Ended is the number of those that were
// signalled and are gone. After success none is left. The error is errLeft when
// some live on five seconds after the first SIGKILL, that the processes cannot
// be listed, or, when ctx has ended, its cause: then nothing was killed that
// had time left, and those that were interrupted still end or not. It may be
// repeated.
//
// Races: every signal goes to exactly the process that was looked at, if it
// still is of the account. What is forked meanwhile is found in the next round;
// something that forks and ends faster than /proc is read can escape.
func EndOrphans(ctx context.Context, root string, uid int, group Process, grace time.Duration) (ended int, err error) {
	search := orphans{root: root, uid: uid, group: group, apart: unix.Getpgrp()}
	h := hunt{ask: syscall.SIGINT, seen: map[Process]bool{}, find: func() ([]Process, bool, error) {
		found, err := search.find()
		return found, len(found) == 0, err
	}}
	gone, err := h.until(ctx, grace)
	if err == nil && !gone && ctx.Err() == nil {
		gone, err = h.kill(ctx)
	}
	if err == nil && !gone && ctx.Err() != nil {
		err = fmt.Errorf("ending orphans: %w", context.Cause(ctx))
	}
	return h.result(gone, err)
}

// orphans says which processes are looked for.
type orphans struct {
	root  string
	uid   int
	group Process
	apart int // a process group that is passed over, 0 for none
}

func (o orphans) find() ([]Process, error) {
	entries, err := walk()
	if err != nil {
		return nil, err
	}
	roots := spellings(o.root)
	ours := descendants(entries)
	self := os.Getpid()
	var found, grouped []Process
	for _, e := range entries {
		if e.pid <= 1 || e.pid == self || e.group == o.apart || e.dead() || ours[e.pid] {
			continue
		}
		member := o.group.PID > 1 && o.group.Start > 0 && e.group == o.group.PID && e.start >= o.group.Start
		inTree := inside(roots, argument(e.pid))
		if !member && !inTree {
			continue
		}
		// The same process before and after its arguments were read, so they are its own.
		p, err := look(e.pid)
		if err != nil || !e.is(p) || p.UID != o.uid {
			continue
		}
		if inTree {
			found = append(found, p)
		} else {
			grouped = append(grouped, p)
		}
	}
	// Asked last: had the number been given out again before its group was read,
	// the new holder would be seen now.
	if leader, err := stat(o.group.PID); err == nil && !leader.is(o.group) {
		return found, nil
	}
	return slices.Concat(found, grouped), nil
}

// spellings returns the paths by which programs below root may have been started.
// The root of the file system stands for nothing: it already ends in a slash.
func spellings(root string) []string {
	if !filepath.IsAbs(root) {
		return nil
	}
	roots := []string{filepath.Clean(root)}
	if real, err := filepath.EvalSymlinks(root); err == nil && real != roots[0] {
		roots = append(roots, real)
	}
	return roots
}

// inside reports whether program is in one of the folders of a runner. As roots
// are absolute, it has to be as well.
func inside(roots []string, program string) bool {
	return slices.ContainsFunc(roots, func(root string) bool {
		rest, ok := strings.CutPrefix(filepath.Clean(program), root+"/")
		folder, _, below := strings.Cut(rest, "/")
		name, _, _ := strings.Cut(folder, ".")
		return ok && below && (name == "bin" || name == "externals")
	})
}

// argument returns the name that a process was started by, "" for a process
// that has none or is gone.
func argument(pid int) string { return arguments(pid)[0] }

// arguments returns the name that a process was started by and its first
// argument, as far as it has them.
func arguments(pid int) [2]string {
	file, err := os.Open(filepath.Join(folderOf(pid), "cmdline"))
	if err != nil {
		return [2]string{}
	}
	defer file.Close()
	// The rest of a long command line, megabytes perhaps, is of no interest.
	var text [2 * unix.PathMax]byte
	n, err := file.Read(text[:])
	if err != nil {
		return [2]string{}
	}
	var first [2]string
	rest := text[:n]
	for i := range first {
		word, after, ended := bytes.Cut(rest, []byte{0})
		if !ended {
			break
		}
		first[i], rest = string(word), after
	}
	return first
}

// Scripted tells whether a shell of the account uid runs the script of that path.
//
// Races: it did at one moment, and may have ended since, or may begin.
func Scripted(path string, uid int) bool {
	entries, err := walk()
	if err != nil {
		return false
	}
	return slices.ContainsFunc(entries, func(e entry) bool {
		if e.dead() || arguments(e.pid)[1] != path {
			return false
		}
		p, err := look(e.pid)
		return err == nil && e.is(p) && p.UID == uid
	})
}
