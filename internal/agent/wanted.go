package agent

import (
	"context"
	"errors"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/download"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/supervise"
)

// exchanges has other versions take the place of the runner's while it is supervised, until ctx ends.
func exchanges(ctx context.Context, k *keeper, record instance.Record, order func(supervise.Order), config *supervise.Config) {
	v := newVersions(k, record, order)
	if v != nil {
		go v.run(ctx)
	}
	config.Refresh, config.Stale = sparing(refresh(k, v)), !record.Wanted.None()
	go insist(ctx, k, order)
}

// refresh puts another version into the runner's directory while no listener runs: the one that an install has asked for, or
// else the newer one that was received; v may be nil.
func refresh(k *keeper, v *versions) func(context.Context) error {
	return func(ctx context.Context) error {
		if err := exchange(ctx, k); err != nil || v == nil {
			return err
		}
		return v.refresh(ctx)
	}
}

// exchange puts the version into place that an install has asked for. The registration stays, and so does all that the account
// has in the directory. The record wants it until it is there: who is killed before that leaves it to the next agent.
func exchange(ctx context.Context, k *keeper) error {
	lock, record, err := lockedRecord(ctx, k.store, k.name)
	if err != nil {
		return err
	}
	defer lock.Release()
	if record.Wanted.None() {
		return nil
	}
	if !record.Rooted() && !record.Wanted.Begun && record.Wanted.Version != record.Version && k.running(record) == record.Wanted.Version {
		// It has updated itself to that meanwhile.
		_, err := k.store.Update(ctx, k.name, func(r *instance.Record) { r.Becomes(record.Wanted.Version, record.Wanted.SHA256) })
		return err
	}
	asset, err := wanted(ctx, k, record)
	if err == nil {
		err = bringWanted(ctx, k, record, asset)
	}
	if err != nil {
		noteProblem(ctx, k, record.Wanted, err)
	}
	return err
}

// bringWanted puts it into place, also where what the cache had of it was damaged.
func bringWanted(ctx context.Context, k *keeper, record instance.Record, asset download.Asset) error {
	err := bring(ctx, k, record, asset)
	if !errors.Is(err, download.ErrDamaged) {
		return err
	}
	if asset, err = wanted(ctx, k, record); err != nil {
		return err
	}
	return bring(ctx, k, record, asset)
}

// noteProblem has the record say why what is wanted is not there yet, for the install that waits for it. That it was broken off is
// no reason.
func noteProblem(ctx context.Context, k *keeper, missing instance.Wanted, problem error) {
	if ctx.Err() != nil {
		return
	}
	_, err := k.store.Update(ctx, k.name, func(r *instance.Record) {
		if r.Wanted.Of(missing.Version, missing.SHA256) {
			r.Wanted.Problem = problem.Error()
		}
	})
	if err != nil {
		k.log.Warn("cannot note why another version is not in its place", "runner", k.name, "error", err)
	}
}

// insist has what is wanted put into its place where that has failed, or nobody has said that it is wanted, until ctx ends.
func insist(ctx context.Context, k *keeper, order func(supervise.Order)) {
	again := time.NewTicker(lookAgain)
	defer again.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-again.C:
		}
		if record, err := k.store.Load(k.name); err == nil && !record.Wanted.None() {
			order(supervise.Order{Kind: supervise.Refresh, Reason: "version " + record.Wanted.Version + " is still to come"})
		}
	}
}

// wanted is the version that an install has asked for, in the cache: it was fetched by that install, and is fetched once more where it
// is gone.
func wanted(ctx context.Context, k *keeper, record instance.Record) (download.Asset, error) {
	asset, found, err := wantedHere(k, record)
	if found || err != nil {
		return asset, err
	}
	chooser := &download.Chooser{
		Cache: k.fetcher.Cache, Log: k.log, Platform: asset.Platform,
		Source: download.Source{Version: asset.Version, SHA256: asset.SHA256, Mirror: record.Source.Mirror},
	}
	chosen, err := k.asks(chooser).Choose(ctx)
	if err == nil {
		_, _, err = k.fetcher.Fetch(ctx, chosen.Asset, func(int64, int64) {})
	}
	return chosen.Asset, err
}

// wantedHere is what is wanted, and whether it is in the cache. Where nothing is, it is not.
func wantedHere(k *keeper, record instance.Record) (asset download.Asset, found bool, err error) {
	platform, err := download.Host()
	if err != nil || record.Wanted.None() {
		return download.Asset{}, false, err
	}
	asset = download.Asset{Platform: platform, Version: record.Wanted.Version, SHA256: record.Wanted.SHA256}
	if entry, found := k.fetcher.Cache.Find(asset); found {
		return entry.Asset(platform), true, nil
	}
	return asset, false, nil
}
