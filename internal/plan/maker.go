// Package plan compares what is wanted of a runner with what is there, and says what an
// install has to do. It reads, and changes nothing.
package plan

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/download"
	"github.com/runner-bootstrap/runner-bootstrap/internal/github"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/machine"
	"github.com/runner-bootstrap/runner-bootstrap/internal/refusal"
	"github.com/runner-bootstrap/runner-bootstrap/internal/svc"
)

// ServiceManager is what a plan asks of this host's service manager.
type ServiceManager interface {
	// Available returns nil where this process can install a service, and [account.ErrPrivilege] where only root can.
	Available() error
	// State tells how the service is that a unit describes, and refuses a description that cannot be one. A service that the
	// service manager does not know is absent, and no error.
	State(ctx context.Context, unit svc.Unit) (svc.State, error)
	// JobsApart tells whether jobs run in units of their own here, beside that of the service.
	JobsApart(ctx context.Context) bool
}

// Maker makes plans for one host. It changes nothing there.
type Maker struct {
	Paths    instance.Paths
	Store    *instance.Store
	Cache    download.Cache
	Log      *slog.Logger
	Services ServiceManager
	// Connect gives the client for a scope; nil if there is no credential.
	Connect func(github.Scope) *github.Client
	// Anonymous gives one without a credential, for what is public.
	Anonymous func(github.Scope) *github.Client
	// Executable is the program that a service starts, and Arguments lead it to
	// these Paths.
	Executable string
	Arguments  []string
	// Private is set when Paths need no privileges.
	Private bool
	// Environment ("KEY=VALUE": proxies, certificates) passes on to config.sh
	// and the listener.
	Environment []string
	// Cloud remembers what the cloud has said of this machine.
	Cloud *Cloud
	// Machine knows which of the runners are this machine's.
	Machine machine.Witness
	// Waits asks the cloud of a preemption why this machine is not in service yet, and is empty where it is; nil: nobody is asked.
	Waits func(ctx context.Context, preemption string, patience time.Duration) string
}

// Make compares the request with this host and with GitHub. It reads and
// changes nothing, and asks for evidence, not for memory: a runner root, a
// registration that GitHub lists, a unit with the right text.
func (m *Maker) Make(ctx context.Context, r Request) (*Plan, error) {
	platform, err := download.Host()
	if err != nil {
		return nil, fmt.Errorf("choosing a runner for this host: %w", err)
	}
	p := &Plan{Scope: r.Scope.String(), ScopeURL: r.Scope.URL(), Platform: platform, Details: Details{Request: r}}
	planner := planner{Details: &p.Details, maker: m, plan: p}
	switch {
	case m.Connect != nil:
		planner.client = m.Connect(r.Scope)
	case !r.SelfSufficient():
		return nil, &refusal.Error{Object: "planning for " + p.Scope, Reason: github.ErrNoCredential, Scope: r.Scope}
	}
	if err := r.checkJIT(); err != nil {
		return nil, err
	}
	for _, step := range []func(context.Context) error{
		planner.identify, planner.planLabels, planner.planAccount, planner.checkService,
		planner.checkTrust, planner.checkWork, planner.planFetch, planner.planEnvironment, planner.planWork,
		func(ctx context.Context) error { return planSudo(ctx, &planner) }, planner.planRegister,
		func(context.Context) error { planRelabel(&planner); planVersion(&planner); return nil }, planner.planGroup, planner.planLife,
		func(ctx context.Context) error { return planWait(ctx, &planner) }, planner.planService,
	} {
		if err := step(ctx); err != nil {
			return nil, err
		}
	}
	planSudoRemoval(&planner)
	p.Registered(p.Details.Record.RunnerID)
	return p, nil
}
