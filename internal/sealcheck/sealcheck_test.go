package sealcheck_test

import (
	"bytes"
	"compress/gzip"
	"crypto/md5" //nolint:gosec // what dpkg has written down
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/runner-bootstrap/runner-bootstrap/internal/sealcheck"
)

// Secrets are put together here, so that this file holds none.
func token() string { return "ghp" + "_0123456789abcdefghijklmnopqrstuvwxyz" }

func registration() string { return "AABF3JGZDX3P5PM" + "EXLND6TS6FCWO6" }

func pem(kind string) string {
	body := strings.Repeat("MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj\n", 3)
	return "-----BEGIN " + kind + "PRIVATE " + "KEY-----\n" + body + "-----END " + kind + "PRIVATE KEY-----\n"
}

func jwt() string {
	encode := base64.RawURLEncoding.EncodeToString
	return encode([]byte(`{"alg":"RS256","typ":"JWT"}`)) + "." + encode([]byte(`{"iss":"x","sub":"y"}`)) + ".c2lnbmF0dXJlLXNpZ25hdHVyZS1zaWdu"
}

func b64(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }

// wrapped is what base64(1) writes.
func wrapped(text string) string {
	var lines []string
	for line := range slices.Chunk([]byte(b64(text)), 76) {
		lines = append(lines, string(line))
	}
	return strings.Join(lines, "\n") + "\n"
}

func zipped(t *testing.T, text string) string {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := w.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func utf16LE(text string) string {
	out := []byte{0xff, 0xfe}
	for _, unit := range utf16.Encode([]rune(text)) {
		out = append(out, byte(unit), byte(unit>>8))
	}
	return string(out)
}

func fromHex(t *testing.T, text string) string {
	t.Helper()
	raw, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func look(t *testing.T, host sealcheck.Host) sealcheck.Report {
	t.Helper()
	report, err := host.Look(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return report
}

func TestLook(t *testing.T) {
	t.Parallel()
	for _, all := range []map[string]planted{secretsByShape(t), secretsByPlace(t), neighbours(t), harmless()} {
		for name, c := range all {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				dir := t.TempDir()
				path := filepath.Join(dir, c.file)
				write(t, path, c.text)
				if err := os.Symlink("/nowhere", filepath.Join(filepath.Dir(path), "dangling.service")); err != nil {
					t.Fatal(err)
				}
				report := look(t, sealcheck.Host{Folders: []string{dir}, System: dir})
				var texts []string
				for _, f := range report.Findings {
					if f.Path != path || f.What == "" {
						t.Errorf("found %+v, want %q", f, path)
					}
					text := string(f.Kind) + " " + f.What
					if f.Line > 0 {
						text += ":" + strconv.Itoa(f.Line)
					}
					texts = append(texts, text)
				}
				if got := strings.Join(texts, "|"); got != c.want {
					t.Errorf("found %q, want %q", got, c.want)
				}
				if report.Files == 0 && name != "compiled" || len(report.Unknown) == 0 {
					t.Errorf("it looked at %d files, and cannot know %q", report.Files, report.Unknown)
				}
			})
		}
	}
}

// What is found beside the files.
func TestLookAround(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	write(t, in("opt/actions-runner/web-1/x"), "x")
	write(t, in("etc/systemd/system/a.service"), "[Service]\nEnvironmentFile=-/srv/deep/vars\nEnvironmentFile=/etc/absent\n")
	write(t, in("srv/deep/vars"), "A=b\nDB_PASSWORD=hunter-hunter2\n")
	write(t, in("srv/"+token()), "x")
	write(t, in("srv/cache/x"), token())
	write(t, in("srv/known/deep/x"), token())
	if err := os.Symlink("cache/x", in("srv/link")); err != nil {
		t.Fatal(err)
	}
	host := sealcheck.Host{
		Folders: []string{dir, in("absent")}, System: dir, Runners: in("opt/actions-runner"),
		Skip: map[string]string{in("srv/cache"): "it is a cache"}, Except: []string{in("srv/kn*")},
	}
	report := look(t, host)
	want := []sealcheck.Finding{
		{Path: in("opt/actions-runner/web-1"), Kind: sealcheck.Runner, What: "the directory of a runner"},
		{Path: in("srv/(redacted)"), Kind: sealcheck.Secret, What: "an access token of GitHub, as a name"},
		{Path: in("srv/deep/vars"), Line: 2, Kind: sealcheck.Secret, What: "a variable whose name says that it is a secret"},
	}
	if !reflect.DeepEqual(report.Findings, want) || report.Excepted != 1 {
		t.Errorf("found %+v, want %+v", report.Findings, want)
	}
	if !slices.Equal(report.NotLooked, []sealcheck.NotLooked{{Path: in("srv/cache"), Why: "it is a cache"}}) {
		t.Errorf("not looked at %+v", report.NotLooked)
	}
	if got := len(report.Refusing()); got != 3 {
		t.Errorf("%d refuse", got)
	}
}

// What a package has brought is no secret, as long as it is what the package has brought.
func TestPublished(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "usr/lib/python3/test/key.pem"), pem(""))
	write(t, filepath.Join(dir, "usr/lib/python3/test/other.pem"), pem("")+"\n")
	sum := md5.Sum([]byte(pem(""))) //nolint:gosec // as above
	var list string
	for _, name := range []string{"key.pem", "other.pem"} {
		list += hex.EncodeToString(sum[:]) + "  usr/lib/python3/test/" + name + "\n"
	}
	write(t, filepath.Join(dir, "var/lib/dpkg/info/python3.md5sums"), list)
	const setting = "token = hunter22hunter\n"
	write(t, filepath.Join(dir, "etc/a.conf"), setting)
	write(t, filepath.Join(dir, "etc/b.conf"), setting+"# changed\n")
	sum = md5.Sum([]byte(setting)) //nolint:gosec // as above
	own := hex.EncodeToString(sum[:])
	write(t, filepath.Join(dir, "var/lib/dpkg/status"), "Package: a\nConffiles:\n /etc/a.conf "+own+"\n /etc/b.conf "+own+" obsolete\nVersion: 1\n\nPackage: c\n")
	report := look(t, sealcheck.Host{Folders: []string{dir}, System: dir})
	if len(report.Findings) != 2 || !strings.HasSuffix(report.Findings[0].Path, "b.conf") ||
		!strings.HasSuffix(report.Findings[1].Path, "other.pem") || report.Published != 2 {
		t.Errorf("found %+v, %d published", report.Findings, report.Published)
	}
}

// What is found is named, and never shown.
func TestNoSecretIsShown(t *testing.T) {
	t.Parallel()
	for _, all := range []map[string]planted{secretsByShape(t), secretsByPlace(t)} {
		for name, c := range all {
			dir := t.TempDir()
			write(t, filepath.Join(dir, c.file), c.text)
			text, err := json.Marshal(look(t, sealcheck.Host{Folders: []string{dir}, System: dir}))
			if err != nil {
				t.Fatal(err)
			}
			for _, secret := range []string{"0123456789abcdef", "hunter", "S3cr3t", registration(), "wJalr", "MIIE", "Zm9vYmFy", "a1b2c3"} {
				if strings.Contains(string(text), secret) {
					t.Errorf("%s: %q is shown: %s", name, secret, text)
				}
			}
		}
	}
}

// What is packed by something that nobody here unpacks is named, as is a package manager whose lists are not read.
func TestWhatIsNotUnpackedIsNamed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, begins := range map[string]string{
		"srv/a.zip": "PK\x03\x04rest", "srv/b": "\x28\xb5\x2f\xfdrest", "srv/c.xz": "\xfd7zXZ\x00rest", "srv/d.bz2": "BZh91AY&SYrest of it",
		"srv/e.txt": "BZhello, this is a text", "usr/share/doc/f.zip": "PK\x03\x04of a package",
	} {
		write(t, filepath.Join(dir, name), begins)
	}
	write(t, filepath.Join(dir, "var/lib/rpm/rpmdb.sqlite"), "")
	report := look(t, sealcheck.Host{Folders: []string{dir}, System: dir})
	var named []string
	for _, place := range report.NotLooked {
		if path, err := filepath.Rel(dir, place.Path); err == nil && strings.Contains(place.Why, "archive") {
			_, kind, _ := strings.Cut(place.Why, "(")
			kind, _, _ = strings.Cut(kind, ")")
			named = append(named, filepath.ToSlash(path)+" "+kind)
		}
	}
	if want := []string{"srv/a.zip zip", "srv/b zstd", "srv/c.xz xz", "srv/d.bz2 bzip2"}; !slices.Equal(named, want) {
		t.Errorf("named are %q, want %q", named, want)
	}
	if text := strings.Join(report.Unknown, "\n"); !strings.Contains(text, "packages of rpm") || !strings.Contains(text, "zstd") {
		t.Errorf("it says that it cannot know\n%s", text)
	}
	for i := range 30 {
		write(t, filepath.Join(dir, "srv", "many", strconv.Itoa(i)), "PK\x03\x04")
	}
	all := look(t, sealcheck.Host{Folders: []string{dir}, System: dir}).NotLooked
	if last := all[len(all)-1].Why; last != "and 14 more archives like it" {
		t.Errorf("the last of %d is %q", len(all), last)
	}
}
