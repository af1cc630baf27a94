//go:build unix

package plan_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/account"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/places"
	"github.com/runner-bootstrap/runner-bootstrap/internal/plan"
	"github.com/runner-bootstrap/runner-bootstrap/internal/svc"
)

// What cannot become a service is refused.
func TestPlanRefusesService(t *testing.T) {
	t.Parallel()
	broken := errors.New("the service manager is broken")
	for name, c := range map[string]struct {
		set    func(w *world)
		reason error
		words  string
	}{
		"no privileges":        {func(w *world) { w.services.away = account.ErrPrivilege }, account.ErrPrivilege, "installing a service"},
		"no service manager":   {func(w *world) { w.services.away = &svc.UnavailableError{Found: "OpenRC"} }, svc.ErrUnavailable, "OpenRC"},
		"a temporary program":  {func(w *world) { w.maker.Executable = "/tmp/x/runner-bootstrap" }, plan.ErrTemporary, "/tmp/x/"},
		"one in another place": {func(w *world) { w.maker.Executable = "/var/tmp/runner-bootstrap" }, plan.ErrTemporary, "/var/tmp/"},
		"no description":       {func(w *world) { w.maker.Executable = "usr/bin/x" }, svc.ErrUnfit, "describing service"},
		"no answer":            {func(w *world) { w.services.err = broken }, broken, ""},
		"somebody else's": {func(w *world) {
			w.services.state = svc.State{Active: svc.Failed, UnitPath: "/units/x"}
		}, plan.ErrForeignService, "/units/x"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			c.set(w)
			r := w.brought()
			w.refused(r, c.reason, c.words)
			r.Service = false
			w.plan(r)
		})
	}
}

// Why a service that is there is changed, or is not.
func TestPlanMendsService(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		set  func(w *world, r *plan.Request)
		want string
	}{
		"in order":    {func(*world, *plan.Request) {}, "keep " + serviceName + " (running already)"},
		"gone":        {func(w *world, _ *plan.Request) { w.services.state = svc.State{Active: svc.Absent} }, "change " + serviceName + " (not installed yet)"},
		"its file":    {func(w *world, _ *plan.Request) { w.services.state.Installed = false }, "change " + serviceName + " (not installed yet)"},
		"changed":     {func(w *world, _ *plan.Request) { w.services.state.AsDescribed = false }, "change " + serviceName + " (its unit differs)"},
		"not enabled": {func(w *world, _ *plan.Request) { w.services.state.Enabled = false }, "change " + serviceName + " (its unit differs)"},
		"stopped":     {func(w *world, _ *plan.Request) { w.services.state.Active = svc.Stopped }, "change " + serviceName + " (it is stopped)"},
		"its life":    {func(_ *world, r *plan.Request) { r.Life.MaxJobs = 3 }, "change " + serviceName + " (what it runs has changed)"},
		"its .env":    {func(_ *world, r *plan.Request) { r.Variables = []string{"A=1"} }, "change " + serviceName + " (what it runs has changed)"},
		"to go":       {func(_ *world, r *plan.Request) { r.Service = false }, "change " + serviceName + " (it is to go)"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.installed(w.brought())
			r := w.brought()
			c.set(w, &r)
			made := w.plan(r)
			wants(t, made, plan.ServicePhase, c.want)
			if (made.ServiceName == serviceName) != r.Service {
				t.Errorf("the service is %q", made.ServiceName)
			}
		})
	}
}

// What the unit says of a runner's places and limits.
func TestPlanUnit(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.brought()
	r.JIT = w.jit(runnerName, runnerID, map[string]string{"WorkFolder": w.base + "/work"})
	r.Life = instance.Life{
		MetricsFile: w.base + "/metrics/{name}.prom", Allow: []string{plan.AllowSudo, plan.AllowDocker}, DrainTimeout: instance.Duration(time.Hour),
	}
	r.Credential = instance.Credential{AppID: "1", AppKeyFile: "/etc/key.pem"}
	d := w.plan(r).Details
	unit := d.Unit
	if want := []string{"run", "--name", runnerName, "--dir", w.base + "/rb"}; unit.Name != serviceName || !slices.Equal(unit.Args, want) || unit.Executable != w.maker.Executable {
		t.Errorf("unit %q runs %s %q, want %q", unit.Name, unit.Executable, unit.Args, want)
	}
	if !unit.Sandbox.Enabled || !unit.Sandbox.Sudo || !unit.Sandbox.Docker || unit.StopTimeout != plan.StopTimeout(d.Record) || unit.StopTimeout < time.Hour {
		t.Errorf("the unit is %+v", unit)
	}
	for _, place := range []string{"/etc/key.pem", w.root(), w.base + "/work", w.maker.Paths.State} {
		if !slices.Contains(unit.Mounts, place) {
			t.Errorf("it does not wait for %q, but for %q", place, unit.Mounts)
		}
	}
	for _, place := range []string{w.maker.Paths.Runners, w.base + "/work"} {
		if !slices.Contains(unit.Sandbox.Writable, place) {
			t.Errorf("its jobs cannot write to %q, but to %q", place, unit.Sandbox.Writable)
		}
	}
	if unit.Sandbox.Apart || !slices.Equal(unit.Keeps, []string{"listener." + serviceName, "register." + serviceName}) {
		t.Errorf("the unit is %+v", unit)
	}
	w.services.apart = true
	if unit := w.plan(r).Details.Unit; !unit.Sandbox.Apart || !unit.Sandbox.Enabled {
		t.Errorf("with jobs apart the unit is %+v", unit)
	}
	w.services.apart = false
	if d.Record.MetricsFile != w.base+"/metrics/web-1.prom" {
		t.Errorf("metrics go to %q", d.Record.MetricsFile)
	}
	r.Life.Allow = []string{plan.AllowAll}
	w.maker.Paths.Control = "/run/of-a-test"
	if unit := w.plan(r).Details.Unit; unit.Sandbox.Enabled || unit.RuntimeFolder != "of-a-test" {
		t.Errorf("the unit is %+v", unit)
	}
}

// Root starts the program at each start of the host: nobody else may be able to replace it.
func TestProgramOfOthers(t *testing.T) {
	t.Parallel()
	if !account.Privileged() {
		t.Skip("only root installs a service")
	}
	w := newWorld(t)
	folder, err := os.MkdirTemp("/dev/shm", "") //nolint:usetesting // a program in a temporary folder is refused for that
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { mustDo(t, os.RemoveAll(folder)) })
	const stranger = 61234
	w.maker.Executable = filepath.Join(folder, "runner-bootstrap")
	mustDo(t, os.WriteFile(w.maker.Executable, nil, 0o755), os.Chmod(folder, 0o755))
	w.plan(w.brought())
	mustDo(t, os.Chown(w.maker.Executable, stranger, stranger))
	w.refused(w.brought(), places.ErrGiven, "uid 61234's, mode 0755")
	mustDo(t, os.Chown(w.maker.Executable, 0, 0), os.Chown(folder, stranger, stranger))
	w.refused(w.brought(), places.ErrGiven, "uid 61234's, mode 0755")
	r := w.brought()
	r.Service = false
	w.plan(r)
}
