//go:build unix

package systemd

import (
	"errors"
	"os/exec"
	"slices"
	"syscall"
)

// apart keeps what a terminal sends to all that it runs from a program of systemd's: it would end by that before anybody here
// knows why, and what it was told to do may be half done. The one who runs it decides when it is to end.
func apart(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

// struck tells whether a program was ended by a signal that people send to a whole group. It is born into our group and leaves
// it a moment later: what comes within that moment was meant for us alone, who have heard it.
func struck(err error) bool {
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return false
	}
	status, known := exit.Sys().(syscall.WaitStatus)
	meant := []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP}
	return known && status.Signaled() && slices.Contains(meant, status.Signal())
}
