package main

import (
	"context"
	"io"

	"github.com/runner-bootstrap/runner-bootstrap/internal/svc"
	"github.com/runner-bootstrap/runner-bootstrap/internal/svc/scm"
)

// servicesAvailable is nil: every Windows has its service manager.
func servicesAvailable() error { return nil }

// jobsApart is true: jobs run in a service of their own.
func jobsApart(context.Context) bool { return true }

func describeService(unit svc.Unit) (hostService, error) { return scm.New(unit) }

func serviceNamed(name string) (hostService, error) { return scm.Named(name) }

// asService runs body, and answers for it to the service manager if that has started this process.
func asService(
	ctx context.Context, final func(error) (code int, final bool), body func(ctx context.Context, controls <-chan svc.Control) error,
) error {
	return scm.Managed(ctx, final, body)
}

// startedBy asks Windows who has started this process.
func startedBy() starter {
	started := scm.Started()
	return starter{managed: started, mute: started, manager: unheard{}}
}

// unheard is the service manager of Windows: asService tells it all that it takes in, which is no text of ours.
type unheard struct{}

func (unheard) Ready(string) error    { return nil }
func (unheard) Status(string) error   { return nil }
func (unheard) Stopping(string) error { return nil }
func (unheard) Watchdog() error       { return nil }

// journalOf is empty: Windows has no journal.
func journalOf(io.Writer) string { return "" }
