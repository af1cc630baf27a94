package plan

import (
	"context"
	"fmt"
	"slices"

	"github.com/runner-bootstrap/runner-bootstrap/internal/account"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/places"
	"github.com/runner-bootstrap/runner-bootstrap/internal/sudoers"
)

// warnOfNoSudo says why jobs that are to have sudo will not, and what mends it. Only an account that install has made, or will make,
// is given anything, and only with --create-user.
func warnOfNoSudo(ctx context.Context, p *planner) {
	name := p.plan.User
	if found, command := places.NoSudo(); found != "" {
		p.plan.warn(found + "; to mend it: sudo " + command)
	}
	if !p.JobUser.Planned() && account.Sudoer(ctx, name) {
		return
	}
	const text = "jobs are to have sudo, and account %q may run nothing by it; "
	why, remedy := sudoers.Unheeded()
	ours := p.JobUser.Planned() || p.JobUser.Ours()
	state, err := sudoers.Rule{Account: name}.Look()
	switch {
	case why != "":
		p.plan.warn(fmt.Sprintf("jobs are to have sudo, and %s; %s, then install again", why, remedy))
	case err != nil:
		p.plan.warn(fmt.Sprintf(text+"%v", name, err))
	case ours && state == sudoers.Changed:
		p.plan.warn(fmt.Sprintf(text+"%s is not as install would write it, and is left alone", name, sudoers.Rule{Account: name}.Path()))
	case ours && p.Request.CreateUser: // [planSudo] lets it
	case ours:
		p.plan.warn(fmt.Sprintf(text+"with --create-user, install lets it", name))
	default:
		p.plan.warn(fmt.Sprintf(text+"to mend it: sudo %s", name, sudoers.Command(name, p.JobUser.UID)))
	}
}

// planSudo lets an account of ours use sudo, where its jobs are to.
func planSudo(ctx context.Context, p *planner) error {
	rule := sudoers.Rule{Account: p.plan.User}
	recorded := p.Record.SudoRule == rule.Path()
	ours := p.Request.CreateUser && (p.JobUser.Planned() || p.JobUser.Ours())
	if !slices.Contains(p.Request.Life.Allow, AllowSudo) || !recorded && !ours {
		return nil
	}
	state, err := rule.Look()
	if err != nil {
		return err
	}
	goes := slices.ContainsFunc(p.Copied, func(r instance.Record) bool { return r.SudoRule == rule.Path() })
	if goes && state == sudoers.Written {
		state = sudoers.Absent // when its turn comes
	}
	why, _ := sudoers.Unheeded()
	switch {
	case state == sudoers.Written && recorded:
		p.plan.keep(SudoPhase, rule.Path(), "it is there")
	case state == sudoers.Written:
		p.plan.change(SudoPhase, rule.Path(), "it is there, and shared")
	case state == sudoers.Changed || why != "" || !ours || !p.JobUser.Planned() && account.Sudoer(ctx, p.plan.User):
		return nil // what is missing was said
	default:
		p.plan.change(SudoPhase, rule.Path(), fmt.Sprintf("account %s may run everything as root", p.plan.User))
	}
	p.Record.SudoRule = rule.Path()
	return nil
}

// planSudoRemoval comes last: until the service has come up again, a running job may use what it was given.
func planSudoRemoval(p *planner) {
	if p.Record.SudoRule != "" && !slices.Contains(p.Request.Life.Allow, AllowSudo) {
		p.plan.change(SudoPhase, p.Record.SudoRule, "it is to go: jobs are not to have sudo")
	}
}
