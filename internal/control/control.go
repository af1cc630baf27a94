// Package control is how commands talk to a running agent: HTTP with JSON over a socket that only root, or the
// account which the agent runs as, can reach. docs/control.md describes it for others who want to use it.
package control

import (
	"errors"
	"fmt"

	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
)

// Command is what an agent can be told to do. Its text is the last word of the command's address.
type Command string

// The commands. Each may be repeated.
const (
	Drain   Command = "drain"    // finish the running job, take no other, keep the service
	Resume  Command = "resume"   // take jobs again after a drain
	Refresh Command = "refresh"  // let the running job finish, put another version into place if the record wants one, and go on
	Stop    Command = "stop"     // finish the running job within the drain timeout, then end
	StopNow Command = "stop-now" // cancel the running job and end
)

// commands are all of them.
func commands() []Command { return []Command{Drain, Resume, Refresh, Stop, StopNow} }

// State is what an agent says of itself.
type State struct {
	Name   string          `json:"name"` // of the runner
	PID    int             `json:"pid"`  // of the agent
	Report instance.Report `json:"report"`
}

// Why an agent cannot be asked.
var (
	// ErrNoAgent says that nobody listens: no socket, or one that a killed agent has left.
	ErrNoAgent = errors.New("no agent is running")
	// ErrForeign says that what lies at the socket's place, or who answers there, is not ours.
	ErrForeign = errors.New("it does not belong to this account")
	// ErrNoAnswer says that the agent took the connection and did not answer in time.
	ErrNoAnswer = errors.New("the agent does not answer")
	// ErrAnswer says that the answer is not an agent's.
	ErrAnswer = errors.New("the answer is not one of an agent")
	// ErrRunning says that another agent of the same runner listens already.
	ErrRunning = errors.New("another agent is running")
)

// prefix is the version of all addresses. It changes when a field or a command changes its meaning; new ones may
// come at any time.
const prefix = "/v1/"

func wrap(verb, path string, err error) error {
	return fmt.Errorf("%s the control socket %q: %w", verb, path, err)
}
