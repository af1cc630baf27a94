package bootstrap

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/control"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/plan"
	"github.com/runner-bootstrap/runner-bootstrap/internal/retry"
	"github.com/runner-bootstrap/runner-bootstrap/internal/startup"
)

// errNotExchanged says that the agent could not put another version into place.
var errNotExchanged = errors.New("another version cannot be put into its place")

// fetchBeside receives another version of a runner that is there, and touches nothing of that.
func fetchBeside(ctx context.Context, i *installer) (string, error) {
	_, cached, err := i.host.Fetcher.Fetch(ctx, *i.plan.Asset, i.host.Observer.Progress)
	if err != nil {
		return "", err
	}
	return fetched(*i.plan.Asset, cached), nil
}

// changeVersion has another version take the place of the one that is there, and the runner stay registered: no job notices. It is
// noted first, so that whichever agent comes next puts it into place where this process, or the agent, is killed. A service that is to be
// restarted anyway has it done by its next agent; else the agent that runs is told, and does it after the job that it may run.
func changeVersion(ctx context.Context, i *installer) (string, error) {
	wanted := i.details.Record.Wanted
	if !wanted.None() {
		if err := i.host.checkLibraries(*i.plan.Asset, i.details.Variables); err != nil {
			return "", err
		}
	}
	i.former.Remember(func() error { return wantAsBefore(ctx, i) })
	record, err := i.host.Store.Update(ctx, i.plan.Name, func(r *instance.Record) {
		r.Source = i.record.Source
		if wanted.None() {
			r.Wants(r.Version, r.SHA256)
		} else {
			r.Wants(wanted.Version, wanted.SHA256)
		}
	})
	if err != nil {
		return "", err
	}
	i.record.Version, i.record.SHA256, i.record.Wanted = record.Version, record.SHA256, record.Wanted
	switch {
	case record.Wanted.None() || wanted.None(): // what has begun ends when its agent starts
		return record.Version + " stays", nil
	case i.plan.ChangesIn(plan.ServicePhase):
		return wanted.Version + ", when its service starts", nil
	}
	words, err := exchangeNow(ctx, i)
	return cmp.Or(words, wanted.Version), err
}

// wantAsBefore has the version come back, or stay, that was there before this install: the other one does not come up.
func wantAsBefore(ctx context.Context, i *installer) error {
	before := i.details.Found.Origin
	_, err := i.host.Store.Update(context.WithoutCancel(ctx), i.plan.Name, func(r *instance.Record) {
		r.Wants(before.Version, before.SHA256)
	})
	return err
}

// exchangeNow tells the agent that another version is wanted. An agent that does not understand that is of an earlier version of this
// program: its service is restarted, after its job.
func exchangeNow(ctx context.Context, i *installer) (string, error) {
	record, err := i.host.Store.Load(i.plan.Name)
	if err != nil {
		return "", err
	}
	version := i.details.Record.Wanted.Version
	agent, err := i.host.Store.Running(i.plan.Name)
	if err != nil {
		return "", err
	}
	if agent.None() {
		return later(i, version+", when it starts"), nil
	}
	state, err := control.Tell(ctx, record.Control, control.Refresh)
	switch {
	case err == nil && state.Name == record.Name:
		return awaitExchange(ctx, i)
	case ctx.Err() != nil:
		return "", err
	case i.service == nil:
		i.host.Log.Warn("cannot tell the agent that another version is wanted; it sees that when it starts again", "runner", i.plan.Name,
			"error", err)
		return later(i, version+", when it starts again"), nil
	}
	i.host.Log.Info("the agent cannot be told that another version is wanted, and is restarted", "runner", i.plan.Name, "reason", err)
	words, err := i.installService(ctx)
	return version + ", " + words, err
}

// later notes that the version is still to come.
func later(i *installer, words string) string {
	i.plan.Details.Later = words
	return words
}

// awaitExchange waits until the version is there and its listener listens, but for no job. What does not come up gives way to what was
// there before.
func awaitExchange(ctx context.Context, i *installer) (string, error) {
	begin := time.Now()
	version := i.details.Record.Wanted.Version
	for {
		record, err := i.host.Store.Load(i.plan.Name)
		if err != nil {
			return "", err
		}
		if record.Wanted.None() {
			return listensAgain(ctx, i, begin)
		}
		if record.Wanted.Problem != "" {
			return "", fmt.Errorf("%w: %w: %s", startup.ErrService, errNotExchanged, record.Wanted.Problem)
		}
		report, alive, _, err := control.Latest(ctx, i.host.Store, record)
		switch {
		case err != nil:
			return "", err
		case !alive:
			return later(i, version+", when it starts again"), nil
		case report.State == instance.Busy:
			return later(i, version+", after the current job"), nil
		case report.Draining:
			return later(i, version+", before it takes jobs again"), nil
		case time.Since(begin) > instance.ComeUp:
			return later(i, version+", which is on its way"), nil
		}
		if err := retry.Sleep(ctx, lookEach); err != nil {
			return "", fmt.Errorf("waiting for version %s: %w", version, err)
		}
	}
}

// listensAgain waits for the listener of the version that was put into place.
func listensAgain(ctx context.Context, i *installer, begin time.Time) (string, error) {
	if i.service == nil {
		return i.details.Record.Wanted.Version, nil // who has started its agent sees what becomes of it
	}
	start := startup.Startup{Store: i.host.Store, Service: i.service, Record: i.record, User: i.jobUser}
	err := start.AwaitListening(ctx)
	switch {
	case err == nil:
		return fmt.Sprintf("%s, listening after %v", i.details.Record.Wanted.Version, time.Since(begin).Round(100*time.Millisecond)), nil
	case ctx.Err() != nil:
		return "", err
	}
	undo, cancel := context.WithTimeout(context.WithoutCancel(ctx), startup.UndoTime+plan.StopTimeout(i.record))
	defer cancel()
	return "", i.former.PutBack(undo, i.service, true, nil, fmt.Errorf("%w: %w", startup.ErrService, err))
}
