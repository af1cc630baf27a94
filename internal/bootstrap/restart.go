package bootstrap

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/control"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/refusal"
	"github.com/runner-bootstrap/runner-bootstrap/internal/startup"
	"github.com/runner-bootstrap/runner-bootstrap/internal/svc"
)

// Restart starts the services of the runners of these names again, all at a time, and returns when their listeners
// listen. Gently, a running job may finish, within its drain timeout; now, it is cancelled. When ctx ends before, the
// service manager goes on: that of Windows to the stop alone, which the error says. Told is called for each that is up. The error
// joins those of all.
func (h *Host) Restart(ctx context.Context, names []string, how svc.StopMode, told func(name string)) error {
	lock, err := h.Store.LockHost(ctx)
	if err != nil {
		return err
	}
	defer h.unlock(lock)
	return Each(names, func(name string) error {
		if err := restartOne(ctx, h, name, how); err != nil {
			return err
		}
		told(name)
		return nil
	})
}

// Each does something for each name, all at a time. The error joins those of all, in the order of the names.
func Each(names []string, do func(name string) error) error {
	failed := make([]error, len(names))
	var all sync.WaitGroup
	for i, name := range names {
		all.Go(func() { failed[i] = do(name) })
	}
	all.Wait()
	return errors.Join(failed...)
}

func restartOne(ctx context.Context, h *Host, name string, how svc.StopMode) error {
	object := fmt.Sprintf("restarting runner %q", name)
	record, err := h.Store.Load(name)
	if err != nil {
		return err
	}
	if record.Service == "" {
		return &refusal.Error{Object: object, Reason: ErrNoService, Name: name}
	}
	if err := h.Machine.Check(ctx, record); err != nil {
		return fmt.Errorf("%s: %w", object, err)
	}
	service, err := h.Services.Named(record.Service)
	if err != nil {
		return fmt.Errorf("%s: %w", object, err)
	}
	before, err := h.Store.Running(name)
	if err != nil {
		return fmt.Errorf("%s: %w", object, err)
	}
	report, alive, _, err := control.Latest(ctx, h.Store, record)
	if err != nil {
		return fmt.Errorf("%s: %w", object, err)
	}
	switch {
	case how == svc.Now:
		if err := service.Stop(ctx, how); err != nil {
			return fmt.Errorf("%s: %w", object, err)
		}
	case alive && report.State == instance.Busy:
		h.Log.Info("waiting for the current job", "runner", name, "job", report.Job, "at_most", time.Duration(record.DrainTimeout))
	}
	s := startup.Startup{Store: h.Store, Service: service, Record: record}
	if err := s.Restart(ctx, before); err != nil {
		return fmt.Errorf("%s: %w", object, err)
	}
	if err := s.AwaitListening(ctx); err != nil {
		return fmt.Errorf("%s: %w", object, err)
	}
	return nil
}
