package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/svc"
)

func newRun(call *session) *cobra.Command {
	return call.command("run", "Supervise an installed runner in the foreground", `
This is what the service runs. It starts the runner's listener as the account
that jobs run as, understands how it ends, and stops it on SIGTERM or SIGINT.`, call.supervise)
}

func (call *session) supervise(ctx context.Context) error {
	if call.values.logFormat == "auto" {
		call.values.logFormat = "text"
		call.console = newConsole(call.err, call.values)
	}
	// A token that happens to stand in the environment is not for jobs.
	names := tokenVariables()
	for _, source := range call.mintedSources() {
		names = append(names, source.variables...)
	}
	if _, err := takeVariables(names); err != nil {
		return err
	}
	host, err := call.host(principal{})
	if err != nil {
		return err
	}
	name, err := call.theRunner(host.Store)
	if err != nil {
		return err
	}
	if name == "" {
		return fmt.Errorf("supervising: %w", instance.ErrUnknown)
	}
	return svc.Run(ctx, name, func(ctx context.Context) error { return host.Run(ctx, name) })
}
