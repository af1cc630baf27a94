package agent

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/download"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/supervise"
)

// versions brings newer versions to a persistent runner whose files are root's: it asks once a day, at another hour each
// time, receives what is new beside the jobs, and has it put into its place between two of them.
type versions struct {
	keeper *keeper
	order  func(supervise.Order)

	mu   sync.Mutex
	next download.Asset // what is in the cache, and is to take the place of what runs
}

// newVersions is nil for a runner whose versions come in another way: an ephemeral one gets them with its next registration.
func newVersions(k *keeper, record instance.Record, order func(supervise.Order)) *versions {
	// Whether it is pinned is for the record to say each time: an install may change that while the agent goes on.
	otherwise := record.Ephemeral || record.JIT || record.DisableUpdate
	if record.Update != instance.UpdateAgent || otherwise || k.user.Self {
		return nil
	}
	return &versions{keeper: k, order: order}
}

// run asks until ctx ends.
func (v *versions) run(ctx context.Context) {
	for {
		wait := time.NewTimer(v.due())
		select {
		case <-ctx.Done():
			wait.Stop()
			return
		case <-wait.C:
		}
		if v.look(ctx) {
			v.order(supervise.Order{Kind: supervise.Refresh, Reason: "a newer version of the runner is there"})
		}
	}
}

// due is how long it is until it is to be asked: a day after GitHub was last seen to offer what runs, and some hours that
// differ from runner to runner, or as soon as the answer is older than that. After a failure it waits in any case.
func (v *versions) due() time.Duration {
	k := v.keeper
	var offered time.Time
	if record, err := k.store.Load(k.name); err == nil {
		if record.Source.Pinned {
			return lookEach
		}
		if asset, found, err := k.cached(record); err == nil && found {
			entry, _ := k.fetcher.Cache.Find(asset)
			offered = entry.Offered
		}
	}
	spread := rand.N(lookEach / 4) //nolint:gosec // no secret
	if wait := untilOld(offered); wait > 0 {
		return wait + spread
	}
	if since := time.Since(k.rooted.asked()); since < lookAgain {
		return lookAgain - since + spread/lookSpread
	}
	return 0
}

// lookSpread makes minutes of hours.
const lookSpread = 20

// look asks, and receives what is newer. It tells whether there is something to be put into its place.
func (v *versions) look(ctx context.Context) bool {
	k := v.keeper
	record, err := k.store.Load(k.name)
	if err != nil {
		return false
	}
	asset, _, err := k.cached(record)
	if err != nil {
		return false
	}
	chosen := k.rooted.newer(ctx, record, asset)
	if chosen.SHA256 == record.SHA256 {
		return false
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.next = chosen
	return true
}

// refresh puts what was received into its place, while no listener runs.
func (v *versions) refresh(ctx context.Context) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	record, err := v.keeper.store.Load(v.keeper.name)
	if err != nil || record.Source.Pinned || v.next.SHA256 == "" || v.next.SHA256 == record.SHA256 {
		return err
	}
	return bring(ctx, v.keeper, record, v.next)
}
