package githubtest

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// SetPublished dates the release of a version; releases are otherwise of the first day of 2026.
func (s *Server) SetPublished(version string, at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.published[version] = at
}

// ReleaseDigests are what a release tells of a platform's archive; either may be empty.
type ReleaseDigests struct {
	Notes string // between marks in its text, as the runner's release workflow writes it
	Asset string // the digest of the asset, as GitHub computes it
}

// SetReleaseDigests makes releases tell these digests of a platform. Otherwise they tell what downloads tell.
func (s *Server) SetReleaseDigests(platform string, digests ReleaseDigests) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.released[platform] = digests
}

func (st *state) releaseDigests(a *Archive) ReleaseDigests {
	if changed, ok := st.released[a.Platform]; ok {
		return changed
	}
	digest, _ := st.digestOf(a)
	return ReleaseDigests{Notes: digest, Asset: digest}
}

// latestRelease describes the newest version offered.
func latestRelease(c *call) answer {
	listed := c.s.listedArchives()
	if len(listed) == 0 {
		return notFound()
	}
	return releaseOf(c, slices.MaxFunc(listed, func(a, b *Archive) int { return compareVersions(a.Version, b.Version) }).Version)
}

// releaseByTag describes any version that was ever offered.
func releaseByTag(c *call) answer {
	version, tagged := strings.CutPrefix(c.PathValue("tag"), "v")
	if !tagged {
		return notFound()
	}
	return releaseOf(c, version)
}

func releaseOf(c *call, version string) answer {
	if normalScope(c.PathValue("owner")+"/"+c.PathValue("repo")) != "actions/runner" {
		return notFound()
	}
	origin := c.s.origin(c.Request)
	self := origin + "/repos/actions/runner/releases/1"
	var text strings.Builder
	assets := []map[string]any{}
	for i, a := range c.s.archives {
		if a.Version != version {
			continue
		}
		digests := c.s.releaseDigests(a)
		asset := c.assetJSON(a, fmt.Sprintf("%s/assets/%d", self, i+1), i+1)
		if digests.Notes != "" {
			fmt.Fprintf(&text, "- %s <!-- BEGIN SHA %s -->%s<!-- END SHA %s -->\n", a.Filename, a.Platform, digests.Notes, a.Platform)
		}
		if digests.Asset != "" {
			asset["digest"] = "sha256:" + digests.Asset
		}
		assets = append(assets, asset)
	}
	if len(assets) == 0 {
		return notFound()
	}
	published := epoch
	if at, told := c.s.published[version]; told {
		published = at.UTC().Format(time.RFC3339)
	}
	return ok(map[string]any{
		"url": self, "html_url": origin + "/actions/runner/releases/tag/v" + version, "assets_url": self + "/assets",
		"upload_url": self + "/assets{?name,label}", "tarball_url": nil, "zipball_url": nil, "id": 1, "node_id": "RE_1",
		"tag_name": "v" + version, "target_commitish": "main", "name": "v" + version, "draft": false,
		"prerelease": false, "created_at": published, "published_at": published, "author": c.userJSON("github-actions[bot]"),
		"assets": assets, "body": "## SHA-256 Checksums\n\n" + text.String(),
	})
}

func (c *call) assetJSON(a *Archive, self string, id int) map[string]any {
	return map[string]any{
		"url": self, "browser_download_url": c.s.archiveOrigin(c.Request) + releasePath(a), "id": id,
		"node_id": fmt.Sprintf("RA_%d", id), "name": a.Filename, "label": "", "state": "uploaded",
		"content_type": "application/x-gzip", "size": a.Size, "digest": nil, "download_count": 1,
		"created_at": epoch, "updated_at": epoch, "uploader": c.userJSON("github-actions[bot]"),
	}
}
