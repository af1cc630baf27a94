package plan

import (
	"context"
	"errors"
	"fmt"

	"github.com/runner-bootstrap/runner-bootstrap/internal/github"
	"github.com/runner-bootstrap/runner-bootstrap/internal/refusal"
)

// planGroup looks the runner's group up before anything is fetched for it: config.sh
// would notice last that there is none, and nobody that it takes no job. It asks
// only where the runner is to join, and where the credential may not ask, config.sh
// has the word.
func (p *planner) planGroup(ctx context.Context) error {
	r := p.Request
	if p.client == nil || r.JIT != nil || r.Scope.Kind == github.Repository || !p.plan.ChangesIn(RegisterPhase) {
		return nil
	}
	name := r.Identity.Group
	if name == "" && !r.Thorough {
		return nil
	}
	group, err := p.client.FindGroup(ctx, name)
	hidden := errors.Is(err, github.ErrForbidden) || errors.Is(err, github.ErrNotFound)
	switch {
	case err != nil && name == "" && ctx.Err() == nil:
		p.maker.Log.Debug("the default runner group was not looked at", "error", err) // it is there in any case
		return nil
	case hidden && !r.Identity.JIT:
		p.plan.warn(fmt.Sprintf("runner group %q could not be looked at: %v", name, err))
		return nil
	case err != nil:
		return err
	case group.Closed() && name != "":
		return &refusal.Error{
			Object: fmt.Sprintf("joining runner group %q of %s", group.Name, p.plan.Scope), Reason: ErrGroupClosed,
			Detail: "it is restricted to selected workflows, and none is selected", Scope: r.Scope,
		}
	}
	for _, limit := range group.Limits() {
		p.plan.warn(limit)
	}
	return nil
}
