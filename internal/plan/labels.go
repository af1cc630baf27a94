package plan

import (
	"context"
	"fmt"

	"github.com/runner-bootstrap/runner-bootstrap/internal/github"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/register"
)

// checkLabels refuses labels that GitHub would not keep as they are, with their
// placeholders filled.
func (p *planner) checkLabels(context.Context) error {
	record := instance.Record{Identity: p.Request.Identity, ResolvedLabels: p.Labels}
	err := github.CheckLabels(github.Distinct(record.EffectiveLabels()), 0)
	if err == nil {
		err = github.CheckLabels(register.AskedLabels(record), 0) // with the default ones there may be too many
	}
	if err == nil && !record.JIT {
		err = register.CheckLabels(register.AskedLabels(record))
	}
	if err != nil {
		return fmt.Errorf("planning for %s: %w", p.plan.Scope, err)
	}
	return nil
}
