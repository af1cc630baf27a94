// Package inuse renames, removes and opens files that another program may have open. Windows refuses to touch such a file
// unless that program has allowed it, and most do not: a virus scanner, an indexer or a backup looks at a new file for a
// moment, and a job's process keeps one for good. The former are waited for; of the latter the error says who it is. Other
// systems know no such refusal, and there nothing here waits.
package inuse

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

const (
	// one is how long is waited for one file at most.
	one = 2 * time.Second
	// all is how long a [Patience] waits for all of its files together.
	all = 6 * time.Second
	// first and most are the waits between two tries.
	first = 10 * time.Millisecond
	most  = 50 * time.Millisecond
)

// ErrOpen is what every [Error] matches.
var ErrOpen = errors.New("another program has it open")

// Error says that another program has a file open, and has not let go of it for a while.
type Error struct {
	By  []string // the programs, as "notepad.exe (process 123)"; empty where the system does not tell
	Err error    // the refusal of the system
}

// Error implements error.
func (e *Error) Error() string {
	if len(e.By) == 0 {
		return ErrOpen.Error()
	}
	return fmt.Sprintf("%v: %s", ErrOpen, strings.Join(e.By, ", "))
}

// Is matches [ErrOpen].
func (e *Error) Is(target error) bool { return target == ErrOpen } //nolint:errorlint // errors.Is unwraps

// Unwrap gives the refusal of the system.
func (e *Error) Unwrap() error { return e.Err }

// Patience is how long is waited while many files are removed or renamed: for each, but no more than a few seconds for all
// together. The zero value is ready.
type Patience struct{ waited time.Duration }

// Try does what may fail for a file that another program has open, until it does not fail for that any more, or patience
// ends. The error is that of the last try; where another program is to blame for it, an [Error] is in the place of the
// cause. Paths are the files that it may be about, and are called to find out who that is.
func (p *Patience) Try(paths func() []string, try func() error) error {
	wait, waited := first, time.Duration(0)
	for {
		err := try()
		if err == nil || !refused(err) {
			return err
		}
		if waited >= one || p.waited >= all {
			return blame(paths(), err)
		}
		<-time.After(wait)
		waited += wait
		p.waited += wait
		wait = min(2*wait, most)
	}
}

// Rename gives a file or a folder another name, as [os.Rename] does. A file that has the new name is replaced, and those who
// opened that one by this package may go on reading it.
func Rename(from, to string) error {
	return new(Patience).Try(here(from, to), func() error { return rename(from, to) })
}

// RenameIn is [Rename] of a name in a folder.
func RenameIn(folder *os.Root, from, to string) error {
	return new(Patience).Try(in(folder, from, to), func() error { return folder.Rename(from, to) })
}

// Remove removes a file or an empty folder, as [os.Remove] does.
func Remove(path string) error {
	return new(Patience).Try(here(path), func() error { return os.Remove(path) })
}

// RemoveIn is [Remove] of a name in a folder.
func RemoveIn(folder *os.Root, name string) error {
	return new(Patience).Try(in(folder, name), func() error { return folder.Remove(name) })
}

// Open opens a file as [os.OpenFile] does, and lets others rename, replace and remove it meanwhile.
func Open(path string, flag int, mode fs.FileMode) (*os.File, error) {
	var file *os.File
	err := new(Patience).Try(here(path), func() (err error) {
		file, err = open(path, flag, mode)
		return err
	})
	return file, err
}

// OpenIn is [Open] of a name in a folder.
func OpenIn(folder *os.Root, name string, flag int, mode fs.FileMode) (*os.File, error) {
	var file *os.File
	err := new(Patience).Try(in(folder, name), func() (err error) {
		file, err = folder.OpenFile(name, flag, mode) // which lets others do as much
		return err
	})
	return file, err
}

func here(paths ...string) func() []string { return func() []string { return paths } }

// in are the paths of names in a folder.
func in(folder *os.Root, names ...string) func() []string {
	return func() []string {
		paths := make([]string, 0, len(names))
		for _, name := range names {
			paths = append(paths, filepath.Join(folder.Name(), name))
		}
		return paths
	}
}
