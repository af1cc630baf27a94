package workspace

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/folders"
	"github.com/runner-bootstrap/runner-bootstrap/internal/inuse"
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
	WorkAge   time.Duration // of a repository's folder since anything in it was last changed, of a million files at most
	// WorkStays is set for a work folder that is somebody else's: nothing in it is removed.
	WorkStays bool
}

// DefaultLimits keeps what a runner with regular jobs needs: logs for 30 days and
// of 256 MiB and 4,096 at most, and the repositories of the last 30 days.
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
	t.look(at)
	w, updating, err := t.openWork(base, at, work)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.found.Add(err)
	} else if !updating {
		t.versions(place{folder: base}, filepath.Clean(root), at)
	}
	if err := silent(base, diag); err != nil {
		t.found.Add(err)
	} else {
		t.diag(place{folder: base})
	}
	if w.folder != nil {
		t.look(w.folder.Name())
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

// openWork opens the work folder, and tells whether the runner may be replacing itself by another version.
func (t *tidier) openWork(base *os.Root, at, work string) (w workFolder, updating bool, err error) {
	type opened struct {
		workFolder
		updating bool
		err      error
	}
	o, answered := folders.Soon(func() (o opened) {
		o.workFolder, o.err = openWork(base, at, work)
		o.updating = t.updating(o.folder)
		return o
	}, func(o opened) {
		if o.folder != nil {
			_ = o.close() // it was only looked at
		}
	})
	if !answered {
		return workFolder{}, true, fmt.Errorf("opening the work folder %q: %w", work, folders.ErrSilent)
	}
	return o.workFolder, o.updating, o.err
}

// tidier is one Tidy.
type tidier struct {
	ctx    context.Context
	limits Limits
	now    time.Time
	freed  Freed
	found  removal.Problems
	// mounted are places that stay, and are not asked for anything: their file systems may never answer.
	mounted []string
	// patience is what is waited for other programs that have something open.
	patience inuse.Patience
}

// look notes what is mounted below a folder.
func (t *tidier) look(folder string) {
	points, err := removal.Mounts(folder)
	t.found.Add(err)
	t.mounted = append(t.mounted, points...)
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
	t.inPortions(base, removal.IsDoomed, func(units []*unit) {
		for _, u := range units {
			t.remove(u)
		}
	})
	bin, known := present(base.folder, "bin", paths)
	if !known {
		return
	}
	// An installation that was never updated has folders, and they are what is used.
	externals, known := present(base.folder, "externals", paths)
	t.inPortions(base, func(name string) bool {
		return strings.HasPrefix(name, "bin.") && name != bin ||
			known && strings.HasPrefix(name, "externals.") && name != externals
	}, func(others []*unit) {
		for _, u := range others {
			if u.info.IsDir() {
				t.remove(u)
			}
		}
	})
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

// work removes what jobs left in the work folder.
func (t *tidier) work(folder place) {
	old := func(limit time.Duration) func([]*unit) {
		return func(units []*unit) {
			t.rejuvenate(units, limit)
			t.removeOld(units, 0, limit)
		}
	}
	t.inPortions(folder, func(name string) bool { return strings.HasPrefix(name, "_update") || removal.IsDoomed(name) }, old(day))
	t.inPortions(folder.at("_temp"), anyName, old(day))
	t.inPortions(folder, mayBeRepository, func(units []*unit) {
		old(t.limits.WorkAge)(slices.DeleteFunc(units, func(u *unit) bool { return !u.info.IsDir() }))
	})
}

// mayBeRepository tells whether a folder of that name in the work folder may be that of a
// repository. The runner's own begin with an underscore.
func mayBeRepository(name string) bool { return !strings.HasPrefix(name, "_") && name != "lost+found" }
