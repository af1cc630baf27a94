package download

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/github"
	"github.com/runner-bootstrap/runner-bootstrap/internal/refusal"
)

// Source says where the runner is to come from. Its zero value is what GitHub
// offers.
type Source struct {
	Version string // pinned; empty: what is on offer
	SHA256  string // of the archive; empty: what GitHub says
	Mirror  string // URL of a directory with archives under GitHub's names
	// MirrorHeaders is a file with headers that requests to the mirror have; it is for who makes the [Fetcher].
	MirrorHeaders string
	Archive       string // a file on this host
}

// Choice is the runner that was chosen, and why.
type Choice struct {
	Asset  Asset
	Cached bool
	Reason string
}

// Chooser finds the runner for one platform.
type Chooser struct {
	Cache    Cache
	Log      *slog.Logger
	Source   Source
	Platform Platform
	Client   *github.Client
	Scoped   bool // Client may ask what is on offer for its scope
	Latest   bool // an older version is not good enough, though it is cached
	// Public asks github.com, without a credential, for what the server of Client does not have; nil where that is
	// github.com itself.
	Public *github.Client

	offered *Asset // once it was asked for
}

// Asks says who is asked for runners: the scope's server, with a credential where connect is not nil, and without one
// by anonymous. What another server than github.com does not have is asked of github.com, without one.
func (c *Chooser) Asks(scope github.Scope, connect, anonymous func(github.Scope) *github.Client) *Chooser {
	if c.Scoped = connect != nil; c.Scoped {
		c.Client = connect(scope)
	} else {
		c.Client = anonymous(scope)
	}
	if public, err := github.ParseScope(publicRunner, ""); err == nil && anonymous != nil && !isPublic(scope) {
		c.Public = anonymous(public)
	}
	return c
}

// Choose finds the runner that is wanted. It changes nothing, and may be called
// again: what is on offer is asked for once. A version that GitHub refuses is
// refused with [ErrOutdated], one that nobody can prove with [ErrNoDigest].
func (c *Chooser) Choose(ctx context.Context) (Choice, error) {
	var chosen Choice
	var err error
	switch {
	case c.Source.Archive != "":
		chosen, err = c.fromFile(ctx)
	case c.Source.Version != "":
		chosen, err = c.fromPin(ctx)
	default:
		chosen, err = c.fromOffer(ctx)
	}
	if err != nil {
		return Choice{}, err
	}
	if c.Source.Mirror != "" && c.Source.Archive == "" {
		chosen.Asset, err = chosen.Asset.At(c.Source.Mirror)
	}
	return chosen, err
}

// fromOffer takes what GitHub offers, or an older version from the cache while
// GitHub still takes that: it updates itself as soon as it runs.
func (c *Chooser) fromOffer(ctx context.Context) (Choice, error) {
	if !c.Scoped && !c.Latest {
		if entry, found := c.newest(c.acceptedByGitHub); found {
			return Choice{Asset: entry.Asset(c.Platform), Cached: true, Reason: "from the cache"}, nil
		}
	}
	offer, err := c.offer(ctx)
	if err != nil {
		return Choice{}, err
	}
	if offer, err = offer.RequireDigest(c.Source.SHA256); err != nil {
		return Choice{}, err
	}
	if entry, found := c.cachedBefore(offer); found && !c.Latest && c.Source.SHA256 == "" {
		verdict := c.judge(ctx, entry.Version)
		if verdict.state == accepted {
			return Choice{Asset: entry.Asset(c.Platform), Cached: true, Reason: "from the cache; " + offer.Version + " is on offer"}, nil
		}
		c.Log.Info("leaving out a cached runner", "version", entry.Version, "reason", verdict.reason)
	}
	return c.proven(ctx, offer)
}

// cachedBefore finds the newest cached runner, if it is older than the offer.
func (c *Chooser) cachedBefore(offer Asset) (Entry, bool) {
	entry, found := c.newest(func(e Entry) bool {
		return CompareVersions(e.Version, offer.Version) <= 0
	})
	return entry, found && entry.Version != offer.Version
}

// newest finds the newest cached runner of this platform that is wanted.
func (c *Chooser) newest(wanted func(Entry) bool) (Entry, bool) {
	entries, err := c.Cache.Entries()
	if err != nil {
		return Entry{}, false
	}
	for _, entry := range entries {
		if entry.Platform == c.Platform.String() && wanted(entry) {
			return entry, true
		}
	}
	return Entry{}, false
}

// fromPin takes exactly the version that the user wants, or nothing.
func (c *Chooser) fromPin(ctx context.Context) (Choice, error) {
	version, digest := c.Source.Version, c.Source.SHA256
	entry, found := c.newest(func(e Entry) bool {
		return e.Version == version && (digest == "" || e.SHA256 == digest)
	})
	if found {
		chosen := Choice{Asset: entry.Asset(c.Platform), Cached: true, Reason: "from the cache"}
		if c.acceptedByGitHub(entry) {
			return chosen, nil
		}
		return chosen, c.guard(ctx, version)
	}
	if digest != "" && c.Source.Mirror != "" {
		asset := Asset{
			Platform: c.Platform, Version: version, Filename: Filename(c.Platform, version), SHA256: digest,
		}
		return Choice{Asset: asset, Reason: notHere}, c.guard(ctx, version)
	}
	if c.Scoped || c.Public == nil {
		offer, err := c.offer(ctx)
		switch {
		case err == nil && offer.Version == version:
			if offer, err = offer.RequireDigest(digest); err != nil {
				return Choice{}, err
			}
			return c.proven(ctx, offer)
		case err != nil && !errors.Is(err, ErrNoOffer):
			return Choice{}, err
		}
	}
	if err := c.guard(ctx, version); err != nil {
		return Choice{}, err
	}
	asset, err := c.released(ctx, version)
	if err != nil {
		return Choice{}, err
	}
	return Choice{Asset: asset, Reason: notHere}, nil
}

const notHere = "not on this host yet"

// proven sees to it that the offer's content can be proven.
func (c *Chooser) proven(ctx context.Context, offer Asset) (Choice, error) {
	if _, found := c.Cache.Find(offer); found {
		return Choice{Asset: offer, Cached: true, Reason: "from the cache"}, nil
	}
	if offer.HasDigest() {
		return Choice{Asset: offer, Reason: notHere}, nil
	}
	released, err := c.released(ctx, offer.Version)
	if err != nil {
		return Choice{}, undigested(offer.Filename, err)
	}
	offer.SHA256 = released.SHA256
	if _, found := c.Cache.Find(offer); found {
		return Choice{Asset: offer, Cached: true, Reason: "from the cache"}, nil
	}
	return Choice{Asset: offer, Reason: notHere}, nil
}

// offer is what GitHub offers for the platform: to the scope, or without a
// credential for one, to everybody. It is asked for once.
func (c *Chooser) offer(ctx context.Context) (Asset, error) {
	if c.offered != nil {
		return *c.offered, nil
	}
	asset, err := c.askOffer(ctx)
	if c.lacks(err) && c.Source.Version == "" && c.Source.Archive == "" {
		asset, err = c.fromPublic(ctx, "", err)
	}
	if err == nil {
		asset.Offered = time.Now().UTC().Truncate(time.Second)
		c.offered = &asset
	}
	return asset, err
}

func (c *Chooser) askOffer(ctx context.Context) (Asset, error) {
	if !c.Scoped {
		return c.describe(ctx, c.Client, "", "")
	}
	applications, err := c.Client.Applications(ctx)
	if err != nil {
		return Asset{}, err
	}
	return Resolve(applications, c.Platform, "")
}

// fromFile takes an archive on this host. Its name says what it is; its digest
// must be known from elsewhere.
func (c *Chooser) fromFile(ctx context.Context) (Choice, error) {
	path := c.Source.Archive
	platform, version, ok := ParseFilename(filepath.Base(path))
	if !ok {
		platform, version = c.Platform, c.Source.Version
	}
	object := fmt.Sprintf("archive %q", path)
	switch {
	case version == "":
		return Choice{}, &refusal.Error{Object: object, Reason: ErrUnnamed, Name: path}
	case platform != c.Platform:
		return Choice{}, fmt.Errorf("choosing %s: %w: it is for %s, this host is %s", object, ErrPlatform, platform, c.Platform)
	case c.Source.Version != "" && c.Source.Version != version:
		return Choice{}, &refusal.Error{Object: object, Reason: ErrOtherVersion, Detail: version, Name: path}
	}
	asset := Asset{
		Platform: platform, Version: version, Filename: Filename(platform, version),
		File: path, SHA256: c.Source.SHA256,
	}
	if !asset.HasDigest() {
		digest, err := c.digestOf(ctx, version)
		if err != nil {
			return Choice{}, undigested(object, err)
		}
		asset.SHA256 = digest
	}
	if _, found := c.Cache.Find(asset); found {
		return Choice{Asset: asset, Cached: true, Reason: "from the cache"}, c.guard(ctx, version)
	}
	return Choice{Asset: asset, Reason: notHere}, c.guard(ctx, version)
}

// digestOf asks GitHub what the archive of a version must contain.
func (c *Chooser) digestOf(ctx context.Context, version string) (string, error) {
	if offer, err := c.offer(ctx); err == nil && offer.Version == version && offer.HasDigest() {
		return offer.SHA256, nil
	}
	asset, err := c.released(ctx, version)
	return asset.SHA256, err
}

// undigested tells a digest that nobody knows from one that could not be asked
// for.
func undigested(object string, err error) error {
	if errors.Is(err, github.ErrNotFound) || errors.Is(err, ErrNoDigest) || errors.Is(err, ErrPlatform) {
		return fmt.Errorf("choosing %s: %w", object, ErrNoDigest)
	}
	if errors.Is(err, ErrUnmirrored) {
		return fmt.Errorf("choosing %s: %w: %v", object, ErrNoDigest, err) //nolint:errorlint // the digest can be given instead
	}
	return err
}
