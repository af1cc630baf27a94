package bootstrap

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/github"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/refusal"
	"github.com/runner-bootstrap/runner-bootstrap/internal/register"
)

const (
	// proofTries is how often more GitHub is asked whether it has forgotten a runner,
	// as its lists may lag behind, and proofPause how long after the first time; it is
	// doubled each time.
	proofTries = 3
	proofPause = 500 * time.Millisecond
)

// claims tells whether a runner that GitHub lists under a record's name is the
// record's own: by its id, or because it was made while this host registered one
// and did not hear of it. Then it has never connected, has the labels that were
// asked for, and was not there before. All others are somebody else's.
func claims(record instance.Record, runner github.Runner) bool {
	if runner.ID == record.RunnerID || slices.Contains(record.Owed, runner.ID) {
		return true
	}
	return registering(record) && abandoned(runner) && !slices.Contains(record.Before, runner.ID) &&
		len(github.Lacks(runner.Labels, askedLabels(record))) == 0
}

// registering tells whether GitHub may list a runner of which this host has not
// heard.
func registering(record instance.Record) bool {
	return record.Renewing || record.Phase == instance.Registering
}

// abandoned tells whether a runner was registered and never started.
func abandoned(runner github.Runner) bool {
	return !runner.Online() && !runner.Busy && runner.Version == ""
}

// takeAway deletes at GitHub what a record claims, and proves that it is gone: by
// id and by name. A runner with another name is none of ours, whatever a job has
// made us believe. Those of gone have been deleted already and are only to be
// proven. It returns the others of the name, which stay.
func takeAway(ctx context.Context, client *github.Client, record instance.Record, gone ...int64) (others []github.Runner, err error) {
	ids := slices.Clone(record.Owed)
	if record.RunnerID != 0 && !slices.Contains(ids, record.RunnerID) {
		ids = append(ids, record.RunnerID)
	}
	if registering(record) {
		named, err := client.Runners(ctx, record.Name)
		if err != nil {
			return nil, err
		}
		for _, runner := range named {
			if claims(record, runner) && !slices.Contains(ids, runner.ID) {
				ids = append(ids, runner.ID)
			}
		}
	}
	for _, id := range ids {
		if slices.Contains(gone, id) {
			continue
		}
		listed, err := lists(ctx, client, record.Name, id)
		if err == nil && listed {
			err = deleteByID(ctx, client, id)
		}
		if err != nil {
			return nil, err
		}
	}
	for _, id := range gone {
		if !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return proveGone(ctx, client, record, ids)
}

// lists asks for a runner by its id; one that has another name is another one.
func lists(ctx context.Context, client *github.Client, name string, id int64) (bool, error) {
	runner, err := client.Runner(ctx, id)
	if errors.Is(err, github.ErrNotFound) {
		return false, nil
	}
	return err == nil && strings.EqualFold(runner.Name, name), err
}

// proveGone asks GitHub until it lists none of the ids any more, and nothing else
// that the record claims, for a bounded time. It returns the others of the name.
func proveGone(ctx context.Context, client *github.Client, record instance.Record, ids []int64) (others []github.Runner, err error) {
	for try := 0; ; try++ {
		var still int64
		if others, still, err = lookFor(ctx, client, record, ids); err != nil || still == 0 {
			return others, err
		}
		if try == proofTries {
			return nil, &refusal.Error{
				Object: fmt.Sprintf("runner %q", record.Name), Reason: ErrStillListed, Detail: fmt.Sprintf("id %d", still), Name: record.Name,
			}
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(proofPause << try):
		}
	}
}

// lookFor looks once by name and by id: still is a runner that should be gone.
func lookFor(ctx context.Context, client *github.Client, record instance.Record, ids []int64) (others []github.Runner, still int64, err error) {
	named, err := client.Runners(ctx, record.Name)
	if err != nil {
		return nil, 0, err
	}
	for _, runner := range named {
		if slices.Contains(ids, runner.ID) || claims(record, runner) {
			return nil, runner.ID, nil
		}
		others = append(others, runner)
	}
	for _, id := range ids {
		if listed, err := lists(ctx, client, record.Name, id); err != nil || listed {
			return nil, id, err
		}
	}
	return others, 0, nil
}

// tellOthers says which runners of a record's name are left alone.
func (h *Host) tellOthers(record instance.Record, others []github.Runner) {
	for _, other := range others {
		h.Log.Warn(fmt.Sprintf("GitHub lists another runner called %s, id %d, which this host did not register: it stays", other.Name, other.ID),
			"runner", record.Name, "status", other.Status)
	}
}

// deleteByID bears with GitHub calling a runner busy for a while after its
// listener was stopped.
func deleteByID(ctx context.Context, client *github.Client, id int64) error {
	ctx, cancel := context.WithTimeout(ctx, busyWait)
	defer cancel()
	for {
		err := client.DeleteRunner(ctx, id)
		if !errors.Is(err, github.ErrBusy) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(busyEach):
		}
	}
}

// mayBeListed tells whether a registration that failed may have come about: all but
// those that were refused before it.
func mayBeListed(cause error) bool {
	before := []error{
		register.ErrTokenRefused, register.ErrNameTaken, register.ErrGroupUnknown, register.ErrTooOld, register.ErrLibraries, register.ErrRefused,
	}
	return !slices.ContainsFunc(before, func(reason error) bool { return errors.Is(cause, reason) })
}
