package register

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/github"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/refusal"
)

const (
	// busyWait is how long GitHub may go on calling a stopped runner busy.
	busyWait = time.Minute
	busyEach = 3 * time.Second

	// proofTries is how often more GitHub is asked whether it has forgotten a runner,
	// as its lists may lag behind, and proofPause how long after the first time; it is
	// doubled each time.
	proofTries = 3
	proofPause = 500 * time.Millisecond
)

// Claims tells whether a runner that GitHub lists under a record's name is the
// record's own: by its id, or because it was made while this host registered one
// and did not hear of it. Then it has never connected, has the labels that were
// asked for, and was not there before. All others are somebody else's.
func Claims(record instance.Record, runner github.Runner) bool {
	if runner.ID == record.RunnerID || slices.Contains(record.PendingDeletes, runner.ID) {
		return true
	}
	return Unconfirmed(record) && abandoned(runner) && !slices.Contains(record.Before, runner.ID) &&
		len(github.Lacks(runner.Labels, AskedLabels(record))) == 0
}

// Unconfirmed tells whether GitHub may list a runner of which this host has not
// heard.
func Unconfirmed(record instance.Record) bool {
	return record.Renewing || record.Phase == instance.Registering
}

// abandoned tells whether a runner was registered and never started.
func abandoned(runner github.Runner) bool {
	return !runner.Online() && !runner.Busy && runner.Version == ""
}

// DeletePending deletes at GitHub what a record claims, and proves that it is gone: by
// id and by name. A runner with another name is none of ours, whatever a job has
// made us believe. Those of gone have been deleted already and are only to be
// proven. It returns the others of the name, which stay.
func DeletePending(ctx context.Context, client *github.Client, record instance.Record, gone ...int64) (others []github.Runner, err error) {
	ids, err := claimed(ctx, client, record)
	if err != nil {
		return nil, err
	}
	for _, id := range ids {
		if slices.Contains(gone, id) {
			continue
		}
		listed, err := lists(ctx, client, record.Name, id)
		if err == nil && listed {
			err = DeleteByID(ctx, client, id)
		}
		if err != nil {
			return nil, err
		}
	}
	return ProveGone(ctx, client, record, with(ids, gone...))
}

// claimed are the ids of all that a record claims. GitHub is asked where it may list
// a runner of which this host has not heard.
func claimed(ctx context.Context, client *github.Client, record instance.Record) ([]int64, error) {
	ids := slices.Clone(record.PendingDeletes)
	if record.RunnerID != 0 {
		ids = with(ids, record.RunnerID)
	}
	if !Unconfirmed(record) {
		return ids, nil
	}
	named, err := client.Runners(ctx, record.Name)
	for _, runner := range named {
		if Claims(record, runner) {
			ids = with(ids, runner.ID)
		}
	}
	return ids, err
}

// with adds to ids those that are not among them.
func with(ids []int64, more ...int64) []int64 {
	for _, id := range more {
		if !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return ids
}

// lists asks for a runner by its id; one that has another name is another one.
func lists(ctx context.Context, client *github.Client, name string, id int64) (bool, error) {
	runner, err := client.Runner(ctx, id)
	if errors.Is(err, github.ErrNotFound) {
		return false, nil
	}
	return err == nil && strings.EqualFold(runner.Name, name), err
}

// ProveGone asks GitHub until it lists none of the ids any more, and nothing else
// that the record claims, for a bounded time. It returns the others of the name.
func ProveGone(ctx context.Context, client *github.Client, record instance.Record, ids []int64) (others []github.Runner, err error) {
	for try := 0; ; try++ {
		var still int64
		if others, still, err = lookFor(ctx, client, record, ids); err != nil || still == 0 {
			return others, err
		}
		if try == proofTries {
			return nil, &refusal.Error{
				Object: fmt.Sprintf("runner %q", record.Name), Reason: ErrStillListed,
				Detail: fmt.Sprintf("id %d", still), Name: record.Name,
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
func lookFor(ctx context.Context, client *github.Client, record instance.Record, ids []int64) (
	others []github.Runner, still int64, err error,
) {
	named, err := client.Runners(ctx, record.Name)
	if err != nil {
		return nil, 0, err
	}
	for _, runner := range named {
		if slices.Contains(ids, runner.ID) || Claims(record, runner) {
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

// WarnOfOthers says which runners of a name are left alone.
func WarnOfOthers(log *slog.Logger, name string, others []github.Runner) {
	for _, other := range others {
		text := fmt.Sprintf("GitHub lists another runner called %s, id %d, which this host did not register: it stays",
			other.Name, other.ID)
		log.Warn(text, "runner", name, "status", other.Status) //nolint:sloglint // people are shown this text alone
	}
}

// DeleteByID bears with GitHub calling a runner busy for a while after its
// listener was stopped.
func DeleteByID(ctx context.Context, client *github.Client, id int64) error {
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

// Undo takes away what a registration that failed for cause may have left, on this
// host and at GitHub, and proves that: a runner that was not there before and never
// connected. A nil client asks nobody. It tells whether the record may forget that it
// was registering; where GitHub cannot be asked, it has to go on saying that GitHub
// may list the runner.
func (k Kept) Undo(ctx context.Context, client *github.Client, cause error, log *slog.Logger) (settled bool, err error) {
	record := k.record
	if err := k.Forget(); err != nil {
		return false, err
	}
	// A name that was taken in the meantime is somebody else's.
	if client != nil && !errors.Is(cause, ErrNameTaken) {
		others, err := DeletePending(ctx, client, record)
		if err != nil {
			log.Warn("GitHub may list the runner; the next install or uninstall looks for it again", "runner", record.Name, "error", err)
			return false, nil
		}
		WarnOfOthers(log, record.Name, others)
	}
	if client == nil && mayBeListed(cause) {
		log.Warn("GitHub may list the runner all the same; without a credential it was not asked", "runner", record.Name)
	}
	return true, nil
}

// mayBeListed tells whether a registration that failed may have come about: all but
// those that were refused before it.
func mayBeListed(cause error) bool {
	before := []error{
		ErrTokenRefused, ErrNameTaken, ErrGroupUnknown, ErrTooOld, ErrLibraries, ErrRefused,
	}
	return !slices.ContainsFunc(before, func(reason error) bool { return errors.Is(cause, reason) })
}
