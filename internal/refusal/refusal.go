// Package refusal is how a state of things that stops a command is told: what is
// refused, why, and what a hint needs to know of it.
package refusal

import (
	"fmt"

	"github.com/runner-bootstrap/runner-bootstrap/internal/github"
)

// Error is a state that stops a command before it changes anything. It carries
// what a message and a hint need.
type Error struct {
	Object string // what is refused, `runner "web-1"`
	Reason error  // a sentinel of the package that refuses, which hints and exit codes go by
	Detail string
	Name   string // of the runner, or of what else a hint is about; empty if there is none
	Scope  github.Scope
}

func (e *Error) Error() string {
	text := fmt.Sprintf("%s: %v", e.Object, e.Reason)
	if e.Detail != "" {
		text += ": " + e.Detail
	}
	return text
}

func (e *Error) Unwrap() error { return e.Reason }
