package workspace

import (
	"bytes"
	"errors"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// dropAttributes takes from a folder what its owner can set on it beside the mode: its access lists, also the one that files in it begin
// with, and the attributes of users.
func dropAttributes(folder *os.Root) error {
	file, err := folder.Open(".")
	if err != nil {
		return err
	}
	defer file.Close()
	fd := int(file.Fd())
	// By their names first: there may be more attributes than the kernel lists.
	err = errors.Join(dropAttribute(fd, "system.posix_acl_default"), dropAttribute(fd, "system.posix_acl_access"))
	const most = 64 << 10 // XATTR_LIST_MAX
	list := make([]byte, most)
	n, failed := unix.Flistxattr(fd, list)
	if errors.Is(failed, unix.ENOTSUP) {
		return err
	}
	if failed != nil {
		return errors.Join(err, failed)
	}
	for name := range bytes.SplitSeq(list[:n], []byte{0}) {
		if strings.HasPrefix(string(name), "user.") {
			err = errors.Join(err, dropAttribute(fd, string(name)))
		}
	}
	return err
}

// dropAttribute removes one, which need not be there.
func dropAttribute(fd int, name string) error {
	err := unix.Fremovexattr(fd, name)
	if errors.Is(err, unix.ENODATA) || errors.Is(err, unix.ENOTSUP) {
		return nil
	}
	return err
}
