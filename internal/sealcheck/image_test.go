package sealcheck_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/runner-bootstrap/runner-bootstrap/internal/sealcheck"
)

const classic = "ghp_" + "0123456789abcdefghijklmnopqrstuvwxyz"

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestLook(t *testing.T) {
	t.Parallel()
	filler := strings.Repeat("nothing to see here\n", 1<<14) // more than one piece
	for name, c := range map[string]struct {
		file, text string
		want       string // empty: nothing is found
	}{
		"a clean file":       {"etc/config.yaml", "url: https://github.com/octo-org\ntoken-file: /run/token\n", ""},
		"a classic token":    {"etc/token", classic + "\n", "an access token of GitHub"},
		"of an app":          {"etc/token", "Bearer gh" + "s_0123456789abcdefghijklmnopqrstuvwxyz", "an access token of GitHub"},
		"with its claims":    {"etc/token", "x gh" + "s_123456_eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJ4In0.c2ln-_", "an access token of GitHub"},
		"a fine-grained one": {"etc/deep/er/x", "TOKEN=github_pat_11ABCDEFG0abcdefghijkl_mnop", "an access token of GitHub"},
		"late in a log":      {"etc/log", filler + classic, "an access token of GitHub"},
		"between two pieces": {"etc/log", strings.Repeat("x", 256<<10-9) + " " + classic, "an access token of GitHub"},
		"a prefix alone":     {"etc/doc", "tokens begin with ghp_ or github_pat_", ""},
		"a key":              {"etc/app.pem", "-----BEGIN RSA PRIVATE KEY-----\nMII\n", "a private key"},
		"a public key":       {"etc/app.pem", "-----BEGIN PUBLIC KEY-----\nMII\n", ""},
		"a jitconfig":        {"etc/jit", "eyIucnVubmVyIjoiZXlKQloyVnVkRWxrSWpvaU1URWlMQ0pCWjJWdWRFNWhiV1VpT2lK", "a just-in-time configuration"},
		"of the next folder": {"etcetera/token", classic, ""},
		"in what is skipped": {"etc/cache/x", classic, ""},
		"a runner":           {"opt/web-1/.runner", "{}", "the directory of a runner"},
		"our unit":           {"units/a.service", "[Service]\nExecStart=\"/usr/bin/runner-bootstrap\" run --name a\n", "a service that would start a runner in every copy"},
		"with a folder":      {"units/a.service", "ExecStart=/usr/bin/runner-bootstrap --dir /x run --name a\n", "a service that would start a runner in every copy"},
		"GitHub's unit":      {"units/a.service", "ExecStart=/opt/actions-runner/runsvc.sh\n", "a service that would start a runner in every copy"},
		"the first boot's":   {"units/runner-bootstrap-firstboot.service", "ExecStart=/usr/bin/runner-bootstrap install\n", ""},
		"another unit":       {"units/x.service", "Description=runner-bootstrap run\nExecStart=/bin/true\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			path := filepath.Join(dir, c.file)
			write(t, path, c.text)
			if err := os.Symlink("/nowhere", filepath.Join(filepath.Dir(path), "dangling.service")); err != nil {
				t.Fatal(err)
			}
			if c.want == "the directory of a runner" {
				path = filepath.Dir(path)
			}
			found, err := sealcheck.Look(sealcheck.Places{
				Secrets: []string{filepath.Join(dir, "etc"), filepath.Join(dir, "absent")}, Skip: []string{filepath.Join(dir, "etc/cache")},
				Runners: filepath.Join(dir, "opt"), Units: filepath.Join(dir, "units"),
			})
			if err != nil {
				t.Fatal(err)
			}
			found = slices.DeleteFunc(found, func(f sealcheck.Finding) bool { return filepath.Base(f.Path) == "dangling.service" })
			var want []sealcheck.Finding
			if c.want != "" {
				want = []sealcheck.Finding{{Path: path, What: c.want}}
			}
			if !slices.Equal(found, want) {
				t.Errorf("found %v, want %v", found, want)
			}
		})
	}
}

// What cannot be read proves nothing.
func TestUnreadable(t *testing.T) {
	t.Parallel()
	if os.Geteuid() == 0 {
		t.Skip("root reads everything")
	}
	dir := t.TempDir()
	write(t, filepath.Join(dir, "etc/closed"), "x")
	if err := os.Chmod(filepath.Join(dir, "etc/closed"), 0); err != nil {
		t.Fatal(err)
	}
	if found, err := sealcheck.Look(sealcheck.Places{Secrets: []string{filepath.Join(dir, "etc")}}); err == nil {
		t.Errorf("found %v and no error", found)
	}
}
