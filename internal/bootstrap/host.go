// Package bootstrap orders the phases: install walks forwards through them,
// uninstall walks back, status compares what was done with what is there.
package bootstrap

import (
	"context"
	"crypto/x509"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"slices"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/account"
	"github.com/runner-bootstrap/runner-bootstrap/internal/download"
	"github.com/runner-bootstrap/runner-bootstrap/internal/github"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/metadata"
	"github.com/runner-bootstrap/runner-bootstrap/internal/register"
)

// Phase is a step of an installation or of its removal.
type Phase string

// The phases of install, in their order, and then those of uninstall.
const (
	PlanPhase        Phase = "plan"
	AccountPhase     Phase = "account"
	FetchPhase       Phase = "fetch"
	EnvironmentPhase Phase = "environment"
	WorkPhase        Phase = "work"
	RegisterPhase    Phase = "register"
	LifePhase        Phase = "life"
	ServicePhase     Phase = "service"

	StopPhase       Phase = "stop"
	DeregisterPhase Phase = "deregister"
	RemovePhase     Phase = "remove"
)

// Observer is told what happens while it happens.
type Observer interface {
	// Begin opens a phase that acts on object.
	Begin(phase Phase, object string)
	// Progress may be called often between Begin and End; total is 0 if unknown.
	Progress(done, total int64)
	// End closes the phase. Kept means that everything was so already.
	End(phase Phase, result string, kept bool, err error)
}

// Host is the machine that is worked on, and the means to do it.
type Host struct {
	Paths    instance.Paths
	Store    *instance.Store
	Fetcher  *download.Fetcher
	Observer Observer
	Log      *slog.Logger
	// Services is where services are installed and looked at.
	Services Services
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
	// facts are kept for the next runner of this host.
	facts *metadata.Facts
	// Environment ("KEY=VALUE": proxies, certificates) passes on to config.sh
	// and the listener.
	Environment []string
}

// runner is the runner root of a record, for the programs in it.
func (h *Host) runner(record instance.Record, user account.User, hold ...*os.File) register.Runner {
	environment := append(slices.Clone(h.Environment), h.namedAtStart(record)...)
	return register.Runner{Root: record.Dir, User: user, Environment: environment, Hold: hold, Log: h.Log}
}

// userOf finds the account of a record.
func userOf(record instance.Record) (account.User, error) {
	if runtime.GOOS == "windows" || !account.Privileged() {
		return account.Lookup("")
	}
	return account.Lookup(record.User)
}

const (
	// accountWait is how long a service that is starting waits for its account: a
	// directory (SSSD, LDAP) may come up after it. It ends before the start's own time.
	accountWait = startTimeout - time.Minute
	accountEach = 2 * time.Second
)

// awaitUser finds the account of a record. Under a service manager it waits for one
// that is not known yet, and then fails in such a way that the service is started
// again. The error is that of ctx if that ends first.
func (h *Host) awaitUser(ctx context.Context, record instance.Record, with Supervision) (account.User, error) {
	user, err := userOf(record)
	if err != nil && with.Watchdog > 0 {
		h.Log.Warn("waiting for the runner's account", "runner", record.Name, "error", err)
		if err := with.Manager.Status("waiting for account " + record.User); err != nil {
			h.Log.Warn("telling the service manager", "error", err) // it is a word for people
		}
		end := time.Now().Add(accountWait)
		for err != nil && time.Now().Before(end) {
			select {
			case <-ctx.Done():
				return account.User{}, context.Cause(ctx)
			case <-time.After(accountEach):
			}
			user, err = userOf(record)
		}
		if err != nil {
			return account.User{}, fmt.Errorf("%w: %w", ErrAccountAway, err)
		}
	}
	if err == nil && user.Doubt != nil {
		h.Log.Warn("jobs may lack groups of the account that only a directory knows", "runner", record.Name, "error", user.Doubt)
	}
	return user, err
}

// phase runs one phase under the observer's eyes.
func (h *Host) phase(phase Phase, object string, do func() (result string, err error)) error {
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
	if records, err := h.Store.List(); err == nil && len(records) == 0 {
		h.Store.DropTokens()
		lock.Remove()
		return
	}
	lock.Release()
}
