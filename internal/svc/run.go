//go:build !windows

package svc

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/kardianos/service"
)

// Run runs body until it returns, and returns its error. The context that body gets ends with ctx, or when the
// service manager says stop; body then has as long to return as the service manager gives it. Signals, by which
// some service managers say it, are the caller's to hear. Started by a service manager, the process talks to it
// under that name; started by a person or a container, it is an ordinary program.
func Run(ctx context.Context, name string, body func(ctx context.Context) error) error {
	if service.Interactive() {
		return body(ctx)
	}
	return runManaged(ctx, name, body)
}

// runManaged is Run under a service manager.
func runManaged(ctx context.Context, name string, body func(ctx context.Context) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	p := &program{
		run:   func() error { return body(ctx) },
		stop:  cancel,
		ended: make(chan struct{}),
	}
	managed, err := service.New(p, &service.Config{
		Name: name,
		// Signals end ctx already, and so body. By default the backend waits for one even after body has
		// returned by itself.
		Option: service.KeyValue{"RunWait": func() { <-p.ended }},
	})
	if err != nil {
		return fmt.Errorf("running service %q: %w", name, err)
	}
	over := make(chan error, 1)
	go func() { over <- managed.Run() }()
	select {
	case <-p.ended:
		// Asked by the manager: let the backend tell it first. Not asked: the backend may never return
		// (Windows' waits for its manager), but the process ends now, and so the manager learns it.
		if p.stopping.Load() {
			err = <-over
		}
		if p.err != nil {
			return p.err
		}
		return err
	case err = <-over:
	}
	select {
	case <-p.ended:
		return p.err
	default:
	}
	if err == nil {
		err = errors.New("the service manager did not start it")
	}
	return fmt.Errorf("running service %q: %w", name, err)
}

// program is a body in the shape that kardianos/service runs.
type program struct {
	run      func() error
	stop     func()
	stopping atomic.Bool   // set when it is the manager who asked
	ended    chan struct{} // closed when run has ended
	err      error         // of run; to be read once ended is closed
}

// Start returns at once: a service manager does not count a service as started before.
func (p *program) Start(service.Service) error {
	go func() {
		defer close(p.ended)
		p.err = p.run()
	}()
	return nil
}

// Stop asks run to end and waits for it. How long that may take is the service manager's timeout.
func (p *program) Stop(service.Service) error {
	p.stopping.Store(true)
	p.stop()
	<-p.ended
	return p.err
}

// Managed runs body: on this system nothing has to be answered to the service manager before that. It gets no controls.
func Managed(
	ctx context.Context, _ func(error) (code int, final bool), body func(ctx context.Context, controls <-chan Control) error,
) error {
	return body(ctx, nil)
}

// StartedByWindows is false: there is none.
func StartedByWindows() bool { return false }
