package plan

import (
	"context"
	"fmt"

	"github.com/runner-bootstrap/runner-bootstrap/internal/github"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/register"
)

// planLabels replaces what stands for facts in labels. A runner keeps those that it
// has, also where its cloud does not answer today.
func (p *planner) planLabels(ctx context.Context) (err error) {
	r := p.Request
	fill := p.maker.filler(ctx, r)
	fill.warn = p.plan.warn
	if p.known && p.Record.ResolvedLabels != nil && instance.SameLabels(p.Record.Labels, r.Identity.Labels) {
		p.Labels = p.Record.ResolvedLabels
	} else if p.Labels, err = fill.labels(r.Identity); err != nil {
		return err
	}
	if err := checkLabels(instance.Record{Identity: r.Identity, ResolvedLabels: p.Labels}); err != nil {
		return fmt.Errorf("planning for %s: %w", p.plan.Scope, err)
	}
	return nil
}

// checkLabels refuses labels that GitHub would not keep as they are, with their
// placeholders filled.
func checkLabels(record instance.Record) error {
	err := github.CheckLabels(github.Distinct(record.EffectiveLabels()), 0)
	if err == nil {
		err = github.CheckLabels(register.AskedLabels(record), 0) // with the default ones there may be too many
	}
	if err == nil && !record.JIT {
		err = register.CheckLabels(register.AskedLabels(record))
	}
	return err
}
