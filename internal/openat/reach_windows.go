package openat

import (
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"path/filepath"
	"strings"
	"unsafe"

	"golang.org/x/sys/windows"
)

// Reach returns a name by which what bears name can be used: usually name itself. Some names are devices to most of Windows
// and to [os.Root], such as "nul" and "con.txt", or lose their end, as "x." and "x " do; and still a job can make files of
// them, as programs that come from Linux do. What bears such a name is renamed, to one that begins with the prefix. If
// that fails the name is returned, and refused wherever it is used.
func (d *Dir) Reach(name, prefix string) string {
	if filepath.IsLocal(name) && strings.TrimRight(name, ". ") == name || oneName(name) != nil {
		return name
	}
	dir, err := d.root.Open(".")
	if err != nil {
		return name
	}
	defer dir.Close()
	sum := fnv.New64a()
	_, _ = sum.Write([]byte(name)) // which never fails
	other := fmt.Sprintf("%s.%x", prefix, sum.Sum64())
	if renameAt(windows.Handle(dir.Fd()), name, other) != nil {
		return name
	}
	return other
}

// renameAt renames what bears a name in a folder, be it a link. The system takes the names as they are.
func renameAt(dir windows.Handle, name, to string) error {
	object, err := windows.NewNTUnicodeString(name)
	if err != nil {
		return err
	}
	attributes := windows.OBJECT_ATTRIBUTES{RootDirectory: dir, ObjectName: object}
	attributes.Length = uint32(unsafe.Sizeof(attributes))
	var handle windows.Handle
	var status windows.IO_STATUS_BLOCK
	err = windows.NtCreateFile(&handle, windows.DELETE|windows.SYNCHRONIZE, &attributes, &status, nil, 0,
		windows.FILE_SHARE_READ|windows.FILE_SHARE_WRITE|windows.FILE_SHARE_DELETE, windows.FILE_OPEN,
		windows.FILE_OPEN_REPARSE_POINT|windows.FILE_OPEN_FOR_BACKUP_INTENT|windows.FILE_SYNCHRONOUS_IO_NONALERT, 0, 0)
	if err != nil {
		return err
	}
	defer windows.CloseHandle(handle) //nolint:errcheck // nothing was written
	information, err := renameInformation(dir, to)
	if err != nil {
		return err
	}
	size := uint32(len(information)) //nolint:gosec // a name
	return windows.NtSetInformationFile(handle, &status, &information[0], size, windows.FileRenameInformation)
}

// renameInformation is a FILE_RENAME_INFORMATION of a system with 64 bits, which replaces nothing.
func renameInformation(dir windows.Handle, to string) ([]byte, error) {
	units, err := windows.UTF16FromString(to)
	if err != nil {
		return nil, err
	}
	units = units[:len(units)-1]
	buffer := binary.LittleEndian.AppendUint64(nil, 0) // flags, and what aligns the next one
	buffer = binary.LittleEndian.AppendUint64(buffer, uint64(dir))
	buffer = binary.LittleEndian.AppendUint32(buffer, uint32(2*len(units))) //nolint:gosec // a name
	for _, unit := range units {
		buffer = binary.LittleEndian.AppendUint16(buffer, unit)
	}
	return buffer, nil
}
