package scm

import (
	"context"

	"github.com/runner-bootstrap/runner-bootstrap/internal/svc"
)

// Managed runs body, and answers for it to the service manager if that has started this process. Stop ends the context of
// body then, which has the time that Windows gives it; the other controls are for body. Final tells of an error of body's whether
// another start can mend it, and the code to leave where it cannot.
// After any other error the caller has to end this process, whereupon it is started again.
func Managed(
	ctx context.Context, final func(error) (code int, final bool), body func(ctx context.Context, controls <-chan svc.Control) error,
) error {
	if !Started() {
		return body(ctx, nil)
	}
	return Run("", Body{Events: true, Final: final, Run: func(ctx context.Context, _ []string, told <-chan uint32) error {
		controls, ended := make(chan svc.Control), make(chan struct{})
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

func controlOf(code uint32) svc.Control {
	switch code {
	case Drain:
		return svc.ControlDrain
	case Resume:
		return svc.ControlResume
	default:
		return svc.ControlNow
	}
}
