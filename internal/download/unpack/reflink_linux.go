package unpack

import (
	"errors"
	"syscall"

	"golang.org/x/sys/unix"
)

// reflink lets target share the blocks of source until one of them is written
// to. ErrUnsupported means that these two cannot.
func reflink(target, source *file) error {
	err := again(func() error { return unix.IoctlFileClone(target.fd, source.fd) })
	switch {
	case errors.Is(err, syscall.EOPNOTSUPP), errors.Is(err, syscall.EXDEV), errors.Is(err, syscall.EINVAL),
		errors.Is(err, syscall.ENOTTY), errors.Is(err, syscall.ENOSYS), errors.Is(err, syscall.EPERM):
		return errors.ErrUnsupported
	}
	return err
}
