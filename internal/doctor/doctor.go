// Package doctor looks at a host for everything that would stop an install, or the runner after it, and installs the
// libraries that are missing. The plan of an install calls the same functions as the command.
package doctor

import (
	"context"
	"crypto/x509"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/doctor/nt"
	"github.com/runner-bootstrap/runner-bootstrap/internal/github"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/machine"
	"github.com/runner-bootstrap/runner-bootstrap/internal/secret"
	"github.com/runner-bootstrap/runner-bootstrap/internal/shell"
)

// State is how a check has ended.
type State string

// The states. A warning says what may go wrong, or goes wrong for some jobs; what was skipped was not looked at.
const (
	OK      State = "ok"
	Warning State = "warning"
	Failed  State = "failed"
	Skipped State = "skipped"
)

const (
	// networkTime bounds each question to the network.
	networkTime = 10 * time.Second
	// checkTime bounds each check: a network file system that hangs must not hang us. Up to three questions follow each
	// other in one check.
	checkTime = 4 * networkTime
)

// Finding is what one check has found about one object.
type Finding struct {
	Check  string `json:"check"`
	State  State  `json:"state"`
	Object string `json:"object,omitempty"` // what was looked at
	Found  string `json:"found"`
	Fix    string `json:"fix,omitempty"` // a command
	// Cause is set where Fix is empty and the error says best what to do: a refusal of GitHub's.
	Cause error `json:"-"`
}

// Host is what is looked at, and what an install would be told.
type Host struct {
	Paths instance.Paths
	// Private is set when Paths need no privileges.
	Private bool
	// Executable is the program that a service would start.
	Executable string
	// User is the account of the jobs, empty for DefaultUser, which may be created.
	User, DefaultUser string
	// Work is the folder for jobs that is wanted, empty for the usual one.
	Work string
	// Service is set when a service is wanted.
	Service bool
	// Invariant is set when .NET is told to go without ICU.
	Invariant bool
	// Repairs is set when the package manager is needed, so that it may not be in use.
	Repairs bool

	// Scope is the runner's, nil if it is not known; Client speaks about it, nil without a credential.
	Scope  *github.Scope
	Client *github.Client
	// Token is the credential if it is a token; empty for an App.
	Token secret.Secret
	Group string

	// Web sends what needs no retries.
	Web *http.Client
	// Roots are the certificate authorities that are trusted; nil: the system's.
	Roots *x509.CertPool
	// Proxy is how a request gets out; a nil URL is the direct way.
	Proxy func(*http.Request) (*url.URL, error)
	// Environment ("KEY=VALUE": proxies) is for the package manager.
	Environment []string
	// Again is the command that was typed, with more words: half of all remedies.
	Again func(words ...string) string
	// AsRoot is the same for root, so that sudo finds the program; nil: sudo with Again.
	AsRoot func(words ...string) string
	// Machine knows which of the runners here are this machine's.
	Machine machine.Witness
}

// Examine makes all checks, side by side, and returns their findings in a fixed order. It changes nothing and leaves
// nothing; a file system that cannot make files without a name sees one come and go. It may be repeated.
func (h Host) Examine(ctx context.Context) []Finding {
	checks := checksOf(h)
	found := make([]chan []Finding, len(checks))
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	for i, c := range checks {
		found[i] = make(chan []Finding, 1) // nobody may be waiting any more
		go func() { found[i] <- c.do(ctx) }()
	}
	var all []Finding
	for i, c := range checks {
		select {
		case some := <-found[i]:
			all = append(all, some...)
		case <-ctx.Done():
			select {
			case some := <-found[i]:
				all = append(all, some...)
			default:
				all = append(all, Finding{
					Check: c.name, State: Failed, Found: "no answer: " + ctx.Err().Error(), Fix: h.Again(),
				})
			}
		}
	}
	return all
}

// check is one of the checks; it may have several findings.
type check struct {
	name string
	do   func(context.Context) []Finding
}

// checksOf are those that this system needs, in the order in which they are told.
func checksOf(h Host) []check {
	net := network{h}
	all := []check{
		{"privileges", h.privileges},
		{"platform", h.platform},
		{"machine", func(ctx context.Context) []Finding { return copies(ctx, h) }},
		{"system", factsOf("system", nt.System)},
		{"libc", h.libc},
		{"libraries", h.libraries},
		{"runner", h.unpacked},
		{"files", func(ctx context.Context) []Finding { return files(ctx, h) }},
		{"disk", h.places},
		{"account", h.account},
		{"work", h.work},
		{"systemd", h.systemd},
		{"jail", func(ctx context.Context) []Finding { return confinement(ctx, h) }},
		{"program", h.program},
		{"selinux", h.selinux},
		{"packages", h.packages},
		{"programs", factsOf("programs", nt.Programs)},
		{"proxy", net.proxy},
		{"dns", net.dns},
		{"tls", net.tls},
		{"ipv6", net.ipv6},
		{"port", net.port},
		{"hosts", net.jobHosts},
		{"clock", net.gitHub},
	}
	return slices.DeleteFunc(all, func(c check) bool { return slices.Contains(notHere(), c.name) })
}

func (h Host) asRoot(words ...string) string {
	if h.AsRoot == nil {
		return shell.Here().Mend(h.Again(words...))
	}
	return h.AsRoot(words...)
}

// Unhealthy returns what has failed.
func Unhealthy(all []Finding) []Finding {
	return slices.DeleteFunc(slices.Clone(all), func(f Finding) bool { return f.State != Failed })
}

func one(check string, state State, object, found, fix string) []Finding {
	return []Finding{{Check: check, State: state, Object: object, Found: found, Fix: fix}}
}

func skipped(check, reason string, values ...any) []Finding {
	return one(check, Skipped, "", fmt.Sprintf(reason, values...), "")
}
