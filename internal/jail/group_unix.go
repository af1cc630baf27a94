//go:build unix && !linux

package jail

import (
	"errors"
	"os"
	"syscall"
)

func interrupt(process *os.Process) error {
	if err := process.Signal(syscall.SIGINT); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	return nil
}

func killGroup(process *os.Process) {
	// No such process is the usual answer.
	_ = syscall.Kill(-process.Pid, syscall.SIGKILL)
}

func exitOf(state *os.ProcessState) Exit {
	if state == nil {
		return Exit{Code: -1} // nobody can tell how it ended
	}
	if status, ok := state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return Exit{Code: -1, Signal: int(status.Signal())}
	}
	return Exit{Code: state.ExitCode()}
}
