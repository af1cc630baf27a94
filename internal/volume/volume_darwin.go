package volume

import (
	"errors"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"
)

// Of tells what file system a directory is on.
func Of(dir string) (Volume, error) {
	var stat unix.Statfs_t
	if err := unix.Statfs(dir, &stat); err != nil {
		return Volume{}, err
	}
	var of unix.Stat_t
	if err := unix.Stat(dir, &of); err != nil {
		return Volume{}, err
	}
	v := Volume{
		ID: uint64(uint32(of.Dev)), Bytes: int64(stat.Bavail) * int64(stat.Bsize), Sized: stat.Blocks > 0, //nolint:gosec // likewise
		Files: int64(stat.Ffree), Counted: stat.Files > 0, ReadOnly: stat.Flags&unix.MNT_RDONLY != 0, //nolint:gosec // less than 2^63
		NoExec: stat.Flags&unix.MNT_NOEXEC != 0, NoSetuid: stat.Flags&unix.MNT_NOSUID != 0,
		Kind: unix.ByteSliceToString(stat.Fstypename[:]), Point: unix.ByteSliceToString(stat.Mntonname[:]),
	}
	v.Plain = slices.Contains([]string{"msdos", "exfat"}, v.Kind)
	return v, nil
}

// errNamed means that a trial needs names, as it always does here.
var errNamed = errors.New("only with names")

func nameless(string) (*os.File, error) { return nil, errNamed }

// program puts a program into the place that is tried, and gives its path.
func (t *Trial) program(content []byte) (path string, inherited *os.File, err error) {
	path = filepath.Join(t.dir, t.name, triedProgram)
	return path, nil, t.folder.WriteFile(triedProgram, content, 0o700)
}

// folds is never asked.
func folds(string) bool { return false }

// tiny is a program that ends with success.
func tiny() []byte { return []byte("#!/bin/sh\nexit 0\n") }

// Above is the place of the mount that a path is on; empty, as that is not told here without asking it.
func Above(string) string { return "" }
