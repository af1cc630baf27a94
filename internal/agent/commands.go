package agent

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"time"

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

// listenAgain is how long after a failure it is tried again to listen: a full disk may have room then.
const listenAgain = 15 * time.Second

// listen opens the control socket, and has the record say where it is. A host on which
// it cannot be opened has its runner all the same: signals reach the agent as well. It is tried again until it is ended.
func (a *Agent) listen(ctx context.Context, e *endpoint, log *slog.Logger) (end func()) {
	if a.Socket == "" {
		return func() {}
	}
	s := &socket{agent: a, endpoint: e, log: log}
	err := s.open(ctx)
	ctx, cancel := context.WithCancel(ctx)
	over := make(chan struct{})
	go func() {
		defer close(over)
		if err != nil && !errors.Is(err, errors.ErrUnsupported) {
			log.Warn("commands cannot reach this agent on the control socket for now; the service manager still stops it", "error", err)
			s.keepTrying(ctx)
		}
	}()
	return func() {
		cancel()
		<-over
		s.close()
	}
}

// socket is where commands reach an agent.
type socket struct {
	agent    *Agent
	endpoint *endpoint
	log      *slog.Logger
	server   *control.Server // nil until it is open
}

// open does what is not done yet.
func (s *socket) open(ctx context.Context) (err error) {
	path, store, name := s.agent.Socket, s.agent.Store, s.endpoint.name
	if s.server == nil {
		if s.server, err = control.Listen(path, s.endpoint, s.log); err != nil {
			return err
		}
	}
	if record, err := store.Load(name); err == nil && record.Control == path {
		return nil // on a full disk the record could not be written
	}
	_, err = store.Update(ctx, name, func(r *instance.Record) { r.Control = path })
	return err
}

func (s *socket) keepTrying(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(listenAgain):
		}
		if s.open(ctx) == nil {
			s.log.Info("commands can reach this agent on the control socket")
			return
		}
	}
}

func (s *socket) close() {
	if s.server == nil {
		return
	}
	if err := s.server.Close(); err != nil {
		s.log.Warn("cannot close the control socket", "error", err)
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
