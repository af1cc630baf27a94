package download

import (
	"fmt"
	"strings"

	"github.com/runner-bootstrap/runner-bootstrap/internal/github"
)

// FromRelease describes platform's archive in a release of the runner. Its
// digest is the one that GitHub computed of the asset, and the one between the
// marks of the release notes, which the runner's own build wrote; where both
// are there they must agree. [ErrNoDigest] if neither is.
func FromRelease(release github.Release, platform Platform, digest string) (Asset, error) {
	name := Filename(platform, release.Version)
	for _, a := range release.Assets {
		if a.Name != name {
			continue
		}
		noted := noted(release.Text, platform)
		given := strings.ToLower(strings.TrimPrefix(a.Digest, "sha256:"))
		if noted != "" && given != "" && noted != given {
			return Asset{}, fmt.Errorf("choosing %s: %w: its release notes say SHA-256 %s, GitHub says %s", name, ErrArchive, noted, given)
		}
		if given == "" {
			given = noted
		}
		return newAsset(github.Application{Filename: name, DownloadURL: a.URL, SHA256: given}, platform, digest)
	}
	return Asset{}, fmt.Errorf("choosing %s: %w: release %s has none", name, ErrPlatform, release.Version)
}

// noted is the digest that release notes give between marks (facts of the
// runner's release workflow): "<!-- BEGIN SHA linux-x64 -->HEX<!-- END SHA
// linux-x64 -->". It is empty if there is none, or more than one.
func noted(text string, platform Platform) string {
	begin, end := "<!-- BEGIN SHA "+platform.String()+" -->", "<!-- END SHA "+platform.String()+" -->"
	_, after, found := strings.Cut(text, begin)
	if !found || strings.Contains(after, begin) {
		return ""
	}
	digest, _, found := strings.Cut(after, end)
	digest = strings.ToLower(strings.TrimSpace(digest))
	if !found || !ValidDigest(digest) {
		return ""
	}
	return digest
}
