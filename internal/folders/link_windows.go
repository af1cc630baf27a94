package folders

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"unicode/utf16"

	"golang.org/x/sys/windows"

	"github.com/runner-bootstrap/runner-bootstrap/internal/acl"
)

// Link makes a link called name in a folder to another folder, whose path is absolute: a junction, as accounts for services may
// make no symbolic links. Both are on this host.
func Link(folder *os.Root, target, name string) error {
	if err := folder.Mkdir(name, 0o755); err != nil {
		return err
	}
	if err := join(folder, target, name); err != nil {
		err = &os.LinkError{Op: "junction", Old: target, New: filepath.Join(folder.Name(), name), Err: err}
		return errors.Join(err, folder.Remove(name))
	}
	return nil
}

// join makes a junction of an empty folder.
func join(folder *os.Root, target, name string) error {
	data, err := junction(target)
	if err != nil {
		return err
	}
	opened, err := folder.Open(name)
	if err != nil {
		return Cause(err)
	}
	defer opened.Close()
	handle, err := acl.Reopen(opened, windows.FILE_WRITE_ATTRIBUTES)
	if err != nil {
		return err
	}
	var returned uint32
	const set = windows.FSCTL_SET_REPARSE_POINT
	err = windows.DeviceIoControl(handle, set, &data[0], uint32(len(data)), nil, 0, &returned, nil) //nolint:gosec // some hundred bytes
	return errors.Join(err, windows.CloseHandle(handle))
}

// junction is REPARSE_DATA_BUFFER for a mount point.
func junction(target string) ([]byte, error) {
	if !filepath.IsAbs(target) || len(filepath.VolumeName(target)) != len("C:") {
		return nil, fmt.Errorf("%w: a junction leads to an absolute path of this host", fs.ErrInvalid)
	}
	clean := filepath.Clean(target)
	substitute, shown := utf16.Encode([]rune(`\??\`+clean)), utf16.Encode([]rune(clean))
	const (
		each   = 2 // bytes a unit
		fields = 8 // bytes: where the two names begin, and how long they are
		most   = 16 << 10
	)
	names := (len(substitute) + 1 + len(shown) + 1) * each
	if names+fields > most {
		return nil, windows.ERROR_FILENAME_EXCED_RANGE
	}
	data := binary.LittleEndian.AppendUint32(nil, windows.IO_REPARSE_TAG_MOUNT_POINT)
	for _, number := range []int{
		fields + names, 0,
		0, len(substitute) * each, (len(substitute) + 1) * each, len(shown) * each,
	} {
		data = binary.LittleEndian.AppendUint16(data, uint16(number)) //nolint:gosec // see most
	}
	for _, text := range [][]uint16{substitute, {0}, shown, {0}} {
		for _, unit := range text {
			data = binary.LittleEndian.AppendUint16(data, unit)
		}
	}
	return data, nil
}

// ReplaceLink gives a link another name, and takes the place of a link that has it: Windows renames nothing over a folder,
// which a junction is. One who is killed in between leaves the link under its first name.
func ReplaceLink(folder *os.Root, from, to string) error {
	if IsLink(folder, to) {
		if err := folder.Remove(to); err != nil {
			return err
		}
	}
	return folder.Rename(from, to)
}
