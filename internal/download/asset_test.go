package download

import (
	"encoding/json"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/runner-bootstrap/runner-bootstrap/internal/github"
	"github.com/runner-bootstrap/runner-bootstrap/internal/secret"
)

func TestPlatforms(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ goos, goarch, want string }{
		{"linux", "amd64", "linux-x64"},
		{"linux", "arm64", "linux-arm64"},
		{"linux", "arm", "linux-arm"},
		{"darwin", "amd64", "osx-x64"},
		{"darwin", "arm64", "osx-arm64"},
		{"windows", "amd64", "win-x64"},
		{"windows", "arm64", "win-arm64"},
		{"linux", "386", ""},
		{"linux", "riscv64", ""},
		{"linux", "ppc64le", ""},
		{"linux", "s390x", ""},
		{"darwin", "arm", ""},
		{"windows", "arm", ""},
		{"windows", "386", ""},
		{"freebsd", "amd64", ""},
		{"", "", ""},
	} {
		t.Run(c.goos+"/"+c.goarch, func(t *testing.T) {
			t.Parallel()
			p, err := platformOf(c.goos, c.goarch)
			if c.want == "" {
				if !errors.Is(err, ErrPlatform) || p != (Platform{}) || !strings.Contains(err.Error(), c.goos+"/"+c.goarch) {
					t.Errorf("%v, %v, want ErrPlatform", p, err)
				}
				return
			}
			text, marshalErr := json.Marshal(p)
			if err != nil || p.String() != c.want || marshalErr != nil || string(text) != `"`+c.want+`"` {
				t.Errorf("%v as %s, %v, want %s", p, text, err, c.want)
			}
		})
	}
}

const (
	oneDigest   = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	otherDigest = "fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210"
)

func TestResolve(t *testing.T) {
	t.Parallel()
	offer := func(change func(*github.Application)) []github.Application {
		a := github.Application{
			OS: "linux", Architecture: "x64", Filename: "actions-runner-linux-x64-2.337.0.tar.gz",
			DownloadURL: "https://github.test/actions-runner-linux-x64-2.337.0.tar.gz", SHA256: oneDigest,
			Bearer: secret.New("b34r3r"),
		}
		if change != nil {
			change(&a)
		}
		other := github.Application{OS: "win", Architecture: "x64", Filename: "actions-runner-win-x64-2.337.0.zip"}
		return []github.Application{other, a}
	}
	named := func(name string) []github.Application {
		return offer(func(a *github.Application) { a.Filename = name })
	}
	without := offer(func(a *github.Application) { a.SHA256 = "" })
	for _, c := range []struct {
		name, digest, want string
		offered            []github.Application
		err                error
		says               string
	}{
		{name: "offered digest", offered: offer(nil), want: oneDigest},
		{name: "offered digest in capitals", offered: offer(func(a *github.Application) { a.SHA256 = strings.ToUpper(oneDigest) }), want: oneDigest},
		{name: "digests agree", offered: offer(nil), digest: oneDigest, want: oneDigest},
		{name: "digests agree but for capitals", offered: offer(nil), digest: strings.ToUpper(oneDigest), want: oneDigest},
		{name: "digests contradict", offered: offer(nil), digest: otherDigest, err: ErrArchive, says: "GitHub offers SHA-256 " + oneDigest + ", --sha256 demands " + otherDigest},
		{name: "none on offer", offered: without},
		{name: "none on offer, one demanded", offered: without, digest: strings.ToUpper(otherDigest), want: otherDigest},
		{name: "offered one too short", offered: offer(func(a *github.Application) { a.SHA256 = oneDigest[2:] }), err: ErrNoDigest},
		{name: "offered one no digest", offered: offer(func(a *github.Application) { a.SHA256 = "sha256:" + oneDigest }), err: ErrNoDigest},
		{name: "demanded one too short", offered: without, digest: "abcd", err: ErrNoDigest},
		{name: "nothing on offer", err: ErrNoOffer, says: "choosing a runner for linux-x64: the server offers no runner for any platform"},
		{name: "other platforms on offer", offered: offer(func(a *github.Application) { a.Architecture = "arm64" }), err: ErrPlatform, says: "linux-x64; offered: win-x64, linux-arm64"},
		{name: "file name upwards", offered: named("../actions-runner-linux-x64-2.337.0.tar.gz"), err: ErrLayout},
		{name: "file name in a folder", offered: named("x/actions-runner-linux-x64-2.337.0.tar.gz"), err: ErrLayout},
		{name: "file name absolute", offered: named("/etc/passwd"), err: ErrLayout},
		{name: "file name of another program", offered: named("other-linux-x64-2.337.0.tar.gz"), err: ErrLayout},
		{name: "file name of another platform", offered: named("actions-runner-linux-arm64-2.337.0.tar.gz"), err: ErrLayout},
		{name: "file name with the other ending", offered: named("actions-runner-linux-x64-2.337.0.zip"), err: ErrLayout},
		{name: "file name without a version", offered: named("actions-runner-linux-x64.tar.gz"), err: ErrLayout},
		{name: "file name with more", offered: named("actions-runner-linux-x64-2.337.0.tar.gz\n"), err: ErrLayout},
		{name: "no file name", offered: named(""), err: ErrLayout},
		{name: "no URL", offered: offer(func(a *github.Application) { a.DownloadURL = "" }), err: ErrLayout},
		{name: "URL without a host", offered: offer(func(a *github.Application) { a.DownloadURL = "https:///x" }), err: ErrLayout},
		{name: "URL of a file", offered: offer(func(a *github.Application) { a.DownloadURL = "file:///etc/passwd" }), err: ErrLayout},
		{name: "URL that is none", offered: offer(func(a *github.Application) { a.DownloadURL = "https://host:port:x/%zz" }), err: ErrLayout},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			asset, err := Resolve(c.offered, Platform{OS: "linux", Arch: "x64"}, c.digest)
			if !errors.Is(err, c.err) || c.err != nil && !strings.Contains(err.Error(), c.says) {
				t.Fatalf("%v, want %v saying %q", err, c.err, c.says)
			}
			if c.err != nil {
				if asset != (Asset{}) {
					t.Errorf("an asset %+v in spite of %v", asset, err)
				}
				return
			}
			want := Asset{
				Platform: Platform{OS: "linux", Arch: "x64"}, Version: "2.337.0", SHA256: c.want,
				Filename: "actions-runner-linux-x64-2.337.0.tar.gz", URL: "https://github.test/actions-runner-linux-x64-2.337.0.tar.gz",
				Bearer: asset.Bearer,
			}
			if asset.HasDigest() != (c.want != "") {
				t.Errorf("has a digest: %t with %q", asset.HasDigest(), asset.SHA256)
			}
			if asset != want || asset.Bearer.Reveal() != "b34r3r" {
				t.Errorf("asset %+v, want %+v", asset, want)
			}
		})
	}
}

func TestAssetOnAMirror(t *testing.T) {
	t.Parallel()
	offered := Asset{
		Platform: Platform{OS: "linux", Arch: "x64"}, Version: "2.337.0", Filename: "actions-runner-linux-x64-2.337.0.tar.gz",
		URL: "https://github.test/x", SHA256: oneDigest, Bearer: secret.New("b34r3r"),
	}
	for base, want := range map[string]struct{ url, file string }{
		"https://mirror.test/runners":       {url: "https://mirror.test/runners/actions-runner-linux-x64-2.337.0.tar.gz"},
		"https://mirror.test/runners/":      {url: "https://mirror.test/runners/actions-runner-linux-x64-2.337.0.tar.gz"},
		"http://10.0.0.1:8081":              {url: "http://10.0.0.1:8081/actions-runner-linux-x64-2.337.0.tar.gz"},
		"file:///srv/runners":               {file: "/srv/runners/actions-runner-linux-x64-2.337.0.tar.gz"},
		"file://localhost/srv/a%20b":        {file: "/srv/a b/actions-runner-linux-x64-2.337.0.tar.gz"},
		"":                                  {},
		"mirror.test/runners":               {},
		"file://elsewhere/srv":              {},
		"file:srv":                          {},
		"ftp://mirror.test/":                {},
		"https:///runners":                  {},
		"https://me:s3same@mirror.test/":    {},
		"https://mirror.test/?sig=s1gn4tur": {},
		"https://mirror.test/#x":            {},
		"https://%zz":                       {},
	} {
		got, err := offered.At(base)
		if want.url == "" && want.file == "" {
			if !errors.Is(err, ErrMirror) || strings.Contains(err.Error(), "s3same") || strings.Contains(err.Error(), "s1gn") {
				t.Errorf("%q: %v", base, err)
			}
			continue
		}
		if err != nil || got.URL != want.url || filepath.ToSlash(got.File) != want.file || !got.Bearer.Empty() || got.SHA256 != oneDigest {
			t.Errorf("%q: %+v, %v", base, got, err)
		}
	}
}

func TestCompareVersions(t *testing.T) {
	t.Parallel()
	ordered := []string{"", "1.0", "2.9.0", "2.320.1", "2.321.0", "2.321.10", "3.0.0"}
	for i, a := range ordered {
		for j, b := range ordered {
			if got := CompareVersions(a, b); (got < 0) != (i < j) || (got > 0) != (i > j) {
				t.Errorf("%q and %q compare as %d", a, b, got)
			}
		}
	}
	for text, valid := range map[string]bool{"2.337.0": true, "2.337": false, "v2.337.0": false, "2.337.0 ": false, "2.3.9999999999": false, "": false, "../..": false} {
		if ValidVersion(text) != valid {
			t.Errorf("%q is a version: %t", text, !valid)
		}
	}
}
