package unpack

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// place is an open directory of a tree. What is reached from it lies directly in it:
// a name is no path, and no link is followed. [os.Root] gives that on every system,
// but through it and os.File one file is opened with six calls of the kernel instead of
// one, and a tree has ten thousand files. Errors are the kernel's numbers: the caller
// says what was done to which file.
type place struct{ fd int }

// file is an open regular file. Like os.File it goes on after an interrupt.
type file struct{ fd int }

// openPlace opens the directory of root again. Both are closed by the caller.
func openPlace(root *os.Root) (*place, error) {
	dir, err := root.Open(".")
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	fd, err := openAt(int(dir.Fd()), ".", unix.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		return nil, err
	}
	return &place{fd}, nil
}

// openAt opens what bears a name in a directory, unless it is a link.
func openAt(dir int, name string, flags int, mode fs.FileMode) (fd int, err error) {
	err = again(func() (err error) {
		fd, err = unix.Openat(dir, name, flags|unix.O_NOFOLLOW|unix.O_CLOEXEC, uint32(mode.Perm()))
		return err
	})
	return fd, err
}

func (p *place) close() { _ = unix.Close(p.fd) }

// enter opens a directory.
func (p *place) enter(name string) (*place, error) {
	if err := oneName(name); err != nil {
		return nil, err
	}
	fd, err := openAt(p.fd, name, unix.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		return nil, err
	}
	return &place{fd}, nil
}

// read opens a file.
func (p *place) read(name string) (*file, error) { return p.file(name, unix.O_RDONLY, 0) }

// create makes a file, where nothing bears its name.
func (p *place) create(name string, mode fs.FileMode) (*file, error) {
	return p.file(name, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL, mode)
}

func (p *place) file(name string, flags int, mode fs.FileMode) (*file, error) {
	if err := oneName(name); err != nil {
		return nil, err
	}
	fd, err := openAt(p.fd, name, flags, mode)
	if err != nil {
		return nil, err
	}
	return &file{fd}, nil
}

func (p *place) mkdir(name string, mode fs.FileMode) error {
	if err := oneName(name); err != nil {
		return err
	}
	return again(func() error { return unix.Mkdirat(p.fd, name, uint32(mode.Perm())) })
}

// chmod sets the mode of a directory. By its name alone the kernel would follow a link.
func (p *place) chmod(name string, mode fs.FileMode) error {
	dir, err := p.enter(name)
	if err != nil {
		return err
	}
	defer dir.close()
	return (&file{dir.fd}).chmod(mode)
}

func (p *place) chown(name string, uid, gid int) error {
	if err := oneName(name); err != nil {
		return err
	}
	return again(func() error { return unix.Fchownat(p.fd, name, uid, gid, unix.AT_SYMLINK_NOFOLLOW) })
}

// touch sets both times.
func (p *place) touch(name string, when time.Time) error {
	if err := oneName(name); err != nil {
		return err
	}
	at := unix.NsecToTimespec(when.UnixNano())
	times := []unix.Timespec{at, at}
	return again(func() error { return unix.UtimesNanoAt(p.fd, name, times, unix.AT_SYMLINK_NOFOLLOW) })
}

func (p *place) symlink(target, name string) error {
	if err := oneName(name); err != nil {
		return err
	}
	return again(func() error { return unix.Symlinkat(target, p.fd, name) })
}

func (p *place) readlink(name string) (string, error) {
	if err := oneName(name); err != nil {
		return "", err
	}
	target := make([]byte, unix.PathMax)
	var n int
	err := again(func() (err error) {
		n, err = unix.Readlinkat(p.fd, name, target)
		return err
	})
	return string(target[:max(n, 0)]), err
}

// mode is that of what bears the name, be it a link.
func (p *place) mode(name string) (fs.FileMode, error) {
	if err := oneName(name); err != nil {
		return 0, err
	}
	var st unix.Stat_t
	err := again(func() error { return unix.Fstatat(p.fd, name, &st, unix.AT_SYMLINK_NOFOLLOW) })
	return fileMode(st.Mode), err
}

// list returns what is in the directory, in no order.
func (p *place) list() ([]fs.DirEntry, error) {
	fd, err := openAt(p.fd, ".", unix.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		return nil, err
	}
	// A file system that does not list types has ReadDir look them up below the name.
	dir := os.NewFile(uintptr(fd), fmt.Sprintf("/proc/self/fd/%d", fd))
	defer dir.Close()
	return dir.ReadDir(-1)
}

// Read implements io.Reader.
func (f *file) Read(p []byte) (n int, err error) {
	if len(p) == 0 {
		return 0, nil
	}
	err = again(func() (err error) {
		n, err = unix.Read(f.fd, p)
		return err
	})
	if err == nil && n == 0 {
		return 0, io.EOF
	}
	return max(n, 0), err
}

// Write implements io.Writer.
func (f *file) Write(p []byte) (n int, err error) {
	for n < len(p) {
		written, err := unix.Write(f.fd, p[n:])
		n += max(written, 0)
		switch {
		case err == unix.EINTR: //nolint:errorlint // a number of the kernel's
		case err != nil:
			return n, err
		case written == 0:
			return n, io.ErrUnexpectedEOF
		}
	}
	return n, nil
}

// Close implements io.Closer. An interrupted close has closed.
func (f *file) Close() error {
	if err := unix.Close(f.fd); err != unix.EINTR { //nolint:errorlint // a number of the kernel's
		return err
	}
	return nil
}

func (f *file) chmod(mode fs.FileMode) error {
	return again(func() error { return unix.Fchmod(f.fd, uint32(mode.Perm())) })
}

func (f *file) chown(uid, gid int) error {
	return again(func() error { return unix.Fchown(f.fd, uid, gid) })
}

func (f *file) status() (status, error) {
	var st unix.Stat_t
	if err := again(func() error { return unix.Fstat(f.fd, &st) }); err != nil {
		return status{}, err
	}
	return status{mode: fileMode(st.Mode), size: st.Size, modified: time.Unix(st.Mtim.Unix())}, nil
}

// again repeats a call that a signal has interrupted.
func again(call func() error) error {
	for {
		if err := call(); err != unix.EINTR { //nolint:errorlint // a number of the kernel's
			return err
		}
	}
}

// oneName refuses what is no name.
func oneName(name string) error {
	if name == "" || name == "." || name == ".." || strings.IndexByte(name, '/') >= 0 {
		return fmt.Errorf("%q is no name in a directory: %w", name, syscall.EINVAL)
	}
	return nil
}

// fileMode is what package os makes of the kernel's mode, but for what is neither file,
// directory nor link: no tree has that.
func fileMode(st uint32) fs.FileMode {
	mode := fs.FileMode(st & 0o777)
	switch st & unix.S_IFMT {
	case unix.S_IFREG:
	case unix.S_IFDIR:
		mode |= fs.ModeDir
	case unix.S_IFLNK:
		mode |= fs.ModeSymlink
	default:
		mode |= fs.ModeIrregular
	}
	if st&unix.S_ISUID != 0 {
		mode |= fs.ModeSetuid
	}
	if st&unix.S_ISGID != 0 {
		mode |= fs.ModeSetgid
	}
	if st&unix.S_ISVTX != 0 {
		mode |= fs.ModeSticky
	}
	return mode
}
