//go:build unix

package bootstrap

import (
	"os"
	"syscall"
)

// terminate asks a supervisor to stop its listener and end.
func terminate(process *os.Process) error { return process.Signal(syscall.SIGTERM) }
