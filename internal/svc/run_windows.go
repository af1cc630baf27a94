package svc

import (
	"context"

	"github.com/runner-bootstrap/runner-bootstrap/internal/svc/scm"
)

// Run runs body until it returns, and returns its error. Who is started by the service manager answers to it in [Managed].
func Run(ctx context.Context, _ string, body func(ctx context.Context) error) error { return body(ctx) }

// Managed runs body, and answers for it to the service manager if that has started this process. Stop ends the context of
// body then, which has the time that Windows gives it; the other controls are for body. Final tells of an error of body's whether
// another start can mend it, and the code to leave where it cannot.
// After any other error the caller has to end this process, whereupon it is started again.
func Managed(
	ctx context.Context, final func(error) (code int, final bool), body func(ctx context.Context, controls <-chan Control) error,
) error {
	if !scm.Started() {
		return body(ctx, nil)
	}
	return scm.Run("", scm.Body{Events: true, Final: final, Run: func(ctx context.Context, _ []string, told <-chan uint32) error {
		controls, ended := make(chan Control), make(chan struct{})
		defer close(ended)
		go func() {
			for {
				select {
				case code := <-told:
					select {
					case controls <- controlOf(code):
					case <-ended:
						return
					}
				case <-ended:
					return
				}
			}
		}()
		return body(ctx, controls)
	}})
}

func controlOf(code uint32) Control {
	switch code {
	case scm.Drain:
		return ControlDrain
	case scm.Resume:
		return ControlResume
	default:
		return ControlNow
	}
}

// StartedByWindows tells whether the service manager of Windows has started this process.
func StartedByWindows() bool { return scm.Started() }
