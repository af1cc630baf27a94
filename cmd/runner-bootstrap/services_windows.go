package main

import (
	"context"

	"github.com/runner-bootstrap/runner-bootstrap/internal/svc"
	"github.com/runner-bootstrap/runner-bootstrap/internal/svc/scm"
)

// servicesAvailable is nil: every Windows has its service manager.
func servicesAvailable() error { return nil }

// jobsApart is true: jobs run in a service of their own.
func jobsApart(context.Context) bool { return true }

func describeService(unit svc.Unit) (*scm.Service, error) { return scm.New(unit) }

func serviceNamed(name string) (*scm.Service, error) { return scm.Named(name) }

// asService runs body, and answers for it to the service manager if that has started this process.
func asService(
	ctx context.Context, final func(error) (code int, final bool), body func(ctx context.Context, controls <-chan svc.Control) error,
) error {
	return scm.Managed(ctx, final, body)
}

func startedByWindows() bool { return scm.Started() }
