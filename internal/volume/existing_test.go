package volume

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A directory can be made below what is there, and not in the place of a file, or of a link to nothing.
func TestExisting(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	if err := os.WriteFile(at("file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, target := range map[string]string{"good": dir, "bad": at("nowhere"), "loop": at("loop")} {
		if err := os.Symlink(target, at(name)); err != nil {
			t.Skip(err) // of Windows, without the privilege
		}
	}
	for name, want := range map[string]struct{ found, says string }{
		"new/er":   {found: "."},
		"good/new": {found: "good"},
		"file/new": {found: "file", says: "not a directory"},
		"file":     {found: "file", says: "not a directory"},
		"bad":      {found: "bad", says: "which is not there"},
		"bad/new":  {found: "bad", says: "which is not there"},
		"loop":     {found: "loop", says: "loop"},
	} {
		got, err := Existing(at(name))
		if (err == nil) != (want.says == "") || err != nil && !strings.Contains(err.Error(), want.says) {
			t.Errorf("%s: %v, want one that says %q", name, err, want.says)
		}
		if want.says == "" && got != filepath.Clean(at(want.found)) {
			t.Errorf("%s: %s, want %s", name, got, want.found)
		}
	}
}
