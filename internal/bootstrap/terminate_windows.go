package bootstrap

import (
	"errors"
	"os"
)

// terminate ends a process; Windows has no signal to ask with.
func terminate(process *os.Process) error { return process.Kill() }

// hurry is no different there.
func hurry(process *os.Process) error { return process.Kill() }

func orderDrain(*os.Process) error  { return errors.ErrUnsupported }
func orderResume(*os.Process) error { return errors.ErrUnsupported }
