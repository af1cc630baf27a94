package plan

import (
	"context"
	"slices"

	"github.com/runner-bootstrap/runner-bootstrap/internal/register"
)

// variables is everything that belongs into .env; what the user names wins. A shell
// that knows of no proxy may just not know it: then the network is reached as before.
func (p *planner) variables(kept []string) []string {
	network := p.maker.Environment
	if len(network) == 0 && !p.Request.Earlier.Reset {
		network = p.Record.Environment
	}
	if !p.Request.Earlier.KeepVariables {
		return slices.Concat(network, p.Request.Variables)
	}
	ofNetwork := register.VariableNames(slices.Concat(network, p.Record.Environment))
	own := slices.DeleteFunc(slices.Clone(kept), func(variable string) bool {
		return slices.Contains(ofNetwork, register.VariableNames([]string{variable})[0])
	})
	return slices.Concat(network, own)
}

// keptVariables are those that an earlier install has written.
func keptVariables(p *planner) ([]string, error) {
	if !p.known {
		return nil, nil
	}
	return p.maker.Store.KeptVariables(p.plan.Name)
}

// planEnvironment compares the runner's .env with what is wanted in it. A variable
// that an earlier install has written, and that is not given any more, is to go.
func (p *planner) planEnvironment(context.Context) error {
	kept, err := keptVariables(p)
	if err != nil {
		return err
	}
	p.Variables = p.variables(kept)
	names := register.VariableNames(p.Variables)
	p.OldVariables = slices.DeleteFunc(kept, func(variable string) bool {
		return slices.Contains(names, register.VariableNames([]string{variable})[0])
	})
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
