package agent

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/runner-bootstrap/runner-bootstrap/internal/ahead"
	"github.com/runner-bootstrap/runner-bootstrap/internal/download"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/register"
	"github.com/runner-bootstrap/runner-bootstrap/internal/removal"
	"github.com/runner-bootstrap/runner-bootstrap/internal/runnerdir"
)

// freshen makes a runner root ready for another registration: a new copy from the
// cache takes its place, since a job could have changed what it is started with. An ephemeral runner keeps nothing of the job before
// but its logs; a persistent one its work folder as well. Where jobs run as the
// account that supervises, a copy would be no obstacle, and the work folder of an
// ephemeral runner alone is emptied. The copy before stays until discardOld.
//
// Where its files may stay, that they are right is still to be seen by rest; when they are not, anotherRoot is to follow.
func (k *keeper) freshen(ctx context.Context, record instance.Record, asset download.Asset) (rest *look, err error) {
	k.emptyWork(record)
	if k.user.Self {
		return nil, nil
	}
	whole, err := k.rooted.clear(record, asset)
	if err != nil || whole == nil {
		if err == nil {
			err = anotherRoot(ctx, k, record, asset)
		}
		return nil, err
	}
	return lookAt(func() (bool, error) { return whole(ctx) }), nil
}

// replaceRoot puts another copy of an asset in the place of the runner's directory, and takes along what outlives that.
// Where its files are root's, and right, what jobs have added goes.
func replaceRoot(ctx context.Context, k *keeper, record instance.Record, asset download.Asset) error {
	whole, err := k.rooted.clear(record, asset)
	if err != nil {
		return err
	}
	if whole != nil {
		if right, err := whole(ctx); right || err != nil {
			return err
		}
	}
	return anotherRoot(ctx, k, record, asset)
}

// anotherRoot is replaceRoot where the files are not right.
func anotherRoot(ctx context.Context, k *keeper, record instance.Record, asset download.Asset) error {
	ephemeral := record.Ephemeral || record.JIT
	folders := []string{"_diag"}
	if !ephemeral && filepath.IsLocal(record.Work) {
		// As a whole: a job may have put a link into the place of what is in it.
		first, _, _ := strings.Cut(filepath.ToSlash(filepath.Clean(record.Work)), "/")
		folders = append(folders, first)
	}
	if err := k.renewRoot(ctx, record, asset, folders); err != nil {
		return fmt.Errorf("renewing the runner in %q: %w", record.Dir, err)
	}
	var err error
	if asset.Version != record.Version || asset.SHA256 != record.SHA256 || !record.Wanted.None() {
		_, err = k.store.Update(ctx, k.name, func(r *instance.Record) { r.Becomes(asset.Version, asset.SHA256) })
	}
	return err
}

// renewRoot puts a new copy of an asset in the place of dir by way of next, and
// takes folders along.
func (k *keeper) renewRoot(ctx context.Context, record instance.Record, asset download.Asset, folders []string) error {
	dir, next := record.Dir, record.NextDir()
	if err := runnerdir.BringBack(dir, next, folders); err != nil { // what a killed process had on its way
		return err
	}
	if err := k.placeNext(ctx, record, asset, next); err != nil {
		return err
	}
	mounted, err := runnerdir.Mounts(dir)
	if err != nil {
		return err
	}
	if err := writeEnvironment(k, record, next); err != nil {
		return err
	}
	if len(mounted) > 0 {
		k.tellMounted(mounted)
		return runnerdir.Refill(dir, next, folders)
	}
	return runnerdir.Replace(dir, next, folders)
}

// restore gives a persistent runner the files back that its owner may have edited.
// A job may have done so as well: that is why they wait until the runner has joined.
func (k *keeper) restore(record instance.Record) error {
	for _, name := range runnerdir.Edited() {
		text, err := register.ReadFile(record.NextDir(), name)
		if err != nil {
			continue // it was not there, or is no file
		}
		if err := register.WriteFile(record.Dir, name, text, register.FileOwner(record, k.user)); err != nil {
			return fmt.Errorf("restoring %s: %w", name, err)
		}
	}
	return register.Seal(record, k.user)
}

// discardOld removes the copy before, or what has become of the next one: while the next job runs, where that
// can be.
func (k *keeper) discardOld(record instance.Record) {
	if k.ahead.Leave(context.Background(), record.NextDir()) == nil {
		return
	}
	if err := k.fetcher.Discard(context.Background(), record.NextDir()); err != nil {
		k.log.Warn("cannot remove the earlier copy of the runner", "runner", k.name, "error", err)
	}
}

// placeNext is place, by the copy that was made meanwhile if there is one.
func (k *keeper) placeNext(ctx context.Context, record instance.Record, asset download.Asset, next string) error {
	if err := k.fetcher.Discard(ctx, next); err != nil {
		return err
	}
	taken, err := k.ahead.Take(ctx, asset, next)
	if err != nil {
		k.log.Warn("the next copy of the runner is made again", "error", err)
	}
	if taken {
		return nil
	}
	return k.place(ctx, record, asset, next)
}

// aheadOf makes copies ahead of the end of a job, for a runner that is given a fresh one then; nil for another, also for
// one whose files jobs cannot change, and what
// a killed process has left is removed.
func (k *keeper) aheadOf(record instance.Record) *ahead.Copies {
	if !record.Ephemeral && !record.JIT || k.user.Self || record.Rooted() {
		if err := removal.Path(record.AheadDir()); err != nil {
			k.log.Warn("cannot remove copies of the runner", "error", err)
		}
		return nil
	}
	return &ahead.Copies{Dir: record.AheadDir(), Log: k.log, Make: func(ctx context.Context, there string) (download.Asset, error) {
		record, err := k.store.Load(k.name)
		if err != nil {
			return download.Asset{}, err
		}
		asset, found, err := wantedHere(k, record)
		if !found && err == nil {
			asset, found, err = k.cached(record)
		}
		if err == nil && !found {
			err = errNotCached
		}
		if err != nil {
			return download.Asset{}, err
		}
		return asset, k.place(ctx, record, asset, there)
	}}
}

var errNotCached = errors.New("its version is not in the cache")

// place puts a copy of an asset there, instead of what a killed process has left.
func (k *keeper) place(ctx context.Context, record instance.Record, asset download.Asset, dir string) error {
	if err := k.fetcher.Discard(ctx, dir); err != nil {
		return err
	}
	owner := download.Owner{UID: k.user.UID, GID: k.user.GID, SID: k.user.SID, Keep: k.user.Self, Sticky: record.Rooted() && !k.user.Self}
	_, err := k.fetcher.Place(ctx, asset, dir, owner, func(int64, int64) {})
	return err
}

// sameAgain is what the root was made of, or what an install wants it to be made of. A runner that has updated itself, or is
// no longer in the cache, begins with what is on offer now.
func (k *keeper) sameAgain(ctx context.Context, record instance.Record) (download.Asset, error) {
	if !record.Wanted.None() {
		asset, err := wanted(ctx, k, record)
		if err == nil {
			return asset, nil
		}
		noteProblem(ctx, k, record.Wanted, err)
		k.log.Warn("cannot get the version that was asked for; the runner goes on as it is", "runner", k.name,
			"version", record.Wanted.Version, "error", err)
	}
	asset, found, err := k.cached(record)
	if err != nil {
		return asset, err
	}
	if found {
		return k.rooted.newer(ctx, record, asset), nil
	}
	chosen, err := k.offered(ctx, record, asset.Platform)
	return chosen.Asset, err
}

// cached is what the root was made of, if it is in the cache and still what the runner is to be.
func (k *keeper) cached(record instance.Record) (asset download.Asset, found bool, err error) {
	platform, err := download.Host()
	if err != nil {
		return download.Asset{}, false, err
	}
	asset = download.Asset{Platform: platform, Version: record.Version, SHA256: record.SHA256}
	if entry, found := k.fetcher.Cache.Find(asset); found && (k.running(record) == record.Version || record.Source.Pinned) {
		return entry.Asset(platform), true, nil
	}
	return asset, false, nil
}
