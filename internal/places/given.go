package places

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/runner-bootstrap/runner-bootstrap/internal/folders"
	"github.com/runner-bootstrap/runner-bootstrap/internal/shell"
	"github.com/runner-bootstrap/runner-bootstrap/internal/volume"
)

// ErrGiven means that somebody else can change what root is given by a path.
var ErrGiven = errors.New("others could put something else there")

// Trust says whose files are as good as root's for what root does with them. The zero Trust is in root alone: for what
// root executes, writes to or believes when nobody is there any more.
type Trust struct {
	// UIDs and GIDs are those of the one who has become root for this call, and could do everything without that file.
	UIDs, GIDs []int
	// Others is set for what is a secret and nothing else: it may be everybody's, but for the accounts of the jobs.
	Others             bool
	JobUIDs, JobGroups []int
}

// GivenError names the first part of a path that somebody else can change.
type GivenError struct {
	Path  string // as it was given
	Part  string // of it
	Owner string // "root", "uid 1000"
	Mode  fs.FileMode
	// Command, for root, lets nobody else change the part; empty where others need it as it is, as a folder for everybody.
	Command string
	// On is set where the file system has no modes that could be changed.
	On volume.Volume
}

func (e *GivenError) Error() string {
	text := fmt.Sprintf("looking at %q: %v: %q is %s's, mode %04o", e.Path, ErrGiven, e.Part, e.Owner, modeBits(e.Mode))
	if on := e.On.String(); on != "" {
		text += ", as everything is on this file system (" + on + ")"
	}
	return text
}

// Is matches [ErrGiven].
func (e *GivenError) Is(target error) bool { return target == ErrGiven }

// modeBits are the bits of a mode as chmod has them.
func modeBits(mode fs.FileMode) uint32 {
	const sticky = 0o1000
	bits := uint32(mode.Perm())
	if mode&fs.ModeSticky != 0 {
		bits |= sticky
	}
	return bits
}

// CheckGiven tells, by a [*GivenError], whether somebody beside root and those who are trusted could change what a path
// leads to: each folder on the way, links included, and what is at its end. A folder in which everybody can make
// something, and nobody can replace what is another's, as /tmp, is good where what the path has in it is root's. What is
// not there yet is judged by the folder that it will be made in. Where this process is not root, or its system has no such
// owners, every path is good: it does nothing that its user could not do. What cannot be looked at is left to the one who
// opens it; what does not answer is [folders.ErrSilent], and who asks for it would wait for ever.
func CheckGiven(path string, trust Trust) error {
	err, answered := folders.Soon(func() error {
		_, _ = os.Stat(path) // where nothing is to be checked, this waits; what it says, the one who opens it says
		return checkGiven(path, trust)
	}, func(error) {})
	if !answered {
		return fmt.Errorf("looking at %q: %w", path, folders.ErrSilent)
	}
	return err
}

func checkGiven(path string, trust Trust) error {
	if !powerful() {
		return guarded(path, trust)
	}
	absolute, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	ways := []string{absolute}
	if filepath.IsAbs(path) {
		// As it is, too: a ".." behind a link is not what it seems to be.
		ways = append(ways, path)
	}
	for _, one := range ways {
		w := way{given: path, trusted: trust}
		if err := w.follow(one); err != nil {
			return err
		}
	}
	return nil
}

// maxLinks is how many links the kernel follows.
const maxLinks = 40

// way is a path that is walked as the kernel walks it.
type way struct {
	given   string
	trusted Trust
	// guarded is set in a folder where everybody can make something, and nobody can replace what is another's.
	guarded bool
}

func (w *way) follow(path string) error {
	at, rest := string(filepath.Separator), names(path)
	if err := w.look(at, len(rest) > 0); err != nil {
		return err
	}
	for links := 0; len(rest) > 0; {
		next := filepath.Join(at, rest[0])
		info, err := os.Lstat(next)
		if err != nil {
			return nil //nolint:nilerr // it is not there, or the one who opens it says why it cannot be
		}
		if info.Mode().Type() != fs.ModeSymlink {
			at, rest = next, rest[1:]
			if err := w.look(at, len(rest) > 0); err != nil {
				return err
			}
			continue
		}
		if w.guarded && !w.trusted.owns(info) {
			return w.refuse(next, info, true)
		}
		target, err := os.Readlink(next)
		if links++; err != nil || links > maxLinks || strings.HasPrefix(next, "/proc/") {
			return nil //nolint:nilerr // as above; what a process has open has no place
		}
		rest = append(names(target), rest[1:]...)
		if filepath.IsAbs(target) {
			at, w.guarded = string(filepath.Separator), false
		}
	}
	return nil
}

// look judges a folder on the way, or what is at its end.
func (w *way) look(part string, above bool) error {
	info, err := os.Lstat(part)
	if err != nil {
		return nil //nolint:nilerr // as in follow
	}
	switch {
	case info.Mode().Type() == fs.ModeNamedPipe, info.Mode().Type() == fs.ModeCharDevice|fs.ModeDevice:
		return nil // nothing is kept in it, and what comes out of it was put there for this call
	case !w.trusted.owns(info):
		return w.refuse(part, info, above)
	}
	w.guarded = info.IsDir() && info.Mode()&fs.ModeSticky != 0
	if w.trusted.writable(part, info) && !w.guarded {
		return w.refuse(part, info, above)
	}
	return nil
}

func (w *way) refuse(part string, info fs.FileInfo, above bool) error {
	e := &GivenError{Path: w.given, Part: part, Owner: ownerOf(info), Mode: info.Mode()}
	if modeless(part) {
		e.On = volumeAt(part)
		return e
	}
	switch owned := w.trusted.owns(info); {
	case owned && !w.guarded:
		e.Command = "chmod go-w " + shell.Quote(part)
	case !owned && !above:
		// Not a folder on the way: it may be somebody's home.
		e.Command = "chown root: " + shell.Quote(part) + " && sudo chmod go-w " + shell.Quote(part)
	}
	return e
}

func names(path string) []string {
	return strings.FieldsFunc(path, func(r rune) bool { return r == filepath.Separator })
}
