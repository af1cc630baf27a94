package workspace

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/folders"
	"github.com/runner-bootstrap/runner-bootstrap/internal/removal"
)

const (
	day = 24 * time.Hour
	// updating is how long an update of the runner by itself may take.
	updating = time.Hour
	// maxNames bounds Freed.Names.
	maxNames = 20
)

// Limits says what a runner may keep. Zero is no limit.
type Limits struct {
	DiagAge   time.Duration // of a log since it was last written to
	DiagBytes int64         // of all logs together
	WorkAge   time.Duration // of a repository's folder since it was last touched
	// WorkStays is set for a work folder that is somebody else's: nothing in it is removed.
	WorkStays bool
}

// DefaultLimits keeps what a runner with regular jobs needs: logs for 30 days and
// of 256 MiB at most, and the repositories of the last 30 days.
func DefaultLimits() Limits {
	return Limits{DiagAge: 30 * day, DiagBytes: 256 << 20, WorkAge: 30 * day}
}

// Freed is what Tidy removed.
type Freed struct {
	removal.Freed

	Names []string // of what was removed as a whole, the first 20, with slashes, for a log
}

// Tidy removes what a runner does not need any more: versions of itself before the
// present one, logs beyond the limits, what jobs left in temporary folders more
// than a day ago, and repositories beyond the limits. Downloaded tools and actions
// stay. root and work are as for Empty; what is on a disk that is mounted on a work folder within root stays as well.
//
// It may be called only while the runner is idle. When a job may come, ctx is to
// be cancelled: Tidy then returns between two files with an error that wraps
// the cause. Folders get another name before anything in them is removed, so a job
// finds them whole or not at all; a later Tidy removes what was left of
// them. After any other failure everything is gone but what the error names, and of
// that only the first few. It may be repeated. Freed is right in any case.
//
// Time is compared with now. What is from the future is not old.
func Tidy(ctx context.Context, root, work string, limits Limits, now time.Time) (Freed, error) {
	t := tidier{ctx: ctx, limits: limits, now: now}
	base, at, err := folders.Open(root)
	if err != nil {
		return t.freed, err
	}
	defer base.Close()
	w, err := openWork(base, at, work)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.found.Add(err)
	} else if !t.updating(w.folder) {
		t.versions(place{folder: base}, filepath.Clean(root), at)
	}
	t.diag(place{folder: base})
	if w.folder != nil {
		if !limits.WorkStays && !w.mounted {
			t.work(place{folder: w.folder, label: filepath.Base(filepath.Clean(w.folder.Name()))})
		}
		t.found.Add(w.close())
	}
	if ctx.Err() != nil {
		return t.freed, fmt.Errorf("tidying %q: %w", root, context.Cause(ctx))
	}
	return t.freed, t.found.Err()
}

// tidier is one Tidy.
type tidier struct {
	ctx    context.Context
	limits Limits
	now    time.Time
	freed  Freed
	found  removal.Problems
}

// old tells whether something is longer ago than a limit.
func (t *tidier) old(since time.Time, limit time.Duration) bool {
	return limit > 0 && t.now.Sub(since) > limit
}

// updating tells whether the runner may be replacing itself by another version.
func (t *tidier) updating(work *os.Root) bool {
	if work == nil {
		return false
	}
	for _, name := range []string{"_update", "_update.sh"} {
		info, err := work.Lstat(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil || !t.old(info.ModTime(), updating) {
			return true
		}
	}
	return false
}

// versions removes the programs of the runner's other versions. Unless it is
// certain which the present one is, it removes none.
func (t *tidier) versions(base place, paths ...string) {
	for _, u := range t.units(base, removal.IsDoomed) {
		t.remove(u)
	}
	bin, known := present(base.folder, "bin", paths)
	if !known {
		return
	}
	// An installation that was never updated has folders, and they are what is used.
	externals, known := present(base.folder, "externals", paths)
	others := t.units(base, func(name string) bool {
		return strings.HasPrefix(name, "bin.") && name != bin ||
			known && strings.HasPrefix(name, "externals.") && name != externals
	})
	for _, u := range others {
		if u.info.IsDir() {
			t.remove(u)
		}
	}
}

// present returns the name of the folder in base that a link leads to. paths are
// those of base.
func present(base *os.Root, link string, paths []string) (name string, known bool) {
	target, err := base.Readlink(link)
	if err != nil {
		return "", false
	}
	dir, name := filepath.Split(filepath.Clean(target))
	if dir != "" && !slices.Contains(paths, filepath.Clean(dir)) {
		return "", false
	}
	if !strings.HasPrefix(name, link+".") {
		return "", false
	}
	info, err := base.Lstat(name)
	return name, err == nil && info.IsDir()
}

// diag removes logs by age, then the oldest ones until the others are within their
// limit.
func (t *tidier) diag(base place) {
	logs := place{folder: base.folder, inner: diag, label: diag}
	units := t.units(logs, func(name string) bool { return !slices.Contains(parts(), name) })
	folder, done, err := logs.open()
	if err != nil {
		return // told by units
	}
	defer func() { t.found.Add(done()) }()
	for _, name := range parts() {
		units = append(units, t.units(place{folder: folder, inner: name, label: path.Join(diag, name)}, anyName)...)
	}
	t.measure(units, true)
	total := sum(units)
	units = slices.DeleteFunc(units, isOpenLog(units))
	units, total = t.removeOld(units, total, t.limits.DiagAge)
	t.removeOver(units, total, t.limits.DiagBytes)
}

// parts are the folders in _diag where pieces of job logs wait to be uploaded.
func parts() []string { return []string{"pages", "blocks"} }

// isOpenLog tells the log that the idle runner writes to from others.
func isOpenLog(units []*unit) func(*unit) bool {
	var open *unit
	for _, u := range units {
		if u.place.label != diag || !strings.HasPrefix(u.name, "Runner_") || !strings.HasSuffix(u.name, ".log") {
			continue
		}
		if open == nil || older(open, u) < 0 {
			open = u
		}
	}
	return func(u *unit) bool { return u == open }
}

// work removes what jobs left in the work folder.
func (t *tidier) work(folder place) {
	left := t.units(folder, func(name string) bool { return strings.HasPrefix(name, "_update") || removal.IsDoomed(name) })
	left = append(left, t.units(folder.at("_temp"), anyName)...)
	t.measure(left, false)
	t.removeOld(left, 0, day)

	repositories := slices.DeleteFunc(t.units(folder, anyName), func(u *unit) bool { return !isRepository(u) })
	t.measure(repositories, false)
	t.removeOld(repositories, 0, t.limits.WorkAge)
}

// isRepository tells whether something in the work folder may be the folder of a
// repository. The runner's own begin with an underscore.
func isRepository(u *unit) bool {
	return u.info.IsDir() && !strings.HasPrefix(u.name, "_") && u.name != "lost+found"
}
