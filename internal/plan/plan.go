package plan

import (
	"slices"
	"strconv"

	"github.com/runner-bootstrap/runner-bootstrap/internal/account"
	"github.com/runner-bootstrap/runner-bootstrap/internal/download"
	"github.com/runner-bootstrap/runner-bootstrap/internal/github"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/places"
	"github.com/runner-bootstrap/runner-bootstrap/internal/svc"
)

// Plan is what an install will do. It was made by reading alone. What is printed of it
// holds no secret.
type Plan struct {
	Name     string `json:"name"`
	Scope    string `json:"scope"`
	ScopeURL string `json:"scope_url"`
	// ID is the runner's at GitHub, and URL its page there; 0 and the page of all runners before it is registered.
	ID       int64             `json:"id"`
	URL      string            `json:"url"`
	Dir      string            `json:"dir"`
	User     string            `json:"user"`
	Platform download.Platform `json:"platform"`
	Asset    *download.Asset   `json:"asset"`  // nil when the runner is there
	Cached   bool              `json:"cached"` // the asset lies in the cache: nothing is downloaded
	// ServiceName is empty where the runner is to have no service.
	ServiceName string `json:"service"`
	Steps       []Step `json:"steps"`
	// Options are those that the runner has otherwise than after the install before.
	Options []OptionChange `json:"options,omitempty"`
	// Warnings are about jobs that the runner will not get, in sentences.
	Warnings []string `json:"warnings,omitempty"`

	Details Details `json:"-"`
}

// Details are what it takes to carry a plan out, and nobody else's business.
type Details struct {
	Request Request
	// Record is the runner's as it is to be kept. Found is as it was found; it has no
	// name if there was none.
	Record, Found instance.Record
	// Copied are the records that this host has of another machine's runners, as it is a copy of that.
	Copied []instance.Record
	// JobUser is who jobs run as. One that is yet to be created has no number.
	JobUser account.User
	// Unit describes the service, where the plan names one.
	Unit svc.Unit
	// Chooser chose the asset. It chooses another one where the cache has lost that.
	Chooser *download.Chooser
	// Labels are those of the request without placeholders; nil if it has none.
	Labels []string
	// Variables are everything that belongs into the runner's .env, and OldVariables what an
	// earlier install has written there and is to go.
	Variables, OldVariables []string
	// KeepCredential is set when the request's credential is to be kept on this host.
	KeepCredential bool
	// Room is where jobs work, if that is outside of the runner's directory.
	Room places.Room
	// Abandoned is the id of a runner at GitHub that an interrupted run of ours has left; 0 if there is none.
	Abandoned int64
	// Waits says why this machine is not in service yet: until it is, GitHub is not to list a runner of it. Empty: nothing is
	// known that speaks against it.
	Waits string
	// Later says which version comes, and when, where it has not by the end of the install; empty: none.
	Later string
	// Strangers are the ids of the runners of this name at GitHub that are not ours.
	Strangers []int64
	// LeaveFirst is set when the runner must leave GitHub before it joins again, and
	// StopFirst when its files are replaced: who works with them has to be stopped before.
	LeaveFirst, StopFirst bool
}

// OptionChange is an option before and after an install, without what may be a secret in it.
type OptionChange struct {
	Name   string `json:"name"`
	Before string `json:"before"`
	After  string `json:"after"`
}

// Step is one phase of a plan.
type Step struct {
	Phase  Phase  `json:"phase"`
	Change bool   `json:"change"` // false: everything is so already
	Object string `json:"object"`
	Reason string `json:"reason"`
}

// Registered notes which runner of GitHub's it has become; 0 if it is none yet.
func (p *Plan) Registered(id int64) {
	scope := p.Details.Request.Scope
	settings := "/" + scope.Slug()
	if scope.Kind == github.Organization {
		settings = "/organizations" + settings
	}
	p.ID, p.URL = id, scope.Server()+settings+"/settings/actions/runners"
	if id != 0 {
		p.URL += "/" + strconv.FormatInt(id, 10)
	}
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

// ChangesIn tells whether the plan changes anything in a phase.
func (p *Plan) ChangesIn(phase Phase) bool {
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
