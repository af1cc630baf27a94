package plan

import (
	"context"
	"slices"

	"github.com/runner-bootstrap/runner-bootstrap/internal/register"
)

// variables is everything that belongs into .env; what the user names wins. A shell
// that knows of no proxy may just not know it: then the network is reached as before.
func (p *planner) variables() []string {
	network := p.maker.Environment
	if len(network) == 0 {
		network = p.Record.Environment
	}
	return slices.Concat(network, p.Request.Variables)
}

// planEnvironment compares the runner's .env with what is wanted in it. A variable
// that an earlier install has written, and that is not given any more, is to go.
func (p *planner) planEnvironment(context.Context) error {
	p.Variables = p.variables()
	if p.known {
		kept, err := p.maker.Store.KeptVariables(p.plan.Name)
		if err != nil {
			return err
		}
		names := register.VariableNames(p.Variables)
		p.OldVariables = slices.DeleteFunc(kept, func(variable string) bool {
			return slices.Contains(names, register.VariableNames([]string{variable})[0])
		})
	}
	if len(p.Variables) == 0 && len(p.OldVariables) == 0 {
		return nil
	}
	if !p.whole {
		p.plan.change(EnvironmentPhase, ".env", "not written yet")
		return nil
	}
	differs, err := register.EnvironmentDiffers(p.plan.Dir, p.Variables, p.OldVariables)
	if err != nil {
		return err
	}
	if differs || len(p.OldVariables) > 0 {
		p.plan.change(EnvironmentPhase, ".env", "its content differs")
	} else {
		p.plan.keep(EnvironmentPhase, ".env", "its content is right")
	}
	return nil
}
