package bootstrap

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/runner-bootstrap/runner-bootstrap/internal/account"
	"github.com/runner-bootstrap/runner-bootstrap/internal/download"
	"github.com/runner-bootstrap/runner-bootstrap/internal/github"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/places"
	"github.com/runner-bootstrap/runner-bootstrap/internal/refusal"
	"github.com/runner-bootstrap/runner-bootstrap/internal/register"
	"github.com/runner-bootstrap/runner-bootstrap/internal/supervise"
)

// MakePlan compares the request with this host and with GitHub. It reads and
// changes nothing, and asks for evidence, not for memory: a runner root, a
// registration that GitHub lists, a unit with the right text.
func (h *Host) MakePlan(ctx context.Context, r Request) (*Plan, error) {
	platform, err := download.Host()
	if err != nil {
		return nil, fmt.Errorf("choosing a runner for this host: %w", err)
	}
	p := &Plan{Scope: r.Scope.String(), ScopeURL: r.Scope.URL(), Platform: platform, draft: &draft{request: r}}
	planner := planner{draft: p.draft, host: h, plan: p}
	switch {
	case h.Connect != nil:
		planner.client = h.Connect(r.Scope)
	case !r.selfSufficient():
		return nil, &refusal.Error{Object: "planning for " + p.Scope, Reason: github.ErrNoCredential, Scope: r.Scope}
	}
	if err := r.checkJIT(); err != nil {
		return nil, err
	}
	for _, step := range []func(context.Context) error{
		planner.identify, planner.fillLabels, planner.checkLabels, planner.planAccount, planner.checkService,
		planner.checkTrust, planner.checkWork, planner.planFetch, planner.planEnvironment, planner.planWork, planner.planRegister,
		planner.planGroup, planner.planLife, planner.planService,
	} {
		if err := step(ctx); err != nil {
			return nil, err
		}
	}
	return p, nil
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

// planner fills one plan.
type planner struct {
	*draft
	host   *Host
	plan   *Plan
	client *github.Client // nil without a credential: GitHub is not asked then
	known  bool           // there is a record
	whole  bool           // the runner root is complete
}

// identify finds the record that the request is about, or begins a new one.
func (p *planner) identify(ctx context.Context) error {
	r := p.request
	records, err := p.host.Store.List()
	if err != nil {
		return err
	}
	for _, record := range records {
		// The first of several may have been the only one before.
		same := record.Index == r.Index || record.Index == 0 && r.Index == 1
		if record.Template == r.Template && same && r.Scope.Same(record.ScopeURL) {
			return p.take(record)
		}
	}
	name, err := r.runnerName(p.host.filler(ctx, r))
	if err != nil {
		return err
	}
	for _, record := range records {
		if strings.EqualFold(record.Name, name) {
			return p.take(record)
		}
	}
	p.record = instance.Record{
		Name: name, Template: r.Template, Index: r.Index, ScopeURL: r.Scope.URL(), APIURL: r.Scope.API(),
		Dir: p.host.Paths.Root(name), Identity: r.Identity, Phase: instance.Planned,
	}
	p.plan.Name, p.plan.Dir = name, p.record.Dir
	return nil
}

// runnerName is the runner's: a just-in-time configuration has one.
func (r Request) runnerName(fill filler) (string, error) {
	if r.JIT == nil {
		return fill.name(r.Template)
	}
	return r.JIT.Settings.Name, instance.CheckName(r.JIT.Settings.Name)
}

// fillLabels replaces what stands for facts in labels. A runner keeps those that it
// has, also where its cloud does not answer today.
func (p *planner) fillLabels(ctx context.Context) error {
	r := p.request
	if p.known && p.record.ResolvedLabels != nil && instance.SameLabels(p.record.Labels, r.Identity.Labels) {
		p.given = p.record.ResolvedLabels
		return nil
	}
	var err error
	p.given, err = p.host.filler(ctx, r).labels(r.Identity)
	return err
}

func (p *planner) take(record instance.Record) error {
	p.record, p.was, p.known = record, record, true
	p.plan.Name, p.plan.Dir = record.Name, record.Dir
	object := fmt.Sprintf("runner %q on this host", record.Name)
	if !p.request.Scope.Same(record.ScopeURL) {
		return &refusal.Error{Object: object, Reason: ErrOtherScope, Detail: record.ScopeURL, Name: record.Name}
	}
	if record.Phase == instance.Removing {
		return &refusal.Error{Object: object, Reason: instance.ErrRemoving, Name: record.Name}
	}
	return nil
}

// checkService refuses a service that could not work before anything is
// fetched for it.
func (p *planner) checkService(context.Context) error {
	if !p.request.Service {
		return nil
	}
	err := p.host.Services.Available()
	if errors.Is(err, account.ErrPrivilege) {
		return &refusal.Error{Object: "installing a service", Reason: account.ErrPrivilege}
	}
	if err != nil {
		return err
	}
	for _, dir := range []string{os.TempDir(), "/tmp", "/var/tmp"} {
		if inside, err := filepath.Rel(dir, p.host.Executable); err == nil && filepath.IsLocal(inside) {
			return &refusal.Error{
				Object: fmt.Sprintf("installing a service for %q", p.host.Executable), Reason: ErrTemporary, Name: p.host.Executable,
			}
		}
	}
	return nil
}

// planFetch asks what is on offer only when something has to be fetched: the
// runner updates itself.
func (p *planner) planFetch(ctx context.Context) error {
	if _, err := os.Lstat(p.plan.Dir); err == nil {
		if !p.known {
			return &refusal.Error{Object: fmt.Sprintf("directory %q", p.plan.Dir), Reason: ErrForeignDir, Name: p.plan.Dir}
		}
		if p.whole = supervise.CheckListener(p.plan.Dir) == nil; p.whole {
			p.plan.keep(FetchPhase, p.plan.Dir, "unpacked already")
			return nil
		}
		if _, err := register.ReadSettings(p.plan.Dir); !errors.Is(err, register.ErrNotConfigured) {
			return &refusal.Error{Object: fmt.Sprintf("directory %q", p.plan.Dir), Reason: ErrDamaged, Name: p.plan.Name}
		}
	}
	// A runner that may not update itself is soon too old, so it begins with the
	// newest version.
	p.chooser = &download.Chooser{
		Cache: p.host.Fetcher.Cache, Log: p.host.Log, Source: p.request.Source, Platform: p.plan.Platform,
		Client: p.client, Scoped: p.client != nil, Latest: p.request.Identity.DisableUpdate,
	}
	if p.client == nil {
		p.chooser.Client = p.host.Anonymous(p.request.Scope)
	}
	chosen, err := p.chooser.Choose(ctx)
	if err != nil {
		return err
	}
	// How many bytes it takes is known when the archive is: the fetch looks for them.
	need := places.Need{Files: places.Usual().Files}
	if err := places.Check(places.ForInstall(p.host.Paths, need, chosen.Cached), p.jobUser); err != nil {
		return err
	}
	p.plan.Asset, p.plan.Cached = &chosen.Asset, chosen.Cached
	p.plan.change(FetchPhase, chosen.Asset.Filename, chosen.Reason)
	return nil
}

// planEnvironment compares the runner's .env with what is wanted in it. A variable
// that an earlier install has written, and that is not given any more, is to go.
func (p *planner) planEnvironment(context.Context) error {
	want := p.variables(p.host.Environment)
	if p.known {
		kept, err := p.host.Store.KeptVariables(p.plan.Name)
		if err != nil {
			return err
		}
		names := variableNames(want)
		p.drop = slices.DeleteFunc(kept, func(variable string) bool {
			return slices.Contains(names, variableNames([]string{variable})[0])
		})
	}
	if len(want) == 0 && len(p.drop) == 0 {
		return nil
	}
	if !p.whole {
		p.plan.change(EnvironmentPhase, ".env", "not written yet")
		return nil
	}
	differs, err := register.EnvironmentDiffers(p.plan.Dir, want, p.drop)
	if err != nil {
		return err
	}
	if differs || len(p.drop) > 0 {
		p.plan.change(EnvironmentPhase, ".env", "its content differs")
	} else {
		p.plan.keep(EnvironmentPhase, ".env", "its content is right")
	}
	return nil
}
