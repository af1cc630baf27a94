package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/openfile"
)

const (
	// mostOfLog is how much of the end of a listener's log is shown: jobs can write to it.
	mostOfLog = 16 << 20
	// mostLogs is how many names of the folder are looked at.
	mostLogs = 10_000
	// followEach is how often a log is looked at for more.
	followEach = 300 * time.Millisecond
)

// errNoListenerLog means that the listener has not written a log, or that a job has taken it away.
var errNoListenerLog = errors.New("there is no _diag/Runner_*.log")

// showListenerLog writes the newest log of the listener itself. The folder is the account's that runs jobs: no link in it is
// followed, nothing but a plain file is opened, and there is an end to what is read of it.
func showListenerLog(ctx context.Context, call *session, record instance.Record, follow bool) error {
	object := fmt.Sprintf("reading the listener's log of runner %q", record.Name)
	folder, err := diagnostics(record.Dir)
	if err != nil {
		return fmt.Errorf("%s: %w", object, err)
	}
	defer folder.Close()
	file, name, err := newestLog(folder)
	if err != nil {
		return fmt.Errorf("%s: %w", object, err)
	}
	defer func() { _ = file.Close() }() // it was only read
	if err := showEnd(call, file, name); err != nil || !follow {
		return err
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(followEach):
		}
		if err := showMore(call.out, file); err != nil {
			return fmt.Errorf("%s: %w", object, err)
		}
		// The next listener has a log of its own.
		next, other, err := newestLog(folder)
		if err != nil {
			continue // it may come again
		}
		if other == name {
			_ = next.Close() // it was only read
			continue
		}
		_ = file.Close() // likewise
		file, name = next, other
	}
}

// diagnostics opens the folder _diag of a runner, if it is one.
func diagnostics(dir string) (*os.Root, error) {
	tree, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer tree.Close()
	info, err := tree.Lstat("_diag")
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, errNoListenerLog
	case err != nil:
		return nil, err
	case !info.IsDir():
		return nil, fmt.Errorf("%q is no folder", path.Join(dir, "_diag"))
	}
	return tree.OpenRoot("_diag")
}

// newestLog opens the log that was written to last.
func newestLog(folder *os.Root) (*os.File, string, error) {
	list, err := folder.Open(".")
	if err != nil {
		return nil, "", err
	}
	defer list.Close()
	entries, err := list.ReadDir(mostLogs)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, "", err
	}
	var newest fs.FileInfo
	for _, entry := range entries {
		if matched, err := path.Match("Runner_*.log", entry.Name()); err != nil || !matched || !entry.Type().IsRegular() {
			continue
		}
		info, err := folder.Lstat(entry.Name())
		if err == nil && info.Mode().IsRegular() && (newest == nil || info.ModTime().After(newest.ModTime())) {
			newest = info
		}
	}
	if newest == nil {
		return nil, "", errNoListenerLog
	}
	file, err := openfile.In(folder, newest.Name())
	if err != nil {
		return nil, "", err
	}
	if info, err := file.Stat(); err != nil || !os.SameFile(info, newest) {
		return nil, "", errors.Join(errNoListenerLog, err, file.Close()) // something else has taken its place
	}
	return file, newest.Name(), nil
}

// showEnd writes the file, or the end of one that is long.
func showEnd(call *session, file *os.File, name string) error {
	info, err := file.Stat()
	if err != nil {
		return err
	}
	text := bufio.NewReader(io.NewSectionReader(file, 0, info.Size()))
	if left := info.Size() - mostOfLog; left > 0 {
		call.console.log.Warn("the log is long, and its beginning is left out", "log", name, "bytes", left)
		text = bufio.NewReader(io.NewSectionReader(file, left, mostOfLog))
		if _, err := text.ReadString('\n'); err != nil && !errors.Is(err, io.EOF) {
			return err
		}
	}
	if _, err := io.Copy(call.out, text); err != nil {
		return err
	}
	_, err = file.Seek(info.Size(), io.SeekStart)
	return err
}

// showMore writes what was added, of which there is an end at a time.
func showMore(out io.Writer, file *os.File) error {
	_, err := io.Copy(out, io.LimitReader(file, mostOfLog))
	return err
}
