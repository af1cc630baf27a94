package plan

import (
	"context"
	"slices"
	"strings"

	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
)

// setAside notes a record of another machine, of which this one is a copy: nothing of that runner is this one's.
func setAside(ctx context.Context, p *planner, record instance.Record) bool {
	err := p.maker.Machine.Check(ctx, record)
	if err != nil {
		p.Copied = append(p.Copied, record)
	}
	return err != nil
}

// planForget takes away what is here of another machine's runners. GitHub is not told: there they are at work.
func planForget(p *planner) {
	if len(p.Copied) == 0 {
		return
	}
	var names []string
	for _, record := range p.Copied {
		names = append(names, record.Name)
	}
	p.plan.change(ForgetPhase, strings.Join(names, ", "), "this machine is a copy of the one whose it is; GitHub is not told")
}

// ownRecords are the records of the runners of this machine. What it has of another one's goes, and leaves its account free.
func ownRecords(p *planner) ([]instance.Record, error) {
	records, err := p.maker.Store.List()
	return slices.DeleteFunc(records, func(r instance.Record) bool { return p.copies(r.Dir) }), err
}

// copies tells whether a path, or a service, is one that another machine's runner has left here, and that goes first.
func (d *Details) copies(name string) bool {
	return slices.ContainsFunc(d.Copied, func(r instance.Record) bool { return name == r.Dir || name == r.Service })
}
