//go:build !unix

package systemd

import "os/exec"

// apart does nothing: there are no process groups, and no systemd.
func apart(*exec.Cmd) {}

// struck is false: nothing is meant for a whole group.
func struck(error) bool { return false }
