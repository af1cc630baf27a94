package agent

import (
	"context"
	"errors"
	"log/slog"
	"os"

	"github.com/runner-bootstrap/runner-bootstrap/internal/control"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/supervise"
)

// endpoint answers on the control socket of one agent.
type endpoint struct {
	name   string
	report func() instance.Report
	stop   context.CancelFunc
	orders chan supervise.Order
	ended  <-chan struct{} // closed when nobody takes orders any more
}

// State is what the agent does at this moment.
func (e *endpoint) State() control.State {
	return control.State{Name: e.name, PID: os.Getpid(), Report: e.report()}
}

// Do passes a command on.
func (e *endpoint) Do(command control.Command) {
	const reason = "a command on the control socket"
	switch command {
	case control.Drain:
		e.order(supervise.Order{Kind: supervise.Drain, Reason: reason})
	case control.Resume:
		e.order(supervise.Order{Kind: supervise.Resume, Reason: reason})
	case control.Refresh:
		e.order(supervise.Order{Kind: supervise.Refresh, Reason: reason})
	case control.Stop:
		e.stop() // as the service manager's SIGTERM
	case control.StopNow:
		e.order(supervise.Order{Kind: supervise.StopNow, Reason: reason})
	}
}

func (e *endpoint) order(order supervise.Order) {
	select {
	case e.orders <- order:
	case <-e.ended:
	}
}

// listen opens the control socket, and has the record say where it is. A host on which
// it cannot be opened has its runner all the same: signals reach the agent as well.
func (a *Agent) listen(ctx context.Context, e *endpoint, log *slog.Logger) (end func()) {
	path := a.Socket
	if path == "" {
		return func() {}
	}
	server, err := control.Listen(path, e, log)
	if err == nil {
		_, err = a.Store.Update(ctx, e.name, func(r *instance.Record) { r.Control = path })
	}
	if err != nil && !errors.Is(err, errors.ErrUnsupported) {
		log.Warn("cannot be told anything on the control socket; the service manager still stops it", "error", err)
	}
	if server == nil {
		return func() {}
	}
	return func() {
		if err := server.Close(); err != nil {
			log.Warn("cannot close the control socket", "error", err)
		}
	}
}

// together passes the orders of several on, one after the other, until ctx ends.
func together(ctx context.Context, first, second <-chan supervise.Order) <-chan supervise.Order {
	joined := make(chan supervise.Order)
	go func() {
		for {
			var order supervise.Order
			select {
			case <-ctx.Done():
				return
			case order = <-first:
			case order = <-second:
			}
			select {
			case <-ctx.Done():
				return
			case joined <- order:
			}
		}
	}()
	return joined
}
