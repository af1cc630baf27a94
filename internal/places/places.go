// Package places tells whether an install can write where it wants to, and whether jobs can work in a folder, before
// anything is fetched for it. It changes nothing. The plan of an install and the doctor ask it.
package places

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/runner-bootstrap/runner-bootstrap/internal/account"
	"github.com/runner-bootstrap/runner-bootstrap/internal/download"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/shell"
	"github.com/runner-bootstrap/runner-bootstrap/internal/volume"
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
	// ErrNoStart means that a program which was tried there could not be started, though it is not mounted with noexec.
	ErrNoStart = errors.New("programs cannot be started there")
	// ErrPlain means that a file system lacks what a runner and its jobs need: FAT and its kin have no modes, no owners and
	// no symbolic links.
	ErrPlain = errors.New("the file system has no symbolic links, or no modes")
	// ErrLacking means that a file system cannot do something else that is needed there.
	ErrLacking = errors.New("the file system cannot do what is needed there")
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
	// Linked is set where the files of a runner are, among which there are symbolic links.
	Linked bool
}

// ForInstall are those that an install writes into, where a runner takes tree: not the cache if the runner is cached.
func ForInstall(paths instance.Paths, tree Need, cached bool) []Place {
	places := []Place{
		{Path: paths.State, Need: Need{Bytes: min(tree.Bytes, stateBytes), Files: min(tree.Files, stateFiles)}},
		{Path: paths.Runners, Need: tree, Given: true, Executed: true, Linked: true},
	}
	if !cached {
		tree.Bytes += tree.Bytes / download.Expansion // the archive itself
		places = append(places, Place{Path: paths.Cache, Need: tree, Linked: true})
	}
	return places
}

// Error says why nothing can be installed in a place.
type Error struct {
	Path   string // what exists of it
	Reason error  // one of the sentinels above, or the error of the system
	Detail string
	On     volume.Volume // what it is on, as far as that is known
}

func (e *Error) Error() string { return fmt.Sprintf("looking at directory %q: %s", e.Path, e.Why()) }

// Why is the reason, with the file system that it is about.
func (e *Error) Why() string {
	text := e.Reason.Error()
	if e.Detail != "" {
		text += ": " + e.Detail
	}
	if on := e.On.String(); on != "" {
		text += " (" + on + ")"
	}
	return text
}

func (e *Error) Unwrap() error { return e.Reason }

// Check returns the first reason, a [*Error], why an install for user cannot write into places. ForInstall on
// one file system share its room. It changes nothing and leaves nothing: what it tries has no name, or, on a file system
// of which little is known, one for a moment. What a file system does not tell is not held against it.
func Check(places []Place, user account.User) error {
	for _, problem := range Examine(places, user) {
		return problem
	}
	return nil
}

// CheckState is Check for where records and locks are, before the first of them is made.
func CheckState(paths instance.Paths) error {
	if instance.NewStore(paths.State).Exists() {
		if problem := linked(paths.State); problem != nil {
			return problem
		}
		return nil
	}
	return Check([]Place{{Path: paths.State}}, account.User{})
}

// CheckCache is Check for what fills the cache alone. How many bytes a runner takes is known when the archive is: the fetch
// looks for them.
func CheckCache(paths instance.Paths) error {
	return Check([]Place{{Path: paths.Cache, Need: Need{Files: treeFiles}, Linked: true}}, account.User{})
}

// Examine returns all reasons why an install for user cannot write into places, as [Check] does the first one.
func Examine(places []Place, user account.User) []*Error {
	var all []*Error
	add := func(problem *Error) {
		same := func(other *Error) bool { return *other == *problem }
		if problem != nil && !slices.ContainsFunc(all, same) {
			all = append(all, problem)
		}
	}
	wanted, told := map[uint64]Need{}, map[uint64]bool{}
	for _, place := range places {
		path, err := volume.Existing(place.Path)
		if err != nil {
			add(&Error{Path: path, Reason: ErrPlace, Detail: err.Error()})
			continue
		}
		if problem := linked(path); problem != nil {
			add(problem)
			continue
		}
		v, err := volume.Of(path)
		if err != nil {
			continue // where it cannot be told, the write will tell
		}
		if problem := unfit(v, path, place); problem != nil {
			add(problem)
			continue
		}
		need := wanted[v.ID]
		need.Bytes += place.Need.Bytes
		need.Files += place.Need.Files
		wanted[v.ID] = need
		if problem := lacks(v, path, need); problem != nil {
			if !told[v.ID] {
				add(problem)
			}
			told[v.ID] = true
			continue
		}
		add(try(v, path, place, user))
	}
	return all
}

// unfit tells what no room would mend. A read-only file system is often full to the brim, which is not what is wrong with it.
func unfit(v volume.Volume, path string, place Place) *Error {
	switch {
	case v.ReadOnly:
		return &Error{Path: path, Reason: ErrReadOnly, On: v}
	case v.Plain:
		return &Error{Path: path, Reason: ErrPlain, On: v}
	case v.NoExec && place.Executed:
		return &Error{Path: path, Reason: ErrNoExec, On: v}
	}
	return nil
}

func lacks(v volume.Volume, path string, need Need) *Error {
	switch {
	case v.Sized && v.Bytes < need.Bytes:
		detail := fmt.Sprintf("%d MB free, about %d MB needed", v.Bytes>>20, need.Bytes>>20)
		return &Error{Path: path, Reason: download.ErrSpace, Detail: detail, On: v}
	case v.Counted && v.Files < need.Files:
		return &Error{Path: path, Reason: ErrInodes, Detail: fmt.Sprintf("%d more, about %d needed", v.Files, need.Files), On: v}
	}
	return nil
}

func absent(err error) bool { return errors.Is(err, fs.ErrNotExist) }

// RemountFix is the command, for root, that mends a place which is mounted in a way that it cannot be used; empty where there is
// none.
func RemountFix(e *Error) string {
	option := "rw"
	if errors.Is(e, ErrNoExec) {
		option = "exec"
	}
	at := e.On.Point
	if at == "" {
		at = e.Path // mount says where it should have been
	}
	return shell.Here().Do(shell.Remount, option, at)
}
