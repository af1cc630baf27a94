package doctor

import (
	"strings"

	"golang.org/x/sys/unix"
)

// securityContext is the label that SELinux has given a file; empty without one.
func securityContext(path string) string {
	label := make([]byte, 256)
	n, err := unix.Getxattr(path, "security.selinux", label)
	if err != nil {
		return ""
	}
	return strings.TrimRight(string(label[:n]), "\x00")
}
