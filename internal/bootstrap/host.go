// Package bootstrap orders the phases: install walks forwards through them,
// uninstall walks back.
package bootstrap

import (
	"context"
	"crypto/x509"
	"log/slog"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/control"
	"github.com/runner-bootstrap/runner-bootstrap/internal/download"
	"github.com/runner-bootstrap/runner-bootstrap/internal/github"
	"github.com/runner-bootstrap/runner-bootstrap/internal/health"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/machine"
	"github.com/runner-bootstrap/runner-bootstrap/internal/plan"
	"github.com/runner-bootstrap/runner-bootstrap/internal/startup"
)

// Observer is told what happens while it happens.
type Observer interface {
	// Begin opens a phase that acts on object.
	Begin(phase plan.Phase, object string)
	// Progress may be called often between Begin and End; total is 0 if unknown.
	Progress(done, total int64)
	// End closes the phase. Kept means that everything was so already.
	End(phase plan.Phase, result string, kept bool, err error)
}

// Host is the machine that is worked on, and the means to do it.
type Host struct {
	Paths    instance.Paths
	Store    *instance.Store
	Fetcher  *download.Fetcher
	Observer Observer
	Log      *slog.Logger
	// Services is where services are installed and looked at.
	Services startup.Services
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
	// Roots are the certificate authorities that a webhook is trusted by; nil: the
	// system's. UserAgent is who we are to it.
	Roots     *x509.CertPool
	UserAgent string
	// Machine knows which of the runners are this machine's.
	Machine machine.Witness
	// Agree is asked before an install changes anything. Its error is that of the install; nil agrees to all.
	Agree func(context.Context, *plan.Plan) error
	// Waits asks the cloud of a preemption why this machine is not in service yet, and is empty where it is; nil: nobody is asked.
	Waits func(ctx context.Context, preemption string, patience time.Duration) string
	// cloud is kept for the next runner of this host.
	cloud plan.Cloud
	// Environment ("KEY=VALUE": proxies, certificates) passes on to config.sh
	// and the listener.
	Environment []string
}

// Planner tells what installs on this host would do, and changes nothing.
func (h *Host) Planner() *plan.Maker {
	return &plan.Maker{
		Paths: h.Paths, Store: h.Store, Cache: h.Fetcher.Cache, Log: h.Log, Services: startup.Described{Services: h.Services},
		Connect: h.Connect, Anonymous: h.Anonymous, Executable: h.Executable, Arguments: h.Arguments, Private: h.Private,
		Environment: h.Environment, Cloud: &h.cloud, Machine: h.Machine,
		Waits: h.Waits,
	}
}

// phase runs one phase under the observer's eyes.
func (h *Host) phase(phase plan.Phase, object string, do func() (result string, err error)) error {
	h.Observer.Begin(phase, object)
	result, err := do()
	h.Observer.End(phase, result, false, err)
	return err
}

// Tidy takes away what a killed uninstall has left of the state when it had
// come so far that nothing is remembered any more.
func (h *Host) Tidy(ctx context.Context) error {
	if !h.Store.Exists() {
		return nil
	}
	lock, err := h.Store.LockHost(ctx)
	if err != nil {
		return err
	}
	h.unlock(lock)
	return nil
}

// unlock gives the host's lock up, and takes its file away when nothing is
// remembered on this host.
func (h *Host) unlock(lock *instance.Lock) {
	// Agents that were killed have left theirs.
	if err := control.Sweep(context.Background(), h.Paths.Control); err != nil {
		h.Log.Warn("cannot remove the sockets of agents that are gone", "error", err)
	}
	if records, err := h.Store.List(); err == nil && len(records) == 0 {
		h.Store.DropTokens()
		lock.Remove()
		return
	}
	lock.Release()
}

// tellOnce sends one event of an install or uninstall.
func (h *Host) tellOnce(record instance.Record, kind string) {
	if record.Webhook == "" {
		return
	}
	err := health.SendOnce(health.WebhookConfig{
		URL: record.Webhook, SecretFile: record.WebhookSecret, Roots: h.Roots, UserAgent: h.UserAgent, Log: h.Log,
	}, health.NewEvent(kind, record.Name, record.ScopeURL, record.RunnerID, record.Version))
	if err != nil {
		h.Log.Warn("cannot tell the webhook", "event", kind, "error", err)
	}
}
