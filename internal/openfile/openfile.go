// Package openfile opens files that somebody else may have put where they are: a job in
// its runner's tree, a user behind an option. None is waited for, none is read without an
// end, and what is no plain file is not read: a pipe would hold its reader up, a device may
// do something when it is opened.
package openfile

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/runner-bootstrap/runner-bootstrap/internal/inuse"
)

// ErrNotRegular is something else than a plain file: a folder, a pipe, a device, a socket.
var ErrNotRegular = errors.New("it is no file")

// LargeError is a file that has more bytes than were to be read.
type LargeError struct{ Limit int64 }

func (e *LargeError) Error() string { return fmt.Sprintf("it has more than %d bytes", e.Limit) }

// Open opens a plain file for reading. Links are followed, so the caller trusts those
// that can change the folders of path, or everything that a link could lead to. The error
// is an [*fs.PathError]; [ErrNotRegular] for what is no plain file.
func Open(path string) (*os.File, error) {
	return open(path, 0)
}

// OpenItself is [Open] that follows no link in the place of the file. The folders of path
// may be links.
func OpenItself(path string) (*os.File, error) {
	return open(path, noFollow)
}

// In opens a plain file below a folder, out of which no link leads.
func In(folder *os.Root, name string) (*os.File, error) {
	file, err := inuse.OpenIn(folder, name, os.O_RDONLY|noWait, 0)
	if err != nil {
		return nil, err
	}
	return regular(file, name)
}

// Read reads what [Open] opens; a [*LargeError] where it has more than limit bytes.
func Read(path string, limit int64) ([]byte, error) {
	return readAll(path, limit)(Open(path))
}

// ReadItself reads what [OpenItself] opens; a [*LargeError] where it has more than limit bytes.
func ReadItself(path string, limit int64) ([]byte, error) {
	return readAll(path, limit)(OpenItself(path))
}

// ReadIn reads what [In] opens; a [*LargeError] where it has more than limit bytes.
func ReadIn(folder *os.Root, name string, limit int64) ([]byte, error) {
	return readAll(name, limit)(In(folder, name))
}

// ReadStream reads what a user has named, which may be a pipe that a program writes to:
// it waits for that program, until ctx ends. Folders are refused, and a [*LargeError] comes
// as from Read. After ctx has ended something may wait on, unseen, until this process ends.
func ReadStream(ctx context.Context, path string, limit int64) ([]byte, error) {
	type result struct {
		text []byte
		err  error
	}
	done := make(chan result, 1)
	go func() {
		text, err := readAll(path, limit)(os.Open(path))
		done <- result{text, err}
	}()
	select {
	case r := <-done:
		return r.text, r.err
	case <-ctx.Done():
		return nil, &fs.PathError{Op: "read", Path: path, Err: context.Cause(ctx)}
	}
}

func readAll(name string, limit int64) func(*os.File, error) ([]byte, error) {
	return func(file *os.File, err error) ([]byte, error) {
		if err != nil {
			return nil, err
		}
		defer file.Close()
		text, err := io.ReadAll(io.LimitReader(file, limit+1))
		if err == nil && int64(len(text)) > limit {
			err = &fs.PathError{Op: "read", Path: name, Err: &LargeError{Limit: limit}}
		}
		if err != nil {
			return nil, err
		}
		return text, nil
	}
}

// regular returns an open file if it is a plain one, and closes it if not.
func regular(file *os.File, name string) (*os.File, error) {
	info, err := file.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = &fs.PathError{Op: "open", Path: name, Err: ErrNotRegular}
	}
	if err != nil {
		_ = file.Close() // it was not read
		return nil, err
	}
	return file, nil
}
