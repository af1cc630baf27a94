package main

import (
	"context"
	"os"
	"os/signal"

	"github.com/runner-bootstrap/runner-bootstrap/internal/supervise"
	"github.com/runner-bootstrap/runner-bootstrap/internal/svc"
)

// ignoreBrokenPipe has nothing to do: Windows has no such signal.
func ignoreBrokenPipe() {}

// hearSignals is the one who hears what a supervisor is told, from its first moment on: an interrupt, as which Windows gives Ctrl-C
// and the end of a console as well, and the controls of the service manager, which ends ctx itself when it says stop. The context that
// it returns ends with ctx, with an interrupt, or with the control to end now; the last two are the order to end at once as well.
// End gives the signals back.
func hearSignals(
	ctx context.Context, controls <-chan svc.Control,
) (stopping context.Context, orders <-chan supervise.Order, end func()) {
	heard := make(chan os.Signal, 8)
	signal.Notify(heard, os.Interrupt)
	stopping, stop := context.WithCancel(ctx)
	said, ended := make(chan supervise.Order), make(chan struct{})
	go func() {
		for {
			var order supervise.Order
			select {
			case <-ended:
				return
			case s := <-heard:
				order = supervise.Order{Kind: supervise.StopNow, Reason: s.String()}
			case control := <-controls:
				order = orderOf(control)
			}
			if order.Kind == supervise.StopNow {
				stop()
			}
			select {
			case said <- order:
			case <-ended:
			}
		}
	}()
	return stopping, queued(said, ended), func() {
		signal.Stop(heard)
		stop()
		close(ended)
	}
}

func orderOf(control svc.Control) supervise.Order {
	const by = "the service manager"
	switch control {
	case svc.ControlDrain:
		return supervise.Order{Kind: supervise.Drain, Reason: by}
	case svc.ControlResume:
		return supervise.Order{Kind: supervise.Resume, Reason: by}
	default:
		return supervise.Order{Kind: supervise.StopNow, Reason: by}
	}
}
