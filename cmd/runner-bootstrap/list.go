package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/status"
	"github.com/runner-bootstrap/runner-bootstrap/internal/svc"
	"github.com/runner-bootstrap/runner-bootstrap/internal/terminal"
)

// listOptions are what list takes.
type listOptions struct {
	place  placeOptions
	output outputOptions
	call   callOptions
}

func (o *listOptions) groups() []group { return []group{&o.place, &o.output, &o.call} }

// listedRunner is what list --json prints of a runner.
type listedRunner struct {
	Name     string     `json:"name"`
	ScopeURL string     `json:"scope_url"`
	State    string     `json:"state"` // as in status; "failed" where its service is
	Draining bool       `json:"draining"`
	Job      string     `json:"job,omitempty"`
	Since    *time.Time `json:"since,omitempty"` // of the state
	Version  string     `json:"version"`         // of GitHub's runner
	Service  string     `json:"service,omitempty"`
	User     string     `json:"user"`
	Dir      string     `json:"dir"`
}

func newList(call *session) *cobra.Command {
	o := &listOptions{}
	return call.command("list", "List the runners of this host", `
Shows each runner of this host in a line: what it belongs to, what it does, the
job that it runs, since when, and the version of GitHub's runner. It asks nobody
but this host, and judges nothing: see status.`, o.groups(),
		func(ctx context.Context) error {
			return call.bounded(ctx, func(ctx context.Context) error { return runList(ctx, call, o) })
		})
}

func runList(ctx context.Context, call *session, o *listOptions) error {
	host, err := call.host(credential{})
	if err != nil {
		return err
	}
	witnesses := status.Witnesses{Store: host.Store, Service: services{}.witness, Machine: host.Machine}
	all, failed := witnesses.Look(ctx, "")
	if failed != nil && len(all) == 0 {
		return failed
	}
	if o.output.json {
		listed := make([]listedRunner, 0, len(all))
		for _, one := range all {
			listed = append(listed, listedRunner{
				Name: one.Name, ScopeURL: one.ScopeURL, State: stateWord(one), Draining: one.Listener.Draining, Job: one.Listener.Job,
				Since: one.Listener.Since, Version: one.Version, Service: one.Service.Name, User: one.User, Dir: one.Dir,
			})
		}
		if err := printJSON(call.out, listed); err != nil {
			return err
		}
		return failed
	}
	if len(all) == 0 {
		_, err := fmt.Fprintln(call.out, "there is no runner on this host")
		return err
	}
	err = terminal.Table(call.out, listHead, func(line func(string, ...any)) {
		for _, one := range all {
			line(listRow, listCells(one)...)
		}
	})
	if err != nil {
		return err
	}
	return failed
}

// The columns of list, which are the first of status.
const (
	listHead = "NAME\tSCOPE\tSTATE\tJOB\tSINCE\tVERSION"
	listRow  = "%s\t%s\t%s\t%s\t%s\t%s"
)

func listCells(s status.Runner) []any {
	state, since := stateWord(s), "-"
	if s.Listener.Draining && s.Listener.State != instance.Drained {
		state += ",draining"
	}
	if at := s.Listener.Since; at != nil && !at.IsZero() {
		since = at.Local().Format("2006-01-02 15:04")
	}
	return []any{s.Name, shortScope(s.ScopeURL), state, firstOf(shortened(s.Listener.Job, mostOfJob), "-"), since, firstOf(s.Version, "-")}
}

// stateWord is what a runner does, in a word.
func stateWord(s status.Runner) string {
	if s.Service.State == string(svc.Failed) && s.Listener.PID == 0 {
		return string(svc.Failed)
	}
	return string(s.Listener.State)
}

// shortScope leaves out the server that nearly all runners are at.
func shortScope(url string) string { return strings.TrimPrefix(url, "https://github.com/") }

// mostOfJob is how much of a job's name a column has.
const mostOfJob = 24

func shortened(text string, most int) string {
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most-3]) + "..."
	}
	return text
}
