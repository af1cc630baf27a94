package plan

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

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

// relabels tells whether the runner differs in its labels alone, and GitHub lets them be changed while it stays registered: a server
// that is too old for that does not know them by the runner's id.
func relabels(ctx context.Context, p *planner, id int64) (bool, error) {
	if !onlyLabelsDiffer(p) {
		return false, nil
	}
	_, err := p.client.Labels(ctx, id)
	if errors.Is(err, github.ErrNotFound) {
		return false, nil
	}
	return err == nil, err // what fails otherwise is no reason to leave GitHub
}

func onlyLabelsDiffer(p *planner) bool {
	return p.known && p.client != nil && p.Request.JIT == nil && slices.Equal(p.Record.Differs(p.Request.Identity), []string{"labels"})
}

// planRelabel has the labels of a runner changed that stays registered, or is about to be registered again by its agent.
func planRelabel(p *planner) {
	if p.plan.ChangesIn(RegisterPhase) || !onlyLabelsDiffer(p) {
		return
	}
	before, after := p.Record.EffectiveLabels(), p.Request.Identity.Labels
	if p.Labels != nil {
		after = p.Labels
	}
	p.plan.change(LabelsPhase, p.plan.Name, fmt.Sprintf("%s -> %s, without another registration", labelWords(before), labelWords(after)))
}

func labelWords(labels []string) string { return cmp.Or(strings.Join(labels, ","), "none") }

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
