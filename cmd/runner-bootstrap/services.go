package main

import (
	"context"

	"github.com/runner-bootstrap/runner-bootstrap/internal/account"
	"github.com/runner-bootstrap/runner-bootstrap/internal/startup"
	"github.com/runner-bootstrap/runner-bootstrap/internal/status"
	"github.com/runner-bootstrap/runner-bootstrap/internal/svc"
)

// services is this host's service manager, as bootstrap needs it: the one that services_unix.go or services_windows.go chooses.
type services struct{}

func (services) Available() error {
	if !account.Privileged() {
		return account.ErrPrivilege
	}
	return servicesAvailable()
}

func (services) JobsApart(ctx context.Context) bool { return jobsApart(ctx) }

func (services) Describe(unit svc.Unit) (startup.Service, error) { return describeService(unit) }
func (services) Named(name string) (startup.Service, error)      { return serviceNamed(name) }

// witness is what status asks of a service.
func (services) witness(name string) (status.ServiceWitness, error) { return serviceNamed(name) }
