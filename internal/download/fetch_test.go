package download

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/github"
	"github.com/runner-bootstrap/runner-bootstrap/internal/githubtest"
	"github.com/runner-bootstrap/runner-bootstrap/internal/secret"
	"github.com/runner-bootstrap/runner-bootstrap/internal/transport"
)

func TestFetch(t *testing.T) {
	t.Parallel()
	for _, platform := range []string{"linux-x64", "osx-arm64", "win-x64"} {
		t.Run(platform, func(t *testing.T) {
			t.Parallel()
			archive := runner(t, platform, 3<<20)
			inBubble(t, archive, func(t *testing.T, o *origin) {
				entry, cached, err := o.fetch(t.Context())
				if err != nil || cached {
					t.Fatalf("%t, %v", cached, err)
				}
				o.wantWhole(t, entry)
				if entry.Platform != platform || entry.Version != "2.337.0" || entry.SHA256 != archive.SHA256 || entry.Created.IsZero() {
					t.Errorf("entry %+v", entry)
				}
				for i, now := range o.told {
					if i > 0 && now[0] < o.told[i-1][0] || now[1] != archive.Size {
						t.Fatalf("progress %d is %v after %v", i, now, o.told[max(0, i-1)])
					}
				}
				if len(o.told) == 0 || o.told[len(o.told)-1][0] != archive.Size {
					t.Errorf("progress ends with %v", o.told[max(0, len(o.told)-1):])
				}
				again, cached, err := o.fetch(t.Context())
				if err != nil || !cached || again.Dir != entry.Dir || o.requests()[200] != 1 {
					t.Errorf("again: %+v, %t, %v with %v requests", again, cached, err, o.requests())
				}
				all, err := o.fetcher.Cache.Entries()
				if err != nil || len(all) != 1 || all[0] != again {
					t.Errorf("the cache lists %+v, %v", all, err)
				}
			})
		})
	}
}

// Everybody may read what is public, and nobody but us write it.
func TestEntryIsPublic(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("a mode says nothing here: the folder's access list does")
	}
	inBubble(t, runner(t, native(), 0), func(t *testing.T, o *origin) {
		entry, _, err := o.fetch(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		err = filepath.WalkDir(entry.Dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.Type() == fs.ModeSymlink {
				return err
			}
			info, err := d.Info()
			if err == nil && (info.Mode().Perm()&0o022 != 0 || d.IsDir() && info.Mode().Perm()&0o555 != 0o555) {
				t.Errorf("%s has mode %v", path, info.Mode())
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	})
}

// packed is any bytes as a gzip member.
func packed(t *testing.T, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func content(t *testing.T, archive *githubtest.Archive) []byte {
	t.Helper()
	in, err := archive.Open()
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(in)
	if err := errors.Join(err, in.Close()); err != nil {
		t.Fatal(err)
	}
	return data
}

// Whatever is not a runner leaves nothing, and does no harm to what is there.
func TestFetchRefuses(t *testing.T) {
	t.Parallel()
	whole := content(t, runner(t, "linux-x64", 300_000))
	zip := content(t, runner(t, "win-x64", 0))
	flipped := func(data []byte, at int) []byte {
		data = slices.Clone(data)
		data[at] ^= 0x10
		return data
	}
	for _, c := range []struct {
		name     string
		platform string
		data     []byte
		wrong    bool // the digest is of something else
		err      error
		says     string
	}{
		{name: "not found", data: []byte("Not Found"), err: ErrArchive},
		{name: "wrong digest", data: whole, wrong: true, err: ErrArchive, says: "SHA-256 is"},
		{name: "wrong checksum", data: flipped(whole, len(whole)-8), err: ErrArchive},
		{name: "wrong length", data: flipped(whole, len(whole)-1), err: ErrArchive},
		{name: "rubbish behind it", data: append(slices.Clone(whole), "rubbish"...), err: ErrArchive},
		{name: "cut in the last block", data: whole[:len(whole)-20], err: ErrArchive},
		{name: "cut in the middle", data: whole[:len(whole)/2], err: ErrArchive},
		{name: "cut in the header", data: whole[:5], err: ErrArchive},
		{name: "no tar in it", data: packed(t, []byte("Not Found")), err: ErrArchive},
		{name: "an empty tar in it", data: packed(t, make([]byte, 1024)), err: ErrLayout},
		{name: "zip of another length", platform: "win-x64", data: zip[:len(zip)-1], err: ErrArchive},
		{name: "zip with a wrong digest", platform: "win-x64", data: zip, wrong: true, err: ErrArchive, says: "SHA-256 is"},
		{name: "zip that is none", platform: "win-x64", data: whole, err: ErrArchive},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if c.platform == "" {
				c.platform = "linux-x64"
			}
			inBubble(t, githubtest.ArchiveOf(c.platform, "2.337.0", c.data), func(t *testing.T, o *origin) {
				if c.wrong {
					o.asset.SHA256 = otherDigest
				}
				entry, cached, err := o.fetch(t.Context())
				if !errors.Is(err, c.err) || !errors.Is(err, ErrArchive) || cached || entry != (Entry{}) {
					t.Fatalf("%+v, %t, %v", entry, cached, err)
				}
				if !strings.HasPrefix(err.Error(), "fetching "+o.asset.Filename) || !strings.Contains(err.Error(), c.says) {
					t.Errorf("it says %v", err)
				}
				if o.requests()[200] != 1 {
					t.Errorf("%v requests: what is wrong stays wrong", o.requests())
				}
				if left := o.left(t); len(left) != 0 {
					t.Errorf("the cache holds %q", left)
				}
			})
		})
	}
}

// What was received stays for the next call, whatever ended this one.
func TestFetchGoesOn(t *testing.T) {
	t.Parallel()
	archive := runner(t, native(), 3<<20)
	for name, fault := range map[string]githubtest.Fault{
		"after an interrupt": {RatePerSecond: 1 << 20},
		"after a stall":      {StallAfter: 1 << 20},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, archive, func(t *testing.T, o *origin) {
				fault.Host = "archive"
				o.Fault(fault)
				ctx, cancel := context.WithTimeout(t.Context(), 2500*time.Millisecond)
				defer cancel()
				began := time.Now()
				_, _, err := o.fetch(ctx)
				if took := time.Since(began); !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, ErrArchive) || took > 3*time.Second {
					t.Errorf("%v after %v", err, took)
				}
				if left := o.left(t); len(left) != 2 || !strings.HasSuffix(left[0], partMark) {
					t.Errorf("the cache holds %q, want a part file and its state", left)
				}
				o.ClearFaults()
				o.told = nil
				entry, cached, err := o.fetch(t.Context())
				if err != nil || cached {
					t.Fatalf("%t, %v", cached, err)
				}
				o.wantWhole(t, entry)
				if o.requests()[206] != 1 || o.told[0][0] < 1<<20 {
					t.Errorf("%v requests, progress begins at %v", o.requests(), o.told[0])
				}
			})
		})
	}
}

// A part file that was damaged in between is no reason to fail.
func TestFetchMendsADamagedPart(t *testing.T) {
	t.Parallel()
	archive := runner(t, native(), 3<<20)
	for name, at := range map[string]int64{"at its begin": 3, "in its middle": 500_000} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, archive, func(t *testing.T, o *origin) {
				o.Fault(githubtest.Fault{Host: "archive", StallAfter: 1 << 20})
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				if _, _, err := o.fetch(ctx); !errors.Is(err, context.DeadlineExceeded) {
					t.Fatal(err)
				}
				o.ClearFaults()
				part, err := os.OpenFile(o.fetcher.Cache.part(o.asset), os.O_WRONLY, 0)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := part.WriteAt([]byte("damage"), at); err != nil {
					t.Fatal(err)
				}
				part.Close()
				entry, _, err := o.fetch(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				o.wantWhole(t, entry)
			})
		})
	}
}

// A process may be killed between the verification and the name.
func TestFetchTakesOverWhatWasVerified(t *testing.T) {
	t.Parallel()
	for name, damage := range map[string]string{"whole": "", "damaged": "tree/" + script(), "not sealed": entryFile, "no manifest": manifestFile} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, runner(t, native(), 0), func(t *testing.T, o *origin) {
				entry, _, err := o.fetch(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				staging := filepath.Join(o.fetcher.Cache.Dir, "."+filepath.Base(entry.Dir)+stagingMark+"1")
				if err := os.Rename(entry.Dir, staging); err != nil {
					t.Fatal(err)
				}
				if damage != "" {
					if err := os.Truncate(filepath.Join(staging, damage), 3); err != nil {
						t.Fatal(err)
					}
				}
				again, _, err := o.fetch(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				o.wantWhole(t, again)
				if fetched := o.requests()[200] - 1; (fetched == 1) != (damage != "") {
					t.Errorf("it was fetched %d times more", fetched)
				}
			})
		})
	}
}

func TestFetchRemovesWhatKilledOnesLeft(t *testing.T) {
	t.Parallel()
	inBubble(t, runner(t, native(), 0), func(t *testing.T, o *origin) {
		cache := o.fetcher.Cache
		for _, name := range []string{".linux-x64-2.300.0-0123456789abcdef.part", ".linux-x64-2.300.0-0123456789abcdef.part.state", ".keep", "mine"} {
			if err := os.MkdirAll(cache.Dir, 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(cache.Dir, name), []byte("x"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		// Half an entry under the name of ours, and a staging directory.
		for _, dir := range []string{cache.path(o.asset), filepath.Join(cache.Dir, "."+cache.name(o.asset)+stagingMark+"7")} {
			if err := os.MkdirAll(filepath.Join(dir, treeDir, "bin"), 0o700); err != nil {
				t.Fatal(err)
			}
		}
		entry, _, err := o.fetch(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if left := o.left(t); !slices.Equal(left, slices.Sorted(slices.Values([]string{".keep", filepath.Base(entry.Dir), "mine"}))) {
			t.Errorf("the cache holds %q", left)
		}
	})
}

func TestFetchFromAFile(t *testing.T) {
	t.Parallel()
	archive := runner(t, native(), 1<<20)
	file := filepath.Join(t.TempDir(), "runner.tgz")
	if err := os.WriteFile(file, content(t, archive), 0o644); err != nil {
		t.Fatal(err)
	}
	asset := Asset{Platform: nativePlatform(), Version: "2.337.0", Filename: archive.Filename, SHA256: archive.SHA256}
	for name, c := range map[string]struct {
		path, digest string
		err          error
	}{
		"right":        {path: file},
		"other":        {path: file, digest: otherDigest, err: ErrArchive},
		"absent":       {path: file + ".gone", err: ErrAbsent},
		"a directory":  {path: filepath.Dir(file), err: ErrAbsent},
		"nowhere":      {err: ErrAbsent},
		"not readable": {path: "/dev/full", err: ErrAbsent},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := &Fetcher{Cache: Cache{Dir: t.TempDir()}}
			asset := asset
			asset.File = c.path
			if c.digest != "" {
				asset.SHA256 = c.digest
			}
			var done int64
			_, _, err := f.Fetch(t.Context(), asset, func(now, total int64) { done = now })
			if !errors.Is(err, c.err) || c.err == nil && done != archive.Size {
				t.Errorf("%v after %d bytes", err, done)
			}
			if left, _ := os.ReadDir(f.Cache.Dir); (len(left) == 0) != (c.err != nil) {
				t.Errorf("the cache holds %v", left)
			}
			if now, err := os.ReadFile(file); err != nil || int64(len(now)) != archive.Size {
				t.Errorf("the file itself has %d bytes, %v", len(now), err)
			}
		})
	}
	if _, _, err := (&Fetcher{Cache: Cache{Dir: t.TempDir()}}).Fetch(t.Context(), Asset{File: file}, nil); !errors.Is(err, ErrNoDigest) {
		t.Errorf("without a digest: %v", err)
	}
}

func TestPlace(t *testing.T) {
	t.Parallel()
	inBubble(t, runner(t, native(), 0), func(t *testing.T, o *origin) {
		runners := filepath.Join(t.TempDir(), "runners")
		place := func(name string, asset Asset) (bool, error) {
			return o.fetcher.Place(t.Context(), asset, filepath.Join(runners, name), Owner{Keep: true}, func(int64, int64) {})
		}
		if cached, err := place("one", o.asset); err != nil || cached {
			t.Fatalf("cold: %t, %v", cached, err)
		}
		if cached, err := place("two", o.asset); err != nil || !cached {
			t.Fatalf("warm: %t, %v", cached, err)
		}
		entry, _ := o.fetcher.Cache.Find(o.asset)
		known := entry.Asset(o.asset.Platform)
		if cached, err := place("three", known); err != nil || !cached || o.requests()[200] != 1 {
			t.Fatalf("by the cache alone: %t, %v, %v requests", cached, err, o.requests())
		}
		changed := filepath.Join(entry.Dir, treeDir, script())
		if err := os.WriteFile(changed, []byte("changed"), 0o755); err != nil {
			t.Fatal(err)
		}
		if text, err := os.ReadFile(filepath.Join(runners, "one", script())); err != nil || string(text) == "changed" {
			t.Errorf("a clone shares its files with the cache: %v", err)
		}
		// Damage is found, and mended where there is something to mend it from.
		if cached, err := place("four", known); !errors.Is(err, ErrDamaged) || cached {
			t.Errorf("damaged, no source: %t, %v", cached, err)
		}
		if _, err := place("five", known); !errors.Is(err, ErrAbsent) {
			t.Errorf("gone, no source: %v", err)
		}
		if _, err := place("six", o.asset); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(changed, []byte("changed"), 0o755); err != nil {
			t.Fatal(err)
		}
		if cached, err := place("seven", o.asset); err != nil || cached || o.requests()[200] != 3 {
			t.Errorf("mended: %t, %v, %v requests", cached, err, o.requests())
		}
		text, err := os.ReadFile(filepath.Join(runners, "seven", script()))
		if err != nil || string(text) == "changed" {
			t.Errorf("the damage was cloned: %v", err)
		}
		left, err := os.ReadDir(runners)
		if err != nil || len(left) != 5 {
			t.Errorf("the runners' directory holds %v, %v", left, err)
		}
	})
}

func TestEnsure(t *testing.T) {
	t.Parallel()
	inBubble(t, runner(t, native(), 0), func(t *testing.T, o *origin) {
		ensure := func(asset Asset) (Entry, bool, error) {
			return o.fetcher.Ensure(t.Context(), asset, func(int64, int64) {})
		}
		entry, cached, err := ensure(o.asset)
		if err != nil || cached {
			t.Fatalf("cold: %t, %v", cached, err)
		}
		if _, cached, err := ensure(o.asset); err != nil || !cached {
			t.Fatalf("warm: %t, %v", cached, err)
		}
		damage := func() {
			if err := os.WriteFile(filepath.Join(entry.Dir, treeDir, script()), []byte("changed"), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		damage()
		if _, cached, err := ensure(o.asset); err != nil || cached || o.requests()[200] != 2 {
			t.Errorf("damaged: %t, %v, %v requests", cached, err, o.requests())
		}
		if _, cached, err := ensure(o.asset); err != nil || !cached {
			t.Errorf("mended: %t, %v", cached, err)
		}
		damage()
		if _, _, err := ensure(entry.Asset(o.asset.Platform)); !errors.Is(err, ErrDamaged) {
			t.Errorf("damaged, no source: %v", err)
		}
		if _, found := o.fetcher.Cache.Find(o.asset); found {
			t.Error("a damaged entry without a source was left")
		}
	})
}

func TestRoom(t *testing.T) {
	t.Parallel()
	if err := room(t.TempDir(), 1<<60, 0); !errors.Is(err, ErrSpace) {
		t.Errorf("there is room for %d bytes: %v", int64(1<<60), err)
	}
	if err := room(t.TempDir(), 1, 0); err != nil {
		t.Errorf("there is no room for a byte: %v", err)
	}
	if err := room(t.TempDir(), 0, 0); err != nil {
		t.Errorf("what is unknown is refused: %v", err)
	}
}

// The source of a stream decides what its failure is, not the one that decodes.
func TestHashingTellsTheSourcesFailure(t *testing.T) {
	t.Parallel()
	noise := make([]byte, 3*chunks*chunkSize+7)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(noise)
	broken := errors.New("broken")
	for name, c := range map[string]struct {
		source io.Reader
		want   error
	}{
		"whole":  {bytes.NewReader(noise), nil},
		"broken": {io.MultiReader(bytes.NewReader(noise), failing{broken}), broken},
		"empty":  {bytes.NewReader(nil), nil},
	} {
		h := hashAhead(c.source)
		_, err := io.Copy(io.Discard, struct{ io.Reader }{h})
		if !errors.Is(err, c.want) || !errors.Is(h.failure(), c.want) {
			t.Errorf("%s: %v, %v, want %v", name, err, h.failure(), c.want)
		}
		h.Close()
	}
	// Nobody reads: it ends all the same.
	h := hashAhead(bytes.NewReader(noise))
	h.Close()
	if h.failure() != nil {
		t.Errorf("closed: %v", h.failure())
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// More than any runner has is not received at all.
func TestFetchBoundsTheLength(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, _ *http.Request) {
		out.Header().Set("Content-Length", "5368709120")
		_, _ = out.Write(make([]byte, 1000))
	}))
	defer server.Close()
	f := &Fetcher{Client: server.Client(), Cache: Cache{Dir: t.TempDir()}, Connections: 1}
	asset := Asset{
		Platform: Platform{OS: "linux", Arch: "x64"}, Version: "2.337.0", Filename: "actions-runner-linux-x64-2.337.0.tar.gz",
		URL: server.URL, SHA256: oneDigest,
	}
	_, _, err := f.Fetch(t.Context(), asset, func(int64, int64) {})
	if !errors.Is(err, ErrArchive) {
		t.Errorf("%v", err)
	}
	if left, err := os.ReadDir(f.Cache.Dir); err != nil || len(left) != 0 {
		t.Errorf("the cache holds %v, %v", left, err)
	}
}

// GitHub Enterprise Server keeps archives behind a token of their own, which
// no other host may see.
func TestBearerStaysAtItsHost(t *testing.T) {
	t.Parallel()
	archive := runner(t, native(), 0)
	server, err := githubtest.Start(githubtest.Config{Archive: archive})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	scope, err := github.ParseScope(server.URL()+"/octo-org", "")
	if err != nil {
		t.Fatal(err)
	}
	web := transport.Config{UserAgent: "test"}
	applications, err := github.NewClient(transport.NewAPI(web), scope, github.Static(secret.New(server.Token()))).Applications(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	asset, err := Resolve(applications, nativePlatform(), "")
	if err != nil {
		t.Fatal(err)
	}
	fetch := func(ctx context.Context) error {
		f := &Fetcher{Client: transport.NewDownload(web), Cache: Cache{Dir: t.TempDir()}, Connections: 1}
		_, _, err := f.Fetch(ctx, asset, func(int64, int64) {})
		return err
	}
	if err := fetch(t.Context()); err != nil {
		t.Errorf("with its token: %v", err)
	}
	data := content(t, archive)
	seen := make(chan http.Header, 1)
	storage := httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, req *http.Request) {
		seen <- req.Header
		if _, err := out.Write(data); err != nil {
			t.Error(err)
		}
	}))
	defer storage.Close()
	server.Fault(githubtest.Fault{Host: "archive", Redirect: storage.URL + "/x?sig=s1gn4tur3", Times: 1})
	if err := fetch(t.Context()); err != nil {
		t.Errorf("redirected: %v", err)
	}
	if header := <-seen; header.Get("Authorization") != "" {
		t.Errorf("the storage host received %v", header)
	}
	for _, request := range server.Requests() {
		if request.CarriedSecret {
			t.Errorf("%s %s carried a secret", request.Root, request.Path)
		}
	}
	for _, problem := range server.Problems() {
		t.Errorf("problem: %v", problem)
	}
	// The signature of a redirected address is no word for a message.
	storage.Close()
	server.Fault(githubtest.Fault{Host: "archive", Redirect: storage.URL + "/x?sig=s1gn4tur3"})
	if err := fetch(t.Context()); !errors.Is(err, ErrTransfer) || strings.Contains(err.Error(), "s1gn4tur3") {
		t.Errorf("%v", err)
	}
}
