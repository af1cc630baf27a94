//go:build !unix

package svc

import "os/exec"

func apart(*exec.Cmd) {}

// struck is false: there are no signals.
func struck(error) bool { return false }
