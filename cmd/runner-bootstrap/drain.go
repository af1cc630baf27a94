package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/runner-bootstrap/runner-bootstrap/internal/bootstrap"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
)

func newDrain(call *session) *cobra.Command {
	return call.command("drain", "Let the running job finish and take no other", `
Returns when the runner's listener has ended, which is when its job has, or its
--drain-timeout is over. The service goes on without it until drain --resume, or
until it is started again.`, call.withHost(call.drain))
}

func (call *session) drain(ctx context.Context, host *bootstrap.Host) error {
	name, err := call.theRunner(host.Store)
	if err != nil {
		return err
	}
	if name == "" {
		return fmt.Errorf("draining: %w", instance.ErrUnknown)
	}
	if call.values.resume {
		if err := host.Resume(ctx, name); err != nil {
			return err
		}
		call.console.summary(fmt.Sprintf("runner %s takes jobs again", name))
		return nil
	}
	if err := host.Drain(ctx, name); err != nil {
		return err
	}
	call.console.summary(fmt.Sprintf("runner %s is drained; let it go on with: %s", name, call.here("drain", "--resume", "--name", name)))
	return nil
}
