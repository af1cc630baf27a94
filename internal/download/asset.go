package download

import (
	"encoding/hex"
	"fmt"
	"net/url"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/github"
	"github.com/runner-bootstrap/runner-bootstrap/internal/pattern"
	"github.com/runner-bootstrap/runner-bootstrap/internal/secret"
)

// Asset is one runner archive, with everything needed to fetch and prove it.
type Asset struct {
	Platform Platform `json:"platform"`
	Version  string   `json:"version"`
	Filename string   `json:"filename"`
	URL      string   `json:"url,omitempty"`
	File     string   `json:"file,omitempty"` // on this host; then there is no URL
	SHA256   string   `json:"sha256"`         // lower-case hexadecimal
	// Bearer is for the URL's host alone.
	Bearer secret.Secret `json:"-"`
	// Mirrored says that URL is on the mirror of [Source].
	Mirrored bool `json:"-"`
	// Offered is when GitHub was seen to offer it; zero if it was not.
	Offered time.Time `json:"-"`
}

// archiveName is how GitHub names runner archives.
var archiveName = pattern.New(`^actions-runner-(linux|osx|win)-(x64|arm64|arm)-(\d+\.\d+\.\d+)\.(?:tar\.gz|zip)$`)

// Filename is how GitHub calls the archive of a version.
func Filename(platform Platform, version string) string {
	ending := "tar.gz"
	if platform.OS == "win" {
		ending = "zip"
	}
	return fmt.Sprintf("actions-runner-%s-%s.%s", platform, version, ending)
}

// ParseFilename reads platform and version out of an archive's name.
func ParseFilename(name string) (platform Platform, version string, ok bool) {
	parts := archiveName.FindStringSubmatch(name)
	if parts == nil {
		return Platform{}, "", false
	}
	platform, version = Platform{OS: parts[1], Arch: parts[2]}, parts[3]
	return platform, version, name == Filename(platform, version)
}

// Resolve picks the archive for platform out of those on offer. The digest the
// user gave, if any, and the one on offer must agree. An asset without a digest
// may come out, for which [Asset.HasDigest] is false: another source may know it.
func Resolve(applications []github.Application, platform Platform, digest string) (Asset, error) {
	var offered []string
	for _, a := range applications {
		if a.OS == platform.OS && a.Architecture == platform.Arch {
			return newAsset(a, platform, digest)
		}
		offered = append(offered, a.OS+"-"+a.Architecture)
	}
	if len(offered) == 0 {
		return Asset{}, fmt.Errorf("choosing a runner for %s: %w", platform, ErrNoOffer)
	}
	return Asset{}, fmt.Errorf("%w: %s; offered: %s", ErrPlatform, platform, strings.Join(offered, ", "))
}

func newAsset(a github.Application, platform Platform, digest string) (Asset, error) {
	named, version, ok := ParseFilename(a.Filename)
	if !ok || named != platform {
		return Asset{}, fmt.Errorf("reading the runner application's file name: %w: %q", ErrLayout, path.Base(a.Filename))
	}
	asset := Asset{
		Platform: platform, Version: version, Filename: a.Filename, URL: a.DownloadURL,
		SHA256: strings.ToLower(a.SHA256), Bearer: a.Bearer,
	}
	if err := checkURL(asset.URL); err != nil {
		return Asset{}, err
	}
	if asset.SHA256 != "" && !ValidDigest(asset.SHA256) {
		return Asset{}, fmt.Errorf("choosing %s: %w: %q is not a SHA-256", a.Filename, ErrNoDigest, asset.SHA256)
	}
	return asset.RequireDigest(digest)
}

// RequireDigest binds the asset to a digest that the user gave, if it is not empty.
func (a Asset) RequireDigest(digest string) (Asset, error) {
	digest = strings.ToLower(digest)
	switch {
	case digest == "":
	case !ValidDigest(digest):
		return Asset{}, fmt.Errorf("choosing %s: %w: %q is not a SHA-256", a.Filename, ErrNoDigest, digest)
	case a.SHA256 == "":
		a.SHA256 = digest
	case a.SHA256 != digest:
		return Asset{}, &digestError{File: a.Filename, Want: digest, Got: a.SHA256, Offered: true}
	}
	return a, nil
}

// HasDigest tells whether something says what the asset must contain.
func (a Asset) HasDigest() bool { return a.SHA256 != "" }

// Fetchable tells whether the asset says where it can be had; one out of a cache
// may not.
func (a Asset) Fetchable() bool { return a.URL != "" || a.File != "" }

// At is the asset on a mirror: the same file name below base, which is an http,
// https or file URL. What is there must have the same digest.
func (a Asset) At(base string) (Asset, error) {
	u, err := ParseMirror(base)
	if err != nil {
		return Asset{}, err
	}
	a.Bearer, a.URL, a.File, a.Mirrored = secret.Secret{}, "", "", u.Scheme != "file"
	if u.Scheme == "file" {
		a.File = filepath.Join(filepath.FromSlash(u.Path), a.Filename)
		return a, nil
	}
	a.URL = u.JoinPath(a.Filename).String()
	return a, nil
}

// ParseMirror reads the URL of a mirror.
func ParseMirror(base string) (*url.URL, error) {
	u, err := url.Parse(base)
	switch {
	case err != nil:
		return nil, fmt.Errorf("reading the mirror's URL: %w", ErrMirror)
	case u.User != nil:
		return nil, fmt.Errorf("%w: it holds a user name or password", ErrMirror)
	case u.RawQuery != "" || u.Fragment != "":
		// A signature there would be shown in plans and seen in ps.
		return nil, fmt.Errorf("%w: it has a query or fragment", ErrMirror)
	case u.Scheme == "file" && path.IsAbs(u.Path) && (u.Host == "" || u.Host == "localhost"):
		return u, nil
	case (u.Scheme == "https" || u.Scheme == "http") && u.Host != "":
		return u, nil
	}
	return nil, fmt.Errorf("%w: %q", ErrMirror, base)
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
