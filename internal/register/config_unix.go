//go:build unix

package register

import (
	"os"
	"syscall"
)

// interrupt asks config.sh and its children, which share a process group, to
// end.
func interrupt(process *os.Process) error { return syscall.Kill(-process.Pid, syscall.SIGTERM) }

// killGroup kills what is left of them.
func killGroup(process *os.Process) {
	// No such process is the usual answer.
	_ = syscall.Kill(-process.Pid, syscall.SIGKILL)
}
