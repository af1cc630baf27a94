// Package places tells whether an install can write where it wants to, and whether jobs can work in a folder. It changes
// nothing. The plan of an install and the doctor ask it.
package places

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/runner-bootstrap/runner-bootstrap/internal/account"
	"github.com/runner-bootstrap/runner-bootstrap/internal/download"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/shell"
)

// Why a place is refused, beside [download.ErrSpace]. What is none of these is the error of the system.
var (
	ErrInodes   = errors.New("the file system can hold no more files")
	ErrReadOnly = errors.New("the file system is read-only")
	// ErrSquashed means that root is not root on a file system, as on a network share, so that files there cannot be
	// given to the account of the jobs.
	ErrSquashed = errors.New("root cannot give files there to another account")
	// ErrPlace means that no directory can be there: a file is in its way.
	ErrPlace = errors.New("there can be no directory")
	// ErrNoExec means that the kernel starts no program that lies there.
	ErrNoExec = errors.New("programs cannot be started there: it is mounted with noexec")
	// ErrPlain means that a file system lacks what a runner and its jobs need: FAT and its kin have no modes, no owners and
	// no symbolic links.
	ErrPlain = errors.New("the file system has no symbolic links, or no modes")
)

// Need is how much room an install takes.
type Need struct {
	Bytes, Files int64
}

// The size of GitHub's largest archive, about 224 MB and 9,200 files.
const (
	archiveBytes = 224 << 20
	treeFiles    = 9500
	// stateBytes are records and logs.
	stateBytes = 1 << 20
	stateFiles = 32
)

// Usual is what one runner takes in a place of its own.
func Usual() Need { return Need{Bytes: download.Expansion * archiveBytes, Files: treeFiles} }

// Place is a directory that an install writes into. It need not exist: what counts is the nearest one above it that
// does.
type Place struct {
	Path string
	Need Need
	// Given is set where files are given to the account of the jobs.
	Given bool
	// Executed is set where programs are started.
	Executed bool
}

// ForInstall are those that an install writes into, where a runner takes tree: not the cache if the runner is cached.
func ForInstall(paths instance.Paths, tree Need, cached bool) []Place {
	places := []Place{
		{Path: paths.State, Need: Need{Bytes: min(tree.Bytes, stateBytes), Files: min(tree.Files, stateFiles)}},
		{Path: paths.Runners, Need: tree, Given: true, Executed: true},
	}
	if !cached {
		tree.Bytes += tree.Bytes / download.Expansion // the archive itself
		places = append(places, Place{Path: paths.Cache, Need: tree})
	}
	return places
}

// Error says why nothing can be installed in a place.
type Error struct {
	Path   string // what exists of it
	Reason error  // one of the sentinels above, or the error of the system
	Detail string
}

func (e *Error) Error() string {
	text := fmt.Sprintf("looking at directory %q: %v", e.Path, e.Reason)
	if e.Detail != "" {
		text += ": " + e.Detail
	}
	return text
}

func (e *Error) Unwrap() error { return e.Reason }

// Check returns the first reason, a [*Error], why an install for user cannot write into places. ForInstall on
// one file system share its room. It changes nothing and leaves nothing; where a file system cannot make files without
// a name, one comes and goes. What a file system does not tell is not held against it.
func Check(places []Place, user account.User) error {
	for _, problem := range Examine(places, user) {
		return problem
	}
	return nil
}

// volume is a file system.
type volume struct {
	id       uint64
	bytes    int64 // free for those who are not root
	files    int64 // likewise
	counted  bool  // it has a fixed number of files
	readOnly bool
	noExec   bool
	noSetuid bool
	plain    string // the name of a file system that is too simple; empty for others
}

// Examine returns all reasons why an install for user cannot write into places, as [Check] does the first one.
func Examine(places []Place, user account.User) []*Error {
	var all []*Error
	wanted, told := map[uint64]Need{}, map[uint64]bool{}
	for _, place := range places {
		path, err := existing(place.Path)
		if err != nil {
			all = append(all, &Error{Path: path, Reason: ErrPlace, Detail: err.Error()})
			continue
		}
		v, err := volumeOf(path)
		if err != nil {
			continue // where it cannot be told, the write will tell
		}
		if problem := v.unfit(path, place.Executed); problem != nil {
			all = append(all, problem)
			continue
		}
		need := wanted[v.id]
		need.Bytes += place.Need.Bytes
		need.Files += place.Need.Files
		wanted[v.id] = need
		if problem := v.lacks(path, need); problem != nil {
			if !told[v.id] {
				all = append(all, problem)
			}
			told[v.id] = true
			continue
		}
		if problem := probe(path, place.Given, user); problem != nil {
			all = append(all, problem)
		}
	}
	return all
}

// unfit tells what no room would mend. A read-only file system is often full to the brim, which is not what is wrong with it.
func (v volume) unfit(path string, executed bool) *Error {
	switch {
	case v.readOnly:
		return &Error{Path: path, Reason: ErrReadOnly}
	case v.plain != "" && executed:
		return &Error{Path: path, Reason: ErrPlain, Detail: v.plain}
	case v.noExec && executed:
		return &Error{Path: path, Reason: ErrNoExec}
	}
	return nil
}

func (v volume) lacks(path string, need Need) *Error {
	switch {
	case v.bytes < need.Bytes:
		detail := fmt.Sprintf("%d MB free, about %d MB needed", v.bytes>>20, need.Bytes>>20)
		return &Error{Path: path, Reason: download.ErrSpace, Detail: detail}
	case v.counted && v.files < need.Files:
		return &Error{Path: path, Reason: ErrInodes, Detail: fmt.Sprintf("%d more, about %d needed", v.files, need.Files)}
	}
	return nil
}

func absent(err error) bool { return errors.Is(err, fs.ErrNotExist) }

// existing returns the nearest directory at or above path that is there.
func existing(path string) (string, error) {
	for {
		info, err := os.Stat(path)
		switch {
		case err == nil && info.IsDir():
			return path, nil
		case err == nil:
			return path, fmt.Errorf("%q is not a directory", path)
		case !absent(err):
			return path, err
		}
		above := filepath.Dir(path)
		if above == path {
			return path, err
		}
		path = above
	}
}

// RemountFix is the command, for root, that mends a place which is mounted in a way that it cannot be used.
func RemountFix(e *Error) string {
	option := "rw"
	if errors.Is(e, ErrNoExec) {
		option = "exec"
	}
	return "mount -o remount," + option + " " + shell.Quote(mountPoint(e.Path))
}
