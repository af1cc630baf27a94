package workspace

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/runner-bootstrap/runner-bootstrap/internal/openat"
)

// mountOf returns the number of the mount that a folder belongs to, or nothing.
func mountOf(folder *os.Root) string {
	file, err := folder.Open(".")
	if err != nil {
		return ""
	}
	defer file.Close()
	var stat unix.Statx_t
	err = unix.Statx(int(file.Fd()), "", unix.AT_EMPTY_PATH|unix.AT_STATX_DONT_SYNC, unix.STATX_MNT_ID, &stat)
	if err == nil && stat.Mask&unix.STATX_MNT_ID != 0 {
		return strconv.FormatUint(stat.Mnt_id, 10)
	}
	// Before Linux 5.8, or where a sandbox refuses it. The file is not this account's to read before 5.14, unless it is root.
	about, err := os.ReadFile(fmt.Sprintf("/proc/self/fdinfo/%d", file.Fd()))
	if err != nil {
		return ""
	}
	for line := range bytes.Lines(about) {
		if id, found := bytes.CutPrefix(line, []byte("mnt_id:")); found {
			return string(bytes.TrimSpace(id))
		}
	}
	return ""
}

// lasting tells whether the numbers of files mean the same after the next start. An overlay makes some up, and so do
// file systems that are programs.
func lasting(path string) bool {
	var stat unix.Statfs_t
	if err := unix.Statfs(path, &stat); err != nil {
		return false
	}
	switch int64(stat.Type) { //nolint:unconvert // types differ by platform
	case unix.OVERLAYFS_SUPER_MAGIC, unix.FUSE_SUPER_MAGIC:
		return false
	}
	return true
}

// samePlace tells whether a folder is the one of that name on the file system of its parent. A sandbox mounts folders onto
// themselves to make them writable, and these are. If in doubt it is not.
func samePlace(parent, folder *os.Root, name string) bool {
	outer, inner := placeOf(parent), placeOf(folder)
	return outer != "" && inner == filepath.Join(outer, name)
}

// placeOf returns where a folder is on its file system, whatever is mounted where, or nothing.
func placeOf(folder *os.Root) string {
	path, around := whereIs(folder)
	below, err := filepath.Rel(around.at, path)
	if err != nil || !filepath.IsLocal(below) && below != "." {
		return ""
	}
	return filepath.Join(around.root, below)
}

// mount is a line of the kernel's list: what of which device is mounted where, and below which other mount.
type mount struct{ id, device, root, at string }

// whereIs returns the path of a folder as the kernel knows it, and the mount that it belongs to; nothing if that cannot be told.
func whereIs(folder *os.Root) (path string, around mount) {
	file, err := folder.Open(".")
	if err != nil {
		return "", mount{}
	}
	defer file.Close()
	if path, err = os.Readlink(fmt.Sprintf("/proc/self/fd/%d", file.Fd())); err != nil {
		return "", mount{}
	}
	id := mountOf(folder)
	for _, m := range mountTable() {
		if m.id == id {
			return path, m
		}
	}
	return "", mount{}
}

func mountTable() (all []mount) {
	table, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil
	}
	for line := range strings.Lines(string(table)) {
		// The kernel escapes blanks in names, and not what else Unicode calls white space.
		fields := strings.Split(strings.TrimSuffix(line, "\n"), " ") // number, that of the mount around it, device, root, mount point
		if len(fields) < 5 {
			continue
		}
		all = append(all, mount{id: fields[0], device: fields[2], root: unescape(fields[3]), at: unescape(fields[4])})
	}
	return all
}

// foreign tells whether something else than the folder of that name itself is mounted on what is called name in parent, which need
// not be there. The kernel's list says so: what is mounted there may be of a server that does not answer, and is asked for nothing.
func foreign(parent *os.Root, name string) bool {
	dir, err := openat.Open(parent)
	if err != nil {
		return false // who opens it will say why
	}
	defer dir.Close()
	if !dir.IsMounted(name) {
		return false
	}
	path, around := whereIs(parent)
	below, err := filepath.Rel(around.at, path)
	if path == "" || err != nil {
		return true
	}
	own := filepath.Join(around.root, below, name)
	var top mount // the last one covers those before
	for _, m := range mountTable() {
		if m.at == filepath.Join(path, name) {
			top = m
		}
	}
	return top.device != around.device || top.root != own
}

// unescape reads a path as mountinfo writes it.
func unescape(path string) string {
	return strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace(path)
}
