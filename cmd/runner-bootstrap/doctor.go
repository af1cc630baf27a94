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
	"github.com/runner-bootstrap/runner-bootstrap/internal/github"
	"github.com/runner-bootstrap/runner-bootstrap/internal/refusal"
	"github.com/runner-bootstrap/runner-bootstrap/internal/transport"
)

func doctorOptions() []option {
	return []option{{
		name: "fix", commands: "doctor",
		usage: "install the libraries that are missing, with the package manager of the distribution; needs root",
		on:    func(o *options) *bool { return &o.fix },
	}}
}

// sickError means that doctor has found what would stop an install.
type sickError struct {
	checks []string
	fix    string // of the first one
}

func (e *sickError) Error() string {
	return fmt.Sprintf("this host is %v: %s", errUnhealthy, strings.Join(e.checks, ", "))
}

func (e *sickError) Unwrap() error { return errUnhealthy }

func newDoctor(call *session) *cobra.Command {
	return call.command("doctor", "Look for everything that would stop an install", `
Looks at this host, at the way to GitHub, and at what the credential may do there,
for everything that would stop an install or the runner after it, and names a
command for each. It changes nothing, needs no root, and without --url asks nobody.
With --fix it installs missing libraries first. It ends with exit code 9 if a check
has failed; warnings do not count.`, call.withHost(call.doctor))
}

func (call *session) doctor(ctx context.Context, host *bootstrap.Host) error {
	patient, err := call.patient(host)
	if err != nil {
		return err
	}
	if call.values.fix {
		if err := call.repair(ctx, &patient); err != nil {
			return err
		}
	}
	all := patient.Examine(ctx)
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
	if call.values.json {
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
	sick := &sickError{fix: failed[0].Fix}
	for _, f := range failed {
		sick.checks = append(sick.checks, f.Check)
	}
	sick.checks = slices.Compact(sick.checks)
	return sick
}

// patient is the host as an install would find it.
func (call *session) patient(host *bootstrap.Host) (doctor.Host, error) {
	o := call.values
	patient := doctor.Host{
		Paths: host.Paths, Private: host.Private, Executable: host.Executable, User: o.user, DefaultUser: bootstrap.DefaultUser,
		Service: !o.noService, Invariant: doctor.Invariant(os.Environ()), Group: o.runnergroup, Web: transport.NewDownload(call.web),
		Roots: host.Roots, Proxy: http.ProxyFromEnvironment, Environment: host.Environment, Token: call.principal.token,
		Work: o.work, Again: call.withWords,
		AsRoot: func(words ...string) string { return underSudo(call.withWords(words...)) },
	}
	if o.url == "" {
		return patient, nil
	}
	scope, err := github.ParseScope(o.url, o.apiURL)
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
	return again(call.arguments, words...)
}

// repair installs what is missing. A package database that stays in use is a finding like the others.
func (call *session) repair(ctx context.Context, patient *doctor.Host) error {
	if !account.Privileged() {
		return &refusal.Error{Object: "installing libraries", Reason: bootstrap.ErrPrivilege}
	}
	err := patient.Repair(ctx, func(line string) { fmt.Fprintln(call.console.plain, oneCell(line)) })
	if errors.Is(err, doctor.ErrPackagesLocked) {
		patient.Repairs = true
		return nil
	}
	return err
}

// printFindings writes a line for each finding, and below it what to do.
func printFindings(out io.Writer, all []doctor.Finding) error {
	for _, f := range all {
		line := f.Found
		if f.Object != "" {
			line = f.Object + ": " + line
		}
		if _, err := fmt.Fprintf(out, "%-8s %-11s %s\n", f.State, f.Check, oneCell(line)); err != nil {
			return err
		}
		if f.Fix != "" {
			fmt.Fprintf(out, "%-20s fix: %s\n", "", oneCell(f.Fix))
		}
	}
	return nil
}
