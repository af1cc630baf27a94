package main

import (
	"context"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/runner-bootstrap/runner-bootstrap/internal/bootstrap"
	"github.com/runner-bootstrap/runner-bootstrap/internal/download"
)

func newCache(call *session) *cobra.Command {
	return call.family("cache", "List or prune the runners that lie ready",
		call.command("list", "List the runners in the cache", `
Shows version, platform, digest, size and age of every runner that was fetched,
verified and unpacked.`, call.withCache(call.listCache)),
		call.command("prune", "Remove old runners from the cache", `
Keeps the newest runner of each platform, removes the others and what interrupted
downloads have left. Installed runners do not need the cache.`, call.withHost(call.pruneCache)),
	)
}

// withCache is withHost for what needs neither credential nor time.
func (call *session) withCache(do func(*bootstrap.Host) error) func(context.Context) error {
	return func(context.Context) error {
		host, err := call.host(credential{})
		if err != nil {
			return err
		}
		return do(host)
	}
}

func (call *session) listCache(host *bootstrap.Host) error {
	entries, err := host.ListCache()
	if err != nil {
		return err
	}
	return call.printEntries(entries, "the cache is empty")
}

func (call *session) pruneCache(ctx context.Context, host *bootstrap.Host) error {
	gone, err := host.PruneCache(ctx, call.values.keep, call.values.dryRun)
	if err != nil {
		return err
	}
	if call.values.json {
		return call.printEntries(gone, "")
	}
	verb := "removed"
	if call.values.dryRun {
		verb = "would remove"
	}
	for _, entry := range gone {
		fmt.Fprintf(call.out, "%s %s\n", verb, entry.Dir)
	}
	if len(gone) == 0 {
		fmt.Fprintln(call.out, "nothing to remove")
	}
	return nil
}

func (call *session) printEntries(entries []download.Entry, none string) error {
	if call.values.json {
		if entries == nil {
			entries = []download.Entry{}
		}
		return printJSON(call.out, entries)
	}
	if len(entries) == 0 {
		fmt.Fprintln(call.out, none)
		return nil
	}
	return tabulate(call.out, entries)
}

func tabulate(out io.Writer, entries []download.Entry) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "VERSION\tPLATFORM\tSHA-256\tSIZE\tFILES\tFETCHED")
	for _, e := range entries {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%d\t%s\n", e.Version, e.Platform, e.SHA256[:12], megabytes(e.Bytes), e.Files,
			e.Created.Format("2006-01-02 15:04:05"))
	}
	return table.Flush()
}
