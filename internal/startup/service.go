package startup

import (
	"context"

	"github.com/runner-bootstrap/runner-bootstrap/internal/svc"
)

// Service is one service of this host, installed or yet to be. Its methods may be repeated: what is so already is a
// success.
type Service interface {
	// State tells how the service is; one that the service manager does not know is absent, and no error.
	State(ctx context.Context) (svc.State, error)
	// Install brings the service to its description and has it started at boot. It neither starts nor stops it.
	// After a failure, what there was before is there again.
	Install(ctx context.Context) (svc.Change, error)
	// Restart starts the service, after the stop of one that runs, and returns when it is up.
	Restart(ctx context.Context) error
	// Stop returns when the service is at rest. When ctx ends before, the service manager goes on stopping it.
	Stop(ctx context.Context, how svc.StopMode) error
	// Log gives the last lines of its log, oldest first.
	Log(ctx context.Context, lines int) ([]string, error)
	// Uninstall takes every part of the service away, and tells whether there was any.
	Uninstall(ctx context.Context) (changed bool, err error)
}

// Services is this host's service manager.
type Services interface {
	// Available returns nil where this process can install a service, and [account.ErrPrivilege] where only root can.
	Available() error
	// JobsApart tells whether jobs run in units of their own here, beside that of the service.
	JobsApart(ctx context.Context) bool
	// Describe gives the service that a unit describes, and refuses a description that cannot be one.
	Describe(unit svc.Unit) (Service, error)
	// Named gives the service of that name, of which nothing else is known; it cannot be installed.
	Named(name string) (Service, error)
}

// Described looks at the services of a host by their descriptions, as plans do.
type Described struct{ Services }

// State tells how the service is that a unit describes; see [Service] and [Services].
func (d Described) State(ctx context.Context, unit svc.Unit) (svc.State, error) {
	service, err := d.Describe(unit)
	if err != nil {
		return svc.State{}, err
	}
	return service.State(ctx)
}
