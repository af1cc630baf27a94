//go:build unix

package main

import (
	"os"
	"os/exec"
	"syscall"
)

// endWhole has the end of a command's time end what it has started as well. At a terminal it is left in our group, in which
// it may ask there; who sits there sees what remains.
func endWhole(command *exec.Cmd) {
	if terminal, err := os.Open("/dev/tty"); err == nil {
		_ = terminal.Close() // it was only looked for
		return
	}
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	command.Cancel = func() error { return syscall.Kill(-command.Process.Pid, syscall.SIGKILL) }
}
