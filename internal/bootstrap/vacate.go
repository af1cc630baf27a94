package bootstrap

import (
	"context"

	"github.com/runner-bootstrap/runner-bootstrap/internal/github"
	"github.com/runner-bootstrap/runner-bootstrap/internal/plan"
	"github.com/runner-bootstrap/runner-bootstrap/internal/register"
)

// vacate takes away the runners of this name that the plan has seen, and that the request replaces: GitHub is asked again,
// since the plan is as old as the download. Where it cannot be asked, config.sh refuses the name.
//
// config.sh's own --replace takes over whatever has the name when it gets there, and a just-in-time configuration
// cannot take a name over. With [plan.ReplaceAlways] config.sh does it, which asks nobody.
func vacate(ctx context.Context, i *installer) error {
	request := i.details.Request
	byConfig := request.Replace == plan.ReplaceAlways && !request.Identity.JIT
	if i.client == nil || len(i.details.Strangers) == 0 || request.Replace == plan.ReplaceNone || byConfig {
		return nil
	}
	gone, err := register.Vacate(ctx, i.client, i.plan.Name, func(runner github.Runner) error {
		if runner.ID == i.record.RunnerID || runner.ID == i.details.Abandoned {
			return nil // our own
		}
		return request.MayReplace(i.plan.Name, runner)
	})
	for _, runner := range gone {
		i.host.Log.Warn("replacing a runner of the same name", "runner", i.plan.Name, "replaced", register.StateOf(runner))
	}
	return err
}
