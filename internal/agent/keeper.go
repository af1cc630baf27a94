package agent

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"sync"

	"github.com/runner-bootstrap/runner-bootstrap/internal/account"
	"github.com/runner-bootstrap/runner-bootstrap/internal/ahead"
	"github.com/runner-bootstrap/runner-bootstrap/internal/download"
	"github.com/runner-bootstrap/runner-bootstrap/internal/github"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/jail"
	"github.com/runner-bootstrap/runner-bootstrap/internal/refusal"
	"github.com/runner-bootstrap/runner-bootstrap/internal/register"
	"github.com/runner-bootstrap/runner-bootstrap/internal/strays"
)

// keeper changes the registration of one runner while it is supervised. Each
// change holds the registration's lock, and is announced in the record first.
type keeper struct {
	store   *instance.Store
	fetcher *download.Fetcher
	log     *slog.Logger
	// connect gives a client with the credential as it is now; nil without one.
	connect func() *github.Client
	// asks says who is asked for newer versions.
	asks        func(*download.Chooser) *download.Chooser
	environment []string
	name        string
	user        account.User
	maker       jail.Maker    // confines a config.sh as it does listeners
	ahead       *ahead.Copies // nil where no copies are made ahead
	rooted      rooted
	mounted     []string       // what was told last to be mounted in the runner's directory
	aside       sync.WaitGroup // what goes on beside the listener, and ends before the agent does
}

// renew registers the runner again. The remains of the job before are removed
// first, and so is what GitHub still lists of this runner. After a failure, or
// a kill, it may be repeated.
func (k *keeper) renew(ctx context.Context) error {
	lock, record, err := lockedRecord(ctx, k.store, k.name)
	if err != nil {
		return err
	}
	defer lock.Release()
	if err := (strays.Company{Store: k.store, User: k.user, Log: k.log}).Clear(ctx, record); err != nil {
		return err
	}
	asset, err := k.sameAgain(ctx, record)
	if err != nil {
		return err
	}
	defer k.fetcher.Hold(asset)()
	rest, err := k.freshen(ctx, record, asset)
	if err != nil {
		return err
	}
	defer k.discardOld(record)
	defer rest.end() //nolint:errcheck // for where something else has failed
	renewed := make(chan struct{})
	defer close(renewed)
	room := roomOf(k, record, asset, rest, lock, func(do func()) {
		k.aside.Go(func() { <-renewed; do() }) // what is written down first would wait for the disk with it
	})
	if !record.JIT {
		room = room.Prepare(ctx)
		defer room.Drop()
	}
	client := k.connect()
	if err := k.deleteStaleRunners(ctx, client, record); err != nil {
		return err
	}
	record, err = k.store.Update(ctx, k.name, func(r *instance.Record) {
		r.Renewing, r.RunnerID, r.PendingDeletes, r.Before = true, 0, nil, nil
	})
	if err != nil {
		return err
	}
	if record.JIT {
		rest.begin()
	}
	settings, err := register.Joiner{Client: client, Store: k.store, Record: record, Shares: !k.user.Self, Room: room}.Join(ctx)
	if err == nil && !record.Ephemeral && !record.JIT {
		err = k.restore(record)
	}
	if err == nil {
		err = makeWhole(ctx, k, record, asset, rest)
	}
	if err != nil {
		return err // the record says so: the next one looks for what it may have left
	}
	_, err = k.store.Update(ctx, k.name, func(r *instance.Record) {
		r.Renewing, r.RunnerID = false, settings.ID
		r.Used = r.Used && !record.Ephemeral && !record.JIT
	})
	return err
}

// roomOf is where config.sh registers the runner again. It is removed later: while the listener starts.
func roomOf(
	k *keeper, record instance.Record, asset download.Asset, rest *look, lock *instance.Lock, later func(func()),
) register.Room {
	copies := copiesOf(k.fetcher, record, asset)
	place := copies.Place
	copies.Place = func(ctx context.Context, dir string) error {
		defer rest.begin() // it takes as long as config.sh; before, the copy would have to wait for it
		return place(ctx, dir)
	}
	room := register.NewRoom(k.store, record, copies, k.environment, k.log, lock)
	room.Maker, room.Later = k.maker, later
	return room
}

// makeWhole has another copy of the runner take the place of one whose files are not right.
func makeWhole(ctx context.Context, k *keeper, record instance.Record, asset download.Asset, rest *look) error {
	if whole, err := rest.end(); whole || err != nil {
		return err
	}
	return anotherRoot(ctx, k, record, asset)
}

// lockedRecord takes the registration's lock, and reads the record of a runner that is to stay. The caller releases the
// lock; after a failure nobody holds it.
func lockedRecord(ctx context.Context, store *instance.Store, name string) (*instance.Lock, instance.Record, error) {
	lock, err := store.LockRegistration(ctx, name)
	if err != nil {
		return nil, instance.Record{}, err
	}
	record, err := store.Load(name)
	if err == nil {
		err = refuseRemoved(record)
	}
	if err != nil {
		lock.Release()
		return nil, instance.Record{}, err
	}
	return lock, record, nil
}

// refuseRemoved refuses a runner whose uninstall has begun: it belongs to the next one.
func refuseRemoved(record instance.Record) error {
	if record.Phase != instance.Removing {
		return nil
	}
	return &refusal.Error{Object: fmt.Sprintf("runner %q on this host", record.Name), Reason: instance.ErrRemoving, Name: record.Name}
}

// copiesOf are of what config.sh of the runner is run from.
func copiesOf(fetcher *download.Fetcher, record instance.Record, asset download.Asset) register.Copies {
	return register.Copies{
		Folders: register.RoomsOf(fetcher.Cache.Dir, filepath.Dir(record.Dir)),
		Place:   func(ctx context.Context, dir string) error { return fetcher.PlaceBare(ctx, asset, dir) },
		Discard: fetcher.Discard,
	}
}

// kept is the registration that is kept of the runner.
func (k *keeper) kept(record instance.Record) register.Kept { return register.KeptOf(k.store, record) }

// adopt takes over a registration that an earlier version has left in the runner's
// directory alone.
func (k *keeper) adopt(ctx context.Context, record instance.Record) error {
	var client *github.Client
	if k.connect != nil {
		client = k.connect()
	}
	return k.kept(record).Adopt(ctx, client)
}

// reconcile notes what a supervisor that was killed has registered and not noted,
// and that the runner, which comes back now, is not to leave any more.
func (k *keeper) reconcile(ctx context.Context, record instance.Record) (instance.Record, error) {
	if id := record.RunnerID; id != 0 && slices.Contains(record.PendingDeletes, id) {
		return k.store.Update(ctx, k.name, func(r *instance.Record) {
			r.PendingDeletes = slices.DeleteFunc(r.PendingDeletes, func(pending int64) bool { return pending == id })
		})
	}
	if !record.Renewing && record.RunnerID != 0 {
		return record, nil
	}
	settings, err := k.kept(record).Settings()
	if err != nil {
		return record, nil //nolint:nilerr // what needs a registration will say what is wrong with it
	}
	return k.store.Update(ctx, k.name, func(r *instance.Record) { r.Renewing, r.RunnerID = false, settings.ID })
}

// deleteStaleRunners removes what GitHub still lists of this runner; a stranger of its name is
// an error.
func (k *keeper) deleteStaleRunners(ctx context.Context, client *github.Client, record instance.Record) error {
	runners, err := client.Runners(ctx, record.Name)
	if err != nil {
		return err
	}
	stale := slices.Clone(record.PendingDeletes)
	for _, runner := range runners {
		switch {
		case slices.Contains(stale, runner.ID):
		case register.Claims(record, runner):
			stale = append(stale, runner.ID)
		default:
			return &refusal.Error{
				Object: fmt.Sprintf("runner %q", record.Name), Reason: register.ErrNameListed,
				Detail: fmt.Sprintf("id %d, %s", runner.ID, runner.Status), Name: record.Name,
			}
		}
	}
	for _, id := range stale {
		if err := register.DeleteByID(ctx, client, id); err != nil {
			return err
		}
	}
	return nil
}

// deregister takes the runner away from GitHub and proves that. What could not be done
// in time stays in the record as pending, and is done at the next start or by
// uninstall. It tells whether there was anything to take away.
func (k *keeper) deregister(ctx context.Context) (left bool, err error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), instance.DeregisterTimeout)
	defer cancel()
	lock, err := k.store.LockRegistration(ctx, k.name)
	if err != nil {
		return false, err
	}
	defer lock.Release()
	record, err := k.store.Update(ctx, k.name, func(r *instance.Record) {
		if r.RunnerID != 0 && !slices.Contains(r.PendingDeletes, r.RunnerID) {
			r.PendingDeletes = append(r.PendingDeletes, r.RunnerID)
		}
	})
	if err != nil || len(record.PendingDeletes) == 0 && !record.Renewing {
		return false, err
	}
	// Where it was stopped while it joined, GitHub may list it all the same.
	others, err := register.DeletePending(ctx, k.connect(), record)
	if err != nil {
		return false, err
	}
	register.WarnOfOthers(k.log, record.Name, others)
	// Not before: without it the next start would not know the runner any more.
	if err := k.kept(record).Forget(); err != nil {
		return false, err
	}
	_, err = k.store.Update(ctx, k.name, func(r *instance.Record) { r.PendingDeletes, r.RunnerID, r.Renewing = nil, 0, false })
	return true, err
}
