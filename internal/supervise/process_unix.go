//go:build unix

package supervise

import (
	"os"
	"syscall"
)

const listenerName = "Runner.Listener"

// askToEnd interrupts the listener alone: it ends its worker itself, and tells
// GitHub that the job was cancelled.
func askToEnd(process *os.Process) error { return process.Signal(syscall.SIGINT) }

// killGroup kills what is left of the listener's process group.
func killGroup(process *os.Process) {
	// No such process is the usual answer.
	_ = syscall.Kill(-process.Pid, syscall.SIGKILL)
}
