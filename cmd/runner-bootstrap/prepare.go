package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/runner-bootstrap/runner-bootstrap/internal/bootstrap"
	"github.com/runner-bootstrap/runner-bootstrap/internal/github"
)

// publicRunner is whose releases are looked at without --url.
const publicRunner = "https://github.com/actions/runner"

// prepareOptions are what prepare takes.
type prepareOptions struct {
	scope      scopeOptions
	credential credentialOptions
	place      placeOptions
	source     sourceOptions
	seal       sealOptions
	network    networkOptions
	output     outputOptions
	call       callOptions
}

func (o *prepareOptions) groups() []group {
	return []group{&o.scope, &o.credential, &o.place, &o.source, &o.seal, &o.network, &o.output, &o.call}
}

// sealOptions are for the making of an image.
type sealOptions struct{ seal bool }

func (o *sealOptions) options() []option {
	return []option{{
		name: "seal", commands: "prepare",
		usage: "prove that an image of this host would hold no secret and no runner; fails with what was found",
		on:    &o.seal,
	}}
}

func newPrepare(call *session) *cobra.Command {
	o := &prepareOptions{}
	return call.command("prepare", "Fill the cache, for an image or for the runners to come", `
Fetches, verifies and unpacks the runner into the cache, from where install takes
it without a download. It needs no credential, writes no secret and registers
nothing. With --url and a token it takes what GitHub offers there, otherwise the
latest public release. It may be repeated, and continues what was interrupted.
With --seal, the last step of an image's making, it proves that this host has no
runner, no service of one, and no secret where those of runners are left.`, o.groups(), call.withHost(bind(call, o, runPrepare)))
}

func runPrepare(ctx context.Context, call *session, host *bootstrap.Host, o *prepareOptions) error {
	source, err := o.source.source()
	if err != nil {
		return err
	}
	url := firstOf(o.scope.url, publicRunner)
	scope, err := github.ParseScope(url, o.scope.apiURL)
	if err != nil {
		return err
	}
	if o.scope.url == "" {
		host.Connect = nil // the credential is of no use for what is public
	}
	prepared, err := host.Prepare(ctx, bootstrap.PrepareRequest{Scope: scope, Source: source, Seal: o.seal.seal})
	if err != nil {
		return err
	}
	summary := fmt.Sprintf("runner %s is ready in %s", prepared.Version, prepared.Dir)
	if prepared.Sealed {
		summary += ", and this host can become an image"
	}
	call.console.summary(summary)
	if o.output.json {
		return printJSON(call.out, prepared)
	}
	return nil
}

// hintNotClean takes the runner away, or shows what was found; whether it can go is
// not for us to say.
func hintNotClean(call *session, err error) string {
	if refusalOf(err).Name != "" {
		return call.here("uninstall", "--all", "--token-file", "FILE")
	}
	file, _, _ := strings.Cut(refusalOf(err).Detail, " (")
	return shellWords([]string{"ls", "-ld", file})
}
