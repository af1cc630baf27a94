//go:build unix

package register

import (
	"os"
	"syscall"
)

// interrupt asks config.sh and its children, which share a process group, to
// end.
func interrupt(process *os.Process) error { return syscall.Kill(-process.Pid, syscall.SIGTERM) }
