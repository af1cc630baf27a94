package download

import (
	"errors"
	"strings"
	"testing"

	"github.com/runner-bootstrap/runner-bootstrap/internal/github"
)

const notes = "## SHA-256 Checksums\n\n" +
	"- actions-runner-win-x64-2.337.0.zip <!-- BEGIN SHA win-x64 -->" + otherDigest + "<!-- END SHA win-x64 -->\n" +
	"- actions-runner-linux-x64-2.337.0.tar.gz <!-- BEGIN SHA linux-x64 -->" + oneDigest + "<!-- END SHA linux-x64 -->\n"

func TestFromRelease(t *testing.T) {
	t.Parallel()
	const name = "actions-runner-linux-x64-2.337.0.tar.gz"
	for _, c := range []struct {
		name, text, digest, demand, want string
		assets                           []github.ReleaseAsset
		err                              error
	}{
		{name: "in the notes", text: notes, want: oneDigest},
		{name: "of the asset", digest: "sha256:" + strings.ToUpper(oneDigest), want: oneDigest},
		{name: "both agree", text: notes, digest: "sha256:" + oneDigest, want: oneDigest},
		{name: "both differ", text: notes, digest: "sha256:" + otherDigest, err: ErrArchive},
		{name: "demanded as well", text: notes, demand: oneDigest, want: oneDigest},
		{name: "another one demanded", text: notes, demand: otherDigest, err: ErrArchive},
		{name: "none", want: ""},
		{name: "none, one demanded", demand: otherDigest, want: otherDigest},
		{name: "of another kind", digest: "sha512:" + oneDigest, err: ErrNoDigest},
		{name: "no such asset", assets: []github.ReleaseAsset{{Name: "actions-runner-linux-arm64-2.337.0.tar.gz", URL: "https://github.test/a"}}, err: ErrPlatform},
		{name: "no URL", assets: []github.ReleaseAsset{{Name: name, URL: "file:///etc/passwd"}}, err: ErrLayout},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if c.assets == nil {
				c.assets = []github.ReleaseAsset{{Name: "other"}, {Name: name, URL: "https://github.test/" + name, Digest: c.digest}}
			}
			release := github.Release{Version: "2.337.0", Text: c.text, Assets: c.assets}
			got, err := FromRelease(release, Platform{OS: "linux", Arch: "x64"}, c.demand)
			if !errors.Is(err, c.err) {
				t.Fatalf("%v, want %v", err, c.err)
			}
			if err == nil && (got.SHA256 != c.want || got.URL != "https://github.test/"+name || got.Version != "2.337.0") {
				t.Errorf("%+v", got)
			}
		})
	}
}

func TestNoted(t *testing.T) {
	t.Parallel()
	const begin, end = "<!-- BEGIN SHA linux-x64 -->", "<!-- END SHA linux-x64 -->"
	for name, c := range map[string]struct{ text, want string }{
		"as GitHub writes it": {notes, oneDigest},
		"with blanks":         {begin + "\n " + oneDigest + " \n" + end, oneDigest},
		"in capitals":         {begin + strings.ToUpper(oneDigest) + end, oneDigest},
		"nothing":             {"", ""},
		"not closed":          {begin + oneDigest, ""},
		"closed by another":   {begin + oneDigest + "<!-- END SHA linux-arm64 -->", ""},
		"empty":               {begin + end, ""},
		"too short":           {begin + oneDigest[1:] + end, ""},
		"no digest":           {begin + strings.Repeat("x", 64) + end, ""},
		"of another platform": {strings.ReplaceAll(begin+oneDigest+end, "x64", "arm64"), ""},
		// Somebody who can add to the notes could add a second one.
		"twice": {begin + oneDigest + end + begin + otherDigest + end, ""},
	} {
		if got := noted(c.text, Platform{OS: "linux", Arch: "x64"}); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// FuzzNoted: whatever stands in release notes, what comes out is a digest that
// stands there between the marks, or nothing.
func FuzzNoted(f *testing.F) {
	f.Add(notes)
	f.Add("<!-- BEGIN SHA linux-x64 --><!-- BEGIN SHA linux-x64 -->" + oneDigest + "<!-- END SHA linux-x64 -->")
	f.Add("<!-- BEGIN SHA linux-x64 -->" + oneDigest + "<!-- END SHA linux-x6")
	f.Add(oneDigest + " \u0130 <!-- BEGIN SHA linux-x64 --> " + strings.ToUpper(oneDigest) + "\r\n<!-- END SHA linux-x64 -->")
	f.Fuzz(func(t *testing.T, text string) {
		got := noted(text, Platform{OS: "linux", Arch: "x64"})
		if got == "" {
			return
		}
		_, after, _ := strings.Cut(text, "<!-- BEGIN SHA linux-x64 -->")
		inside, _, ended := strings.Cut(after, "<!-- END SHA linux-x64 -->")
		if !ValidDigest(got) || got != strings.ToLower(got) || !ended || !strings.EqualFold(strings.TrimSpace(inside), got) || strings.Contains(after, "<!-- BEGIN SHA linux-x64 -->") {
			t.Errorf("%q out of %q", got, text)
		}
	})
}
