//go:build unix

package svc

import (
	"os/exec"
	"syscall"
)

// apart keeps what a terminal sends to all that it runs from a program of systemd's: it would end by that before anybody here
// knows why, and what it was told to do may be half done. The one who runs it decides when it is to end.
func apart(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }
