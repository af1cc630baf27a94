package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/runner-bootstrap/runner-bootstrap/internal/agent"
	"github.com/runner-bootstrap/runner-bootstrap/internal/control"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/logfile"
	"github.com/runner-bootstrap/runner-bootstrap/internal/plan"
	"github.com/runner-bootstrap/runner-bootstrap/internal/svc"
	"github.com/runner-bootstrap/runner-bootstrap/internal/svc/systemd"
)

// runOptions are what run takes.
type runOptions struct {
	credential credentialOptions
	name       nameOptions
	place      placeOptions
	network    networkOptions
	call       callOptions
}

func (o *runOptions) groups() []group {
	return []group{&o.credential, &o.name, &o.place, &o.network, &o.call}
}

func newRun(call *session) *cobra.Command {
	o := &runOptions{}
	return call.command("run", "Supervise an installed runner in the foreground", `
This is what the service runs. It starts the runner's listener as the account
that jobs run as, and decides by how it ends what comes next: start it again,
register the runner again (with a credential), or stop. `+onWindows(`On SIGTERM the running job may
finish within --drain-timeout; on SIGINT, or on a second signal, it is
cancelled. SIGUSR1 drains the runner, SIGUSR2 lets it take jobs again.`, `Ctrl-C ends it at
once, with its job; drain in another terminal lets the job finish first.`), o.groups(),
		func(ctx context.Context) error { return runSupervisor(ctx, call, o) })
}

func runSupervisor(ctx context.Context, call *session, o *runOptions) error {
	// An error that no restart mends is told to a service manager that asks.
	final := func(err error) (code int, final bool) {
		code, _ = call.explain(err)
		return code, slices.Contains(plan.NoRestart(), code)
	}
	return asService(ctx, final, func(ctx context.Context, controls <-chan svc.Control) error {
		return superviseUntilTold(ctx, call, o, controls)
	})
}

func superviseUntilTold(ctx context.Context, call *session, o *runOptions, controls <-chan svc.Control) error {
	if err := ownLog(call, o); err != nil {
		return err
	}
	o.call.logFormat, o.call.history = formatOf(o.call.logFormat, call.err), true
	outliveReader(call, o.call)
	call.console = newConsole(call.err, o.call)
	// Before anybody can know that this process is the supervisor.
	ctx, told, end := hearSignals(ctx, controls)
	defer end()
	keeps, name, err := prepareAgent(ctx, call, o)
	if ctx.Err() != nil {
		return nil // it was told to stop before it began
	}
	if err != nil {
		return err
	}
	keeps.Orders = told
	call.console.log.Info("runner-bootstrap is starting", "version", versionText(), "runner", name, "pid", os.Getpid())
	return keeps.Run(ctx, name)
}

// ownLog has this process write its log into a file if nothing takes its output, as with a service of Windows. Such a service
// has the name of its runner. It is written to until the end of this process, and so never closed.
func ownLog(call *session, o *runOptions) error {
	if !startedBy().mute {
		return nil
	}
	dir, err := o.place.absolute()
	if err != nil {
		return err
	}
	log, err := logfile.Open(instance.DefaultPaths(dir).Log(o.name.name), 0)
	if err != nil {
		return err
	}
	call.err = log
	return nil
}

// prepareAgent puts the agent of the runner called name together.
func prepareAgent(ctx context.Context, call *session, o *runOptions) (keeps *agent.Agent, name string, err error) {
	// A token that was issued for an install is not for jobs.
	if err := dropIssuedVariables(); err != nil {
		return nil, "", err
	}
	record, err := recordToRun(ctx, call, o)
	if err != nil {
		return nil, "", err
	}
	if err := restoreEnvironment(record.Environment); err != nil {
		return nil, "", err
	}
	cred, err := call.secrets().readCredential(ctx, &o.credential)
	if err != nil {
		return nil, "", err
	}
	host, err := call.host(cred)
	if err != nil {
		return nil, "", err
	}
	if cred.empty() && !record.Credential.Empty() {
		host.Connect = connectAsRecorded(call, record)
	}
	// What is started later must not look around where jobs write.
	if o.place.dir, err = o.place.absolute(); err != nil {
		return nil, "", err
	}
	if err := os.Chdir("/"); err != nil {
		return nil, "", err
	}
	warnOfReaders(host.Log, record.Source.MirrorHeaders, record.WebhookSecret)
	host.Fetcher.Mirror = mirrorHeaders(record.Source.MirrorHeaders)
	starter := startedBy()
	return &agent.Agent{
		Store: host.Store, Fetcher: host.Fetcher, Log: host.Log, Connect: host.Connect, Anonymous: host.Anonymous,
		Roots: host.Roots, UserAgent: host.UserAgent, Version: versionText(), Environment: host.Environment,
		Socket: control.Place(host.Paths.Control, record.Name), Paths: host.Paths,
		Managed: starter.managed, Manager: starter.manager, Watchdog: starter.watchdog,
		Machine: host.Machine,
	}, record.Name, nil
}

// outliveReader lets the supervisor go on when its output is not read any more: by a journal
// that is stopped, the other end of a pipe. A job is worth more than its log.
func outliveReader(call *session, o callOptions) {
	ignoreBrokenPipe()
	call.err = systemd.NewLasting(call.err, journalOf(call.err), func(lost int) []byte {
		var text bytes.Buffer
		newConsole(&text, o).log.Warn("lines of this log could not be written, and are lost", "lines", lost)
		return text.Bytes()
	})
}

// recordToRun is that of the runner to supervise.
func recordToRun(ctx context.Context, call *session, o *runOptions) (instance.Record, error) {
	dir, err := o.place.absolute()
	if err != nil {
		return instance.Record{}, err
	}
	store := instance.NewStore(instance.DefaultPaths(dir).State)
	name, err := call.theRunner(store, o.name.name)
	if err != nil {
		return instance.Record{}, err
	}
	if name == "" {
		return instance.Record{}, fmt.Errorf("supervising: %w", instance.ErrUnknown)
	}
	record, err := store.Load(name)
	if !errors.Is(err, instance.ErrUnknown) || !startedBy().managed {
		return record, err
	}
	call.console.log.Warn("cannot find the runner's record yet, waiting for it", "runner", name, "reason", err.Error())
	return agent.LoadLate(ctx, store, name)
}

// restoreEnvironment sets how the network is reached as it was at the install,
// where this environment says nothing of it: a service has nearly none.
func restoreEnvironment(variables []string) error {
	for _, variable := range variables {
		name, value, _ := strings.Cut(variable, "=")
		if os.Getenv(name) != "" || os.Getenv(strings.ToUpper(name)) != "" {
			continue
		}
		if err := os.Setenv(name, value); err != nil {
			return usagef("setting %s: %v", name, err)
		}
	}
	return nil
}
