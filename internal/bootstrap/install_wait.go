package bootstrap

import (
	"context"
	"fmt"

	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/plan"
	"github.com/runner-bootstrap/runner-bootstrap/internal/refusal"
)

// leaveToAgent notes how the runner is to be registered, once its machine is in service. Where its agent could not do that, it
// is for another install. That the credential is good enough is proven now, while somebody looks.
func leaveToAgent(ctx context.Context, i *installer) (string, error) {
	if !i.details.LeftToAgent() {
		return "", &refusal.Error{
			Object: fmt.Sprintf("registering runner %q", i.plan.Name), Reason: plan.ErrNotInService, Detail: i.details.Waits,
			Name: i.plan.Name,
		}
	}
	if i.mints() {
		if _, err := i.registrationToken(ctx); err != nil {
			return "", err
		}
	}
	i.record.Identity, i.record.ResolvedLabels = i.details.Request.Identity, i.details.Labels
	i.record.RunnerID, i.record.PendingDeletes, i.record.Before = 0, nil, nil
	i.record.Renewing, i.record.PreRegistered = false, false
	return "left to its agent: " + i.details.Waits, i.save(instance.Fetched)
}

// waits notes that the agent has come up, and holds its listener back: the cloud may have said so since the plan was made.
func waits(i *installer) (reason string) {
	report, alive, err := instance.LastReport(i.host.Store, i.plan.Name)
	if err != nil || !alive || report.State != instance.Drained {
		return ""
	}
	i.plan.Details.Waits = report.Reason
	return report.Reason
}
