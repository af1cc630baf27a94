package workspace

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/folders"
	"github.com/runner-bootstrap/runner-bootstrap/internal/openat"
	"github.com/runner-bootstrap/runner-bootstrap/internal/removal"
)

// lostFound is what an administrator's disk has that is mounted on a folder.
const lostFound = "lost+found"

// logName tells whether GitHub's runner gives a log such a name, and when that log was begun as far as the name says it: its listener,
// and the worker of each job, open the one of the present second, whatever bears that name.
func logName(name string) (begun time.Time, isLog bool) {
	kind, rest, _ := strings.Cut(name, "_")
	stamp, isLog := strings.CutSuffix(rest, ".log")
	if kind != "Runner" && kind != "Worker" || !isLog {
		return time.Time{}, false
	}
	begun, err := time.Parse("20060102-150405-utc", stamp)
	if err != nil {
		return time.Time{}, true // it says nothing
	}
	return begun, true
}

// keepLogs removes all in the folder for logs but the logs: files of the account uid, begun before now, that it reads and writes. What else
// bears the name of one may be there for the next listener, which would wait at a pipe for ever.
func keepLogs(folder *os.Root, uid int, now time.Time) error {
	return removal.Except(folder, func(name string) bool {
		begun, isLog := logName(name)
		if !isLog || begun.After(now) {
			return name == lostFound
		}
		info, err := folder.Lstat(name)
		return err == nil && isOpenable(info) && info.Mode()&(fs.ModeSetuid|fs.ModeSetgid) == 0 && (uid < 0 || ownedBy(info, uid))
	})
}

// isOpenable tells whether the owner of something may open it as a log.
func isOpenable(info fs.FileInfo) bool {
	const both = 0o600
	return info.Mode().IsRegular() && info.Mode()&both == both
}

// maxLogs is how many logs stay at most: some weeks of a runner that is always busy. A job can
// leave any number, and those that stay are held in memory.
const maxLogs = 4096

// diag removes logs by age, then the oldest ones until the others are within their
// limit.
func (t *tidier) diag(base place) {
	logs := place{folder: base.folder, inner: diag, label: diag}
	folder, done, err := logs.open()
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			t.found.Add(err)
		}
		return
	}
	defer func() { t.found.Add(done()) }()
	kept := t.newLogs(folder)
	t.inPortions(logs, func(name string) bool { return !slices.Contains(parts(), name) }, kept.add)
	for _, name := range parts() {
		t.inPortions(place{folder: folder, inner: name, label: path.Join(diag, name)}, anyName, kept.add)
	}
	kept.limit(maxLogs)
	t.removeOver(kept.units, kept.total, t.limits.DiagBytes)
}

// logs are those that stay, as far as they are known.
type logs struct {
	t     *tidier
	open  string // the one that the idle runner writes to
	units []*unit
	total int64 // bytes of all, the open one included unless it is beyond the limit alone
}

// newLogs finds the open log among those in a folder: the one that was changed last by what nobody can set (ctime), where that is told.
// Times of content are whatever a job says, and those later than now say nothing.
func (t *tidier) newLogs(folder *os.Root) *logs {
	l := &logs{t: t}
	dir, err := openat.Open(folder)
	if err != nil {
		t.found.Add(fmt.Errorf("listing %q: %w", folder.Name(), folders.Cause(err)))
		return l
	}
	defer dir.Close()
	var newest *unit
	var changed int64
	t.found.Add(t.each(folder, func(name string, info fs.FileInfo) {
		if info == nil || !info.Mode().IsRegular() || !strings.HasPrefix(name, "Runner_") || !strings.HasSuffix(name, ".log") {
			return
		}
		_, when, err := openat.Known(dir, name)
		if err != nil {
			return // it is gone
		}
		u := &unit{name: name, newest: info.ModTime(), future: info.ModTime().After(t.now)}
		if newest == nil || cmp.Or(cmp.Compare(changed, when), older(newest, u)) < 0 {
			newest, changed, l.open = u, when, name
		}
	}))
	return l
}

// add removes of some units those that are too old, and keeps the others.
func (l *logs) add(units []*unit) {
	l.t.measure(units)
	for _, u := range units {
		u.future = u.newest.After(l.t.now)
	}
	l.total += sum(units)
	units = slices.DeleteFunc(units, func(u *unit) bool {
		open := u.place.label == diag && u.name == l.open
		if limit := l.t.limits.DiagBytes; open && u.bytes > limit && limit > 0 {
			l.total -= u.bytes // it stays, and the others would go in vain
		}
		return open
	})
	units, l.total = l.t.removeOld(units, l.total, l.t.limits.DiagAge)
	l.units = append(l.units, units...)
	if len(l.units) > 2*maxLogs {
		l.limit(maxLogs)
	}
}

// limit removes the oldest units beyond so many.
func (l *logs) limit(most int) {
	if len(l.units) <= most {
		return
	}
	slices.SortFunc(l.units, older)
	var stay []*unit
	for i, u := range l.units {
		switch {
		case i >= len(l.units)-most:
			stay = append(stay, u)
		case l.t.remove(u):
			l.total -= u.bytes
		}
	}
	l.units = stay
}

// parts are the folders in _diag where pieces of job logs wait to be uploaded.
func parts() []string { return []string{"pages", "blocks"} }
