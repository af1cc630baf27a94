package volume

import (
	"bufio"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Of tells what file system a directory is on.
func Of(dir string) (Volume, error) {
	var stat unix.Statfs_t
	if err := unix.Statfs(dir, &stat); err != nil {
		return Volume{}, err
	}
	var of unix.Stat_t
	if err := unix.Stat(dir, &of); err != nil {
		return Volume{}, err
	}
	// Types differ by platform.
	v := Volume{
		ID: uint64(of.Dev), Bytes: int64(stat.Bavail) * int64(stat.Bsize), Sized: stat.Blocks > 0, //nolint:gosec,unconvert // likewise
		Files: int64(stat.Ffree), Counted: stat.Files > 0, ReadOnly: stat.Flags&unix.MS_RDONLY != 0, //nolint:gosec,unconvert // ST_RDONLY
		NoExec: stat.Flags&unix.MS_NOEXEC != 0, NoSetuid: stat.Flags&unix.MS_NOSUID != 0, // ST_NOEXEC and ST_NOSUID of statvfs(3)
	}
	v.Kind, v.Point = mounted(dir)
	v.Plain = slices.Contains([]string{"vfat", "msdos", "exfat", "umsdos"}, v.Kind)
	return v, nil
}

// Above is the place of the mount that a path is on, by its text and the kernel's own list: neither links nor what is mounted there are
// asked. Empty where that cannot be told.
func Above(path string) (point string) {
	list, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(list)) {
		const at = 4
		fields := words(line)
		if len(fields) <= at {
			continue
		}
		if place := unescape(fields[at]); within(path, place) && len(place) >= len(point) {
			point = place
		}
	}
	return point
}

// words splits a line of the kernel's list. It escapes blanks in names, and not what else Unicode calls white space.
func words(line string) []string { return strings.Split(strings.TrimSuffix(line, "\n"), " ") }

// mounted tells the kind and the mount point of what is mounted at or above dir, by the kernel's own list.
func mounted(dir string) (kind, point string) {
	list, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return "", ""
	}
	defer list.Close()
	id := mountID(dir)
	real, err := filepath.EvalSymlinks(dir)
	if err != nil {
		real = dir
	}
	for lines := bufio.NewScanner(list); lines.Scan(); {
		// 36 35 98:0 /root /mnt rw,noatime master:1 - ext3 /dev/root rw (proc_pid_mountinfo(5))
		fields := words(lines.Text())
		dash := slices.Index(fields, "-")
		if dash < 5 || len(fields) < dash+2 {
			continue
		}
		at := unescape(fields[4])
		known := fields[0] == id
		// Without an id, the last one of those that are nearest.
		if known || id == "" && within(real, at) && len(at) >= len(point) {
			kind, point = fields[dash+1], at
		}
		if known {
			break
		}
	}
	return kind, point
}

// mountID is the number of the mount that dir is on, or empty where the kernel does not tell (before 3.15).
func mountID(dir string) string {
	fd, err := unix.Open(dir, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return ""
	}
	defer func() { _ = unix.Close(fd) }() // nothing was written
	text, err := os.ReadFile("/proc/self/fdinfo/" + strconv.Itoa(fd))
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(text)) {
		if id, ok := strings.CutPrefix(line, "mnt_id:"); ok {
			return strings.TrimSpace(id)
		}
	}
	return ""
}

func within(path, folder string) bool {
	inside, err := filepath.Rel(folder, path)
	return err == nil && (inside == "." || filepath.IsLocal(inside))
}

// unescape reads a name as the kernel writes it, with blanks and the like as three octal digits.
func unescape(name string) string {
	var out strings.Builder
	for i := 0; i < len(name); i++ {
		if name[i] == '\\' && i+3 < len(name) {
			if char, err := strconv.ParseUint(name[i+1:i+4], 8, 8); err == nil {
				out.WriteByte(byte(char))
				i += 3
				continue
			}
		}
		out.WriteByte(name[i])
	}
	return out.String()
}

// errNamed means that a trial needs names.
var errNamed = errors.New("only with names")

// nameless makes a file that is gone when it is closed, on a file system of which the rest is known: links, modes, locks.
// Those of other systems, network shares and whatever a program provides are tried.
func nameless(dir string) (*os.File, error) {
	known := []string{"ext2", "ext3", "ext4", "xfs", "btrfs", "f2fs", "bcachefs", "zfs", "tmpfs", "ramfs", "overlay", "ubifs"}
	if kind, _ := mounted(dir); !slices.Contains(known, kind) {
		return nil, errNamed
	}
	file, err := os.OpenFile(dir, unix.O_TMPFILE|os.O_RDWR, 0o600)
	if errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.EISDIR) || errors.Is(err, unix.ENOENT) || errors.Is(err, unix.EINVAL) {
		return nil, errNamed
	}
	return file, short(err)
}

// program puts a program into the place that is tried, and gives it as the first of the files that it inherits, so that the
// way to it is open to everybody.
func (t *Trial) program(content []byte) (path string, inherited *os.File, err error) {
	var file *os.File
	if t.folder == nil {
		file, err = os.OpenFile(t.dir, unix.O_TMPFILE|os.O_RDWR, 0o700) //nolint:gosec // it is a program
	} else {
		file, err = t.folder.OpenFile(triedProgram, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o700)
	}
	if err != nil {
		return "", nil, err
	}
	defer file.Close() // what is open to be written is not executed
	if _, err := file.Write(content); err != nil {
		return "", nil, err
	}
	if err := file.Chmod(0o755); err != nil {
		return "", nil, err
	}
	inherited, err = os.Open("/proc/self/fd/" + strconv.Itoa(int(file.Fd())))
	return "/proc/self/fd/3", inherited, err
}

// folds tells whether the names in a folder are folded, as ext4, f2fs and tmpfs do it for those that are marked.
func folds(dir string) bool {
	const casefold = 0x40000000 // FS_CASEFOLD_FL
	fd, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return false
	}
	defer func() { _ = unix.Close(fd) }() // nothing was written
	flags, err := unix.IoctlGetUint32(fd, unix.FS_IOC_GETFLAGS)
	return err == nil && flags&casefold != 0
}
