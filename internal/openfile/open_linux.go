package openfile

import (
	"errors"
	"io/fs"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

const noFollow = unix.O_NOFOLLOW

// open looks at what it has found before it opens it: a device may do something then. The
// handle that it looks through opens nothing.
func open(path string, flags int) (*os.File, error) {
	handle, err := os.OpenFile(path, unix.O_PATH|flags, 0)
	if err != nil {
		return nil, err
	}
	defer handle.Close()
	info, err := handle.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = &fs.PathError{Op: "open", Path: path, Err: ErrNotRegular}
	}
	if err != nil {
		return nil, err
	}
	seen := "/proc/self/fd/" + strconv.Itoa(int(handle.Fd())) //nolint:gosec // a descriptor is small
	fd, err := unix.Open(seen, unix.O_RDONLY|unix.O_CLOEXEC|noWait, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return openAgain(path, flags) // without /proc
	}
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	return os.NewFile(uintptr(fd), path), nil
}

func openAgain(path string, flags int) (*os.File, error) {
	file, err := os.OpenFile(path, os.O_RDONLY|noWait|flags, 0)
	if err != nil {
		return nil, err
	}
	return regular(file, path)
}
