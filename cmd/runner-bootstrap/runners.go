package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/runner-bootstrap/runner-bootstrap/internal/github"
	"github.com/runner-bootstrap/runner-bootstrap/internal/terminal"
)

// runnersOptions are what runners list and runners prune take.
type runnersOptions struct {
	gitHub gitHubOptions
	filter filterOptions
	prune  pruneOptions
}

func (o *runnersOptions) groups() []group { return append(o.gitHub.groups(), &o.filter, &o.prune) }

// filterOptions choose among the runners at GitHub.
type filterOptions struct{ labels []string }

func (o *filterOptions) options() []option {
	return []option{{
		name: "label", value: "LABEL", commands: "runners-list runners-prune",
		usage: "only runners that have this label; may be repeated",
		list:  &o.labels,
	}}
}

// pruneOptions say whether and when runners are deleted that are offline.
type pruneOptions struct {
	remove       bool
	confirmAfter time.Duration
	neverStarted time.Duration
}

func (o *pruneOptions) options() []option {
	return []option{
		{
			name: "delete", commands: "runners-prune",
			usage: "really delete; without it nothing is changed",
			on:    &o.remove,
		},
		{
			name: "confirm-after", value: "DURATION", fallback: "1m", commands: "runners-prune",
			usage: "time between the two checks; a runner must be offline at both",
			span:  &span{at: &o.confirmAfter},
		},
		{
			name: "never-started", value: "DURATION", fallback: "15m", commands: "runners-prune",
			usage: "the same for a runner that has never connected: its machine may still be booting",
			span:  &span{at: &o.neverStarted},
		},
	}
}

func newRunners(call *session) *cobra.Command {
	return family("runners", "List, show, delete or prune the runners at GitHub",
		call.taking(runnersCommand(call, "list", "List the runners", `
Lists the runners of --url, all of them or those whose name matches one of the
patterns (* and ? as in a shell) and that have every --label.`, listRunners), "[PATTERN...]", 0, -1),
		call.taking(runnersCommand(call, "get", "Show one runner", `
Shows one runner, named by its id or its name.`, getRunner), "RUNNER", 1, 1),
		call.taking(runnersCommand(call, "delete", "Delete runners", `
Deletes runners at GitHub, each named by its id or its name. Already absent is not
an error. One that runs a job is refused. A runner of this host is better removed
with uninstall.`, deleteRunners), "RUNNER...", 1, -1),
		call.taking(runnersCommand(call, "prune", "Delete runners that are offline for good", `
Deletes the runners that match one of the patterns, have every --label, and are
offline at two checks, --confirm-after apart; never one that runs a job. A runner that
was registered by a just-in-time configuration and has never connected may belong to a
machine that is still booting: for these the checks are --never-started apart. Without
--delete it only lists what it would delete, after one check.`, pruneRunners), "PATTERN...", 1, -1),
	)
}

// runnersWork does something about the runners that the operands name.
type runnersWork func(ctx context.Context, call *session, client *github.Client, o *runnersOptions) error

func runnersCommand(call *session, use, short, long string, do runnersWork) *cobra.Command {
	o := &runnersOptions{}
	return call.command(use, short, long, o.groups(), call.withScope(bind(call, o, do)))
}

func listRunners(ctx context.Context, call *session, client *github.Client, o *runnersOptions) error {
	runners, err := matchingRunners(ctx, client, call.operands, &o.filter)
	if err != nil {
		return err
	}
	return printRunners(call.out, runners, o.gitHub.output.json)
}

// matchingRunners lists the runners that the patterns and --label describe. A single
// name without a pattern is left to GitHub to find.
func matchingRunners(ctx context.Context, client *github.Client, patterns []string, filter *filterOptions) ([]github.Runner, error) {
	for _, pattern := range patterns {
		if _, err := path.Match(pattern, ""); err != nil {
			return nil, usagef("%q is not a pattern", pattern)
		}
	}
	name := ""
	if len(patterns) == 1 && !strings.ContainsAny(patterns[0], `*?[\`) {
		name = patterns[0]
	}
	all, err := client.Runners(ctx, name)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(all, func(r github.Runner) bool { return !filter.matches(r, patterns) }), nil
}

func (o *filterOptions) matches(r github.Runner, patterns []string) bool {
	for _, label := range o.labels {
		if !slices.ContainsFunc(r.Labels, func(l github.Label) bool { return strings.EqualFold(l.Name, label) }) {
			return false
		}
	}
	if len(patterns) == 0 {
		return true
	}
	return slices.ContainsFunc(patterns, func(pattern string) bool {
		matched, err := path.Match(strings.ToLower(pattern), strings.ToLower(r.Name))
		return err == nil && matched
	})
}

func printRunners(out io.Writer, runners []github.Runner, asJSON bool) error {
	if asJSON {
		if runners == nil {
			runners = []github.Runner{}
		}
		return printJSON(out, runners)
	}
	if len(runners) == 0 {
		_, err := fmt.Fprintln(out, "no runner")
		return err
	}
	return terminal.Table(out, "ID\tNAME\tSTATUS\tBUSY\tEPHEMERAL\tVERSION\tOS\tLABELS", func(line func(string, ...any)) {
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

func getRunner(ctx context.Context, call *session, client *github.Client, o *runnersOptions) error {
	runner, err := findRunner(ctx, client, call.operands[0])
	if err != nil {
		return err
	}
	if o.gitHub.output.json {
		return printJSON(call.out, runner)
	}
	return printRunners(call.out, []github.Runner{runner}, false)
}

// deleteRunners goes on behind one that cannot be deleted; as JSON it prints those that this call has deleted.
func deleteRunners(ctx context.Context, call *session, client *github.Client, o *runnersOptions) error {
	var gone []github.Runner
	var failed error
	for _, word := range call.operands {
		runner, err := deleteOne(ctx, client, word)
		switch {
		case errors.Is(err, github.ErrNoRunner):
			call.console.summary(fmt.Sprintf("there is no runner %s", word))
		case err != nil:
			failed = errors.Join(failed, err)
		default:
			gone = append(gone, runner)
			call.console.summary(fmt.Sprintf("runner %s (id %d) is deleted", runner.Name, runner.ID))
		}
	}
	if !o.gitHub.output.json {
		return failed
	}
	return errors.Join(failed, printRunners(call.out, gone, true))
}

func deleteOne(ctx context.Context, client *github.Client, word string) (github.Runner, error) {
	runner, err := findRunner(ctx, client, word)
	if err != nil {
		return runner, err
	}
	return runner, client.DeleteRunner(ctx, runner.ID)
}

// pruneRunners takes two looks: GitHub does not tell since when a runner is
// offline, and one that restarts is offline for a moment. Nor does it tell when one
// was registered: one that has never connected gets the time of a boot.
func pruneRunners(ctx context.Context, call *session, client *github.Client, o *runnersOptions) error {
	first, err := offlineRunners(ctx, client, call.operands, &o.filter)
	if err != nil {
		return err
	}
	if len(first) == 0 || !o.prune.remove {
		return printPruned(call.out, "would delete", first, o)
	}
	var booting, started []github.Runner
	for _, runner := range first {
		if neverStarted(runner) {
			booting = append(booting, runner)
		} else {
			started = append(started, runner)
		}
	}
	var gone []github.Runner
	var waited time.Duration
	for _, look := range []struct {
		runners []github.Runner
		after   time.Duration
		what    string
	}{{started, o.prune.confirmAfter, "offline"}, {booting, max(o.prune.neverStarted, o.prune.confirmAfter), "never connected"}} {
		if len(look.runners) == 0 {
			continue
		}
		wait := look.after - waited
		call.console.summary(fmt.Sprintf("%d %s; looking again in %s", len(look.runners), look.what, wait))
		deleted, failed := pruneAfter(ctx, call, client, o, look.runners, wait)
		gone, err, waited = append(gone, deleted...), errors.Join(err, failed), look.after
		if ctx.Err() != nil {
			break
		}
	}
	return errors.Join(err, printPruned(call.out, "deleted", gone, o))
}

// neverStarted tells whether a runner was registered by a just-in-time configuration and no listener has connected
// since: GitHub knows neither its version nor its system then. A server that tells no versions tells the systems.
func neverStarted(r github.Runner) bool { return r.Version == "" && (r.OS == "" || r.OS == "unknown") }

// pruneAfter deletes those of the first look's runners that are offline after some time as well, as they were.
func pruneAfter(
	ctx context.Context, call *session, client *github.Client, o *runnersOptions, first []github.Runner, wait time.Duration,
) (gone []github.Runner, failed error) {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-timer.C:
	}
	second, err := offlineRunners(ctx, client, call.operands, &o.filter)
	if err != nil {
		return nil, err
	}
	for _, runner := range second {
		if !slices.ContainsFunc(first, func(r github.Runner) bool { return r.ID == runner.ID && neverStarted(r) == neverStarted(runner) }) {
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
	return gone, failed
}

// offlineRunners lists what could be pruned.
func offlineRunners(ctx context.Context, client *github.Client, patterns []string, filter *filterOptions) ([]github.Runner, error) {
	runners, err := matchingRunners(ctx, client, patterns, filter)
	return slices.DeleteFunc(runners, func(r github.Runner) bool { return r.Online() || r.Busy }), err
}

// printPruned names them. Those of a look alone that may belong to a machine which still boots are marked.
func printPruned(out io.Writer, verb string, runners []github.Runner, o *runnersOptions) error {
	if o.gitHub.output.json {
		return printRunners(out, runners, true)
	}
	l := lines{out: out}
	for _, r := range runners {
		booting := ""
		if neverStarted(r) && !o.prune.remove {
			booting = fmt.Sprintf(": never connected, so only if it has not in %s", max(o.prune.neverStarted, o.prune.confirmAfter))
		}
		l.add("%s %s (id %s, version %s, labels %s)%s", verb, terminal.OneCell(r.Name), strconv.FormatInt(r.ID, 10),
			terminal.OneCell(firstOf(r.Version, "none")), terminal.OneCell(labelNames(r.Labels)), booting)
	}
	if len(runners) == 0 {
		l.add("no runner to delete")
	}
	return l.err
}

func hintRunners(call *session, _ error) string { return call.atScope("runners", "list") }
