package agent

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/download"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/register"
	"github.com/runner-bootstrap/runner-bootstrap/internal/removal"
)

const (
	// lookEach is how often an agent asks for newer versions of its runner. Runners that came up together end their jobs at
	// different times, and so ask at different times.
	lookEach = 24 * time.Hour
	// lookAgain is when it asks again after it got no answer.
	lookAgain = time.Hour
)

// rooted keeps the files of a runner where they are root's.
type rooted struct {
	keeper *keeper

	mu     sync.Mutex
	looked time.Time // when newer versions were last asked for
}

// asked is when newer versions were last asked for.
func (r *rooted) asked() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.looked
}

// asks notes that they are asked for.
func (r *rooted) asks() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.looked = time.Now()
}

// clear makes an ephemeral runner whose files are root's ready for another registration: what jobs have added goes. Its own
// files need not be made again, since jobs can change none of them; that they are what was verified is looked at all the
// same, as a job with sudo is root: by whole, which is nil where another copy is needed anyway, or another version is wanted.
func (r *rooted) clear(record instance.Record, asset download.Asset) (whole func(context.Context) (bool, error), err error) {
	if !record.Rooted() || !record.Ephemeral && !record.JIT || asset.SHA256 != record.SHA256 {
		return nil, nil
	}
	k := r.keeper
	whole, err = k.fetcher.Renew(asset, record.Dir, "_diag")
	var mounted *removal.MountedError
	if errors.As(err, &mounted) {
		k.tellMounted(mounted.Points)
		err = nil
	}
	if err != nil || whole == nil {
		return nil, err
	}
	return whole, writeEnvironment(k, record, record.Dir)
}

// look is a look at a runner's files, which goes on beside other things. Nil has nothing to look at.
type look struct{ whole func() (bool, error) }

func lookAt(whole func() (bool, error)) *look { return &look{sync.OnceValues(whole)} }

// begin begins it, the first time.
func (l *look) begin() {
	if l != nil {
		go l.whole() //nolint:errcheck // end tells
	}
}

// end waits for it.
func (l *look) end() (whole bool, err error) {
	if l == nil {
		return true, nil
	}
	return l.whole()
}

// writeEnvironment writes the variables that jobs are to see into a new copy of the runner.
func writeEnvironment(k *keeper, record instance.Record, dir string) error {
	variables, err := k.store.KeptVariables(k.name)
	if err != nil || len(variables) == 0 {
		return err
	}
	_, err = register.WriteEnvironment(dir, register.FileOwner(record, k.user), variables, nil)
	return err
}

// untilOld is how long an answer will do that came at some moment. One that is to come, as the clock was set since, says nothing.
func untilOld(answered time.Time) time.Duration {
	if age := time.Since(answered); age >= 0 && age < lookEach {
		return lookEach - age
	}
	return 0
}

// newer is what a runner was made of, or the version on offer if its agent brings those to the runner, and it has not been
// asked for a day whether there is one. Without an answer the runner goes on as it is, and GitHub refuses it when it is too
// old.
func (r *rooted) newer(ctx context.Context, record instance.Record, asset download.Asset) download.Asset {
	k := r.keeper
	entry, _ := k.fetcher.Cache.Find(asset)
	if record.Update != instance.UpdateAgent || record.Source.Pinned || record.DisableUpdate ||
		untilOld(entry.Offered) > 0 || time.Since(r.asked()) < lookAgain {
		return asset
	}
	r.asks()
	chosen, err := k.offered(ctx, record, asset.Platform)
	if err == nil {
		_, _, err = k.fetcher.Fetch(ctx, chosen.Asset, func(int64, int64) {})
	}
	if err != nil {
		k.log.Warn("cannot ask for a newer version of the runner; it goes on as it is", "runner", k.name, "error", err)
		return asset
	}
	return chosen.Asset
}
