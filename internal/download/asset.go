package download

import (
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"path"
	"regexp"
	"strings"

	"github.com/runner-bootstrap/runner-bootstrap/internal/github"
)

// ErrNoDigest means that nothing says what an archive must contain. Such an
// archive is refused, never trusted.
var ErrNoDigest = errors.New("no SHA-256 is known for it")

// Asset is one runner archive, with everything needed to fetch and prove it.
type Asset struct {
	Platform Platform `json:"platform"`
	Version  string   `json:"version"`
	Filename string   `json:"filename"`
	URL      string   `json:"url"`
	SHA256   string   `json:"sha256"` // lower-case hexadecimal
	// Bearer is for the URL's host alone.
	Bearer github.Secret `json:"-"`
}

// archiveName is how GitHub names runner archives.
var archiveName = regexp.MustCompile(`^actions-runner-(?:linux|osx|win)-(?:x64|arm64|arm)-(\d+\.\d+\.\d+)\.(?:tar\.gz|zip)$`)

// Resolve picks the archive for platform. The digest the user gave, if any,
// wins over the one on offer, and the two must agree.
func Resolve(applications []github.Application, platform Platform, digest string) (Asset, error) {
	var offered []string
	for _, a := range applications {
		if a.OS == platform.OS && a.Architecture == platform.Arch {
			return newAsset(a, platform, digest)
		}
		offered = append(offered, a.OS+"-"+a.Architecture)
	}
	return Asset{}, fmt.Errorf("%w: %s; offered: %s", ErrPlatform, platform, strings.Join(offered, ", "))
}

func newAsset(a github.Application, platform Platform, digest string) (Asset, error) {
	parts := archiveName.FindStringSubmatch(a.Filename)
	if parts == nil {
		return Asset{}, fmt.Errorf("reading the runner application's file name: %w: %q", ErrLayout, path.Base(a.Filename))
	}
	asset := Asset{
		Platform: platform, Version: parts[1], Filename: a.Filename, URL: a.DownloadURL,
		SHA256: strings.ToLower(a.SHA256), Bearer: a.Bearer,
	}
	if err := checkURL(asset.URL); err != nil {
		return Asset{}, err
	}
	if digest = strings.ToLower(digest); digest != "" {
		if asset.SHA256 != "" && asset.SHA256 != digest {
			return Asset{}, &DigestError{File: a.Filename, Want: digest, Got: asset.SHA256, Offered: true}
		}
		asset.SHA256 = digest
	}
	if asset.SHA256 == "" {
		return Asset{}, fmt.Errorf("choosing %s: %w", a.Filename, ErrNoDigest)
	}
	if !ValidDigest(asset.SHA256) {
		return Asset{}, fmt.Errorf("choosing %s: %w: %q is not a SHA-256", a.Filename, ErrNoDigest, asset.SHA256)
	}
	return asset, nil
}

// ValidDigest tells whether text is a SHA-256 in hexadecimal.
func ValidDigest(text string) bool {
	decoded, err := hex.DecodeString(text)
	return err == nil && len(decoded) == 32
}

func checkURL(raw string) error {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return fmt.Errorf("reading the runner application's URL: %w", ErrLayout)
	}
	return nil
}
