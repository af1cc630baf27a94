package inuse

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/windows"
)

// refused tells whether an error may come from a file that is open. "Access denied" is among them: so Windows says for a
// file that takes another's place, for a program that runs, and for what was removed while it was open and is not yet gone.
func refused(err error) bool {
	for _, code := range []syscall.Errno{
		windows.ERROR_SHARING_VIOLATION, windows.ERROR_LOCK_VIOLATION, windows.ERROR_ACCESS_DENIED,
		windows.ERROR_USER_MAPPED_FILE, windows.ERROR_DELETE_PENDING,
	} {
		if errors.Is(err, code) {
			return true
		}
	}
	return false
}

// blame says who has a file open. "Access denied" has other causes as well: it stays, unless there is somebody who has it open.
func blame(paths []string, err error) error {
	by := holders(paths)
	if len(by) == 0 && !errors.Is(err, windows.ERROR_SHARING_VIOLATION) {
		return err
	}
	cause := err
	var code syscall.Errno
	if errors.As(err, &code) {
		cause = code
	}
	return instead(err, &Error{By: by, Err: cause})
}

// rename goes through the folder where both names are in one: there the file that is replaced may be open, if the one who
// opened it allows that. [os.Rename] does not make use of such a permission.
func rename(from, to string) error {
	folder, old := filepath.Split(from)
	other, name := filepath.Split(to)
	if filepath.Clean(folder) != filepath.Clean(other) || old == "" || name == "" {
		return os.Rename(from, to)
	}
	root, err := os.OpenRoot(filepath.Clean(folder))
	if err != nil {
		return os.Rename(from, to)
	}
	defer root.Close()
	if err := root.Rename(old, name); err != nil {
		var link *os.LinkError
		if errors.As(err, &link) {
			err = link.Err
		}
		return &os.LinkError{Op: "rename", Old: from, New: to, Err: err}
	}
	return nil
}

// open is [os.OpenFile] with FILE_SHARE_DELETE, for what is opened here: to read, or to read and write with or without making
// it.
func open(path string, flag int, mode fs.FileMode) (*os.File, error) {
	failed := func(err error) error { return &fs.PathError{Op: "open", Path: path, Err: err} }
	const known = os.O_RDONLY | os.O_WRONLY | os.O_RDWR | os.O_CREATE | os.O_EXCL | os.O_TRUNC
	if flag&^known != 0 {
		return nil, failed(errors.ErrUnsupported)
	}
	name, err := windows.UTF16PtrFromString(path)
	if err != nil {
		return nil, failed(err)
	}
	const share = windows.FILE_SHARE_READ | windows.FILE_SHARE_WRITE | windows.FILE_SHARE_DELETE
	handle, err := windows.CreateFile(name, access(flag), share, nil, creation(flag), attributes(flag, mode), 0)
	if err != nil {
		return nil, failed(err)
	}
	file := os.NewFile(uintptr(handle), path)
	if flag&os.O_TRUNC != 0 {
		if err := file.Truncate(0); err != nil {
			return nil, errors.Join(err, file.Close())
		}
	}
	return file, nil
}

func access(flag int) uint32 {
	switch {
	case flag&os.O_RDWR != 0:
		return windows.GENERIC_READ | windows.GENERIC_WRITE
	case flag&os.O_WRONLY != 0:
		return windows.GENERIC_WRITE
	}
	return windows.GENERIC_READ
}

func creation(flag int) uint32 {
	switch {
	case flag&os.O_CREATE == 0:
		return windows.OPEN_EXISTING
	case flag&os.O_EXCL != 0:
		return windows.CREATE_NEW
	}
	return windows.OPEN_ALWAYS
}

func attributes(flag int, mode fs.FileMode) uint32 {
	const ownerWrites = 0o200
	attributes := uint32(windows.FILE_ATTRIBUTE_NORMAL)
	if flag&os.O_CREATE != 0 && mode&ownerWrites == 0 {
		attributes = windows.FILE_ATTRIBUTE_READONLY
	}
	if flag&(os.O_WRONLY|os.O_RDWR) == 0 {
		attributes |= windows.FILE_FLAG_BACKUP_SEMANTICS // a folder can be opened to be looked at
	}
	if flag&os.O_EXCL != 0 {
		attributes |= windows.FILE_FLAG_OPEN_REPARSE_POINT // what lies there is not ours, be it a link
	}
	return attributes
}

// instead puts another cause in the place of the one in an error of package os, so that what it says of the file stays.
func instead(err, cause error) error {
	switch err := err.(type) { //nolint:errorlint // a wrapped one is not package os'
	case *fs.PathError:
		return &fs.PathError{Op: err.Op, Path: err.Path, Err: cause}
	case *os.LinkError:
		return &os.LinkError{Op: err.Op, Old: err.Old, New: err.New, Err: cause}
	}
	return cause
}
