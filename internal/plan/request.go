package plan

import (
	"fmt"
	"net/url"
	"slices"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/download"
	"github.com/runner-bootstrap/runner-bootstrap/internal/github"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/refusal"
	"github.com/runner-bootstrap/runner-bootstrap/internal/register"
	"github.com/runner-bootstrap/runner-bootstrap/internal/secret"
)

// DefaultUser is the account that jobs run as when none is named; further runners
// of a host have it with a number. It is created where it is absent.
const DefaultUser = "runner"

// Request is what is wanted of an install.
type Request struct {
	Scope    github.Scope
	Template string // of the runner's name
	Index    int    // its number; 0 without
	Identity instance.Identity
	Replace  Replace
	Account
	Service bool
	Source  download.Source
	// Update says who brings newer versions, as [instance.Origin] has it; empty: who can.
	Update    string
	Metadata  Metadata
	Variables []string // "KEY=VALUE", for the runner's .env
	Earlier   Earlier
	Life      instance.Life
	// Credential is where the supervisor finds its credential; Keep is that
	// credential, where there is no such place and it has to be kept.
	Credential instance.Credential
	Keep       secret.Secret
	// Thorough also asks GitHub for what makes a warning and nothing else, where
	// somebody reads it. A fleet saves the requests.
	Thorough bool
	// RegistrationToken was minted elsewhere; empty: minted here. With it nothing
	// is asked of GitHub that needs another credential.
	RegistrationToken secret.Secret
	// JIT is a registration that was made elsewhere; nil: made here. Its name
	// counts, and Identity does not.
	JIT *register.JITConfig
}

// Account says as whom jobs run.
type Account struct {
	User       string // empty: as root DefaultUser, or with a number, else the account that runs this
	CreateUser bool
	// UserPerRunner gives each of several runners an account of its own.
	UserPerRunner bool
	// Password is that of User, where Windows has to know it; it is kept nowhere.
	Password secret.Secret
}

// Earlier is what a request has to do with the install before it, and with the one after.
type Earlier struct {
	// Options are what is remembered for the next install.
	Options []instance.Option
	// Changes are what differs from the install before, to be shown.
	Changes []OptionChange
	// KeepVariables has the variables of the install before stay.
	KeepVariables bool
	// Reset has nothing of it stay.
	Reset bool
}

// Replace says which runners of the same name at GitHub may be replaced, and that a runner of this host may be registered again.
type Replace = string

// Which they are.
const (
	ReplaceNone    Replace = ""
	ReplaceOffline Replace = "offline" // those that are offline, and run no job
	ReplaceAlways  Replace = "always"
)

// SelfSufficient tells whether the request brings what registers a runner.
func (r Request) SelfSufficient() bool { return r.JIT != nil || !r.RegistrationToken.Empty() }

// What is done about placeholders that only a cloud can fill.
const (
	MetadataOff      = "off"      // they are refused
	MetadataAuto     = "auto"     // where no cloud answers, labels with them are left out, and names refused
	MetadataRequired = "required" // without an answer there is no runner
)

// Metadata says how the facts of this machine are learned.
type Metadata struct {
	Policy string
	Wait   time.Duration // for an answer of a cloud that this machine belongs to
}

// checkJIT refuses a registration that was made on another server than the one that
// is named: its runner would listen there.
func (r Request) checkJIT() error {
	if r.JIT == nil {
		return nil
	}
	for _, address := range r.JIT.Servers {
		if !r.Scope.Serves(address) {
			at, _ := url.Parse(address) // one that is no URL has no host
			host := "an unknown one"
			if at != nil && at.Host != "" {
				host = at.Host
			}
			return &refusal.Error{
				Object: fmt.Sprintf("registering a runner of %s at %s", r.Scope, r.Scope.Server()), Reason: ErrOtherServer, Detail: host,
				Scope: r.Scope,
			}
		}
	}
	return nil
}

// runnerName is the runner's: a just-in-time configuration has one.
func (r Request) runnerName(fill filler) (string, error) {
	if r.JIT == nil {
		return fill.name(r.Template)
	}
	return r.JIT.Settings.Name, instance.CheckName(r.JIT.Settings.Name)
}

// wantedWork is the folder for jobs that the request names: a just-in-time
// configuration brings its own.
func (r Request) wantedWork() string {
	if r.JIT != nil {
		return r.JIT.Settings.Work
	}
	return r.Identity.Work
}

// expects tells whether jobs are meant to have what a group gives, or cannot use it:
// the sandbox of a service lets nobody become root by sudo.
func (r Request) expects(group string) bool {
	allow := r.Life.Allow
	switch {
	case slices.Contains(allow, AllowAll):
		return true
	case group == "docker":
		return slices.Contains(allow, AllowDocker)
	case group == "sudo" || group == "wheel":
		return r.Service || slices.Contains(allow, AllowSudo)
	}
	return false
}
