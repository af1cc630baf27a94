package sealcheck

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"sort"
	"strings"
	"sync"

	"github.com/runner-bootstrap/runner-bootstrap/internal/openat"
)

// maxDepth is how many folders are entered one below the other: each is held open meanwhile.
const maxDepth = 200

// look is one walk over a host.
type look struct {
	host      Host
	published published

	mu        sync.Mutex
	findings  []Finding
	notLooked []NotLooked
	archives  []NotLooked
	files     int
	bytes     int64
	known     int
	// environments are the files that units take their environment from.
	environments []string
}

// job is a file to be read.
type job struct {
	path string // as it is told
	name string // below the system's root, with slashes, without one in front
	file *openat.File
	size int64
}

func (l *look) found(f ...Finding) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.findings = append(l.findings, f...)
}

func (l *look) leave(path, why string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.notLooked = append(l.notLooked, NotLooked{redacted(path), why})
}

// closed notes an archive that is not looked into.
func (l *look) closed(path, kind string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	why := "is an archive (" + kind + "), and was not unpacked; what it holds may be secret"
	l.archives = append(l.archives, NotLooked{redacted(path), why})
}

// someArchives are the first of them, by path, and how many more there are.
func (l *look) someArchives() []NotLooked {
	const most = 20
	sort.Slice(l.archives, func(i, j int) bool { return l.archives[i].Path < l.archives[j].Path })
	if len(l.archives) <= most {
		return l.archives
	}
	more := NotLooked{l.archives[most].Path, fmt.Sprintf("and %d more archives like it", len(l.archives)-most)}
	return append(slices.Clone(l.archives[:most]), more)
}

func (l *look) runners() {
	if l.host.Runners == "" {
		return
	}
	entries, err := os.ReadDir(l.host.Runners)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		l.found(Finding{Path: l.host.Runners, Kind: Unread, What: "cannot be listed: " + cause(err)})
	}
	for _, entry := range entries {
		l.found(Finding{Path: filepath.Join(l.host.Runners, entry.Name()), Kind: Runner, What: "the directory of a runner"})
	}
}

// walkAll reads with as many readers as there are processors, from one list.
func (l *look) walkAll(ctx context.Context) {
	readers := runtime.GOMAXPROCS(0)
	jobs := make(chan job, 4*readers)
	var all sync.WaitGroup
	for range readers {
		all.Go(func() {
			s := &scanner{look: l}
			for j := range jobs {
				s.scan(j)
				_ = j.file.Close() // it was only read
			}
		})
	}
	w := &walker{look: l, jobs: jobs, parts: mountedParts(l.host.Folders)}
	for _, folder := range append(slices.Clone(l.host.Folders), w.parts...) {
		w.walk(ctx, folder)
	}
	close(jobs)
	all.Wait()
	l.readEnvironments()
}

// walker lists folders and opens their files.
type walker struct {
	look  *look
	jobs  chan<- job
	parts []string // mounted below the folders, and looked at like them
}

func (w *walker) walk(ctx context.Context, folder string) {
	root, err := os.OpenRoot(folder)
	if err == nil {
		defer root.Close()
		var dir *openat.Dir
		if dir, err = openat.Open(root); err == nil {
			defer dir.Close()
			w.folder(ctx, dir, folder, 0)
			return
		}
	}
	w.unread(folder, err)
}

// unread tells of what is there and cannot be looked at; what is not there is fine.
func (w *walker) unread(path string, err error) {
	if !errors.Is(err, fs.ErrNotExist) {
		w.look.found(Finding{Path: path, Kind: Unread, What: "cannot be read: " + cause(err)})
	}
}

func (w *walker) folder(ctx context.Context, dir *openat.Dir, at string, depth int) {
	entries, err := dir.List()
	if err != nil {
		w.unread(at, err)
		return
	}
	for _, entry := range entries {
		if ctx.Err() != nil {
			return
		}
		where := filepath.Join(at, entry.Name)
		if why, skipped := w.look.host.Skip[where]; skipped {
			w.look.leave(where, why)
			continue
		}
		if tokenShape.MatchString(entry.Name) {
			w.look.found(Finding{Path: where, Kind: Secret, What: "an access token of GitHub, as a name"})
		}
		switch {
		case entry.Type.IsDir():
			w.enter(ctx, dir, entry.Name, where, depth)
		case entry.Type.IsRegular() && !compiled(where):
			w.open(dir, entry.Name, where)
		}
	}
}

// compiled tells whether a file was made of another one, which lies above it and is looked at.
func compiled(where string) bool {
	return strings.HasSuffix(where, ".pyc") && filepath.Base(filepath.Dir(where)) == "__pycache__"
}

func (w *walker) enter(ctx context.Context, dir *openat.Dir, name, where string, depth int) {
	if depth == maxDepth {
		w.look.found(Finding{Path: where, Kind: Unread, What: "lies too deep to be looked at"})
		return
	}
	inner, err := openat.EnterHere(dir, name)
	mounted := openat.InUse(err)
	if err != nil && !mounted {
		w.unread(where, err)
		return
	}
	if err == nil {
		defer inner.Close()
		mounted = !inner.SameMount(dir)
	}
	if mounted {
		if why := mountAt(where); why != "" && !slices.Contains(w.parts, where) {
			w.look.leave(where, why)
		}
		return
	}
	w.folder(ctx, inner, where, depth+1)
}

func (w *walker) open(dir *openat.Dir, name, where string) {
	file, err := dir.OpenFile(name)
	if err != nil {
		w.unread(where, err)
		return
	}
	status, err := file.Status()
	if err != nil || !status.Mode.IsRegular() || status.Size == 0 {
		_ = file.Close() // nothing is in it
		return
	}
	w.jobs <- job{path: where, name: w.look.host.below(where), file: file, size: status.Size}
}

// below is a path as seen from the system's root: with slashes, and none in front.
func (h Host) below(where string) string {
	return strings.TrimPrefix(filepath.ToSlash(strings.TrimPrefix(where, h.System)), "/")
}

// excepted tells whether somebody has looked at it, or at a folder above it.
func (h Host) excepted(where string) bool {
	for len(h.Except) > 0 {
		for _, pattern := range h.Except {
			if matched, err := path.Match(filepath.ToSlash(pattern), filepath.ToSlash(where)); err == nil && matched {
				return true
			}
		}
		if where == filepath.Dir(where) {
			break
		}
		where = filepath.Dir(where)
	}
	return false
}

// cause is what went wrong, without the path, which is told beside it.
func cause(err error) string {
	var about *fs.PathError
	if errors.As(err, &about) {
		err = about.Err
	}
	return err.Error()
}
