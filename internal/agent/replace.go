package agent

import (
	"context"
	"errors"
	"fmt"

	"github.com/runner-bootstrap/runner-bootstrap/internal/download"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/runnerdir"
	"github.com/runner-bootstrap/runner-bootstrap/internal/supervise"
)

// replace puts the version that GitHub offers into a runner root whose version
// GitHub refuses; the runner can then no longer do it itself. The registration
// and everything else in the root stay. [supervise.ErrNothingNewer] if there is
// no other version. After a failure either the old or the new version is there.
func (k *keeper) replace(ctx context.Context) error {
	record, err := k.store.Load(k.name)
	if err != nil {
		return err
	}
	if !record.Replaceable() {
		return supervise.ErrVersionRefused // an install has pinned it since this agent began
	}
	platform, err := download.Host()
	if err != nil {
		return err
	}
	chosen, err := k.offered(ctx, record, platform)
	if err != nil {
		return err
	}
	before := k.running(record)
	if chosen.Asset.Version == before {
		return supervise.ErrNothingNewer
	}
	k.log.Warn("GitHub refuses this runner version, and it is replaced", "runner", k.name, "version", before, "by", chosen.Asset.Version)
	return bring(ctx, k, record, chosen.Asset)
}

// bring puts another version into a runner root. The registration and everything else in the root stay. After a failure
// either the old or the new version is there.
func bring(ctx context.Context, k *keeper, record instance.Record, asset download.Asset) (err error) {
	before := k.running(record)
	log := k.log.With("runner", k.name, "version", before, "by", asset.Version)
	next := record.NextDir()
	if err := k.place(ctx, record, asset, next); err != nil {
		return err
	}
	if err := begin(ctx, k, asset); err != nil {
		return errors.Join(err, k.fetcher.Discard(ctx, next))
	}
	if record.Rooted() {
		err = runnerdir.UpdateRooted(record.Dir, next)
	} else {
		err = runnerdir.Update(record.Dir, next, asset.Version, before, k.user.Own)
	}
	if err != nil {
		return fmt.Errorf("replacing the runner in %q: %w", record.Dir, err)
	}
	log.Info("the runner version is replaced")
	_, err = k.store.Update(ctx, k.name, func(r *instance.Record) { r.Becomes(asset.Version, asset.SHA256) })
	return errors.Join(err, k.fetcher.Discard(ctx, next))
}

// begin notes that a version is about to be put into place: the agent that comes after a kill goes on with that.
func begin(ctx context.Context, k *keeper, asset download.Asset) error {
	other := false
	_, err := k.store.Update(ctx, k.name, func(r *instance.Record) {
		if other = !r.Wanted.None() && !r.Wanted.Of(asset.Version, asset.SHA256); !other {
			r.Wanted = instance.Wanted{Version: asset.Version, SHA256: asset.SHA256, Begun: true}
		}
	})
	if err == nil && other {
		err = errOtherWanted
	}
	return err
}

var errOtherWanted = errors.New("another version is wanted meanwhile")

// offered is the newest version that GitHub offers for the runner's scope.
func (k *keeper) offered(ctx context.Context, record instance.Record, platform download.Platform) (download.Choice, error) {
	chooser := &download.Chooser{
		Cache: k.fetcher.Cache, Log: k.log, Source: download.Source{Mirror: record.Source.Mirror}, Platform: platform, Latest: true,
	}
	return k.asks(chooser).Choose(ctx)
}

// running is the version that the listener has told, else what was installed.
func (k *keeper) running(record instance.Record) string {
	if report, err := k.store.LoadReport(k.name); err == nil && report.Version != "" {
		return report.Version
	}
	return record.Version
}
