package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/runner-bootstrap/runner-bootstrap/internal/bootstrap"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
)

// drainOptions are what drain takes.
type drainOptions struct {
	name   nameOptions
	place  placeOptions
	every  everyOptions
	resume resumeOptions
	call   callOptions
}

func (o *drainOptions) groups() []group {
	return []group{&o.name, &o.place, &o.every, &o.resume, &o.call}
}

// resumeOptions say in which direction.
type resumeOptions struct{ resume bool }

func (o *resumeOptions) options() []option {
	return []option{{
		name: "resume", commands: "drain",
		usage: "take jobs again",
		on:    &o.resume,
	}}
}

func newDrain(call *session) *cobra.Command {
	o := &drainOptions{}
	return call.command("drain", "Let the running job finish and take no other", `
Returns when the running job has ended, or the runner's --drain-timeout is over.
The service stays up, and the runner takes no job until drain --resume, or until
the service is started again.`, o.groups(), call.withHost(bind(call, o, runDrain)))
}

func runDrain(ctx context.Context, call *session, host *bootstrap.Host, o *drainOptions) error {
	names, err := chosenRunners(call, host.Store, o.name.name, o.every)
	if err != nil {
		return err
	}
	if len(names) == 0 {
		return fmt.Errorf("draining: %w", instance.ErrUnknown)
	}
	// All at a time: who waits for the job of one must not leave the next one taking jobs.
	return bootstrap.Each(names, func(name string) error {
		if o.resume.resume {
			return resume(ctx, call, host, name)
		}
		if err := host.Drain(ctx, name); err != nil {
			return err
		}
		call.console.summary(fmt.Sprintf("runner %s is drained; let it go on with: %s", name,
			asCalled(call.here("drain", "--resume", "--name", name))))
		return nil
	})
}

func resume(ctx context.Context, call *session, host *bootstrap.Host, name string) error {
	waits, err := host.Resume(ctx, name)
	switch {
	case err != nil:
		return err
	case waits != "":
		call.console.summary(fmt.Sprintf("runner %s is drained by nobody any more, and waits: %s", name, waits))
	default:
		call.console.summary(fmt.Sprintf("runner %s takes jobs again", name))
	}
	return nil
}
