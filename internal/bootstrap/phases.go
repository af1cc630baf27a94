package bootstrap

import (
	"context"

	"github.com/runner-bootstrap/runner-bootstrap/internal/plan"
)

// phasesOf is what an install does in each phase in which its plan has something to change. It returns what came of it, in words.
func phasesOf(i *installer) map[plan.Phase]func(context.Context) (string, error) {
	return map[plan.Phase]func(context.Context) (string, error){
		plan.ForgetPhase:      func(ctx context.Context) (string, error) { return forget(ctx, i) },
		plan.AccountPhase:     i.createAccount,
		plan.FetchPhase:       i.fetch,
		plan.EnvironmentPhase: i.writeEnvironment,
		plan.WorkPhase:        i.makeWork,
		plan.SudoPhase:        func(ctx context.Context) (string, error) { return setSudo(ctx, i, ruleOf) },
		plan.RegisterPhase:    i.register,
		plan.LabelsPhase:      func(ctx context.Context) (string, error) { return relabel(ctx, i) },
		plan.VersionPhase:     func(ctx context.Context) (string, error) { return changeVersion(ctx, i) },
		plan.LifePhase:        i.keepLife,
		plan.ServicePhase:     i.installService,
	}
}
