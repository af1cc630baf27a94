package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// filesystem is a kind of them.
type filesystem string

const (
	ext4  filesystem = "ext4"
	xfs   filesystem = "XFS" // where files can share blocks
	tmpfs filesystem = "tmpfs"
)

// work is where everything is made that does not stay. One benchmark at a time
// works there; what a killed one has left is removed by the next.
type work struct {
	dir    string
	lock   *os.File
	system filesystem
	keep   bool
	plain  string // why there are directories instead of file systems, if so
	volume string // where the file system is mounted, or the directory
	image  string
	// outside is a link to a directory that is not in dir, while there is one.
	outside string
}

// openWork makes the working directory in the fixture's.
func openWork(ctx context.Context, o options) (_ *work, err error) {
	dir := filepath.Join(o.fixture, "work")
	w := &work{
		dir: dir, system: ext4, keep: o.keep,
		volume: filepath.Join(dir, "volume"), image: filepath.Join(dir, "image"), outside: dir + ".outside",
	}
	if o.tmpfs {
		w.system = tmpfs
	}
	if w.lock, err = lockFile(dir + ".lock"); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			_ = w.lock.Close() // it was not written to
		}
	}()
	if err := w.unmountAll(); err != nil {
		return nil, err
	}
	if err := errors.Join(releaseImage(w.image), os.RemoveAll(dir), w.leaveOutside()); err != nil {
		return nil, fmt.Errorf("removing what an interrupted run left: %w", err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("making the working directory: %w", err)
	}
	if err := w.fresh(ctx, func(string) error { return nil }); err != nil {
		if ctx.Err() != nil {
			return nil, err
		}
		w.plain = strings.Join(strings.Fields(err.Error()), " ")
		say("warning: no file system for each run (%s): numbers vary more, and creating files gets slower from run to run", w.plain)
	}
	return w, nil
}

// unmountAll takes off what a killed run has mounted, here and outside.
func (w *work) unmountAll() error {
	places := []string{w.dir}
	if outside, err := os.Readlink(w.outside); err == nil {
		places = append(places, outside)
	}
	for _, place := range places {
		mounts, err := mountsBelow(place)
		if err != nil {
			return err
		}
		for _, mount := range mounts {
			if err := unmountVolume(mount); err != nil {
				return err
			}
		}
	}
	return nil
}

func (w *work) close() error {
	var err error
	if !w.keep {
		err = errors.Join(os.RemoveAll(w.dir), w.leaveOutside())
	}
	return errors.Join(err, w.lock.Close())
}

// fresh calls do with an empty directory, on a file system that nobody has used
// before if the host lets us. Nothing of it is left or mounted afterwards, but
// for the last one if it is to be kept.
func (w *work) fresh(ctx context.Context, do func(dir string) error) (err error) {
	if err := errors.Join(ctx.Err(), os.RemoveAll(w.volume), os.RemoveAll(w.image)); err != nil {
		return err
	}
	if err := os.Mkdir(w.volume, 0o755); err != nil {
		return err
	}
	if w.plain == "" {
		if err := mountVolume(ctx, w.volume, w.image, w.system); err != nil {
			return errors.Join(err, os.RemoveAll(w.image))
		}
		defer func() { err = errors.Join(err, unmountVolume(w.volume)) }()
	}
	return do(w.volume)
}

// on is the same place with file systems of another kind.
func (w *work) on(system filesystem) *work {
	other := *w
	other.system = system
	return &other
}

// at is the same with its file systems mounted elsewhere.
func (w *work) at(volume string) *work {
	other := *w
	other.volume = volume
	return &other
}

// lacks says why there can be no file system of a kind, empty if there can.
func (w *work) lacks(ctx context.Context, system filesystem) (reason string) {
	if w.plain != "" || w.system == tmpfs {
		return "runs do not have a fresh file system on the disk each"
	}
	if err := w.on(system).fresh(ctx, func(string) error { return nil }); err != nil {
		return fmt.Sprintf("no %s here (%s)", system, strings.Join(strings.Fields(err.Error()), " "))
	}
	return ""
}

// goOutside makes a directory that every account may enter, as the folders above
// the working directory may not let it. There is one at a time, and it goes when
// the working directory does.
func (w *work) goOutside() (dir string, err error) {
	if dir, err = os.MkdirTemp("", "runner-bootstrap-bench-"); err != nil {
		return "", err
	}
	if err := errors.Join(os.Symlink(dir, w.outside), os.Chmod(dir, 0o755)); err != nil { //nolint:gosec // it is what it is for
		return "", errors.Join(err, os.RemoveAll(dir))
	}
	return dir, nil
}

// leaveOutside removes the directory of goOutside, also that of a killed program.
// It may be repeated.
func (w *work) leaveOutside() error {
	dir, err := os.Readlink(w.outside)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return errors.Join(os.RemoveAll(dir), os.Remove(w.outside))
}

// settle makes what happened so far cost nothing from now on: what is still to
// be written to a disk, and this program's own garbage.
func (w *work) settle(dir string) error {
	runtime.GC()
	return errors.Join(syncFileSystem(dir), syncFileSystem(w.dir))
}

// filesIn counts the files of a tree. What does less than it should is not fast.
func filesIn(dir string) (files int, err error) {
	err = filepath.WalkDir(dir, func(_ string, entry fs.DirEntry, err error) error {
		if err == nil && entry.Type().IsRegular() {
			files++
		}
		return err
	})
	return files, err
}
