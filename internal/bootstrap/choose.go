package bootstrap

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/download"
	"github.com/runner-bootstrap/runner-bootstrap/internal/github"
)

// Source says where the runner is to come from. Its zero value is what GitHub
// offers.
type Source struct {
	Version string // pinned; empty: what is on offer
	SHA256  string // of the archive; empty: what GitHub says
	Mirror  string // URL of a directory with archives under GitHub's names
	Archive string // a file on this host
}

// choice is the runner that was chosen, and why.
type choice struct {
	asset  download.Asset
	cached bool
	reason string
}

// chooser finds the runner for one platform.
type chooser struct {
	*Host
	source   Source
	platform download.Platform
	client   *github.Client
	scoped   bool // the client may ask what is on offer for its scope
	latest   bool // an older version is not good enough, though it is cached

	asked *download.Asset // what is on offer, once it was asked for
}

func (c *chooser) choose(ctx context.Context) (choice, error) {
	var chosen choice
	var err error
	switch {
	case c.source.Archive != "":
		chosen, err = c.fromFile(ctx)
	case c.source.Version != "":
		chosen, err = c.fromPin(ctx)
	default:
		chosen, err = c.fromOffer(ctx)
	}
	if err != nil {
		return choice{}, err
	}
	if c.source.Mirror != "" && c.source.Archive == "" {
		chosen.asset, err = chosen.asset.At(c.source.Mirror)
	}
	return chosen, err
}

// fromOffer takes what GitHub offers, or an older version from the cache while
// GitHub still takes that: it updates itself as soon as it runs.
func (c *chooser) fromOffer(ctx context.Context) (choice, error) {
	if !c.scoped && !c.latest {
		if entry, found := c.newest(c.taken); found {
			return choice{asset: entry.Asset(c.platform), cached: true, reason: "from the cache"}, nil
		}
	}
	offer, err := c.offer(ctx)
	if err != nil {
		return choice{}, err
	}
	if offer, err = offer.RequireDigest(c.source.SHA256); err != nil {
		return choice{}, err
	}
	if entry, found := c.cachedBefore(offer); found && !c.latest && c.source.SHA256 == "" {
		verdict := c.judge(ctx, entry.Version)
		if verdict.state == current {
			return choice{asset: entry.Asset(c.platform), cached: true, reason: "from the cache; " + offer.Version + " is on offer"}, nil
		}
		c.Log.Info("leaving out a cached runner", "version", entry.Version, "reason", verdict.reason)
	}
	return c.proven(ctx, offer)
}

// cachedBefore finds the newest cached runner, if it is older than the offer.
func (c *chooser) cachedBefore(offer download.Asset) (download.Entry, bool) {
	entry, found := c.newest(func(e download.Entry) bool {
		return download.CompareVersions(e.Version, offer.Version) <= 0
	})
	return entry, found && entry.Version != offer.Version
}

// newest finds the newest cached runner of this platform that is wanted.
func (c *chooser) newest(wanted func(download.Entry) bool) (download.Entry, bool) {
	entries, err := c.Fetcher.Cache.Entries()
	if err != nil {
		return download.Entry{}, false
	}
	for _, entry := range entries {
		if entry.Platform == c.platform.String() && wanted(entry) {
			return entry, true
		}
	}
	return download.Entry{}, false
}

// fromPin takes exactly the version that the user wants, or nothing.
func (c *chooser) fromPin(ctx context.Context) (choice, error) {
	version, digest := c.source.Version, c.source.SHA256
	entry, found := c.newest(func(e download.Entry) bool {
		return e.Version == version && (digest == "" || e.SHA256 == digest)
	})
	if found {
		chosen := choice{asset: entry.Asset(c.platform), cached: true, reason: "from the cache"}
		if c.taken(entry) {
			return chosen, nil
		}
		return chosen, c.guard(ctx, version)
	}
	if digest != "" && c.source.Mirror != "" {
		asset := download.Asset{
			Platform: c.platform, Version: version, Filename: download.Filename(c.platform, version), SHA256: digest,
		}
		return choice{asset: asset, reason: notHere}, c.guard(ctx, version)
	}
	offer, err := c.offer(ctx)
	if err != nil {
		return choice{}, err
	}
	if offer.Version == version {
		if offer, err = offer.RequireDigest(digest); err != nil {
			return choice{}, err
		}
		return c.proven(ctx, offer)
	}
	if err := c.guard(ctx, version); err != nil {
		return choice{}, err
	}
	asset, err := c.released(ctx, version)
	if err != nil {
		return choice{}, err
	}
	return choice{asset: asset, reason: notHere}, nil
}

const notHere = "not on this host yet"

// proven sees to it that the offer's content can be proven.
func (c *chooser) proven(ctx context.Context, offer download.Asset) (choice, error) {
	if _, found := c.Fetcher.Cache.Find(offer); found {
		return choice{asset: offer, cached: true, reason: "from the cache"}, nil
	}
	if offer.HasDigest() {
		return choice{asset: offer, reason: notHere}, nil
	}
	released, err := c.released(ctx, offer.Version)
	if err != nil {
		return choice{}, undigested(offer.Filename, err)
	}
	offer.SHA256 = released.SHA256
	if _, found := c.Fetcher.Cache.Find(offer); found {
		return choice{asset: offer, cached: true, reason: "from the cache"}, nil
	}
	return choice{asset: offer, reason: notHere}, nil
}

// released is the archive of a version as its public release describes it.
func (c *chooser) released(ctx context.Context, version string) (download.Asset, error) {
	release, err := c.client.RunnerRelease(ctx, version)
	if err != nil {
		return download.Asset{}, err
	}
	asset, err := download.FromRelease(release, c.platform, c.source.SHA256)
	if err != nil {
		return download.Asset{}, err
	}
	if !asset.HasDigest() {
		return download.Asset{}, fmt.Errorf("choosing %s: %w", asset.Filename, download.ErrNoDigest)
	}
	return asset, nil
}

// offer is what GitHub offers for the platform: to the scope, or without a
// credential for one, to everybody. It is asked for once.
func (c *chooser) offer(ctx context.Context) (download.Asset, error) {
	if c.asked != nil {
		return *c.asked, nil
	}
	asset, err := c.askOffer(ctx)
	if err == nil {
		asset.Offered = time.Now().UTC().Truncate(time.Second)
		c.asked = &asset
	}
	return asset, err
}

func (c *chooser) askOffer(ctx context.Context) (download.Asset, error) {
	if !c.scoped {
		release, err := c.client.RunnerRelease(ctx, "")
		if err != nil {
			return download.Asset{}, err
		}
		return download.FromRelease(release, c.platform, "")
	}
	applications, err := c.client.Applications(ctx)
	if err != nil {
		return download.Asset{}, err
	}
	return download.Resolve(applications, c.platform, "")
}

// fromFile takes an archive on this host. Its name says what it is; its digest
// must be known from elsewhere.
func (c *chooser) fromFile(ctx context.Context) (choice, error) {
	path := c.source.Archive
	platform, version, ok := download.ParseFilename(filepath.Base(path))
	if !ok {
		platform, version = c.platform, c.source.Version
	}
	object := fmt.Sprintf("archive %q", path)
	switch {
	case version == "":
		return choice{}, &RefusedError{Object: object, Reason: ErrUnnamed, Name: path}
	case platform != c.platform:
		return choice{}, fmt.Errorf("choosing %s: %w: it is for %s, this host is %s", object, download.ErrPlatform, platform, c.platform)
	case c.source.Version != "" && c.source.Version != version:
		return choice{}, &RefusedError{Object: object, Reason: ErrOtherVersion, Detail: version, Name: path}
	}
	asset := download.Asset{
		Platform: platform, Version: version, Filename: download.Filename(platform, version),
		File: path, SHA256: c.source.SHA256,
	}
	if !asset.HasDigest() {
		digest, err := c.digestOf(ctx, version)
		if err != nil {
			return choice{}, undigested(object, err)
		}
		asset.SHA256 = digest
	}
	if _, found := c.Fetcher.Cache.Find(asset); found {
		return choice{asset: asset, cached: true, reason: "from the cache"}, c.guard(ctx, version)
	}
	return choice{asset: asset, reason: notHere}, c.guard(ctx, version)
}

// digestOf asks GitHub what the archive of a version must contain.
func (c *chooser) digestOf(ctx context.Context, version string) (string, error) {
	if offer, err := c.offer(ctx); err == nil && offer.Version == version && offer.HasDigest() {
		return offer.SHA256, nil
	}
	asset, err := c.released(ctx, version)
	return asset.SHA256, err
}

// undigested tells a digest that nobody knows from one that could not be asked
// for.
func undigested(object string, err error) error {
	if errors.Is(err, github.ErrNotFound) || errors.Is(err, download.ErrNoDigest) || errors.Is(err, download.ErrPlatform) {
		return fmt.Errorf("choosing %s: %w", object, download.ErrNoDigest)
	}
	return err
}
