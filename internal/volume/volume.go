// Package volume tells what a file system is, and tries what it can do. What a trial makes is gone when it is over.
package volume

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Volume is a file system, as it is mounted above some path.
type Volume struct {
	// ID tells it from others; two mounts of one file system have the same.
	ID    uint64
	Bytes int64 // free for those who are not root
	// Sized is set where the file system tells how large it is: one in memory, or over a network, may not.
	Sized    bool
	Files    int64 // it may still have
	Counted  bool  // it has a fixed number of files
	ReadOnly bool
	NoExec   bool
	NoSetuid bool
	// Kind is what mount(8) calls it, Point where it is mounted; both are empty where that is not told.
	Kind, Point string
	// Plain is set for kinds that have neither modes nor owners: FAT and its kin.
	Plain bool
}

// String names the file system in a message; empty where nothing is known of it.
func (v Volume) String() string {
	switch {
	case v.Kind == "" && v.Point == "":
		return ""
	case v.Kind == "":
		return fmt.Sprintf("mounted at %q", v.Point)
	case v.Point == "":
		return v.Kind
	}
	return fmt.Sprintf("%s, mounted at %q", v.Kind, v.Point)
}

// Existing returns the nearest directory at or above path that is there. An error names what is in the way.
func Existing(path string) (string, error) {
	for {
		info, err := os.Stat(path)
		switch {
		case err == nil && info.IsDir():
			return path, nil
		case err == nil:
			return path, fmt.Errorf("%q is not a directory", path)
		case !errors.Is(err, fs.ErrNotExist):
			return path, err
		}
		if target, err := os.Readlink(path); err == nil {
			return path, fmt.Errorf("%q is a link to %q, which is not there", path, target)
		}
		above := filepath.Dir(path)
		if above == path {
			return path, err
		}
		path = above
	}
}

// Executes tells whether this process can start programs from the nearest directory at or above path that is there. Where
// that cannot be told, it says yes.
func Executes(path string) bool {
	dir, err := Existing(path)
	if err != nil {
		return true
	}
	trial, err := Try(dir)
	if err != nil {
		return true
	}
	err = trial.Execute(-1, -1)
	return trial.Close() != nil || err == nil
}
