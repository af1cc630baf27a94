package plan

import (
	"github.com/runner-bootstrap/runner-bootstrap/internal/account"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
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

// lifeOf is the service that the jobs of a runner run in.
func lifeOf(record instance.Record, user account.User) svc.Life {
	if user.Self {
		return svc.Life{}
	}
	name := record.LifeName()
	return svc.Life{Name: name, Account: user.Name, Args: []string{svc.HostWord, name}}
}
