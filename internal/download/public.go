package download

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/github"
)

const (
	// publicRunner is where everybody finds the releases of the runner.
	publicRunner = "https://github.com/actions/runner"
	// publicTime bounds the question whether github.com has what another server has not: many of those stand in networks
	// from where it cannot be reached, and where nothing says so.
	publicTime = 20 * time.Second
)

// isPublic tells whether a scope is one of github.com's.
func isPublic(scope github.Scope) bool {
	server, err := url.Parse(scope.Server())
	return err == nil && (server.Hostname() == "github.com" || server.Hostname() == "www.github.com")
}

// lacks tells whether an error of the server's says that it has no such release, or shows it to nobody without a
// credential, and there is somebody else to be asked.
func (c *Chooser) lacks(err error) bool {
	if err == nil || c.Public == nil {
		return false
	}
	if errors.Is(err, ErrNoOffer) || errors.Is(err, ErrNoDigest) {
		return true
	}
	if c.Scoped && !errors.Is(err, github.ErrNoRelease) {
		return false // it is about what the credential may see
	}
	return errors.Is(err, github.ErrNotFound) || errors.Is(err, github.ErrForbidden) || errors.Is(err, github.ErrUnauthorized)
}

// describe is the archive of a version, the latest if it is empty, as its release describes it.
func (c *Chooser) describe(ctx context.Context, client *github.Client, version, digest string) (Asset, error) {
	release, err := client.RunnerRelease(ctx, version)
	if err != nil {
		return Asset{}, err
	}
	return FromRelease(release, c.Platform, digest)
}

// released is the archive of a version as its release describes it, with its digest.
func (c *Chooser) released(ctx context.Context, version string) (Asset, error) {
	asset, err := c.describe(ctx, c.Client, version, c.Source.SHA256)
	if err == nil && !asset.HasDigest() {
		err = fmt.Errorf("choosing %s: %w", asset.Filename, ErrNoDigest)
	}
	switch {
	case !c.lacks(err):
		return asset, err
	case c.Source.SHA256 != "" && c.Source.Version == version:
		name := Filename(c.Platform, version)
		at := publicRunner + "/releases/download/v" + version + "/" + name
		return Asset{Platform: c.Platform, Version: version, Filename: name, URL: at, SHA256: c.Source.SHA256}, nil
	}
	public, err := c.fromPublic(ctx, version, err)
	if err == nil && !public.HasDigest() {
		return Asset{}, fmt.Errorf("choosing %s: %w", public.Filename, ErrNoDigest)
	}
	return public, err
}

// fromPublic is the archive of a version, the latest if it is empty, at github.com, for a server that lacks it.
func (c *Chooser) fromPublic(ctx context.Context, version string, lacking error) (Asset, error) {
	asking, cancel := context.WithTimeout(ctx, publicTime)
	defer cancel()
	asset, err := c.describe(asking, c.Public, version, c.Source.SHA256)
	switch {
	case err == nil:
		c.Log.Info("github.com is asked for the runner", "version", asset.Version, "reason", lacking.Error())
		return asset, nil
	case ctx.Err() != nil:
		return Asset{}, ctx.Err()
	case errors.Is(err, github.ErrNoRelease), errors.Is(err, ErrArchive):
		return Asset{}, err
	case errors.Is(lacking, ErrNoDigest), errors.Is(lacking, ErrNoOffer):
		return Asset{}, lacking // it says best what is missing
	}
	// The server's own words are no reason of ours: they are about a page that it may well not have.
	return Asset{}, fmt.Errorf("%w: %w (%v)", ErrUnmirrored, err, lacking) //nolint:errorlint // see above
}
