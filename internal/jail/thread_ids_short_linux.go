//go:build 386 || arm

package jail

import "golang.org/x/sys/unix"

// The calls by which one thread becomes another account. Those without a number in their names cut every number to 16 bits here.
const (
	setThreadGID = unix.SYS_SETRESGID32
	setThreadUID = unix.SYS_SETRESUID32
)
