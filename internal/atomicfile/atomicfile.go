// Package atomicfile replaces files as a whole: who reads one finds the old or the new content, never a part of it,
// whatever ends the writer.
package atomicfile

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/runner-bootstrap/runner-bootstrap/internal/inuse"
)

// Options say how a file is written. The zero value is a file for its owner alone that need not outlive a power cut.
type Options struct {
	// Mode is the file's, whatever the umask; zero is 0600.
	Mode fs.FileMode
	// Durable waits until the content and the name are on the disk.
	Durable bool
	// Give makes the file somebody else's before it is renamed; nil leaves it ours.
	Give func(*os.File) error
}

// Write replaces the file called name, a link at that place itself and not what it leads to. After a failure the old
// file is there as it was, and nothing beside it. It may be repeated.
func Write(name string, content []byte, o Options) error {
	folder := filepath.Dir(name)
	if err := write(host{}, name, content, o); err != nil {
		return fmt.Errorf("replacing %q: %w", name, cause(err))
	}
	if !o.Durable {
		return nil
	}
	if err := SyncFolder(folder); err != nil {
		return fmt.Errorf("replacing %q: %w", name, err)
	}
	return nil
}

// WriteIn is Write for a name in a folder that others can change while we work: no link leads out of root.
func WriteIn(root *os.Root, name string, content []byte, o Options) error {
	if err := write(below{root}, name, content, o); err != nil {
		return fmt.Errorf("replacing %q in %q: %w", name, root.Name(), cause(err))
	}
	if !o.Durable {
		return nil
	}
	folder, err := root.Open(filepath.Dir(name))
	if err == nil {
		err = errors.Join(syncFolder(folder), folder.Close())
	}
	if err != nil {
		return fmt.Errorf("replacing %q in %q: %w", name, root.Name(), err)
	}
	return nil
}

// SyncFolder waits until the names in a folder are on the disk.
func SyncFolder(name string) error {
	folder, err := os.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(syncFolder(folder), folder.Close())
}

// after ends the name of a part file: what looks into folders for a certain ending does not find it.
const after = ".tmp"

func before(name string) string { return "." + filepath.Base(name) + "." }

// IsPart tells whether base, a name in the folder of the file called name, is that of a part file which a writer of that
// file is about to rename, or has left when it was killed.
func IsPart(base, name string) bool {
	rest, begins := strings.CutPrefix(base, before(name))
	rest, ends := strings.CutSuffix(rest, after)
	return begins && ends && rest != "" && !strings.Contains(rest, ".")
}

// files is what can be done on a host and in an [os.Root].
type files interface {
	OpenFile(name string, flag int, mode fs.FileMode) (*os.File, error)
	Rename(from, to string) error
	Remove(name string) error
}

type host struct{}

func (host) OpenFile(name string, flag int, mode fs.FileMode) (*os.File, error) {
	return os.OpenFile(name, flag, mode)
}
func (host) Rename(from, to string) error { return inuse.Rename(from, to) }
func (host) Remove(name string) error     { return inuse.Remove(name) }

type below struct{ *os.Root }

func (b below) Rename(from, to string) error { return inuse.RenameIn(b.Root, from, to) }
func (b below) Remove(name string) error     { return inuse.RemoveIn(b.Root, name) }

func write(in files, name string, content []byte, o Options) error {
	mode := o.Mode
	if mode == 0 {
		mode = 0o600
	}
	part := filepath.Join(filepath.Dir(name), before(name)+strings.ToLower(rand.Text()[:10])+after)
	// Exclusive: what lies there is not ours, be it a link.
	file, err := in.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(content)
	if err == nil && o.Give != nil {
		err = o.Give(file)
	}
	if err == nil && mode != 0o600 {
		err = file.Chmod(mode)
	}
	if err == nil && o.Durable {
		err = file.Sync()
	}
	err = errors.Join(err, file.Close())
	if err == nil {
		err = in.Rename(part, name)
	}
	if err != nil {
		return errors.Join(err, in.Remove(part))
	}
	return nil
}

// cause leaves out the name of the part file, which says nothing to anybody.
func cause(err error) error {
	var path *fs.PathError
	var link *os.LinkError
	switch {
	case errors.As(err, &path):
		return path.Err
	case errors.As(err, &link):
		return link.Err
	default:
		return err
	}
}
