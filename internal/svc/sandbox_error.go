package svc

import (
	"errors"
	"fmt"
)

// ErrSandbox says that systemd could not set up the sandbox of a unit on this host, so that its program was never started.
// The error in hand is then a [*SandboxError].
var ErrSandbox = errors.New("its sandbox cannot be set up on this host")

// SandboxError says which part of a sandbox systemd could not set up.
type SandboxError struct {
	Op, Unit string
	Step     string // as systemd names it, for example "226/NAMESPACE"
	Reason   string // systemd's own words; empty if it has none
}

// Error is one line.
func (e *SandboxError) Error() string {
	text := fmt.Sprintf("%s unit %q: %v (systemd's %s)", e.Op, e.Unit, ErrSandbox, e.Step)
	if e.Reason != "" {
		text += ": " + e.Reason
	}
	return text
}

// Is makes errors.Is(err, ErrSandbox) hold.
func (e *SandboxError) Is(target error) bool { return target == ErrSandbox }

// SandboxSteps are the exit codes of a process that systemd gives up before it becomes the program, as far as lines of a
// [Sandbox] are to blame (systemd.exec(5), "PROCESS EXIT CODES").
func SandboxSteps() map[int]string {
	return map[int]string{
		213: "SECUREBITS", 218: "CAPABILITIES", 226: "NAMESPACE", 227: "NO_NEW_PRIVILEGES", 228: "SECCOMP",
		230: "PERSONALITY", 232: "ADDRESS_FAMILIES", 237: "KEYRING",
	}
}
