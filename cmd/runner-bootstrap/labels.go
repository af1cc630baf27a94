package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/runner-bootstrap/runner-bootstrap/internal/github"
	"github.com/runner-bootstrap/runner-bootstrap/internal/terminal"
)

// labelWork does something to the labels of a runner, and returns those that it has
// then.
type labelWork func(ctx context.Context, client *github.Client, id int64, names []string) ([]github.Label, error)

func newLabels(call *session) *cobra.Command {
	return family("labels", "List or change the labels of a runner at GitHub",
		call.taking(labelCommand(call, "list", "List a runner's labels", `
Lists the labels of a runner, named by its id or its name.`,
			func(ctx context.Context, c *github.Client, id int64, _ []string) ([]github.Label, error) {
				return c.Labels(ctx, id)
			}), "RUNNER", 1, 1),
		call.taking(labelCommand(call, "add", "Add labels to a runner", `
Adds labels to those that the runner has.`,
			func(ctx context.Context, c *github.Client, id int64, names []string) ([]github.Label, error) {
				return c.AddLabels(ctx, id, names)
			}), "RUNNER LABEL...", 2, -1),
		call.taking(labelCommand(call, "set", "Replace a runner's own labels", `
Replaces the labels that were given to the runner by others. Those that GitHub
gave it (self-hosted, the operating system, the architecture) stay.`,
			func(ctx context.Context, c *github.Client, id int64, names []string) ([]github.Label, error) {
				return c.SetLabels(ctx, id, names)
			}), "RUNNER LABEL...", 2, -1),
		call.taking(labelCommand(call, "remove", "Remove labels from a runner", `
Removes labels that were given to the runner. Already absent is not an error.`,
			removeLabels), "RUNNER LABEL...", 2, -1),
		call.taking(labelCommand(call, "clear", "Remove all of a runner's own labels", `
Removes all labels that were given to the runner.`,
			func(ctx context.Context, c *github.Client, id int64, _ []string) ([]github.Label, error) {
				return c.ClearLabels(ctx, id)
			}), "RUNNER", 1, 1),
	)
}

func labelCommand(call *session, use, short, long string, do labelWork) *cobra.Command {
	o := &gitHubOptions{}
	return call.command(use, short, long, o.groups(), call.withScope(func(ctx context.Context, client *github.Client) error {
		return runLabels(ctx, call, client, o, do)
	}))
}

func removeLabels(ctx context.Context, c *github.Client, id int64, names []string) (left []github.Label, err error) {
	for _, name := range names {
		if left, err = c.RemoveLabel(ctx, id, name); err != nil {
			return nil, err
		}
	}
	return left, nil
}

// runLabels does something to the labels of the runner that the first operand names,
// and prints those that it has then.
func runLabels(ctx context.Context, call *session, client *github.Client, o *gitHubOptions, do labelWork) error {
	runner, err := findRunner(ctx, client, call.operands[0])
	if err != nil {
		return err
	}
	labels, err := do(ctx, client, runner.ID, call.operands[1:])
	if err != nil {
		return err
	}
	if o.output.json {
		return printJSON(call.out, labels)
	}
	return terminal.Table(call.out, "LABEL\tTYPE", func(line func(string, ...any)) {
		for _, l := range labels {
			line("%s\t%s", l.Name, l.Type)
		}
	})
}

// hintLabels says where labels are given.
// hintUnprocessable shows the labels that there are where one cannot be changed.
func hintUnprocessable(call *session, err error) string {
	if firstOf(call.arguments...) == "labels" && len(call.operands) > 0 {
		return call.atScope("labels", "list", call.operands[0])
	}
	return same(call, err)
}

func hintLabels(call *session, _ error) string {
	if firstOf(call.arguments...) == "labels" {
		return helpOn(call.arguments)
	}
	return againWith(call, "--labels", "LABEL,LABEL")
}
