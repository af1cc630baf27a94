package main

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/runner-bootstrap/runner-bootstrap/internal/bootstrap"
	"github.com/runner-bootstrap/runner-bootstrap/internal/download"
	"github.com/runner-bootstrap/runner-bootstrap/internal/github"
)

// publicRunner is whose releases are looked at without --url.
const publicRunner = "https://github.com/actions/runner"

// maxConnections is what a download may use: more helps nobody and offends the
// server.
const maxConnections = 8

func newPrepare(call *session) *cobra.Command {
	return call.command("prepare", "Fill the cache, for an image or for the runners to come", `
Fetches, verifies and unpacks the runner into the cache, from where install takes
it without a download. It needs no credential, writes no secret and registers
nothing. With --url and a token it takes what GitHub offers there, otherwise the
latest public release. It may be repeated, and continues what was interrupted.
With --seal, the last step of an image's making, it proves that this host has no
runner, no service of one, and no secret where those of runners are left.`, call.withHost(call.prepare))
}

func (call *session) prepare(ctx context.Context, host *bootstrap.Host) error {
	source, err := call.values.source()
	if err != nil {
		return err
	}
	url := firstOf(call.values.url, publicRunner)
	scope, err := github.ParseScope(url, call.values.apiURL)
	if err != nil {
		return err
	}
	prepared, err := host.Prepare(ctx, bootstrap.PrepareRequest{
		Scope: scope, Scoped: call.values.url != "", Source: source, Seal: call.values.seal,
	})
	if err != nil {
		return err
	}
	summary := fmt.Sprintf("runner %s is ready in %s", prepared.Version, prepared.Dir)
	if prepared.Sealed {
		summary += ", and this host can become an image"
	}
	call.console.summary(summary)
	if call.values.json {
		return printJSON(call.out, prepared)
	}
	return nil
}

// source checks the options that say where the runner comes from.
func (o *options) source() (download.Source, error) {
	switch {
	case o.sha256 != "" && !download.ValidDigest(o.sha256):
		return download.Source{}, usagef("--sha256: %q is not a SHA-256 in hexadecimal", o.sha256)
	case o.runnerVersion != "" && !download.ValidVersion(o.runnerVersion):
		return download.Source{}, usagef("--runner-version: %q is not a version such as 2.337.0", o.runnerVersion)
	case o.archive != "" && o.mirror != "":
		return download.Source{}, usagef("--archive and --mirror: the runner comes from one place")
	case o.connections < 1 || o.connections > maxConnections:
		return download.Source{}, usagef("--connections: %d is not 1 to %d", o.connections, maxConnections)
	}
	if o.mirror != "" {
		if _, err := download.ParseMirror(o.mirror); err != nil {
			return download.Source{}, fmt.Errorf("--mirror: %w", err)
		}
	}
	archive := o.archive
	if archive != "" {
		absolute, err := filepath.Abs(archive)
		if err != nil {
			return download.Source{}, usagef("--archive: %v", err)
		}
		archive = absolute
	}
	return download.Source{Version: o.runnerVersion, SHA256: o.sha256, Mirror: o.mirror, Archive: archive}, nil
}
