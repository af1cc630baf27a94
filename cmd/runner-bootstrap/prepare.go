package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/runner-bootstrap/runner-bootstrap/internal/bootstrap"
	"github.com/runner-bootstrap/runner-bootstrap/internal/github"
	"github.com/runner-bootstrap/runner-bootstrap/internal/sealcheck"
	"github.com/runner-bootstrap/runner-bootstrap/internal/shell"
	"github.com/runner-bootstrap/runner-bootstrap/internal/terminal"
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
	repair     repairOptions
	network    networkOptions
	output     outputOptions
	call       callOptions
}

func (o *prepareOptions) groups() []group {
	return []group{&o.scope, &o.credential, &o.place, &o.source, &o.seal, &o.repair, &o.network, &o.output, &o.call}
}

// sealOptions are for the making of an image.
type sealOptions struct {
	seal, identity bool
	except         []string
}

func (o *sealOptions) options() []option {
	return []option{
		{
			name: "seal", commands: "prepare",
			usage: "search the whole system for what an image must not have (secrets, runners), and fail if there is any",
			on:    &o.seal,
		},
		{
			name: "fix-identity", commands: "prepare",
			usage: "with --fix, also what tells machines apart: machine id, ssh host keys, random seed, leases",
			on:    &o.identity,
		},
		{
			name: "seal-except", value: "PATTERN", commands: "prepare",
			usage: "file or folder that somebody has checked: what is found there is counted, not shown; may be repeated",
			lines: &o.except,
		},
	}
}

// request is what is wanted of the look; nil if none is.
func (o *sealOptions) request(fix bool) (*bootstrap.SealRequest, error) {
	switch {
	case !o.seal && (fix || o.identity || len(o.except) > 0):
		return nil, usagef("--fix, --fix-identity and --seal-except need --seal")
	case o.identity && !fix:
		return nil, usagef("--fix-identity needs --fix")
	case !o.seal:
		return nil, nil
	}
	for _, pattern := range o.except {
		if _, err := path.Match(pattern, ""); err != nil {
			return nil, usagef("%q is not a pattern", pattern)
		}
	}
	return &bootstrap.SealRequest{Fix: fix, Identity: o.identity, Except: o.except}, nil
}

func newPrepare(call *session) *cobra.Command {
	o := &prepareOptions{}
	return call.command("prepare", "Fill the cache, for an image or for the runners to come", `
Fetches, verifies and unpacks the runner into the cache, from where install takes
it without a download. It needs no credential, writes no secret and registers
nothing. With --url and a token it takes what GitHub offers there, otherwise the
latest public release. It may be repeated, and continues what was interrupted.

With --seal, as the last step of making an image, it searches the whole system
for what all copies would share. If there is a secret or a runner, it ends with
exit code 3; other things that machines should not share, such as the machine
id, are listed. No secret is shown. It is no proof: it lists what it did not
search. With --fix it first removes what each machine makes again by itself:
core dumps, logs with a secret, what cloud-init remembers. It never removes a
file that a person has made.`, o.groups(), call.withHost(bind(call, o, runPrepare)))
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
	seal, err := o.seal.request(o.repair.fix)
	if err != nil {
		return err
	}
	prepared, err := host.Prepare(ctx, bootstrap.PrepareRequest{Scope: scope, Source: source, Seal: seal})
	if err != nil && prepared.Seal == nil {
		return err
	}
	if err == nil {
		summary := fmt.Sprintf("runner %s is ready in %s", prepared.Version, prepared.Dir)
		if prepared.Sealed {
			summary += ", and nothing was found that an image must not have"
		}
		call.console.summary(summary)
	}
	switch {
	case o.output.json:
		err = errors.Join(err, printJSON(call.out, prepared))
	case prepared.Seal != nil:
		err = errors.Join(err, printSeal(call.out, prepared.Seal))
	}
	return err
}

// printSeal writes a line for each finding, and then what was not looked at and what cannot be known.
func printSeal(out io.Writer, report *sealcheck.Report) error {
	l := lines{out: out}
	line := func(state, path, text string) {
		l.add("%-8s %s", state, terminal.OneCell(path+": "+text))
	}
	for _, path := range report.Removed {
		line("removed", path, "an image has no use for it")
	}
	for _, f := range report.Findings {
		where := f.Path
		if f.Line > 0 {
			where += ":" + strconv.Itoa(f.Line)
		}
		line(string(f.Kind), where, f.What)
		if f.Fix != "" {
			l.add("%-8s fix: %s", "", f.Fix)
		}
	}
	line("looked", strings.Join(report.Folders, ", "), fmt.Sprintf(
		"%d files, %d MiB; what %d unchanged files of the distribution's packages hold is public; %d findings were excepted",
		report.Files, report.Bytes>>20, report.Published, report.Excepted,
	))
	for _, place := range report.NotLooked {
		line("skipped", place.Path, place.Why)
	}
	for _, what := range report.Unknown {
		l.add("%-8s %s", "unknown", what)
	}
	return l.err
}

// hintNotClean takes the runner away, or shows what was found; whether it can go is
// not for us to say.
func hintNotClean(call *session, err error) string {
	if refusalOf(err).Name != "" {
		return call.here("uninstall", "--all", "--token-file", "FILE")
	}
	file, _, _ := strings.Cut(refusalOf(err).Detail, " (")
	return on(call).Do(shell.ShowFolder, file)
}
