package main

import (
	"context"
	"io"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/account"
	"github.com/runner-bootstrap/runner-bootstrap/internal/agent"
	"github.com/runner-bootstrap/runner-bootstrap/internal/startup"
	"github.com/runner-bootstrap/runner-bootstrap/internal/status"
	"github.com/runner-bootstrap/runner-bootstrap/internal/svc"
)

// services is this host's service manager, as the commands need it: the one that services_unix.go or services_windows.go
// chooses.
type services struct{}

// hostService is what the commands ask of a service: install and its like, then status, then logs.
type hostService interface {
	startup.Service
	status.ServiceWitness
	// WriteLog writes the log to out, oldest line first, and to errs what its reader complains of. With follow it begins with
	// the last lines, goes on with those that come, and returns nil when ctx ends.
	WriteLog(ctx context.Context, out, errs io.Writer, follow bool) error
}

// starter is who has started this process.
type starter struct {
	managed  bool // by a service manager
	mute     bool // by one that takes no output
	manager  agent.ServiceManager
	watchdog time.Duration // how often that wants to hear anything; zero if not at all
}

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
