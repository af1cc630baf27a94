package plan

import (
	"fmt"

	"github.com/runner-bootstrap/runner-bootstrap/internal/account"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/refusal"
	"github.com/runner-bootstrap/runner-bootstrap/internal/svc"
)

// ownAccountOf is the account that jobs run as where none is asked for: the virtual one of the service that they run in, or that of
// this process where there is to be no service.
func ownAccountOf(p *planner) (name string, has bool) {
	if !p.Request.Service {
		return "", true
	}
	record := p.Record
	record.Service = serviceName(p.Request.Scope, p.plan.Name)
	return account.VirtualName(record.LifeName()), true
}

// checkPassword refuses an account that the service manager would want a password of, and that has come without one.
func checkPassword(p *planner) error {
	if p.Unit.Life.Name == "" || p.JobUser.Kind() != account.Ordinary || !p.Request.Password.Empty() {
		return nil
	}
	return &refusal.Error{
		Object: fmt.Sprintf("running a service as account %q", p.plan.User), Reason: ErrPassword, Name: p.plan.User,
	}
}

// lifeOf is the service that the jobs of a runner run in.
func lifeOf(record instance.Record, user account.User) svc.Life {
	name := record.LifeName()
	return svc.Life{Name: name, Account: user.StartName(), Args: []string{svc.HostWord, name}}
}
