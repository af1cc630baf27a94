//go:build unix

package main

import (
	"context"
	"io"
	"os"

	"github.com/runner-bootstrap/runner-bootstrap/internal/svc"
	"github.com/runner-bootstrap/runner-bootstrap/internal/svc/systemd"
)

func servicesAvailable() error { return systemd.Available() }

func jobsApart(ctx context.Context) bool { return systemd.JobsApart(ctx) }

func describeService(unit svc.Unit) (hostService, error) { return systemd.New(unit) }

func serviceNamed(name string) (hostService, error) { return systemd.Named(name) }

// asService runs body. Systemd is answered by way of a [systemd.Notifier], and tells everything by signals.
func asService(
	ctx context.Context, _ func(error) (code int, final bool), body func(ctx context.Context, controls <-chan svc.Control) error,
) error {
	return body(ctx, nil)
}

// startedBy learns from the environment who has started this process.
func startedBy() starter {
	manager := systemd.NewNotifier(os.Getenv("NOTIFY_SOCKET"))
	watchdog := systemd.WatchdogInterval(os.Getenv("WATCHDOG_USEC"), os.Getenv("WATCHDOG_PID"))
	return starter{managed: manager.Listens(), manager: manager, watchdog: watchdog}
}

// journalOf is where the journal is found again that out goes to; empty if it goes to none.
func journalOf(out io.Writer) string {
	file, ok := out.(*os.File)
	if !ok {
		return ""
	}
	return systemd.JournalOf(file, os.Getenv("JOURNAL_STREAM"))
}
