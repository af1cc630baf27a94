package plan

import (
	"context"
	"errors"

	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
)

// ErrNotInService says that the cloud keeps this machine for later.
var ErrNotInService = errors.New("this machine is not in service yet")

// planWait asks whether GitHub may list a runner of this machine yet, where one is to be registered. One that GitHub lists
// already only takes no jobs, which is for its agent to see to.
func planWait(ctx context.Context, p *planner) error {
	if p.maker.Waits == nil || p.Request.JIT != nil || p.LeaveFirst || !p.plan.ChangesIn(RegisterPhase) {
		return nil
	}
	if p.Waits = p.maker.Waits(ctx, p.Request.Life.Preemption, p.Request.Metadata.Wait); p.Waits == "" {
		return nil
	}
	for i := range p.plan.Steps {
		if step := &p.plan.Steps[i]; step.Phase == RegisterPhase {
			step.Reason += "; not before the machine is in service: " + p.Waits
		}
	}
	return nil
}

// LeftToAgent tells whether the runner's agent can register it once the machine is in service. It needs a credential that it
// finds by itself, and a name that nobody has: it replaces no strangers.
func (d *Details) LeftToAgent() bool {
	return d.Request.RegistrationToken.Empty() && !d.Record.Credential.Empty() && len(d.Strangers) == 0
}

// awaited tells whether the runner is one that its agent is yet to register, as it was installed before its machine was in
// service.
func awaited(p *planner) bool {
	record := p.Record
	return p.known && record.RunnerID == 0 && !record.Renewing && record.Phase == instance.Installed && !record.Credential.Empty() &&
		running(p.maker.Store, p.plan.Name) && len(record.Differs(p.Request.Identity)) == 0
}
