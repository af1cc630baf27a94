package jail

import (
	"errors"
	"os"
)

// interrupt kills the program: this process shares no console with it, which a Ctrl-C would need.
func interrupt(process *os.Process) error {
	if err := process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	return nil
}

func killGroup(process *os.Process) { _ = process.Kill() } // it has ended, or is to

func exitOf(state *os.ProcessState) Exit { return Exit{Code: state.ExitCode()} }
