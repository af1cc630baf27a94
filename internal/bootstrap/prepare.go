package bootstrap

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/runner-bootstrap/runner-bootstrap/internal/download"
	"github.com/runner-bootstrap/runner-bootstrap/internal/github"
	"github.com/runner-bootstrap/runner-bootstrap/internal/places"
	"github.com/runner-bootstrap/runner-bootstrap/internal/plan"
	"github.com/runner-bootstrap/runner-bootstrap/internal/sealcheck"
)

// Prepared is a runner that lies ready in the cache.
type Prepared struct {
	download.Entry
	Cached bool `json:"cached"` // it was there before
	Sealed bool `json:"sealed"` // this host was looked over, and has nothing that an image must not have
	// Seal is what that look has found; nil without one.
	Seal *sealcheck.Report `json:"seal,omitempty"`
}

// PrepareRequest is what is wanted of a prepare.
type PrepareRequest struct {
	// Scope is asked for what is on offer, if there is a credential; otherwise its server's public releases are.
	Scope  github.Scope
	Source download.Source
	// Seal looks at the end whether this host can become an image; nil does not.
	Seal *SealRequest
}

// Prepare fills the cache, for an image or for the runners to come. It writes no secret and registers nothing. Without a
// credential it goes by the runner's public releases. It may be repeated; one that was interrupted is continued. With Seal it
// fails, with the cache filled, where a copy of this host would have a secret or be a runner already; what was found is returned
// beside that error.
func (h *Host) Prepare(ctx context.Context, r PrepareRequest) (Prepared, error) {
	lock, err := h.lock(ctx, fmt.Sprintf("filling the cache %q", h.Paths.Cache))
	if err != nil {
		return Prepared{}, err
	}
	defer h.unlock(lock)

	platform, err := download.Host()
	if err != nil {
		return Prepared{}, fmt.Errorf("choosing a runner for this host: %w", err)
	}
	chooser := &download.Chooser{
		Cache: h.Fetcher.Cache, Log: h.Log, Source: r.Source, Platform: platform, Latest: true,
	}
	chooser.Asks(r.Scope, h.Connect, h.Anonymous)
	var chosen download.Choice
	err = h.phase(plan.PlanPhase, h.Paths.Cache, func() (string, error) {
		chosen, err = chooser.Choose(ctx)
		if err == nil && !chosen.Cached {
			err = places.CheckCache(h.Paths)
		}
		return "runner version " + chosen.Asset.Version + ", " + chosen.Reason, err
	})
	if err != nil {
		return Prepared{}, err
	}
	var prepared Prepared
	h.Observer.Begin(plan.FetchPhase, chosen.Asset.Filename)
	prepared.Entry, prepared.Cached, err = h.Fetcher.Ensure(ctx, chosen.Asset, h.Observer.Progress)
	h.Observer.End(plan.FetchPhase, fetched(chosen.Asset, prepared.Cached), prepared.Cached, err)
	if err != nil || r.Seal == nil {
		return prepared, err
	}
	err = h.phase(plan.SealPhase, "this host", func() (string, error) {
		prepared.Seal, err = h.seal(ctx, *r.Seal)
		if err != nil {
			return "", err
		}
		folders := strings.Join(prepared.Seal.Folders, ", ")
		return fmt.Sprintf("no runner and no secret was found in %d files below %s", prepared.Seal.Files, folders), nil
	})
	prepared.Sealed = err == nil
	return prepared, err
}

// fetched says how a runner came.
func fetched(asset download.Asset, cached bool) string {
	if cached {
		return fmt.Sprintf("version %s, from the cache", asset.Version)
	}
	from := "downloaded"
	if asset.File != "" {
		from = "from " + filepath.Dir(asset.File)
	}
	return fmt.Sprintf("version %s, SHA-256 verified, %s", asset.Version, from)
}

// ListCache lists the runners in the cache, newest versions first.
func (h *Host) ListCache() ([]download.Entry, error) { return h.Fetcher.Cache.Entries() }

// PruneCache removes from the cache what interrupted runs have left, and all but the newest runners, keep of each platform.
// It returns the runners that were removed, or with dry those that would be.
func (h *Host) PruneCache(ctx context.Context, keep int, dry bool) ([]download.Entry, error) {
	if dry {
		return h.Fetcher.Cache.Prune(keep, true)
	}
	lock, err := h.lock(ctx, fmt.Sprintf("pruning the cache %q", h.Paths.Cache))
	if err != nil {
		return nil, err
	}
	defer h.unlock(lock)
	return h.Fetcher.Cache.Prune(keep, false)
}
