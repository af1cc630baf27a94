package plan

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/runner-bootstrap/runner-bootstrap/internal/github"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/refusal"
)

// planner fills one plan.
type planner struct {
	*Details
	maker  *Maker
	plan   *Plan
	client *github.Client // nil without a credential: GitHub is not asked then
	known  bool           // there is a record
	whole  bool           // the runner root is complete
	// version says which other version comes to a runner that is there; empty: none.
	version string
}

// identify finds the record that the request is about, or begins a new one.
func (p *planner) identify(ctx context.Context) error {
	r := p.Request
	records, err := p.maker.Store.List()
	if err != nil {
		return err
	}
	records = slices.DeleteFunc(records, func(record instance.Record) bool { return setAside(ctx, p, record) })
	planForget(p)
	for _, record := range records {
		// The first of several may have been the only one before.
		same := record.Index == r.Index || record.Index == 0 && r.Index == 1
		if record.Template == r.Template && same && r.Scope.Same(record.ScopeURL) {
			return p.take(record)
		}
	}
	name, err := r.runnerName(p.maker.filler(ctx, r))
	if err != nil {
		return err
	}
	for _, record := range records {
		if strings.EqualFold(record.Name, name) {
			return p.take(record)
		}
	}
	p.Record = instance.Record{
		Name: name, Template: r.Template, Index: r.Index, ScopeURL: r.Scope.URL(), APIURL: r.Scope.API(),
		Dir: p.maker.Paths.Root(name), Identity: r.Identity, Phase: instance.Planned,
	}
	p.plan.Name, p.plan.Dir = name, p.Record.Dir
	return nil
}

func (p *planner) take(record instance.Record) error {
	p.Record, p.Found, p.known = record, record, true
	p.plan.Name, p.plan.Dir = record.Name, record.Dir
	p.plan.Options = p.Request.Earlier.Changes
	object := fmt.Sprintf("runner %q on this host", record.Name)
	if !p.Request.Scope.Same(record.ScopeURL) {
		return &refusal.Error{Object: object, Reason: ErrOtherScope, Detail: record.ScopeURL, Name: record.Name}
	}
	if record.Phase == instance.Removing {
		return &refusal.Error{Object: object, Reason: instance.ErrRemoving, Name: record.Name}
	}
	return nil
}
