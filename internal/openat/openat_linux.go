package openat

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Dir is an open directory of a tree. What is reached from it lies directly in it:
// a name is no path, and no link is followed. [os.Root] gives that on every system,
// but through it and os.File one file is opened with six calls of the kernel instead of
// one, and a tree has ten thousand files. Errors are the kernel's numbers: the caller
// says what was done to which file.
type Dir struct {
	fd     int
	listed bool // from there on: it has to begin again
}

// File is an open regular file. Like os.File it goes on after an interrupt.
type File struct{ fd int }

// Open opens the directory of root again. Both are closed by the caller.
func Open(root *os.Root) (*Dir, error) {
	dir, err := root.Open(".")
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	fd, err := openAt(int(dir.Fd()), ".", unix.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		return nil, err
	}
	return &Dir{fd: fd}, nil
}

// openAt opens what bears a name in a directory, unless it is a link.
func openAt(dir int, name string, flags int, mode fs.FileMode) (fd int, err error) {
	err = again(func() (err error) {
		fd, err = unix.Openat(dir, name, flags|unix.O_NOFOLLOW|unix.O_CLOEXEC, uint32(mode.Perm()))
		return err
	})
	return fd, err
}

// Close closes it. There is nothing that could be done about a failure.
func (d *Dir) Close() { _ = unix.Close(d.fd) }

// Enter opens a directory.
func (d *Dir) Enter(name string) (*Dir, error) { return enter(d, name, unix.O_RDONLY) }

// pass opens a directory for what is done by the names in it, which takes the kernel less.
func pass(d *Dir, name string) (*Dir, error) { return enter(d, name, unix.O_PATH) }

func enter(d *Dir, name string, flags int) (*Dir, error) {
	if err := oneName(name); err != nil {
		return nil, err
	}
	fd, err := openAt(d.fd, name, flags|unix.O_DIRECTORY, 0)
	if err != nil {
		return nil, err
	}
	return &Dir{fd: fd}, nil
}

// OpenFile opens a file to be read. What is none is opened as well, without waiting: Status tells.
func (d *Dir) OpenFile(name string) (*File, error) {
	return d.file(name, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
}

// Create makes a file, where nothing bears its name.
func (d *Dir) Create(name string, mode fs.FileMode) (*File, error) {
	return d.file(name, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL, mode)
}

func (d *Dir) file(name string, flags int, mode fs.FileMode) (*File, error) {
	if err := oneName(name); err != nil {
		return nil, err
	}
	fd, err := openAt(d.fd, name, flags, mode)
	if err != nil {
		return nil, err
	}
	return &File{fd}, nil
}

// Mkdir makes a directory.
func (d *Dir) Mkdir(name string, mode fs.FileMode) error {
	if err := oneName(name); err != nil {
		return err
	}
	return again(func() error { return unix.Mkdirat(d.fd, name, uint32(mode.Perm())) })
}

// Chmod sets the mode of a directory. By its name alone the kernel would follow a link.
func (d *Dir) Chmod(name string, mode fs.FileMode) error {
	dir, err := d.Enter(name)
	if err != nil {
		return err
	}
	defer dir.Close()
	return (&File{dir.fd}).Chmod(mode)
}

// Chown gives away what bears the name, be it a link.
func (d *Dir) Chown(name string, uid, gid int) error {
	if err := oneName(name); err != nil {
		return err
	}
	return again(func() error { return unix.Fchownat(d.fd, name, uid, gid, unix.AT_SYMLINK_NOFOLLOW) })
}

// Touch sets both times.
func (d *Dir) Touch(name string, when time.Time) error {
	if err := oneName(name); err != nil {
		return err
	}
	at := unix.NsecToTimespec(when.UnixNano())
	times := []unix.Timespec{at, at}
	return again(func() error { return unix.UtimesNanoAt(d.fd, name, times, unix.AT_SYMLINK_NOFOLLOW) })
}

// Symlink makes a link called name.
func (d *Dir) Symlink(target, name string) error {
	if err := oneName(name); err != nil {
		return err
	}
	return again(func() error { return unix.Symlinkat(target, d.fd, name) })
}

// Link gives the file that bears a name in d another one in directory to. ErrUnsupported means that it cannot have one
// there: on another file system, or with too many names already.
func (d *Dir) Link(name string, to *Dir, as string) error {
	if err := errors.Join(oneName(name), oneName(as)); err != nil {
		return err
	}
	err := again(func() error { return unix.Linkat(d.fd, name, to.fd, as, 0) })
	switch {
	case errors.Is(err, syscall.EXDEV), errors.Is(err, syscall.EMLINK), errors.Is(err, syscall.EPERM), errors.Is(err, syscall.ENOSYS),
		errors.Is(err, syscall.EOPNOTSUPP):
		return errors.ErrUnsupported
	}
	return err
}

// LinksStay tells whether a file that gets another name here is the same file afterwards. An overlay may have it from below,
// and then makes one of its own.
func LinksStay(d *Dir) bool {
	var st unix.Statfs_t
	err := again(func() error { return unix.Fstatfs(d.fd, &st) })
	return err == nil && st.Type != unix.OVERLAYFS_SUPER_MAGIC
}

// Known is what a file is known by: its number, and when it was last changed (ctime). Both are zero on other systems.
func Known(d *Dir, name string) (inode uint64, changed int64, err error) {
	status, err := d.Status(name)
	return status.Inode, status.Changed, err
}

// Changed is when the directory was last changed, as [Status.Changed] is of what is in it.
func Changed(d *Dir) (int64, error) {
	status, err := (&File{d.fd}).Status()
	return status.Changed, err
}

// Readlink returns where a link leads.
func (d *Dir) Readlink(name string) (string, error) {
	if err := oneName(name); err != nil {
		return "", err
	}
	target := make([]byte, unix.PathMax)
	var n int
	err := again(func() (err error) {
		n, err = unix.Readlinkat(d.fd, name, target)
		return err
	})
	return string(target[:max(n, 0)]), err
}

// Frozen tells whether what bears the name, or the folder itself for none, is immutable or may only be appended to (chattr(1)).
func Frozen(d *Dir, name string) bool {
	if name != "" && oneName(name) != nil {
		return false
	}
	var st unix.Statx_t
	flags := unix.AT_SYMLINK_NOFOLLOW | unix.AT_EMPTY_PATH
	err := again(func() error { return unix.Statx(d.fd, name, flags, unix.STATX_TYPE, &st) })
	return err == nil && st.Attributes&(unix.STATX_ATTR_IMMUTABLE|unix.STATX_ATTR_APPEND) != 0
}

// Status tells what bears the name, be it a link.
func (d *Dir) Status(name string) (Status, error) {
	if err := oneName(name); err != nil {
		return Status{}, err
	}
	var st unix.Stat_t
	if err := again(func() error { return unix.Fstatat(d.fd, name, &st, unix.AT_SYMLINK_NOFOLLOW) }); err != nil {
		return Status{}, err
	}
	return statusOf(&st), nil
}

// Read implements io.Reader.
func (f *File) Read(p []byte) (n int, err error) {
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
func (f *File) Write(p []byte) (n int, err error) {
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
func (f *File) Close() error {
	if err := unix.Close(f.fd); err != unix.EINTR { //nolint:errorlint // a number of the kernel's
		return err
	}
	return nil
}

// Chmod sets the mode.
func (f *File) Chmod(mode fs.FileMode) error {
	return again(func() error { return unix.Fchmod(f.fd, uint32(mode.Perm())) })
}

// Chown gives it away.
func (f *File) Chown(uid, gid int) error {
	return again(func() error { return unix.Fchown(f.fd, uid, gid) })
}

// Status tells what it is.
func (f *File) Status() (Status, error) {
	var st unix.Stat_t
	if err := again(func() error { return unix.Fstat(f.fd, &st) }); err != nil {
		return Status{}, err
	}
	return statusOf(&st), nil
}

func statusOf(st *unix.Stat_t) Status {
	const block = 512 // whatever the file system's are
	return Status{
		Mode: fileMode(st.Mode), Size: st.Size, Modified: time.Unix(st.Mtim.Unix()),
		Disk: st.Blocks * block, Links: int64(st.Nlink), //nolint:gosec,unconvert // types differ by platform
		Inode: st.Ino, Changed: st.Ctim.Nano(), UID: int(st.Uid),
	}
}

// Clone lets f share the blocks of source until one of them is written to. ErrUnsupported
// means that these two cannot.
func (f *File) Clone(source *File) error {
	err := again(func() error { return unix.IoctlFileClone(f.fd, source.fd) })
	switch {
	case errors.Is(err, syscall.EOPNOTSUPP), errors.Is(err, syscall.EXDEV), errors.Is(err, syscall.EINVAL),
		errors.Is(err, syscall.ENOTTY), errors.Is(err, syscall.ENOSYS), errors.Is(err, syscall.EPERM):
		return errors.ErrUnsupported
	}
	return err
}

// startWriting makes the kernel begin to write a part of the file to the disk, without
// waiting for it. A failure shows up when the file system is synchronised.
func (f *File) startWriting(offset, length int64) {
	_ = unix.SyncFileRange(f.fd, offset, length, unix.SYNC_FILE_RANGE_WRITE)
}

// again repeats a call that a signal has interrupted.
func again(call func() error) error {
	for {
		if err := call(); err != unix.EINTR { //nolint:errorlint // a number of the kernel's
			return err
		}
	}
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
