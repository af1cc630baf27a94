package download

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/runner-bootstrap/runner-bootstrap/internal/githubtest"
	"github.com/runner-bootstrap/runner-bootstrap/internal/transport"
)

// origin is an archive host, and a fetcher of what it has.
type origin struct {
	*githubtest.Server
	fetcher *Fetcher
	asset   Asset
	told    [][2]int64 // progress
}

// inBubble runs a test with an archive host on a clock of its own.
func inBubble(t *testing.T, archive *githubtest.Archive, test func(*testing.T, *origin)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		host := githubtest.NewPipes("archives.test")
		server, err := githubtest.Start(githubtest.Config{API: githubtest.NewPipes("api.test"), Archives: host, Archive: archive})
		if err != nil {
			t.Fatal(err)
		}
		wire := &http.Transport{DialContext: host.Dial}
		client := transport.NewDownload(transport.Config{UserAgent: "test"})
		client.Transport = wire
		system, arch, _ := strings.Cut(archive.Platform, "-")
		o := &origin{
			Server: server,
			fetcher: &Fetcher{
				Client: client, Cache: Cache{Dir: filepath.Join(t.TempDir(), "cache [1]")}, Connections: 1,
			},
			asset: Asset{
				Platform: Platform{OS: system, Arch: arch}, Version: archive.Version, Filename: archive.Filename,
				URL: server.ArchiveURL() + "/" + archive.Filename, SHA256: archive.SHA256,
			},
		}
		defer func() { // after a test that gave up as well
			wire.CloseIdleConnections()
			for _, problem := range server.Problems() {
				t.Errorf("problem: %v", problem)
			}
			if err := server.Close(); err != nil {
				t.Error(err)
			}
		}()
		test(t, o)
	})
}

// native is a platform whose archive this system can unpack: that of Windows has no symbolic links.
func native() string {
	if runtime.GOOS == "windows" {
		return "win-x64"
	}
	return "linux-x64"
}

// nativePlatform is [native], as an asset has it.
func nativePlatform() Platform {
	system, arch, _ := strings.Cut(native(), "-")
	return Platform{OS: system, Arch: arch}
}

// script is a file in the archives for it.
func script() string {
	if runtime.GOOS == "windows" {
		return "run.cmd"
	}
	return "run.sh"
}

// runner is an archive of a runner with so many bytes in it that do not
// compress.
func runner(t *testing.T, platform string, padding int64, extra ...githubtest.Entry) *githubtest.Archive {
	t.Helper()
	archive, err := githubtest.NewArchive(githubtest.ArchiveSpec{
		Platform: platform, Version: "2.337.0", Padding: padding, Extra: extra,
	})
	if err != nil {
		t.Fatal(err)
	}
	return archive
}

func (o *origin) fetch(ctx context.Context) (Entry, bool, error) {
	return o.fetcher.Fetch(ctx, o.asset, func(done, total int64) { o.told = append(o.told, [2]int64{done, total}) })
}

// requests counts what reached the archive host, by status.
func (o *origin) requests() map[int]int {
	count := map[int]int{}
	for _, r := range o.Requests() {
		count[r.Status]++
	}
	return count
}

// left names what is in the cache.
func (o *origin) left(t *testing.T) []string {
	t.Helper()
	files, err := os.ReadDir(o.fetcher.Cache.Dir)
	if err != nil {
		t.Fatal(err)
	}
	names := []string{}
	for _, file := range files {
		names = append(names, file.Name())
	}
	return names
}

// wantWhole fails unless the cache holds the runner whole, and nothing else.
func (o *origin) wantWhole(t *testing.T, entry Entry) {
	t.Helper()
	if left := o.left(t); len(left) != 1 || filepath.Join(o.fetcher.Cache.Dir, left[0]) != entry.Dir {
		t.Errorf("the cache holds %q, want %s", left, filepath.Base(entry.Dir))
	}
	manifest, err := entry.manifest()
	if err != nil {
		t.Fatal(err)
	}
	if err := manifest.Check(t.Context(), filepath.Join(entry.Dir, treeDir)); err != nil {
		t.Error(err)
	}
	if entry.Files != manifest.Files() || entry.Bytes != manifest.Bytes() || entry.Files < 10 {
		t.Errorf("it says %d files, %d bytes; the manifest %d, %d", entry.Files, entry.Bytes, manifest.Files(), manifest.Bytes())
	}
}
