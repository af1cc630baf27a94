package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/runner-bootstrap/runner-bootstrap/internal/githubtest"
)

// What is merged has the files of both archives, each once, and the small one's where both have it.
func TestMerge(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	large := filepath.Join(dir, "large.tar.gz")
	var text bytes.Buffer
	packed := gzip.NewWriter(&text)
	out := tar.NewWriter(packed)
	var err error
	for name, content := range map[string]string{"./config.sh": "nothing", "./bin/other.so": "a library", "./externals/x": "x"} {
		err = errors.Join(err, out.WriteHeader(&tar.Header{Name: name, Mode: 0o755, Size: int64(len(content))}))
		_, wrong := io.WriteString(out, content)
		err = errors.Join(err, wrong)
	}
	if err := errors.Join(err, out.Close(), packed.Close(), os.WriteFile(large, text.Bytes(), 0o600)); err != nil {
		t.Fatal(err)
	}
	small, err := githubtest.NewArchive(githubtest.ArchiveSpec{Platform: "linux-x64", Version: version})
	if err != nil {
		t.Fatal(err)
	}
	merged := filepath.Join(dir, "merged.tar.gz")
	if err := merge(t.Context(), merged, large, small); err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	err = eachEntry(func() (io.ReadSeekCloser, error) { return os.Open(merged) }, func(header *tar.Header, content io.Reader) error {
		text, err := io.ReadAll(content)
		if _, twice := found[header.Name]; twice && header.Typeflag != tar.TypeDir {
			t.Errorf("%q is there twice", header.Name)
		}
		found[header.Name] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if found["./bin/other.dll"] != "a library" || found["./externals/x"] != "x" || found["./config.sh"] == "nothing" || found["./config.sh"] == "" {
		t.Errorf("found %q", found)
	}
	if _, there := found["./bin/Runner.Worker"]; !there {
		t.Error("a link of the small one is missing")
	}
}

func TestParseShare(t *testing.T) {
	t.Parallel()
	if got, err := parseShare("00400000-7ffe [rollup]\nRss:   2048 kB\nPss:                1024 kB\nPss_Dirty: 5 kB\n"); got != 1<<20 || err != nil {
		t.Errorf("%d, %v", got, err)
	}
	for _, text := range []string{"", "Pss: 5\n", "Pss: x kB\n", "Pss_Dirty: 5 kB\n"} {
		if got, err := parseShare(text); err == nil {
			t.Errorf("%q: %d", text, got)
		}
	}
}
