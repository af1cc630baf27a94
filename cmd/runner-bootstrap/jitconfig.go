package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/runner-bootstrap/runner-bootstrap/internal/github"
)

func newJITConfig(call *session) *cobra.Command {
	return call.command("jitconfig", "Register an ephemeral runner and print its configuration", `
Registers a runner for one job and prints its just-in-time configuration, and
nothing else, to standard output: for controllers that hand it to a host, which
then needs no credential. It can be had only once. If the name is taken by a runner
that never connected, the new one gets a suffix.`, call.withScope(call.makeJITConfig))
}

func (call *session) makeJITConfig(ctx context.Context, client *github.Client) error {
	o := call.values
	if o.name == "" {
		return usagef("--name is missing: what shall the runner be called?")
	}
	if err := o.checkIdentity(client.Scope()); err != nil {
		return err
	}
	labels := o.labels
	if !o.noDefaultLabels {
		labels = append([]string{"self-hosted"}, labels...)
	}
	group, err := client.GroupID(ctx, o.runnergroup)
	if err != nil {
		return err
	}
	made, err := client.JITConfig(ctx, github.JITRequest{Name: o.name, GroupID: group, Labels: github.Distinct(labels), WorkFolder: o.work})
	if err != nil {
		return err
	}
	if o.json {
		return printJSON(call.out, map[string]any{"runner": made.Runner, "encoded_jit_config": made.Config.Reveal()})
	}
	_, err = fmt.Fprintln(call.out, made.Config.Reveal())
	return err
}
