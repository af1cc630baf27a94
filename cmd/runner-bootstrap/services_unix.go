//go:build unix

package main

import (
	"context"

	"github.com/runner-bootstrap/runner-bootstrap/internal/svc"
	"github.com/runner-bootstrap/runner-bootstrap/internal/svc/systemd"
)

func servicesAvailable() error { return systemd.Available() }

func jobsApart(ctx context.Context) bool { return systemd.JobsApart(ctx) }

func describeService(unit svc.Unit) (*systemd.Service, error) { return systemd.New(unit) }

func serviceNamed(name string) (*systemd.Service, error) { return systemd.Named(name) }

// asService runs body. Systemd is answered by way of a [systemd.Notifier], and tells everything by signals.
func asService(
	ctx context.Context, _ func(error) (code int, final bool), body func(ctx context.Context, controls <-chan svc.Control) error,
) error {
	return body(ctx, nil)
}

// startedByWindows is false.
func startedByWindows() bool { return false }
