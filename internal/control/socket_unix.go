//go:build unix

package control

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
)

// socket is one that this process has made.
type socket struct {
	listener *net.UnixListener
	path     string
	info     fs.FileInfo
}

// Place is where the agent of the runner called name answers; folder is that of all sockets.
func Place(folder, name string) string { return filepath.Join(folder, name+".sock") }

// bind makes the socket under another name and renames it, so that at no moment it can be reached by others, and
// takes the place of what a killed agent has left there.
func bind(path string) (*socket, error) {
	folder := filepath.Dir(path)
	if err := secure(folder); err != nil {
		return nil, err
	}
	if err := vacant(path); err != nil {
		return nil, err
	}
	part := filepath.Join(folder, "."+strconv.Itoa(os.Getpid())+".sock")
	if err := os.Remove(part); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var listener *net.UnixListener
	err := short(part, func(name string) (err error) {
		listener, err = net.ListenUnix("unix", &net.UnixAddr{Name: name, Net: "unix"})
		return err
	})
	if err != nil {
		return nil, err
	}
	listener.SetUnlinkOnClose(false) // it is renamed
	made, err := place(part, path)
	if err != nil {
		return nil, errors.Join(err, listener.Close(), os.Remove(part))
	}
	return &socket{listener: listener, path: path, info: made}, nil
}

func place(part, path string) (fs.FileInfo, error) {
	if err := os.Chmod(part, 0o600); err != nil {
		return nil, err
	}
	info, err := os.Lstat(part)
	if err != nil {
		return nil, err
	}
	if old, err := os.Lstat(path); err == nil && old.IsDir() {
		if err := os.Remove(path); err != nil { // rename does not replace it
			return nil, err
		}
	}
	return info, os.Rename(part, path)
}

// remove removes the socket, unless another has taken its place.
func (s *socket) remove() error {
	info, err := os.Lstat(s.path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && !os.SameFile(info, s.info) {
		return nil
	}
	if err != nil {
		return err
	}
	return os.Remove(s.path)
}

// secure makes the folder of sockets, and refuses one in which others could put theirs.
func secure(folder string) error {
	if err := os.MkdirAll(filepath.Dir(folder), 0o755); err != nil { //nolint:gosec // what is above it is everybody's way
		return err
	}
	if err := os.Mkdir(folder, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	info, err := os.Lstat(folder)
	if err != nil {
		return err
	}
	if !info.IsDir() || !belongs(info) || info.Mode().Perm()&0o022 != 0 {
		return fmt.Errorf("folder %q: %w", folder, ErrForeign)
	}
	return nil
}

// vacant tells whether no agent answers at path.
func vacant(path string) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	conn, err := dial(ctx, path)
	switch {
	case err == nil:
		return errors.Join(ErrRunning, conn.Close())
	case errors.Is(err, ErrNoAgent), errors.Is(err, ErrForeign):
		return nil
	default:
		return err
	}
}

// lies tells whether there is a socket at path that is ours; [ErrNoAgent] or [ErrForeign] if not.
func lies(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, os.ErrNotExist) {
		return ErrNoAgent
	}
	if err != nil {
		return err
	}
	if info.Mode().Type() != os.ModeSocket || !belongs(info) {
		return ErrForeign
	}
	return nil
}

// connect dials path, however long it is.
func connect(ctx context.Context, path string) (conn net.Conn, err error) {
	err = short(path, func(name string) error {
		conn, err = new(net.Dialer).DialContext(ctx, "unix", name)
		return err
	})
	return conn, err
}

// belongs tells whether a file is root's or of the account of this process.
func belongs(info fs.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && mayControl(int(stat.Uid))
}

// trusted tells whether the other end of a connection is root or of the account of this process.
func trusted(conn net.Conn) error {
	raw, ok := conn.(*net.UnixConn)
	if !ok {
		return ErrForeign
	}
	uid, err := peer(raw)
	if err != nil {
		return fmt.Errorf("looking at the other end: %w", err)
	}
	if !mayControl(uid) {
		return ErrForeign
	}
	return nil
}

// mayAsk tells whether the agent answers who has connected to it.
func mayAsk(conn net.Conn) error { return trusted(conn) }

func mayControl(uid int) bool { return uid == 0 || uid == os.Geteuid() }
