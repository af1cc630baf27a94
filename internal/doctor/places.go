package doctor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/runner-bootstrap/runner-bootstrap/internal/account"
	"github.com/runner-bootstrap/runner-bootstrap/internal/download"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
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

// Places are those that an install writes into, where a runner takes tree: not the cache if the runner is cached.
func Places(paths instance.Paths, tree Need, cached bool) []Place {
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

// PlaceError says why nothing can be installed in a place.
type PlaceError struct {
	Path   string // what exists of it
	Reason error  // one of the sentinels above, or the error of the system
	Detail string
}

func (e *PlaceError) Error() string {
	text := fmt.Sprintf("looking at directory %q: %v", e.Path, e.Reason)
	if e.Detail != "" {
		text += ": " + e.Detail
	}
	return text
}

func (e *PlaceError) Unwrap() error { return e.Reason }

// CheckPlaces returns the first reason, a [*PlaceError], why an install for user cannot write into places. Places on
// one file system share its room. It changes nothing and leaves nothing; where a file system cannot make files without
// a name, one comes and goes. What a file system does not tell is not held against it.
func CheckPlaces(places []Place, user account.User) error {
	for _, problem := range examinePlaces(places, user) {
		return problem
	}
	return nil
}

// volume is a file system.
type volume struct {
	id       uint64
	bytes    int64 // free for whoever is not root
	files    int64 // likewise
	counted  bool  // it has a fixed number of files
	readOnly bool
	noExec   bool
	noSetuid bool
	plain    string // the name of a file system that is too simple; empty for others
}

// examinePlaces returns all reasons.
func examinePlaces(places []Place, user account.User) []*PlaceError {
	var all []*PlaceError
	wanted, told := map[uint64]Need{}, map[uint64]bool{}
	for _, place := range places {
		path, err := existing(place.Path)
		if err != nil {
			all = append(all, &PlaceError{Path: path, Reason: ErrPlace, Detail: err.Error()})
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
func (v volume) unfit(path string, executed bool) *PlaceError {
	switch {
	case v.readOnly:
		return &PlaceError{Path: path, Reason: ErrReadOnly}
	case v.plain != "" && executed:
		return &PlaceError{Path: path, Reason: ErrPlain, Detail: v.plain}
	case v.noExec && executed:
		return &PlaceError{Path: path, Reason: ErrNoExec}
	}
	return nil
}

func (v volume) lacks(path string, need Need) *PlaceError {
	switch {
	case v.bytes < need.Bytes:
		detail := fmt.Sprintf("%d MB free, about %d MB needed", v.bytes>>20, need.Bytes>>20)
		return &PlaceError{Path: path, Reason: download.ErrSpace, Detail: detail}
	case v.counted && v.files < need.Files:
		return &PlaceError{Path: path, Reason: ErrInodes, Detail: fmt.Sprintf("%d more, about %d needed", v.files, need.Files)}
	}
	return nil
}

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

// places makes the three checks of directories: room, files, and whether they can be written.
func (h Host) places(context.Context) []Finding {
	places := h.wanted()
	user, err := h.jobUser()
	if err != nil {
		user = account.User{UID: -1, GID: -1}
	}
	byCheck := map[string][]Finding{}
	for _, problem := range examinePlaces(places, user) {
		check, fix := h.remedy(problem)
		byCheck[check] = append(byCheck[check], one(check, Failed, problem.Path, without(problem), fix)...)
	}
	for _, place := range places {
		if at := Unmounted(place.Path); at != "" {
			const found = "/etc/fstab has something for it that is not mounted, and would hide what is installed there"
			byCheck["directories"] = append(byCheck["directories"], one("directories", Warning, at, found, "sudo mount "+quote(at))...)
		}
	}
	var all []Finding
	for _, check := range []string{"disk", "inodes", "directories"} {
		if runtime.GOOS == "windows" && check == "inodes" {
			continue
		}
		if len(byCheck[check]) == 0 {
			byCheck[check] = one(check, OK, names(places), enough(check, places), "")
		}
		all = append(all, byCheck[check]...)
	}
	return all
}

// wanted is what the next install takes: nothing is fetched where a runner lies in the cache.
func (h Host) wanted() []Place {
	cached := h.cached()
	if len(cached) == 0 {
		return Places(h.Paths, Usual(), false)
	}
	return Places(h.Paths, Need{Bytes: cached[0].Bytes, Files: int64(cached[0].Files)}, true)
}

// without is the problem, where the path is told beside it.
func without(e *PlaceError) string {
	text := e.Reason.Error()
	if e.Detail != "" {
		text += ": " + e.Detail
	}
	return text
}

func names(places []Place) string {
	var all []string
	for _, place := range places {
		all = append(all, place.Path)
	}
	return strings.Join(all, ", ")
}

func enough(check string, places []Place) string {
	var need Need
	for _, place := range places {
		need.Bytes += place.Need.Bytes
		need.Files += place.Need.Files
	}
	switch check {
	case "disk":
		return fmt.Sprintf("room for the %d MB that an install may need", need.Bytes>>20)
	case "inodes":
		return fmt.Sprintf("room for the %d files of an install", need.Files)
	default:
		return "they can be written, or made"
	}
}

// remedy names the check that a problem belongs to, and a command.
func (h Host) remedy(e *PlaceError) (check, fix string) {
	switch {
	case errors.Is(e, download.ErrSpace):
		return "disk", "df -h " + quote(e.Path)
	case errors.Is(e, ErrInodes):
		return "inodes", "df -i " + quote(e.Path)
	case errors.Is(e, ErrReadOnly):
		return "directories", "sudo " + RemountFix(e)
	case errors.Is(e, ErrNoExec):
		return "directories", "sudo " + RemountFix(e)
	case errors.Is(e, ErrSquashed), errors.Is(e, ErrPlace), errors.Is(e, ErrPlain):
		return "directories", h.Again("--dir", "DIR")
	case h.Private:
		return "directories", "sudo chown -R \"$(id -un)\" " + quote(e.Path)
	default:
		return "directories", h.asRoot()
	}
}

// RemountFix is the command, for root, that mends a place which is mounted in a way that it cannot be used.
func RemountFix(e *PlaceError) string {
	option := "rw"
	if errors.Is(e, ErrNoExec) {
		option = "exec"
	}
	return "mount -o remount," + option + " " + quote(mountPoint(e.Path))
}
