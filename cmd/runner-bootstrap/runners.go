package main

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/runner-bootstrap/runner-bootstrap/internal/github"
)

func newRunners(call *session) *cobra.Command {
	return call.family("runners", "List, show, delete or prune the runners at GitHub",
		call.taking(call.command("list", "List the runners", `
Lists the runners of --url, all of them or those whose name matches one of the
patterns (* and ? as in a shell) and that have every --label.`, call.withScope(call.listRunners)), "[PATTERN...]", 0, -1),
		call.taking(call.command("get", "Show one runner", `
Shows one runner, named by its id or its name.`, call.withScope(call.getRunner)), "RUNNER", 1, 1),
		call.taking(call.command("delete", "Delete runners", `
Deletes runners at GitHub, each named by its id or its name. One that is gone
already is done. One that runs a job is refused. A runner of this host is better
removed with uninstall.`, call.withScope(call.deleteRunners)), "RUNNER...", 1, -1),
		call.taking(call.command("prune", "Delete runners that are offline for good", `
Deletes the runners that match one of the patterns, have every --label, and are
offline at two looks, --confirm-after apart; never one that runs a job. Without
--delete it only says what it would delete, after one look.`, call.withScope(call.pruneRunners)), "PATTERN...", 1, -1),
	)
}

func (call *session) listRunners(ctx context.Context, client *github.Client) error {
	runners, err := call.matching(ctx, client)
	if err != nil {
		return err
	}
	return call.printRunners(runners)
}

// matching lists the runners that the operands and --label describe. A single
// name without a pattern is left to GitHub to find.
func (call *session) matching(ctx context.Context, client *github.Client) ([]github.Runner, error) {
	for _, pattern := range call.operands {
		if _, err := path.Match(pattern, ""); err != nil {
			return nil, usagef("%q is not a pattern", pattern)
		}
	}
	name := ""
	if len(call.operands) == 1 && !strings.ContainsAny(call.operands[0], `*?[\`) {
		name = call.operands[0]
	}
	all, err := client.Runners(ctx, name)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(all, func(r github.Runner) bool { return !call.wants(r) }), nil
}

func (call *session) wants(r github.Runner) bool {
	for _, label := range call.values.label {
		if !slices.ContainsFunc(r.Labels, func(l github.Label) bool { return strings.EqualFold(l.Name, label) }) {
			return false
		}
	}
	if len(call.operands) == 0 {
		return true
	}
	return slices.ContainsFunc(call.operands, func(pattern string) bool {
		matched, err := path.Match(strings.ToLower(pattern), strings.ToLower(r.Name))
		return err == nil && matched
	})
}

func (call *session) printRunners(runners []github.Runner) error {
	if call.values.json {
		if runners == nil {
			runners = []github.Runner{}
		}
		return printJSON(call.out, runners)
	}
	if len(runners) == 0 {
		fmt.Fprintln(call.out, "no runner")
		return nil
	}
	return table(call.out, "ID\tNAME\tSTATUS\tBUSY\tEPHEMERAL\tVERSION\tOS\tLABELS", func(line func(string, ...any)) {
		for _, r := range runners {
			line("%d\t%s\t%s\t%s\t%s\t%s\t%s\t%s", r.ID, r.Name, r.Status, yes(r.Busy), yes(r.Ephemeral),
				firstOf(r.Version, "-"), r.OS, labelNames(r.Labels))
		}
	})
}

func labelNames(labels []github.Label) string {
	names := make([]string, 0, len(labels))
	for _, label := range labels {
		names = append(names, label.Name)
	}
	return strings.Join(names, ",")
}

func (call *session) getRunner(ctx context.Context, client *github.Client) error {
	runner, err := findRunner(ctx, client, call.operands[0])
	if err != nil {
		return err
	}
	if call.values.json {
		return printJSON(call.out, runner)
	}
	return call.printRunners([]github.Runner{runner})
}

func (call *session) deleteRunners(ctx context.Context, client *github.Client) error {
	var failed error
	for _, word := range call.operands {
		failed = errors.Join(failed, call.deleteOne(ctx, client, word))
	}
	return failed
}

func (call *session) deleteOne(ctx context.Context, client *github.Client, word string) error {
	runner, err := findRunner(ctx, client, word)
	if errors.Is(err, github.ErrNoRunner) {
		call.console.summary(fmt.Sprintf("there is no runner %s", word))
		return nil
	}
	if err != nil {
		return err
	}
	if err := client.DeleteRunner(ctx, runner.ID); err != nil {
		return err
	}
	call.console.summary(fmt.Sprintf("runner %s (id %d) is deleted", runner.Name, runner.ID))
	return nil
}

// pruneRunners takes two looks: GitHub does not tell since when a runner is
// offline, and one that restarts is offline for a moment.
func (call *session) pruneRunners(ctx context.Context, client *github.Client) error {
	first, err := call.offline(ctx, client)
	if err != nil || len(first) == 0 || !call.values.remove {
		return errors.Join(err, call.printPruned("would delete", first))
	}
	call.console.summary(fmt.Sprintf("%d offline; looking again in %s", len(first), call.values.confirmAfter))
	timer := time.NewTimer(call.values.confirmAfter)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
	}
	second, err := call.offline(ctx, client)
	if err != nil {
		return err
	}
	var gone []github.Runner
	var failed error
	for _, runner := range second {
		if !slices.ContainsFunc(first, func(r github.Runner) bool { return r.ID == runner.ID }) {
			continue
		}
		err := client.DeleteRunner(ctx, runner.ID)
		switch {
		case errors.Is(err, github.ErrBusy): // it came back between the look and the deletion
		case err != nil:
			failed = errors.Join(failed, err)
		default:
			gone = append(gone, runner)
		}
	}
	return errors.Join(failed, call.printPruned("deleted", gone))
}

// offline lists what could be pruned.
func (call *session) offline(ctx context.Context, client *github.Client) ([]github.Runner, error) {
	runners, err := call.matching(ctx, client)
	return slices.DeleteFunc(runners, func(r github.Runner) bool { return r.Online() || r.Busy }), err
}

func (call *session) printPruned(verb string, runners []github.Runner) error {
	if call.values.json {
		return call.printRunners(runners)
	}
	for _, r := range runners {
		fmt.Fprintf(call.out, "%s %s (id %s, version %s, labels %s)\n", verb, oneCell(r.Name), strconv.FormatInt(r.ID, 10),
			oneCell(firstOf(r.Version, "none")), oneCell(labelNames(r.Labels)))
	}
	if len(runners) == 0 {
		fmt.Fprintln(call.out, "no runner to delete")
	}
	return nil
}
