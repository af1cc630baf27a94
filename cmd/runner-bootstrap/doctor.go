package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/runner-bootstrap/runner-bootstrap/internal/account"
	"github.com/runner-bootstrap/runner-bootstrap/internal/bootstrap"
	"github.com/runner-bootstrap/runner-bootstrap/internal/doctor"
	"github.com/runner-bootstrap/runner-bootstrap/internal/libraries"
	"github.com/runner-bootstrap/runner-bootstrap/internal/plan"
	"github.com/runner-bootstrap/runner-bootstrap/internal/refusal"
	"github.com/runner-bootstrap/runner-bootstrap/internal/terminal"
	"github.com/runner-bootstrap/runner-bootstrap/internal/transport"
)

// doctorOptions are what doctor takes.
type doctorOptions struct {
	scope      scopeOptions
	credential credentialOptions
	identity   identityOptions
	account    accountOptions
	place      placeOptions
	network    networkOptions
	repair     repairOptions
	output     outputOptions
	call       callOptions
}

func (o *doctorOptions) groups() []group {
	return []group{&o.scope, &o.credential, &o.identity, &o.account, &o.place, &o.network, &o.repair, &o.output, &o.call}
}

// repairOptions say whether doctor may mend what it finds.
type repairOptions struct{ fix bool }

func (o *repairOptions) options() []option {
	return []option{{
		name: "fix", commands: "doctor prepare",
		usage: "install missing libraries by the package manager (doctor), " +
			"remove what each machine makes again (prepare); needs root",
		windows: "remove what each machine makes again (prepare); needs an administrator",
		on:      &o.fix,
	}}
}

// checksError means that doctor has found what would stop an install.
type checksError struct {
	checks []string
	fix    string // of the first one
}

func (e *checksError) Error() string {
	return fmt.Sprintf("this host is %v: %s", errUnhealthy, strings.Join(e.checks, ", "))
}

func (e *checksError) Unwrap() error { return errUnhealthy }

func newDoctor(call *session) *cobra.Command {
	o := &doctorOptions{}
	return call.command("doctor", "Look for everything that would stop an install", `
Checks this host, the network to GitHub, and what the credential may do there, for
everything that would stop an install or the runner after it, and gives a command
for each. It changes nothing, `+onWindows(`needs no root, and without --url uses no network.
With --fix it installs missing libraries first. It`, `and without --url uses no network. It`)+` ends with exit code 9 if a check
has failed; warnings do not count.`, o.groups(), call.withHost(bind(call, o, runDoctor)))
}

func runDoctor(ctx context.Context, call *session, host *bootstrap.Host, o *doctorOptions) error {
	patient, err := patientFor(call, host, o)
	if err != nil {
		return err
	}
	if o.repair.fix {
		if err := repair(ctx, call, &patient); err != nil {
			return err
		}
	}
	all := append(patient.Examine(ctx), examineSudo(ctx, host)...)
	if errors.Is(ctx.Err(), context.Canceled) {
		return ctx.Err()
	}
	for i, f := range all {
		if f.Fix == "" && f.Cause != nil {
			_, all[i].Fix = call.explain(f.Cause)
			if todo := call.toDo(f.Cause, all[i].Fix); todo != "" {
				all[i].Found += "; " + todo
			}
		}
	}
	if o.output.json {
		err = printJSON(call.out, all)
	} else {
		err = printFindings(call.out, all)
	}
	if err != nil {
		return err
	}
	failed := doctor.Unhealthy(all)
	if len(failed) == 0 {
		return nil
	}
	report := &checksError{fix: failed[0].Fix}
	for _, f := range failed {
		report.checks = append(report.checks, f.Check)
	}
	report.checks = slices.Compact(report.checks)
	return report
}

// patientFor is the host as an install would find it.
func patientFor(call *session, host *bootstrap.Host, o *doctorOptions) (doctor.Host, error) {
	patient := doctor.Host{
		Paths: host.Paths, Private: host.Private, Executable: host.Executable, User: o.account.user, DefaultUser: plan.DefaultUser,
		Service: !o.account.noService, Invariant: libraries.Invariant(os.Environ()), Group: o.identity.group,
		Web:   transport.NewDownload(call.web),
		Roots: host.Roots, Proxy: http.ProxyFromEnvironment, Environment: host.Environment, Token: call.credential.token,
		Work: o.identity.folder(), Again: call.withWords,
		AsRoot:  func(words ...string) string { return rooted(call, call.withWords(words...)) },
		Machine: host.Machine,
	}
	if o.scope.url == "" {
		return patient, nil
	}
	scope, err := o.scope.parse()
	if err != nil {
		return doctor.Host{}, err
	}
	patient.Scope = &scope
	if host.Connect != nil {
		patient.Client = host.Connect(scope)
	}
	return patient, nil
}

// withWords is this call with more words; a switch that was typed already is not typed twice.
func (call *session) withWords(words ...string) string {
	if len(words) == 1 && slices.Contains(call.arguments, words[0]) {
		words = nil
	}
	return againWith(call, words...)
}

// repair installs what is missing. A package database that stays in use is a finding like the others.
func repair(ctx context.Context, call *session, patient *doctor.Host) error {
	if !account.Privileged() {
		return &refusal.Error{Object: "installing libraries", Reason: account.ErrPrivilege}
	}
	err := patient.Repair(ctx, func(line string) { fmt.Fprintln(call.console.plain, terminal.OneCell(line)) })
	if errors.Is(err, libraries.ErrPackagesLocked) {
		patient.Repairs = true
		return nil
	}
	return err
}

// printFindings writes a line for each finding, and below it what to do.
func printFindings(out io.Writer, all []doctor.Finding) error {
	l := lines{out: out}
	for _, f := range all {
		line := f.Found
		if f.Object != "" {
			line = f.Object + ": " + line
		}
		l.add("%-8s %-11s %s", f.State, f.Check, terminal.OneCell(line))
		if f.Fix != "" {
			l.add("%-20s fix: %s", "", terminal.OneCell(f.Fix))
		}
	}
	return l.err
}

// hintDoctor installs what is missing.
func hintDoctor(call *session, _ error) string { return rooted(call, call.here("doctor", "--fix")) }
