package main

import (
	"context"

	"github.com/runner-bootstrap/runner-bootstrap/internal/account"
	"github.com/runner-bootstrap/runner-bootstrap/internal/startup"
	"github.com/runner-bootstrap/runner-bootstrap/internal/status"
	"github.com/runner-bootstrap/runner-bootstrap/internal/svc"
)

// services is this host's service manager, as bootstrap needs it.
type services struct{}

func (services) Available() error {
	if !account.Privileged() {
		return account.ErrPrivilege
	}
	return svc.Available()
}

func (services) JobsApart(ctx context.Context) bool { return svc.JobsApart(ctx) }

func (services) Describe(unit svc.Unit) (startup.Service, error) { return svc.New(unit) }
func (services) Named(name string) (startup.Service, error)      { return svc.Named(name) }

// witness is what status asks of a service.
func (services) witness(name string) (status.ServiceWitness, error) { return svc.Named(name) }
