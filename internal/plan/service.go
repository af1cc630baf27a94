package plan

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/runner-bootstrap/runner-bootstrap/internal/account"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/places"
	"github.com/runner-bootstrap/runner-bootstrap/internal/refusal"
	"github.com/runner-bootstrap/runner-bootstrap/internal/svc"
)

// checkService refuses a service that could not work before anything is
// fetched for it.
func (p *planner) checkService(context.Context) error {
	if !p.Request.Service {
		return nil
	}
	err := p.maker.Services.Available()
	if errors.Is(err, account.ErrPrivilege) {
		return &refusal.Error{Object: "installing a service", Reason: account.ErrPrivilege}
	}
	if err != nil {
		return err
	}
	for _, dir := range []string{os.TempDir(), "/tmp", "/var/tmp"} {
		if inside, err := filepath.Rel(dir, p.maker.Executable); err == nil && filepath.IsLocal(inside) {
			return &refusal.Error{
				Object: fmt.Sprintf("installing a service for %q", p.maker.Executable), Reason: ErrTemporary, Name: p.maker.Executable,
			}
		}
	}
	// Root comes back to it at each start.
	return places.CheckGiven(p.maker.Executable, places.Trust{})
}

// checkFiles refuses what the service could not find: in its sandbox it has
// temporary folders of its own.
func checkFiles(record instance.Record, within svc.Sandbox) error {
	if !within.PrivateTemp() {
		return nil
	}
	c, l := record.Credential, record.Life
	for _, file := range []string{c.TokenFile, c.AppKeyFile, l.WebhookSecret, l.MetricsFile} {
		if file != "" && temporary(file) {
			return &refusal.Error{Object: fmt.Sprintf("a service that needs %q", file), Reason: ErrPrivateTemp, Name: file}
		}
	}
	return nil
}

// stockService is the program that GitHub's config.cmd has a service start.
const stockService = "RunnerService.exe"

// whose says where a service that is not ours is described, and on Windows what it starts.
func whose(state svc.State) string {
	switch {
	case state.Starts == "":
		return state.UnitPath
	case strings.Contains(strings.ToLower(state.Starts), strings.ToLower(stockService)):
		return state.UnitPath + " starts " + state.Starts + ", which GitHub's config.cmd --runasservice has made; it is left alone"
	default:
		return state.UnitPath + " starts " + state.Starts + "; it is left alone"
	}
}

// planService compares the unit with what we would write.
func (p *planner) planService(ctx context.Context) error {
	if !p.Request.Service {
		if p.Record.Service != "" {
			p.plan.change(ServicePhase, p.Record.Service, "it is to go")
		}
		return nil
	}
	p.plan.ServiceName = serviceName(p.Request.Scope, p.plan.Name)
	p.Record.User = p.plan.User
	apart := p.maker.Services.JobsApart(ctx)
	if err := checkFiles(p.Record, sandbox(p.maker.Paths, p.Record, p.JobUser, apart)); err != nil {
		return err
	}
	record := p.Record
	record.Work = p.Request.wantedWork() // as it will be registered
	p.Unit = p.maker.describe(p.plan.ServiceName, record, p.JobUser, apart)
	if !p.Request.Password.Empty() && p.Unit.Life.Name != "" {
		p.Unit.Life.Password = func() (string, error) { return p.Request.Password.Reveal(), nil }
	}
	state, err := p.maker.Services.State(ctx, p.Unit)
	if err != nil {
		return err
	}
	if p.copies(p.plan.ServiceName) {
		state = svc.State{Active: svc.Absent} // when its turn comes
	}
	if state.Active != svc.Absent && p.Record.Service != p.plan.ServiceName {
		// GitHub's own installer gives the same names, and so does an install in
		// another directory.
		return &refusal.Error{
			Object: fmt.Sprintf("installing service %q", p.plan.ServiceName), Reason: ErrForeignService,
			Detail: whose(state), Name: p.plan.ServiceName,
		}
	}
	runsOther := slices.ContainsFunc([]Phase{RegisterPhase, EnvironmentPhase, WorkPhase, LifePhase}, p.plan.ChangesIn)
	switch {
	case state.Active == svc.Absent || !state.Installed:
		p.plan.change(ServicePhase, p.plan.ServiceName, "not installed yet")
	case !state.AsDescribed || !state.Enabled:
		p.plan.change(ServicePhase, p.plan.ServiceName, "its "+svc.Noun+" differs")
	case runsOther:
		p.plan.change(ServicePhase, p.plan.ServiceName, "what it runs has changed")
	case state.Active != svc.Running:
		p.plan.change(ServicePhase, p.plan.ServiceName, "it is "+string(state.Active))
	default:
		p.plan.keep(ServicePhase, p.plan.ServiceName, "running already")
	}
	if made := state.Active == svc.Absent || !state.Installed || !state.AsDescribed || !state.Enabled; made {
		return checkPassword(p)
	}
	return nil
}
