package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/runner-bootstrap/runner-bootstrap/internal/bootstrap"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/svc"
)

// restartOptions are what restart takes.
type restartOptions struct {
	name  nameOptions
	place placeOptions
	every everyOptions
	haste hasteOptions
	call  callOptions
}

func (o *restartOptions) groups() []group {
	return []group{&o.name, &o.place, &o.every, &o.haste, &o.call}
}

// hasteOptions say whether a job is waited for.
type hasteOptions struct{ now bool }

func (o *hasteOptions) options() []option {
	return []option{{
		name: "now", once: true, commands: "restart",
		usage: "cancel a running job instead of waiting for it",
		on:    &o.now,
	}}
}

func newRestart(call *session) *cobra.Command {
	o := &restartOptions{}
	return call.command("restart", "Start the service of a runner again", `
Lets a running job finish, within its --drain-timeout, and starts the service
again: with the program that is installed now, and the credential as it is now.
Returns when the listener listens. A drained runner takes jobs again.`, o.groups(), call.withHost(bind(call, o, runRestart)))
}

func runRestart(ctx context.Context, call *session, host *bootstrap.Host, o *restartOptions) error {
	names, err := chosenRunners(call, host.Store, o.name.name, o.every)
	if err != nil {
		return err
	}
	if len(names) == 0 {
		return fmt.Errorf("restarting: %w", instance.ErrUnknown)
	}
	how := svc.Gently
	if o.haste.now {
		how = svc.Now
	}
	return host.Restart(ctx, names, how, func(name string) {
		call.console.summary(fmt.Sprintf("runner %s was restarted, and takes jobs", name))
	})
}
