// Package logfile keeps the log of a program in a file, and a bounded number of older ones beside it, where no journal does.
package logfile

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/inuse"
)

const (
	// Limit is how large a file may grow before the next one is begun, in bytes.
	Limit = 10 << 20
	// Older is how many older files are kept: PATH.1 is the youngest of them.
	Older = 4
	// turnEach is how often the next file is tried to be begun while another program has this one open.
	turnEach = time.Minute
	// lookEach is how often somebody who follows a log looks for more.
	lookEach = 200 * time.Millisecond
	// maxTail is how much of the end of a log is looked through for its last lines.
	maxTail = 1 << 20
)

// Writer appends to a log. It may be used by several at a time; each write is taken for whole lines.
type Writer struct {
	mu    sync.Mutex
	path  string
	limit int64
	file  *os.File // nil: it could not be opened again
	size  int64
	again time.Time // when the next file may be tried to be begun
}

// Open opens the log at path, whose folder is made private where it is missing. A limit of 0 is [Limit].
func Open(path string, limit int64) (*Writer, error) {
	if limit == 0 {
		limit = Limit
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("making the folder of the log: %w", err)
	}
	w := &Writer{path: path, limit: limit}
	if err := w.open(); err != nil {
		return nil, fmt.Errorf("opening the log: %w", err)
	}
	return w, nil
}

func (w *Writer) open() error {
	file, err := os.OpenFile(w.path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	info, err := file.Stat()
	if err != nil {
		return errors.Join(err, file.Close())
	}
	w.file, w.size = file, info.Size()
	return nil
}

// Write implements io.Writer. Where the next file cannot be begun, as while another program has this one open, it goes on in this.
func (w *Writer) Write(text []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.file != nil && w.size > 0 && w.size+int64(len(text)) > w.limit && !time.Now().Before(w.again) {
		w.turn()
	}
	if w.file == nil {
		if err := w.open(); err != nil {
			return 0, err
		}
	}
	n, err := w.file.Write(text)
	w.size += int64(n)
	return n, err
}

// turn puts the file aside, and makes an older one of it. Write begins the next one, or goes on in the same.
func (w *Writer) turn() {
	_ = w.file.Close() // what was written is written
	w.file = nil
	err := shift(w.path) // what was put aside before
	if err == nil {
		err = inuse.Rename(w.path, numbered(w.path, 0))
	}
	if err == nil {
		err = shift(w.path)
	}
	if err != nil {
		w.again = time.Now().Add(turnEach)
	}
}

// shift makes the youngest older file of the one that was put aside, if there is one, and forgets the oldest. Where one of them is
// kept open all that are younger stay as they are: nothing is lost but the oldest.
func shift(path string) error {
	if _, err := os.Lstat(numbered(path, 0)); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for number := Older; number > 0; number-- {
		err := inuse.Rename(numbered(path, number-1), numbered(path, number))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// Close ends the writing. It may be repeated.
func (w *Writer) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.file == nil {
		return nil
	}
	file := w.file
	w.file = nil
	return file.Close()
}

// numbered is the name of an older file; 0 is one that was put aside a moment ago, and is no older one yet.
func numbered(path string, number int) string { return path + "." + strconv.Itoa(number) }

// files are all that a log may have, oldest first.
func files(path string) []string {
	var all []string
	for number := Older; number >= 0; number-- {
		all = append(all, numbered(path, number))
	}
	return append(all, path)
}

// Remove removes a log with all its files. None is success.
func Remove(path string) error {
	var failed error
	for _, file := range files(path) {
		if err := inuse.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
			failed = errors.Join(failed, fmt.Errorf("removing the log: %w", err))
		}
	}
	return failed
}

// Tail gives the last lines of a log, oldest first: none where there is no log.
func Tail(path string, lines int) ([]string, error) {
	text, _, err := end(path)
	if err != nil || len(text) == 0 {
		return nil, err
	}
	all := strings.Split(strings.TrimRight(string(text), "\n"), "\n")
	return all[max(0, len(all)-lines):], nil
}

// end is the end of a log, and how long the log was then.
func end(path string) (text []byte, size int64, err error) {
	file, err := inuse.Open(path, os.O_RDONLY, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, 0, nil
	}
	if err != nil {
		return nil, 0, fmt.Errorf("reading the log: %w", err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err == nil {
		size = info.Size()
		text, err = io.ReadAll(io.NewSectionReader(file, max(0, size-maxTail), min(size, maxTail)))
	}
	if err != nil {
		return nil, 0, fmt.Errorf("reading the log: %w", err)
	}
	return text, size, nil
}

// Show writes a whole log to out, oldest line first. With follow it begins with the last lines, goes on with those that come, and
// returns nil when ctx ends.
func Show(ctx context.Context, path string, out io.Writer, follow bool) error {
	if follow {
		return followFrom(ctx, path, out)
	}
	for _, name := range files(path) {
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		file, err := inuse.Open(name, os.O_RDONLY, 0)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			_, err = io.Copy(out, file)
			err = errors.Join(err, file.Close())
		}
		if err != nil {
			return fmt.Errorf("showing the log: %w", err)
		}
	}
	return nil
}

// followTail is how many lines somebody who follows a log begins with.
const followTail = 10

func followFrom(ctx context.Context, path string, out io.Writer) error {
	text, size, err := end(path)
	if err != nil {
		return err
	}
	whole := text[:bytes.LastIndexByte(text, '\n')+1] // the rest of a line that is being written comes with its end
	at := size - int64(len(text)-len(whole))
	lines := bytes.SplitAfter(whole, []byte("\n"))
	for _, line := range lines[max(0, len(lines)-1-followTail):] {
		if _, err := out.Write(line); err != nil {
			return fmt.Errorf("showing the log: %w", err)
		}
	}
	ticker := time.NewTicker(lookEach)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		if at, err = more(path, at, out); err != nil {
			return fmt.Errorf("showing the log: %w", err)
		}
	}
}

// more shows what was written since, and tells how far it has come. The log is not kept open: that would keep the next file from
// being begun on Windows.
func more(path string, at int64, out io.Writer) (int64, error) {
	file, err := inuse.Open(path, os.O_RDONLY, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return at, nil
	}
	if err != nil {
		return at, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return at, err
	}
	if info.Size() < at { // it is the next file
		if _, err := more(numbered(path, 1), at, out); err != nil {
			return at, err
		}
		at = 0
	}
	text, err := io.ReadAll(io.NewSectionReader(file, at, info.Size()-at))
	if err != nil {
		return at, err
	}
	whole := bytes.LastIndexByte(text, '\n') + 1
	_, err = out.Write(text[:whole])
	return at + int64(whole), err
}
