//go:build !386 && !arm

package jail

import "golang.org/x/sys/unix"

// The calls by which one thread becomes another account.
const (
	setThreadGID = unix.SYS_SETRESGID
	setThreadUID = unix.SYS_SETRESUID
)
