package bootstrap

import (
	"context"
	"fmt"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/control"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/refusal"
)

// lookEach is how often it is looked whether an order was carried out.
const lookEach = 200 * time.Millisecond

// Drain lets the runner finish the job that it runs and take no other, and returns
// when its listener has ended. The service goes on, without a listener, until
// Resume or its next start. A runner that is drained already is a success.
func (h *Host) Drain(ctx context.Context, name string) error {
	return h.order(ctx, name, "draining", control.Drain, func(r instance.Report) bool { return r.State == instance.Drained })
}

// Resume lets a drained runner take jobs again, and returns when it does.
func (h *Host) Resume(ctx context.Context, name string) error {
	return h.order(ctx, name, "resuming", control.Resume, func(r instance.Report) bool {
		return !r.Draining && (r.State == instance.Idle || r.State == instance.Busy)
	})
}

// agentOf is who supervises a runner, for what object names.
func agentOf(ctx context.Context, h *Host, record instance.Record, object string) (instance.Holder, error) {
	agent, err := h.Store.Running(record.Name)
	if err != nil || !agent.None() {
		return agent, err
	}
	if err := h.Machine.Check(ctx, record); err != nil {
		return agent, err
	}
	return agent, &refusal.Error{Object: object, Reason: ErrNotSupervised, Name: record.Name}
}

// order tells the supervisor something, and waits until its report says that it is
// done.
func (h *Host) order(ctx context.Context, name, verb string, command control.Command, done func(instance.Report) bool) error {
	object := fmt.Sprintf("%s runner %q", verb, name)
	tick := time.NewTicker(lookEach)
	defer tick.Stop()
	var told instance.Holder
	for {
		record, err := h.Store.Load(name)
		if err != nil {
			return err
		}
		agent, err := agentOf(ctx, h, record, object)
		if err != nil {
			return err
		}
		// Another supervisor than the one that was told knows nothing of the order.
		if agent != told {
			if err := tell(ctx, record, agent, command); err != nil {
				return fmt.Errorf("%s: telling %v: %w", object, agent, err)
			}
			told = agent
		}
		report, _, _, err := control.Latest(ctx, h.Store, record)
		if err != nil {
			return err
		}
		if report.PID == agent.PID && done(report) {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s: its listener is %s: %w", object, report.State, context.Cause(ctx))
		case <-tick.C:
		}
	}
}
