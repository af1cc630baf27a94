package bootstrap

import (
	"errors"
	"os"

	"github.com/runner-bootstrap/runner-bootstrap/internal/control"
)

// signal ends a process: Windows has no other signal to ask with.
func signal(process *os.Process, command control.Command) error {
	if command == control.Stop || command == control.StopNow {
		return process.Kill()
	}
	return errors.ErrUnsupported
}
