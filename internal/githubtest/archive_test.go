package githubtest_test

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"path"
	"strings"
	"testing"

	"github.com/runner-bootstrap/runner-bootstrap/internal/githubtest"
)

func headers(t *testing.T, a *githubtest.Archive) []*tar.Header {
	t.Helper()
	f, err := a.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	gz, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	var out []*tar.Header
	for r := tar.NewReader(gz); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, h)
	}
}

func TestArchiveLooksLikeTheRealOne(t *testing.T) {
	found := map[string]*tar.Header{}
	dirs := map[string]bool{}
	for i, h := range headers(t, small(t, "linux-x64", "2.337.0")) {
		if i == 0 && h.Name != "./" {
			t.Errorf("the first entry is %q", h.Name)
		}
		if !strings.HasPrefix(h.Name, "./") || h.Uid != 1001 || h.Gid != 1001 {
			t.Errorf("entry %q of %d:%d", h.Name, h.Uid, h.Gid)
		}
		if h.Name != "./" && !dirs[path.Dir(path.Clean(h.Name))] {
			t.Errorf("%q comes before its folder", h.Name)
		}
		dirs[path.Clean(h.Name)] = h.Typeflag == tar.TypeDir
		found[h.Name] = h
	}
	for name, mode := range map[string]int64{
		"./config.sh": 0o755, "./run.sh": 0o755, "./env.sh": 0o755, "./safe_sleep.sh": 0o755,
		"./run-helper.sh.template": 0o644, "./bin/Runner.Listener": 0o755, "./bin/runsvc.sh": 0o755,
		"./bin/installdependencies.sh": 0o755, "./bin/systemd.svc.sh.template": 0o644,
		"./externals/node20/bin/node": 0o755, "./externals/node24/bin/node": 0o755,
	} {
		if h := found[name]; h == nil || h.Mode != mode {
			t.Errorf("%s: %+v", name, h)
		}
	}
	if h := found["./externals/node24/bin/npm"]; h == nil || h.Linkname != "../lib/node_modules/npm/bin/npm-cli.js" {
		t.Errorf("npm: %+v", h)
	}
	if found["./svc.sh"] != nil {
		t.Error("svc.sh is not in an archive")
	}
}

func TestWindowsArchiveIsAZip(t *testing.T) {
	a := small(t, "win-x64", "2.337.0")
	if a.Filename != "actions-runner-win-x64-2.337.0.zip" {
		t.Errorf("name %q", a.Filename)
	}
	f, err := a.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	raw, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	z, err := zip.NewReader(bytes.NewReader(raw), int64(len(raw)))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"config.cmd", "run.cmd", "bin/Runner.Listener.exe", "bin/Runner.Worker.exe"} {
		if _, err := z.Open(name); err != nil {
			t.Error(err)
		}
	}
}

func TestPaddingIsDeterministic(t *testing.T) {
	spec := githubtest.ArchiveSpec{Platform: "linux-x64", Version: "2.337.0", Padding: 3 << 20}
	inMemory, err := githubtest.NewArchive(spec)
	if err != nil {
		t.Fatal(err)
	}
	spec.Dir = t.TempDir()
	onDisk, err := githubtest.NewArchive(spec)
	if err != nil {
		t.Fatal(err)
	}
	if inMemory.SHA256 != onDisk.SHA256 || inMemory.Size != onDisk.Size || onDisk.Size < 3<<20 {
		t.Errorf("%d and %d bytes", inMemory.Size, onDisk.Size)
	}
	var padded int64
	for _, h := range headers(t, onDisk) {
		if strings.Contains(h.Name, "/padding/") {
			padded += h.Size
		}
	}
	if padded != 3<<20 {
		t.Errorf("%d bytes of padding", padded)
	}
}

func TestHostileEntriesArePackedAsTheyAre(t *testing.T) {
	for _, hc := range githubtest.HostileCases() {
		t.Run(hc.Name, func(t *testing.T) {
			a, err := githubtest.NewArchive(githubtest.ArchiveSpec{Platform: "linux-x64", Version: "2.337.0", Extra: hc.Entries})
			if err != nil {
				t.Fatal(err)
			}
			all := headers(t, a)
			for i, want := range hc.Entries {
				got := all[len(all)-len(hc.Entries)+i]
				if got.Name != want.Name || got.Linkname != want.Link || (want.Mode != 0 && got.Mode != want.Mode) ||
					(want.Type != 0 && got.Typeflag != want.Type) {
					t.Errorf("packed %+v for %+v", got, want)
				}
			}
		})
	}
}
