package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/terminal"
)

// errNoLog means that nobody keeps the log of a runner.
var errNoLog = errors.New("it has no service, which would keep its log")

// noLogError says where the words of a runner went.
type noLogError struct{ name, where string }

func (e *noLogError) Error() string {
	return fmt.Sprintf("showing the log of runner %q: %v: %s", e.name, errNoLog, e.where)
}

func (e *noLogError) Unwrap() error { return errNoLog }

// logsOptions are what logs takes.
type logsOptions struct {
	name  nameOptions
	place placeOptions
	show  showOptions
	call  callOptions
}

func (o *logsOptions) groups() []group { return []group{&o.name, &o.place, &o.show, &o.call} }

// showOptions say which log is shown, and for how long.
type showOptions struct{ follow, listener bool }

func (o *showOptions) options() []option {
	return []option{
		{
			name: "follow", short: "f", once: true, commands: "logs",
			usage: "follow: show new lines as they come, until Ctrl-C",
			on:    &o.follow,
		},
		{
			name: "listener", once: true, commands: "logs",
			usage: "the listener's own log, the newest _diag/Runner_*.log",
			on:    &o.listener,
		},
	}
}

func newLogs(call *session) *cobra.Command {
	o := &logsOptions{}
	return call.command("logs", "Show the log of a runner", `
Shows what the service of a runner has logged: when it listened, which jobs it ran
and how they ended, and what went wrong. A runner without a service
writes to where you started it, and that is not kept.`, o.groups(),
		func(ctx context.Context) error { return runLogs(ctx, call, o) })
}

func runLogs(ctx context.Context, call *session, o *logsOptions) error {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	dir, err := o.place.absolute()
	if err != nil {
		return err
	}
	store := instance.NewStore(instance.DefaultPaths(dir).State)
	name, err := call.theRunner(store, o.name.name)
	if err != nil {
		return err
	}
	if name == "" {
		return fmt.Errorf("showing a log: %w", instance.ErrUnknown)
	}
	record, err := store.Load(name)
	if err != nil {
		return err
	}
	if o.show.follow && terminal.Columns(call.out) > 0 {
		defer func() {
			if ctx.Err() != nil {
				fmt.Fprintln(call.out) // behind the terminal's ^C
			}
		}()
	}
	if o.show.listener {
		return showListenerLog(ctx, call, record, o.show.follow)
	}
	if record.Service == "" {
		return &noLogError{name, outputOf(store, name)}
	}
	service, err := serviceNamed(record.Service)
	if err != nil {
		return err
	}
	return service.WriteLog(ctx, terminal.Fitting(call.out), call.err, o.show.follow)
}

// outputOf says where the output of an agent goes that was started by hand.
func outputOf(store *instance.Store, name string) string {
	agent, err := store.Running(name)
	switch {
	case err != nil || agent.None():
		return "it does not run; runner-bootstrap run writes where it is started"
	case agent.Elsewhere():
		return agent.String() + " runs it, and has its output"
	}
	where, err := os.Readlink("/proc/" + strconv.Itoa(agent.PID) + "/fd/2")
	if err != nil {
		return fmt.Sprintf("process %d runs it, and writes where it was started", agent.PID)
	}
	return fmt.Sprintf("process %d runs it, and writes to %s", agent.PID, where)
}

func hintListenerLog(call *session, err error) string {
	var none *noLogError
	if !errors.As(err, &none) {
		return call.here("logs", "--listener")
	}
	return call.here("logs", "--listener", "--name", none.name)
}
