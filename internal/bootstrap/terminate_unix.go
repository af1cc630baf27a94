//go:build unix

package bootstrap

import (
	"os"
	"syscall"
)

// terminate asks a supervisor to end once the running job has.
func terminate(process *os.Process) error { return process.Signal(syscall.SIGTERM) }

// hurry asks it to end at once.
func hurry(process *os.Process) error { return process.Signal(syscall.SIGINT) }

// orderDrain and orderResume ask it to take no further job, and to go on.
func orderDrain(process *os.Process) error  { return process.Signal(syscall.SIGUSR1) }
func orderResume(process *os.Process) error { return process.Signal(syscall.SIGUSR2) }
