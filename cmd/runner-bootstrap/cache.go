package main

import (
	"context"
	"fmt"
	"io"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/runner-bootstrap/runner-bootstrap/internal/bootstrap"
	"github.com/runner-bootstrap/runner-bootstrap/internal/download"
	"github.com/runner-bootstrap/runner-bootstrap/internal/shell"
	"github.com/runner-bootstrap/runner-bootstrap/internal/terminal"
)

// cacheListOptions are what cache list takes.
type cacheListOptions struct {
	place  placeOptions
	output outputOptions
	call   callOptions
}

func (o *cacheListOptions) groups() []group { return []group{&o.place, &o.output, &o.call} }

// cachePruneOptions are what cache prune takes.
type cachePruneOptions struct {
	place  placeOptions
	keep   keepOptions
	output outputOptions
	call   callOptions
}

func (o *cachePruneOptions) groups() []group { return []group{&o.place, &o.keep, &o.output, &o.call} }

// keepOptions say what stays in the cache.
type keepOptions struct{ keep int }

func (o *keepOptions) options() []option {
	return []option{{
		name: "keep", value: "N", fallback: "1", commands: "cache-prune",
		usage: "runner versions to keep of each platform, the newest ones",
		count: &count{at: &o.keep},
	}}
}

func newCache(call *session) *cobra.Command {
	list, prune := &cacheListOptions{}, &cachePruneOptions{}
	return family("cache", "List or clean the download cache",
		call.command("list", "List the runners in the cache", `
Shows version, platform, digest, size and age of every runner that was fetched,
verified and unpacked.`, list.groups(), func(context.Context) error { return listCache(call, list) }),
		call.command("prune", "Remove old runners from the cache", `
Keeps the newest runner of each platform, removes the others and what interrupted
downloads have left. Installed runners do not need the cache.`, prune.groups(), call.withHost(bind(call, prune, pruneCache))),
	)
}

// listCache needs neither a credential nor a bound in time.
func listCache(call *session, o *cacheListOptions) error {
	host, err := call.host(credential{})
	if err != nil {
		return err
	}
	entries, err := host.ListCache()
	if err != nil {
		return err
	}
	return printEntries(call.out, entries, o.output.json, "the cache is empty")
}

func pruneCache(ctx context.Context, call *session, host *bootstrap.Host, o *cachePruneOptions) error {
	gone, err := host.PruneCache(ctx, o.keep.keep, o.output.dryRun)
	if err != nil {
		return err
	}
	if o.output.json {
		return printEntries(call.out, gone, true, "")
	}
	verb := "removed"
	if o.output.dryRun {
		verb = "would remove"
	}
	l := lines{out: call.out}
	for _, entry := range gone {
		l.add("%s %s", verb, entry.Dir)
	}
	if len(gone) == 0 {
		l.add("nothing to remove")
	}
	return l.err
}

func printEntries(out io.Writer, entries []download.Entry, asJSON bool, none string) error {
	if asJSON {
		if entries == nil {
			entries = []download.Entry{}
		}
		return printJSON(out, entries)
	}
	if len(entries) == 0 {
		_, err := fmt.Fprintln(out, none)
		return err
	}
	return tabulate(out, entries)
}

func tabulate(out io.Writer, entries []download.Entry) error {
	return terminal.Table(out, "VERSION\tPLATFORM\tSHA-256\tSIZE\tFILES\tFETCHED", func(line func(string, ...any)) {
		for _, e := range entries {
			line("%s\t%s\t%s\t%s\t%d\t%s", e.Version, e.Platform, e.SHA256[:12], terminal.Megabytes(e.Bytes), e.Files,
				e.Created.Format("2006-01-02 15:04:05"))
		}
	})
}

func hintAbsent(call *session, _ error) string {
	if archive := optionsOf[sourceOptions](call).archive; archive != "" {
		return on(call).Do(shell.ShowFile, filepath.Dir(archive))
	}
	return call.here("cache", "list")
}

func hintDamaged(call *session, _ error) string { return call.here("cache", "prune", "--keep", "0") }
