package github

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/pattern"
)

// releaseVersion is the form of the runner's versions.
var releaseVersion = pattern.New(`^\d+\.\d+\.\d+$`)

// Release is one release of the runner, as its public repository tells it.
type Release struct {
	Version   string // "2.337.0", without the "v" of its tag
	Published time.Time
	Text      string // the release notes
	Assets    []ReleaseAsset
	Now       time.Time // the server's clock when it answered
}

// ErrNoRelease means that the server has no runner of this version.
var ErrNoRelease = errors.New("there is no such version of the runner")

// ReleaseAsset is one file of a release.
type ReleaseAsset struct {
	Name   string `json:"name"`
	URL    string `json:"browser_download_url"`
	Digest string `json:"digest"` // "sha256:..." or empty
}

// RunnerRelease gets the release of a version of the runner from the public
// repository, the latest one if version is empty. It needs no credential.
// [ErrNotFound] if there is none, as on an appliance that does not mirror it, and
// [ErrNoRelease] as well if a version was asked for.
func (c *Client) RunnerRelease(ctx context.Context, version string) (Release, error) {
	var answer struct {
		Tag       string         `json:"tag_name"`
		Published time.Time      `json:"published_at"`
		Body      string         `json:"body"`
		Assets    []ReleaseAsset `json:"assets"`
	}
	which, path := "the latest release", "/repos/actions/runner/releases/latest"
	if version != "" {
		which, path = "release "+version, "/repos/actions/runner/releases/tags/v"+url.PathEscape(version)
	}
	release := Release{}
	err := c.do(ctx, request{
		op: "getting " + which + " of actions/runner", method: http.MethodGet, path: path, whole: true,
		want: http.StatusOK, answer: &answer, date: &release.Now,
	})
	if errors.Is(err, ErrNotFound) && version != "" {
		return Release{}, fmt.Errorf("%w: %w", err, ErrNoRelease)
	}
	if err != nil {
		return Release{}, err
	}
	release.Version = strings.TrimPrefix(answer.Tag, "v")
	if !releaseVersion.MatchString(release.Version) {
		return Release{}, fmt.Errorf("getting %s of actions/runner: %w: %q is no version",
			which, ErrNotGitHub, oneLine(answer.Tag, maxTitle))
	}
	release.Published, release.Text, release.Assets = answer.Published, answer.Body, answer.Assets
	return release, nil
}

// Schedule says until when GitHub takes a version of the runner. A zero time
// means that no end is known.
type Schedule struct {
	Registration time.Time // no runner of it is registered from then on
	Runtime      time.Time // no job is given to it from then on
	Now          time.Time // the server's clock when it answered
}

// VersionSchedule looks up the end of life of a runner version. [ErrNotFound]
// means that nothing is known: GitHub Enterprise Server has no such look-up.
func (c *Client) VersionSchedule(ctx context.Context, version string) (Schedule, error) {
	var answer struct {
		Registration *time.Time `json:"registration_deprecates_at"`
		Runtime      *time.Time `json:"runtime_deprecates_at"`
	}
	schedule := Schedule{}
	err := c.do(ctx, request{
		op: "looking up the end of runner version " + version, method: http.MethodGet,
		suffix: "runners/deprecations/" + url.PathEscape(version), want: http.StatusOK, answer: &answer, date: &schedule.Now,
	})
	if answer.Registration != nil {
		schedule.Registration = *answer.Registration
	}
	if answer.Runtime != nil {
		schedule.Runtime = *answer.Runtime
	}
	return schedule, err
}
