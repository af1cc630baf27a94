package openat

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// Unlink removes the name of what is no directory. That of a directory is EISDIR, if nothing else forbids it before.
func (d *Dir) Unlink(name string) error { return d.unlink(name, 0) }

// Rmdir removes an empty directory. One with anything in it is ENOTEMPTY or EEXIST.
func (d *Dir) Rmdir(name string) error { return d.unlink(name, unix.AT_REMOVEDIR) }

func (d *Dir) unlink(name string, flags int) error {
	if err := oneName(name); err != nil {
		return err
	}
	return again(func() error { return unix.Unlinkat(d.fd, name, flags) })
}

// InUse tells whether something cannot be removed for being in use, as the places are where something is mounted.
func InUse(err error) bool { return errors.Is(err, unix.EBUSY) || errors.Is(err, unix.EXDEV) }

// Move gives what bears a name in d another one in above, which is a directory on the way to d. EXDEV or EBUSY mean
// that something is mounted there.
func (d *Dir) Move(name string, above *Dir, to string) error {
	if err := errors.Join(oneName(name), oneName(to)); err != nil {
		return err
	}
	return again(func() error { return unix.Renameat(d.fd, name, above.fd, to) })
}

// Loosen lets the owner of a directory into it, if the owner is who calls this. Root needs no such thing, and does
// nothing. A failure shows up when the directory is entered.
func (d *Dir) Loosen(name string) {
	if os.Geteuid() == 0 || oneName(name) != nil {
		return
	}
	// Neither read nor followed: only so can it be opened whatever its mode is.
	fd, err := openAt(d.fd, name, unix.O_PATH|unix.O_DIRECTORY, 0)
	if err != nil {
		return
	}
	defer func() { _ = unix.Close(fd) }() // opened for its path alone, it has nothing to lose
	const all = 0o700
	var st unix.Stat_t
	if unix.Fstat(fd, &st) == nil && st.Mode&all != all {
		_ = unix.Chmod(fmt.Sprintf("/proc/self/fd/%d", fd), st.Mode&0o7777|all)
	}
}

// Names are what is in a directory, some at a time.
type Names struct {
	dir    *Dir
	buffer []byte
}

// Names begins to list the directory from its start. There is one listing of an open directory at a time; the buffer
// bounds how many names are read at once, and is free for others between two calls of Next.
func (d *Dir) Names(buffer []byte) (*Names, error) {
	if _, err := unix.Seek(d.fd, 0, io.SeekStart); err != nil {
		return nil, err
	}
	return &Names{dir: d, buffer: buffer}, nil
}

// Next returns some more names, and none at the end.
func (n *Names) Next() ([]string, error) {
	for {
		var size int
		err := again(func() (err error) {
			size, err = unix.ReadDirent(n.dir.fd, n.buffer)
			return err
		})
		if err == unix.ENOENT { //nolint:errorlint // a number of the kernel's
			return nil, nil // the directory itself has been removed
		}
		if err != nil || size <= 0 {
			return nil, err
		}
		// Without "." and "..", so there may be none in what was read.
		if _, _, names := unix.ParseDirent(n.buffer[:size], -1, nil); len(names) > 0 {
			return names, nil
		}
	}
}

// Close ends the listing.
func (n *Names) Close() {}

// Place is the path by which the directory can be reached now; "" if that cannot be told.
func (d *Dir) Place() string {
	path, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", d.fd))
	if err != nil {
		return ""
	}
	return path
}

// SameMount tells whether both directories belong to one mount. Their device does not tell that, as any place of a file
// system can be mounted on any other; a device may differ within one mount as well (subvolumes, overlays). Both are open,
// so neither mount can end, and its number be given to another one, meanwhile. If in doubt, the answer is no.
func (d *Dir) SameMount(other *Dir) bool {
	one, known := mountOf(d.fd)
	if !known {
		return false
	}
	two, known := mountOf(other.fd)
	return known && one == two
}

// Here is [Dir.Status] of what lies in the directory itself. Where something is mounted it fails with what [InUse] knows, and does
// not ask that file system, which may never answer.
func Here(d *Dir, name string) (Status, error) {
	fd, err := openHere(d, name, unix.O_PATH)
	if err != nil {
		return Status{}, err
	}
	defer func() { _ = unix.Close(fd) }() // opened for its path alone, it has nothing to lose
	return (&File{fd}).Status()
}

// EnterHere is [Dir.Enter] likewise.
func EnterHere(d *Dir, name string) (*Dir, error) {
	fd, err := openHere(d, name, unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return nil, err
	}
	return &Dir{fd: fd}, nil
}

// openHere opens what bears a name, unless something is mounted there. An old kernel (before 5.6) and some sandboxes do not tell that
// without opening it.
func openHere(d *Dir, name string, flags int) (fd int, err error) {
	if err := oneName(name); err != nil {
		return -1, err
	}
	flags |= unix.O_NOFOLLOW | unix.O_CLOEXEC
	how := unix.OpenHow{Flags: uint64(flags), Resolve: unix.RESOLVE_NO_XDEV} //nolint:gosec // they are not negative
	err = again(func() (err error) {
		fd, err = unix.Openat2(d.fd, name, &how)
		return err
	})
	if !errors.Is(err, unix.ENOSYS) && !errors.Is(err, unix.EPERM) {
		return fd, err
	}
	if isMountedByLook(d, name) {
		return -1, unix.EXDEV
	}
	return openAt(d.fd, name, flags, 0)
}

// IsMounted tells whether something is mounted on what bears the name. If in doubt, the answer is no.
func (d *Dir) IsMounted(name string) bool {
	fd, err := openHere(d, name, unix.O_PATH)
	if err == nil {
		_ = unix.Close(fd) // opened for its path alone, it has nothing to lose
	}
	return errors.Is(err, unix.EXDEV)
}

// isMountedByLook opens it to see.
func isMountedByLook(d *Dir, name string) bool {
	fd, err := openAt(d.fd, name, unix.O_PATH, 0)
	if err != nil {
		return false
	}
	defer func() { _ = unix.Close(fd) }() // opened for its path alone, it has nothing to lose
	inner, known := mountOf(fd)
	outer, also := mountOf(d.fd)
	return known && also && inner != outer
}

// mountOf returns the number of the mount that an open file belongs to: from the kernel (5.8 and later), or from /proc
// where the kernel, or a sandbox, does not tell.
func mountOf(fd int) (mount uint64, known bool) {
	var st unix.Statx_t
	err := again(func() error {
		return unix.Statx(fd, "", unix.AT_EMPTY_PATH|unix.AT_NO_AUTOMOUNT|unix.AT_STATX_DONT_SYNC, unix.STATX_MNT_ID, &st)
	})
	if err == nil && st.Mask&unix.STATX_MNT_ID != 0 {
		return st.Mnt_id, true
	}
	return mountFromProc(fd)
}

func mountFromProc(fd int) (mount uint64, known bool) {
	about, err := os.ReadFile(fmt.Sprintf("/proc/self/fdinfo/%d", fd))
	if err != nil {
		return 0, false
	}
	for line := range bytes.Lines(about) {
		if number, found := bytes.CutPrefix(line, []byte("mnt_id:")); found {
			mount, err := strconv.ParseUint(string(bytes.TrimSpace(number)), 10, 64)
			return mount, err == nil
		}
	}
	return 0, false
}
