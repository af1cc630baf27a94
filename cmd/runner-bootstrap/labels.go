package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/runner-bootstrap/runner-bootstrap/internal/github"
)

func newLabels(call *session) *cobra.Command {
	one := func(do func(context.Context, *github.Client, int64, []string) ([]github.Label, error)) func(context.Context) error {
		return call.withScope(func(ctx context.Context, client *github.Client) error { return call.label(ctx, client, do) })
	}
	return call.family("labels", "List or change the labels of a runner at GitHub",
		call.taking(call.command("list", "List a runner's labels", `
Lists the labels of a runner, named by its id or its name.`,
			one(func(ctx context.Context, c *github.Client, id int64, _ []string) ([]github.Label, error) {
				return c.Labels(ctx, id)
			})), "RUNNER", 1, 1),
		call.taking(call.command("add", "Add labels to a runner", `
Adds labels to those that the runner has.`,
			one(func(ctx context.Context, c *github.Client, id int64, names []string) ([]github.Label, error) {
				return c.AddLabels(ctx, id, names)
			})), "RUNNER LABEL...", 2, -1),
		call.taking(call.command("set", "Replace a runner's own labels", `
Replaces the labels that were given to the runner by others. Those that GitHub
gave it (self-hosted, the operating system, the architecture) stay.`,
			one(func(ctx context.Context, c *github.Client, id int64, names []string) ([]github.Label, error) {
				return c.SetLabels(ctx, id, names)
			})), "RUNNER LABEL...", 2, -1),
		call.taking(call.command("remove", "Remove labels from a runner", `
Removes labels that were given to the runner. One that it does not have is done.`,
			one(removeLabels)), "RUNNER LABEL...", 2, -1),
		call.taking(call.command("clear", "Remove all of a runner's own labels", `
Removes all labels that were given to the runner.`,
			one(func(ctx context.Context, c *github.Client, id int64, _ []string) ([]github.Label, error) {
				return c.ClearLabels(ctx, id)
			})), "RUNNER", 1, 1),
	)
}

func removeLabels(ctx context.Context, c *github.Client, id int64, names []string) (left []github.Label, err error) {
	for _, name := range names {
		if left, err = c.RemoveLabel(ctx, id, name); err != nil {
			return nil, err
		}
	}
	return left, nil
}

// label does something to the labels of the runner that the first operand names,
// and prints those that it has then.
func (call *session) label(ctx context.Context, client *github.Client,
	do func(context.Context, *github.Client, int64, []string) ([]github.Label, error),
) error {
	runner, err := findRunner(ctx, client, call.operands[0])
	if err != nil {
		return err
	}
	labels, err := do(ctx, client, runner.ID, call.operands[1:])
	if err != nil {
		return err
	}
	if call.values.json {
		return printJSON(call.out, labels)
	}
	return table(call.out, "LABEL\tTYPE", func(line func(string, ...any)) {
		for _, l := range labels {
			line("%s\t%s", l.Name, l.Type)
		}
	})
}
