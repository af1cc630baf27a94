package openat

import (
	"bytes"
	"encoding/binary"
	"io/fs"

	"golang.org/x/sys/unix"
)

const (
	// listSize is that of the names which the kernel tells at once. Nearly every directory of a runner has fewer.
	listSize = 8 << 10
	// Where what stands in the kernel's linux_dirent64, and whatever the length of a name.
	inodeAt, lengthAt, typeAt, nameAt = 0, 16, 18, 19
)

// List returns what is in the directory, in no order. It reads by the descriptor that the directory is open by: another one
// would cost more calls of the kernel than the names.
func (d *Dir) List() ([]Name, error) {
	if d.listed {
		if _, err := unix.Seek(d.fd, 0, unix.SEEK_SET); err != nil {
			return nil, err
		}
	}
	d.listed = true
	var names []Name
	var room [listSize]byte
	for {
		n, err := unix.Getdents(d.fd, room[:]) // not by way of again, which would have the room on the heap
		switch {
		case err == unix.EINTR: //nolint:errorlint // a number of the kernel's
			continue
		case err != nil:
			return nil, err
		case n <= 0:
			return names, nil
		}
		if names, err = d.add(names, room[:n]); err != nil {
			return nil, err
		}
	}
}

// add reads entries as the kernel has written them.
func (d *Dir) add(names []Name, entries []byte) ([]Name, error) {
	text := string(entries) // which all names are parts of
	for at := 0; at+nameAt < len(entries); {
		entry := entries[at:]
		length := int(binary.NativeEndian.Uint16(entry[lengthAt:]))
		end := bytes.IndexByte(entry[nameAt:], 0)
		if length <= nameAt || length > len(entry) || end < 0 {
			return nil, unix.EIO
		}
		name := text[at+nameAt : at+nameAt+end]
		kind := entry[typeAt]
		gone := binary.NativeEndian.Uint64(entry[inodeAt:]) == 0
		at += length
		if gone || name == "." || name == ".." {
			continue
		}
		mode, known := modeOfType(kind)
		if !known {
			// Some file systems do not list types.
			found, err := d.Status(name)
			if err == unix.ENOENT { //nolint:errorlint // a number of the kernel's
				continue
			}
			if err != nil {
				return nil, err
			}
			mode = found.Mode.Type()
		}
		names = append(names, Name{name, mode})
	}
	return names, nil
}

func modeOfType(kind byte) (mode fs.FileMode, known bool) {
	switch kind {
	case unix.DT_REG:
		return 0, true
	case unix.DT_DIR:
		return fs.ModeDir, true
	case unix.DT_LNK:
		return fs.ModeSymlink, true
	case unix.DT_FIFO:
		return fs.ModeNamedPipe, true
	case unix.DT_SOCK:
		return fs.ModeSocket, true
	case unix.DT_CHR:
		return fs.ModeDevice | fs.ModeCharDevice, true
	case unix.DT_BLK:
		return fs.ModeDevice, true
	}
	return 0, false
}
