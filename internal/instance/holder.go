package instance

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
)

// Holder is a process that holds a lock. A number alone names none: it is given
// out again, and in a container another process has it. The zero Holder is none.
type Holder struct {
	PID       int
	Start     uint64 // when it started, in the system's own unit; 0 from an earlier version, which did not write it
	Namespace string // the PID namespace that PID counts in; empty where there are none
	Boot      string // the start of the host that Start counts from; empty where the system has no name for it

	elsewhere bool
}

// ErrElsewhere means that a process is none that this one can see or signal.
var ErrElsewhere = errors.New("it is in another PID namespace, or on another host")

func self() Holder {
	h := Holder{PID: os.Getpid(), Namespace: namespace(), Boot: boot()}
	h.Start = startOf(h.PID)
	return h
}

// None tells that there is no such process.
func (h Holder) None() bool { return h.PID == 0 }

// Elsewhere tells whether the process counts in another PID namespace, or on
// another host. It may be alive, and cannot be signalled.
func (h Holder) Elsewhere() bool { return h.elsewhere }

// String names the process for a message.
func (h Holder) String() string {
	switch {
	case h.None():
		return "another process"
	case !h.elsewhere:
		return fmt.Sprintf("process %d", h.PID)
	case h.Boot != "" && h.Boot != boot():
		return "a process on another host"
	}
	return "a process in another PID namespace"
}

// Process is a handle on the process, which signals it and no other, also when
// its number is given out again. The error is os.ErrProcessDone when it has ended,
// [ErrElsewhere] when it cannot be seen from here. The caller releases the handle.
func (h Holder) Process() (*os.Process, error) {
	if h.elsewhere {
		return nil, ErrElsewhere
	}
	process, err := os.FindProcess(h.PID)
	if err != nil {
		return nil, err
	}
	// The handle was opened before: a number that is its own now was so then.
	if !h.runs() {
		return nil, errors.Join(os.ErrProcessDone, process.Release())
	}
	return process, nil
}

// runs tells whether the process that has the number is the one that is named. One
// that a lock of an earlier version names cannot be told from the next with its number.
func (h Holder) runs() bool {
	if h.Start == 0 {
		return alive(h.PID)
	}
	return startOf(h.PID) == h.Start
}

// judge is what can be said now of the holder that file, a lock, names: none where it
// has ended.
func (h Holder) judge(file *os.File) Holder {
	switch {
	case h.PID <= 0:
		return Holder{}
	case h.Start != 0 && (h.Boot != boot() || h.Namespace != namespace() || h.Namespace == unknown):
		h.elsewhere = true
	case !h.runs():
		return Holder{}
	case h.Start == 0:
		// An earlier version in a container: its number is another's here.
		h.elsewhere = !mayHaveOpen(h.PID, file)
	}
	return h
}

// unknown is the name of a PID namespace that cannot be told: whether a number means
// the same in two of that name is not known.
const unknown = "unknown"

// note is the content of a lock: who holds it, and what that one has started under
// it. Its first line is the number alone, as in earlier versions.
type note struct {
	holder Holder
	group  group
}

const (
	// maxNote is far more than a note has.
	maxNote = 4 << 10
	// noteRoom is as much as a note takes on the disk, with empty lines behind it. A lock that is given up keeps that: on a disk
	// that is full the next one finds room for its note, and who is to make room can have the lock.
	noteRoom = 512
)

func (n note) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d\nstarted %d\n", n.holder.PID, n.holder.Start)
	if n.holder.Namespace != "" {
		fmt.Fprintf(&b, "namespace %s\n", n.holder.Namespace)
	}
	if n.holder.Boot != "" {
		fmt.Fprintf(&b, "boot %s\n", n.holder.Boot)
	}
	if n.group.noted {
		fmt.Fprintf(&b, "group %d %d %d\n", n.group.pid, n.group.start, n.group.uid)
	}
	return b.String()
}

// writeNote writes over what an earlier holder wrote, in one go, so that one who reads
// meanwhile finds a holder.
func writeNote(file *os.File, n note) error { return writeText(file, n.String()) }

// emptyNote names nobody.
func emptyNote(file *os.File) error { return writeText(file, "") }

func writeText(file *os.File, text string) error {
	text += strings.Repeat("\n", max(0, noteRoom-len(text)))
	if _, err := file.WriteAt([]byte(text), 0); err != nil {
		return err
	}
	return file.Truncate(int64(len(text)))
}

// readNote understands as much as there is: nobody is named by a lock that is new, or
// damaged.
func readNote(file *os.File) note {
	text, err := io.ReadAll(io.NewSectionReader(file, 0, maxNote))
	if err != nil {
		return note{}
	}
	first, rest, _ := strings.Cut(string(text), "\n")
	pid, err := strconv.Atoi(strings.TrimSpace(first))
	if err != nil || pid <= 0 {
		return note{}
	}
	n := note{holder: Holder{PID: pid}}
	for line := range strings.Lines(rest) {
		n.read(strings.TrimSpace(line))
	}
	return n
}

func (n *note) read(line string) {
	key, value, _ := strings.Cut(line, " ")
	switch key {
	case "started":
		n.holder.Start, _ = strconv.ParseUint(value, 10, 64) // 0 is a holder that cannot be told from others
	case "namespace":
		n.holder.Namespace = value
	case "boot":
		n.holder.Boot = value
	case "group":
		n.group.noted = true
		// What cannot be read is 0, as in a group that was about to start.
		_, _ = fmt.Sscan(value, &n.group.pid, &n.group.start, &n.group.uid)
	}
}

// Boot tells one boot of a host from another; empty where the system has no name for it.
func Boot() string { return boot() }
