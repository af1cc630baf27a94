package bootstrap

import (
	"context"
	"fmt"
	"syscall"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/control"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/refusal"
	"github.com/runner-bootstrap/runner-bootstrap/internal/retry"
)

// lookEach is how often it is looked whether an order was carried out.
const lookEach = 200 * time.Millisecond

// Drain lets the runner finish the job that it runs and take no other, and returns
// when its listener has ended. The service goes on, without a listener, until
// Resume or its next start. A runner that is drained already is a success.
func (h *Host) Drain(ctx context.Context, name string) error {
	_, err := h.order(ctx, name, "draining", control.Drain, func(r instance.Report) bool { return r.State == instance.Drained })
	return err
}

// Resume lets a drained runner take jobs again, and returns when it does, or why it waits for its machine before that.
// A machine that something is wrong with is an error, which matches [syscall.EROFS].
func (h *Host) Resume(ctx context.Context, name string) (waits string, err error) {
	now, err := h.order(ctx, name, "resuming", control.Resume, func(r instance.Report) bool {
		return !r.Draining && (r.State == instance.Idle || r.State == instance.Busy) || r.State == instance.Drained && r.Reason != ""
	})
	switch {
	case err != nil || now.State != instance.Drained:
		return "", err
	case now.Faulty:
		return "", fmt.Errorf("resuming runner %q: %w", name, faultyHostError(now.Reason))
	}
	return now.Reason, nil
}

// faultyHostError is what is wrong with this host, as its agent says it.
type faultyHostError string

func (f faultyHostError) Error() string { return string(f) }

func (faultyHostError) Unwrap() error { return syscall.EROFS }

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
// done, which is returned.
func (h *Host) order(
	ctx context.Context, name, verb string, command control.Command, done func(instance.Report) bool,
) (instance.Report, error) {
	object := fmt.Sprintf("%s runner %q", verb, name)
	var told instance.Holder
	for {
		record, err := h.Store.Load(name)
		if err != nil {
			return instance.Report{}, err
		}
		agent, err := agentOf(ctx, h, record, object)
		if err != nil {
			return instance.Report{}, err
		}
		// Another supervisor than the one that was told knows nothing of the order.
		if agent != told {
			if err := tell(ctx, record, agent, command); err != nil {
				return instance.Report{}, fmt.Errorf("%s: telling %v: %w", object, agent, err)
			}
			told = agent
		}
		report, _, _, err := control.Latest(ctx, h.Store, record)
		if err != nil {
			return instance.Report{}, err
		}
		if report.PID == agent.PID && done(report) {
			return report, nil
		}
		if err := retry.Sleep(ctx, lookEach); err != nil {
			return instance.Report{}, fmt.Errorf("%s: its listener is %s: %w", object, report.State, err)
		}
	}
}
