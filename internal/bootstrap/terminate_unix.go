//go:build unix

package bootstrap

import (
	"fmt"
	"os"
	"syscall"

	"github.com/runner-bootstrap/runner-bootstrap/internal/control"
)

// signal asks an agent for what a command on its control socket would ask for.
func signal(process *os.Process, command control.Command) error {
	switch command {
	case control.Stop:
		return process.Signal(syscall.SIGTERM)
	case control.StopNow:
		return process.Signal(syscall.SIGINT)
	case control.Drain:
		return process.Signal(syscall.SIGUSR1)
	case control.Resume:
		return process.Signal(syscall.SIGUSR2)
	default:
		return fmt.Errorf("there is no signal for %q", command)
	}
}
