package bootstrap

import (
	"slices"

	"github.com/runner-bootstrap/runner-bootstrap/internal/account"
	"github.com/runner-bootstrap/runner-bootstrap/internal/download"
	"github.com/runner-bootstrap/runner-bootstrap/internal/github"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/places"
	"github.com/runner-bootstrap/runner-bootstrap/internal/register"
)

// DefaultUser is the account that jobs run as when none is named; it is created
// where it is absent.
const DefaultUser = "runner"

// Request is what is wanted of an install.
type Request struct {
	Scope      github.Scope
	Template   string // of the runner's name
	Index      int    // its number; 0 without
	Identity   instance.Identity
	Replace    bool
	User       string // empty: DefaultUser as root, else the account that runs this
	CreateUser bool
	// UserPerRunner gives each of several runners an account of its own.
	UserPerRunner bool
	Service       bool
	Source        download.Source
	Metadata      Metadata
	Variables     []string // "KEY=VALUE", for the runner's .env
	Life          instance.Life
	// Credential is where the supervisor finds its credential; Keep is that
	// credential, where there is no such place and it has to be kept.
	Credential instance.Credential
	Keep       github.Secret
	// Thorough also asks GitHub for what makes a warning and nothing else, where
	// somebody reads it. A fleet saves the requests.
	Thorough bool
	// RegistrationToken was minted elsewhere; empty: minted here. With it nothing
	// is asked of GitHub that needs another credential.
	RegistrationToken github.Secret
	// JIT is a registration that was made elsewhere; nil: made here. Its name
	// counts, and Identity does not.
	JIT *register.JITConfig
}

// selfSufficient tells whether the request brings what registers a runner.
func (r Request) selfSufficient() bool { return r.JIT != nil || !r.RegistrationToken.Empty() }

// Plan is what an install will do. It was made by reading alone, and holds no
// secret.
type Plan struct {
	Name     string            `json:"name"`
	Scope    string            `json:"scope"`
	ScopeURL string            `json:"scope_url"`
	Dir      string            `json:"dir"`
	User     string            `json:"user"`
	Platform download.Platform `json:"platform"`
	Asset    *download.Asset   `json:"asset"`  // nil when the runner is there
	Cached   bool              `json:"cached"` // the asset lies in the cache: nothing is downloaded
	// ServiceName is empty where the runner is to have no service.
	ServiceName string `json:"service"`
	Steps       []Step `json:"steps"`
	// Warnings are about jobs that the runner will not get, in sentences.
	Warnings []string `json:"warnings,omitempty"`

	draft *draft
}

// draft is what carries a plan out and is nobody else's business.
type draft struct {
	request Request
	record  instance.Record
	was     instance.Record // the record as it was found
	jobUser account.User
	service Service // nil without one
	chooser *download.Chooser
	// given are the labels of the request without placeholders; nil if it has none.
	given []string
	// drop are variables that an earlier install has written, and that are to go.
	drop []string
	// keepSecret is set when the request's credential is to be kept.
	keepSecret bool
	// room is where jobs work, if that is outside of the runner's directory.
	room places.Room
	// ghost is a runner at GitHub that an interrupted run of ours left.
	ghost int64
	// before are the runners of this name that are a stranger's.
	before []int64
	// leave is set when the runner must leave GitHub before it joins again.
	leave bool
	// stop is set when its files are replaced: whoever works with them has to be stopped before.
	stop bool
}

// variables is everything that belongs into .env; what the user names wins. A shell
// that knows of no proxy may just not know it: then the network is reached as before.
func (d *draft) variables(network []string) []string {
	if len(network) == 0 {
		network = d.record.Environment
	}
	return slices.Concat(network, d.request.Variables)
}

// Step is one phase of a plan.
type Step struct {
	Phase  Phase  `json:"phase"`
	Change bool   `json:"change"` // false: everything is so already
	Object string `json:"object"`
	Reason string `json:"reason"`
}

// Changes tells whether the plan changes anything.
func (p *Plan) Changes() bool {
	for _, step := range p.Steps {
		if step.Change {
			return true
		}
	}
	return false
}

func (p *Plan) keep(phase Phase, object, reason string) {
	p.Steps = append(p.Steps, Step{Phase: phase, Object: object, Reason: reason})
}

func (p *Plan) change(phase Phase, object, reason string) {
	p.Steps = append(p.Steps, Step{Phase: phase, Change: true, Object: object, Reason: reason})
}

// changes tells whether one of the phases planned so far changes something.
func (p *Plan) changes(phase Phase) bool {
	for _, step := range p.Steps {
		if step.Phase == phase {
			return step.Change
		}
	}
	return false
}

// warn notes what does not stop the plan, and may stop jobs.
func (p *Plan) warn(text string) {
	if !slices.Contains(p.Warnings, text) {
		p.Warnings = append(p.Warnings, text)
	}
}
