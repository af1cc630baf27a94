package download

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/github"
	"github.com/runner-bootstrap/runner-bootstrap/internal/refusal"
)

const (
	// minimumVersion is the oldest runner that github.com and GHE.com register.
	minimumVersion = "2.329.0"
	// grace is how long after a new release GitHub gives jobs to older runners.
	grace = 30 * 24 * time.Hour
	// soon is how long before the end of a version we begin to talk of it.
	soon = 7 * 24 * time.Hour
)

// standing is what GitHub thinks of a version.
type standing int

const (
	accepted standing = iota // nothing is known against it
	expiring                 // GitHub will soon refuse it
	expired                  // GitHub refuses it
)

type verdict struct {
	state  standing
	reason string
}

// guard refuses a version that the user has pinned and that GitHub refuses, and
// warns of one that it will refuse soon. A runner that is too old registers and
// then waits for jobs for ever.
func (c *Chooser) guard(ctx context.Context, version string) error {
	found := c.judge(ctx, version)
	switch found.state {
	case expired:
		refused := &refusal.Error{Object: "runner version " + version, Reason: ErrOutdated, Detail: found.reason}
		if offer, err := c.offer(ctx); err == nil {
			refused.Name = offer.Version
		}
		return refused
	case expiring:
		c.Log.Warn("GitHub will soon refuse this runner version", "version", version, "reason", found.reason)
	case accepted:
	}
	return nil
}

// acceptedByGitHub tells whether GitHub takes a cached version for certain, without asking: it
// was on offer so lately that a newer one cannot have been out for long. A clock
// that stands before that time proves nothing.
func (c *Chooser) acceptedByGitHub(entry Entry) bool {
	age := time.Since(entry.Offered)
	return (c.Source.SHA256 == "" || c.Source.SHA256 == entry.SHA256) && age >= 0 && age < grace-soon
}

// judge asks GitHub only where the version is not the one on offer. What cannot
// be found out is not held against a version.
func (c *Chooser) judge(ctx context.Context, version string) verdict {
	if c.offered != nil && CompareVersions(version, c.offered.Version) >= 0 {
		return verdict{}
	}
	cloud := c.Client.Scope().Cloud()
	if cloud && CompareVersions(version, minimumVersion) < 0 {
		return verdict{expired, "GitHub registers none below " + minimumVersion}
	}
	if c.Scoped {
		schedule, err := c.Client.VersionSchedule(ctx, version)
		if err == nil {
			return judgeSchedule(schedule)
		}
		if !errors.Is(err, github.ErrNotFound) {
			c.Log.Warn("the end of this runner version is not known", "version", version, "reason", err.Error())
		}
	}
	if !c.Scoped && c.offered == nil {
		return verdict{} // an image is baked away from GitHub; install judges again
	}
	offer, err := c.offer(ctx)
	if err != nil || CompareVersions(version, offer.Version) >= 0 {
		return verdict{}
	}
	release, err := c.Client.RunnerRelease(ctx, offer.Version)
	if err != nil || release.Published.IsZero() {
		return verdict{}
	}
	return judgeDate(release.Now, release.Published.Add(grace), fmt.Sprintf("%s is out since %s, and GitHub wants it within 30 days",
		offer.Version, release.Published.Format(time.DateOnly)))
}

// judgeSchedule reads GitHub's own dates, by GitHub's clock.
func judgeSchedule(s github.Schedule) verdict {
	registration := judgeDate(s.Now, s.Registration, "GitHub registers it until "+s.Registration.Format(time.DateOnly))
	runtime := judgeDate(s.Now, s.Runtime, "GitHub gives it jobs until "+s.Runtime.Format(time.DateOnly))
	if registration.state >= runtime.state {
		return registration
	}
	return runtime
}

func judgeDate(now, end time.Time, reason string) verdict {
	switch {
	case end.IsZero():
		return verdict{}
	case !now.Before(end):
		return verdict{expired, reason}
	case !now.Before(end.Add(-soon)):
		return verdict{expiring, reason}
	}
	return verdict{}
}
