package reaper

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

const proc = "/proc"

// entry is what /proc/PID/stat tells of one process.
type entry struct {
	pid, parent, group int
	threads            int
	start              uint64
	state              byte
}

// dead reports whether only the exit status is left. A process whose first
// thread has ended also counts as a zombie to the kernel, but its others run.
func (e entry) dead() bool {
	return (e.state == 'Z' || e.state == 'X') && e.threads <= 1
}

// is reports whether e is p.
func (e entry) is(p Process) bool { return e.pid == p.PID && e.start == p.Start }

// Look returns the process that has the number pid now, a zombie as well. All
// that it tells is of one process, also when the number is given out again
// meanwhile. The error is fs.ErrNotExist when there is no such process.
func Look(pid int) (Process, error) {
	p, err := look(pid)
	if err != nil {
		return Process{}, fmt.Errorf("looking at process %d: %w", pid, err)
	}
	return p, nil
}

func look(pid int) (Process, error) {
	// The open folder stays that of its process: once that is gone, reading
	// fails, and does not answer for the next one with the number.
	folder, err := os.OpenRoot(folderOf(pid))
	if err != nil {
		return Process{}, whenGone(err)
	}
	defer folder.Close()
	text, err := folder.ReadFile("stat")
	if err != nil {
		return Process{}, whenGone(err)
	}
	e, err := parseStat(text)
	if err != nil {
		return Process{}, err
	}
	if text, err = folder.ReadFile("status"); err != nil {
		return Process{}, whenGone(err)
	}
	uid, err := parseUID(text)
	return Process{PID: e.pid, Start: e.start, UID: uid}, err
}

// alive reports whether p still runs: its number belongs to a process that
// started when p did, and that is no zombie. It may have ended by the time
// that the caller reads the answer.
func (p Process) alive() bool {
	e, err := stat(p.PID)
	return err == nil && e.is(p) && !e.dead()
}

// Alive tells whether p still runs; it may have ended by the time that the caller reads the answer.
func (p Process) Alive() bool { return p.alive() }

// Await returns when p has ended, or is a zombie: at once where the kernel has handles on processes, else after a moment.
func (p Process) Await() {
	handle, err := unix.PidfdOpen(p.PID, 0)
	if err == nil {
		defer unix.Close(handle) //nolint:errcheck // it names a process, and holds nothing that could be lost
	}
	for p.alive() {
		if err != nil {
			<-time.After(interval)
			continue
		}
		// The number was p's after the handle was opened, so the handle is on p. The wait ends when p does.
		wait := []unix.PollFd{{Fd: int32(handle), Events: unix.POLLIN}} //nolint:gosec // a file's number
		_, _ = unix.Poll(wait, int(time.Minute/time.Millisecond))
	}
}

// LookInside returns the child of the process first that calls itself pid, in the PID namespace that it was born into. The
// error is [fs.ErrNotExist] when there is none.
func LookInside(first, pid int) (Process, error) {
	if err := ownNumbers(); err != nil {
		return Process{}, err
	}
	// A process that was just born has a number a little above that of its parent, as a rule, and a host may have many others.
	for near := first + 1; near <= first+nearby; near++ {
		if e, err := stat(near); err == nil {
			if p, is := e.inside(first, pid); is {
				return p, nil
			}
		}
	}
	entries, err := walk()
	if err != nil {
		return Process{}, err
	}
	for _, e := range entries {
		if p, is := e.inside(first, pid); is {
			return p, nil
		}
	}
	return Process{}, fmt.Errorf("looking for process %d of %d: %w", pid, first, fs.ErrNotExist)
}

// inside tells whether e is the child of the process first that calls itself pid.
func (e entry) inside(first, pid int) (p Process, is bool) {
	if e.parent != first {
		return Process{}, false
	}
	p, err := look(e.pid)
	if err != nil || !e.is(p) {
		return Process{}, false
	}
	text, err := os.ReadFile(filepath.Join(folderOf(e.pid), "status"))
	return p, err == nil && innermost(text) == pid
}

// nearby is how far above its parent's a number is looked for.
const nearby = 64

// innermost is the number that a process has for itself; 0 if that is not told.
func innermost(status []byte) int {
	for line := range strings.Lines(string(status)) {
		if numbers, ok := strings.CutPrefix(line, "NSpid:"); ok {
			fields := strings.Fields(numbers)
			if len(fields) == 0 {
				return 0
			}
			pid, err := strconv.Atoi(fields[len(fields)-1])
			if err != nil {
				return 0
			}
			return pid
		}
	}
	return 0
}

// Signal sends s to p and to no other. It returns [os.ErrProcessDone] when p has
// ended, even when its number was given out again, or is of another user now.
func (p Process) Signal(s os.Signal) error {
	handle, err := os.FindProcess(p.PID)
	if err != nil {
		return err
	}
	defer handle.Release() //nolint:errcheck // a handle that is let go of has nothing more to say
	// The number is p's after the handle was opened and was p's before, so it was
	// p's between: the handle is on p.
	if now, err := look(p.PID); err != nil || now != p || !p.alive() {
		return os.ErrProcessDone
	}
	return handle.Signal(s)
}

// ownNumbers is an error where the numbers of processes in /proc are those of another PID namespace: each would be that of another
// process.
func ownNumbers() error {
	self, err := os.Readlink(filepath.Join(proc, "self"))
	if err == nil && self != strconv.Itoa(os.Getpid()) {
		err = errors.ErrUnsupported
	}
	if err != nil {
		return fmt.Errorf("finding this process in %s: %w", proc, err)
	}
	return nil
}

// walk lists the processes. Those that come or go meanwhile may be in it or not;
// one that is there all the time is.
func walk() ([]entry, error) {
	if err := ownNumbers(); err != nil {
		return nil, err
	}
	folder, err := os.Open(proc)
	if err != nil {
		return nil, fmt.Errorf("listing processes: %w", err)
	}
	defer folder.Close()
	names, err := folder.Readdirnames(-1)
	if err != nil {
		return nil, fmt.Errorf("listing processes: %w", err)
	}
	var entries []entry
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil {
			continue
		}
		e, err := stat(pid)
		switch {
		case errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrPermission):
			// It has ended, or the host hides the processes of others.
		case err != nil:
			return nil, fmt.Errorf("listing processes: %w", err)
		default:
			entries = append(entries, e)
		}
	}
	return entries, nil
}

func stat(pid int) (entry, error) {
	text, err := os.ReadFile(filepath.Join(folderOf(pid), "stat"))
	if err != nil {
		return entry{}, whenGone(err)
	}
	return parseStat(text)
}

func folderOf(pid int) string { return filepath.Join(proc, strconv.Itoa(pid)) }

// whenGone gives the two answers for a process that has ended one name: its
// folder is missing, or it went while the folder was open.
func whenGone(err error) error {
	if errors.Is(err, unix.ESRCH) {
		return fs.ErrNotExist
	}
	return err
}

// parseStat reads /proc/PID/stat. The name of the program, in parentheses, may
// hold anything, parentheses too; only numbers follow the last one.
func parseStat(text []byte) (entry, error) {
	number, rest, ok := bytes.Cut(text, []byte(" ("))
	end := bytes.LastIndexByte(rest, ')')
	if !ok || end < 0 {
		return entry{}, fmt.Errorf("reading process status %q: it has no name", text)
	}
	fields := strings.Fields(string(rest[end+1:]))
	const third = 3 // proc(5) counts from 1; the first two are the number and the name
	if len(fields) <= 22-third {
		return entry{}, fmt.Errorf("reading process status %q: it has %d fields", text, third-1+len(fields))
	}
	var err error
	integer := func(s string) int {
		n, failed := strconv.Atoi(s)
		err = errors.Join(err, failed)
		return n
	}
	e := entry{
		pid:     integer(string(number)),
		state:   fields[3-third][0],
		parent:  integer(fields[4-third]),
		group:   integer(fields[5-third]),
		threads: integer(fields[20-third]),
	}
	start, failed := strconv.ParseUint(fields[22-third], 10, 64)
	if err = errors.Join(err, failed); err != nil {
		return entry{}, fmt.Errorf("reading process status %q: %w", text, err)
	}
	e.start = start
	return e, nil
}

// parseUID reads the real user from /proc/PID/status. The owner of the folder
// would not do: it is root for every process that may not be traced.
func parseUID(text []byte) (int, error) {
	for line := range strings.Lines(string(text)) {
		// The kernel escapes line ends in the name, so no name looks like this.
		if ids, ok := strings.CutPrefix(line, "Uid:"); ok && len(strings.Fields(ids)) > 0 {
			return strconv.Atoi(strings.Fields(ids)[0])
		}
	}
	return 0, errors.New("reading process status: it names no user")
}
