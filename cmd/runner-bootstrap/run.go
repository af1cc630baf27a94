package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/runner-bootstrap/runner-bootstrap/internal/agent"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/svc"
)

func newRun(call *session) *cobra.Command {
	return call.command("run", "Supervise an installed runner in the foreground", `
This is what the service runs. It starts the runner's listener as the account
that jobs run as, understands how it ends, and has the runner registered anew
where that is needed and there is a credential. On SIGTERM the running job may
finish within --drain-timeout; on SIGINT, or on a second signal, nothing is
waited for. SIGUSR1 drains the runner, SIGUSR2 lets it go on.`, call.supervise)
}

func (call *session) supervise(ctx context.Context) error {
	call.outlive()
	if call.values.logFormat == "auto" {
		call.values.logFormat = "text"
	}
	call.console = newConsole(call.err, call.values)
	// Before anybody can know that this process is the supervisor.
	heard := make(chan os.Signal, 8)
	signal.Notify(heard, orderSignals()...)
	defer signal.Stop(heard)
	// A token that was minted for an install is not for jobs.
	for _, source := range call.mintedSources() {
		if _, err := takeVariables(source.variables); err != nil {
			return err
		}
	}
	record, err := call.recordToRun(ctx)
	if err != nil {
		return err
	}
	if record.Name == "" {
		return nil // it was told to stop while it waited
	}
	if err := adoptEnvironment(record.Environment); err != nil {
		return err
	}
	who, err := call.takePrincipal(ctx)
	if err != nil {
		return err
	}
	host, err := call.host(who)
	if err != nil {
		return err
	}
	if who.empty() && !record.Credential.Empty() {
		host.Connect = call.recordedCredential(record)
	}
	// What is started later must not look around where jobs write.
	if call.values.dir, err = call.values.directory(); err != nil {
		return err
	}
	if err := os.Chdir("/"); err != nil {
		return err
	}
	manager, watchdog := serviceManager()
	keeps := &agent.Agent{
		Store: host.Store, Fetcher: host.Fetcher, Log: host.Log, Connect: host.Connect, Anonymous: host.Anonymous,
		Roots: host.Roots, UserAgent: host.UserAgent, Environment: host.Environment,
		Orders: orders(ctx, heard), Manager: manager, Watchdog: watchdog,
	}
	return svc.Run(ctx, record.Name, func(ctx context.Context) error { return keeps.Run(ctx, record.Name) })
}

// outlive lets the supervisor go on when nobody reads its output any more: a journal
// that is stopped, the other end of a pipe. A job is worth more than its log.
func (call *session) outlive() {
	ignoreBrokenPipe()
	journal := ""
	if file, ok := call.err.(*os.File); ok {
		journal = svc.JournalOf(file, os.Getenv("JOURNAL_STREAM"))
	}
	call.err = svc.NewLasting(call.err, journal)
}

// recordToRun is that of the runner to supervise.
func (call *session) recordToRun(ctx context.Context) (instance.Record, error) {
	dir, err := call.values.directory()
	if err != nil {
		return instance.Record{}, err
	}
	store := instance.NewStore(instance.DefaultPaths(dir).State)
	name, err := call.theRunner(store)
	if err != nil {
		return instance.Record{}, err
	}
	if name == "" {
		return instance.Record{}, fmt.Errorf("supervising: %w", instance.ErrUnknown)
	}
	record, err := store.Load(name)
	if manager, _ := serviceManager(); !errors.Is(err, instance.ErrUnknown) || !manager.Listens() {
		return record, err
	}
	call.console.log.Warn("waiting for the runner's record", "runner", name, "reason", err.Error())
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	record, err = agent.LoadLate(ctx, store, name)
	if ctx.Err() != nil {
		return instance.Record{}, nil
	}
	return record, err
}

// adoptEnvironment sets how the network is reached as it was at the install,
// where this environment says nothing of it: a service has nearly none.
func adoptEnvironment(variables []string) error {
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

// serviceManager is who started this process, as its environment says, and how often
// it wants to hear anything; zero if not at all.
func serviceManager() (manager *svc.Notifier, watchdog time.Duration) {
	return svc.NewNotifier(os.Getenv("NOTIFY_SOCKET")), svc.WatchdogInterval(os.Getenv("WATCHDOG_USEC"), os.Getenv("WATCHDOG_PID"))
}
