package download

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/mholt/archiver/v4"

	"github.com/runner-bootstrap/runner-bootstrap/internal/githubtest"
)

// packed writes a runner archive with extra entries, and returns its path.
func packed(t *testing.T, extra ...githubtest.Entry) string {
	t.Helper()
	return packedSpec(t, githubtest.ArchiveSpec{Extra: extra})
}

func packedSpec(t *testing.T, spec githubtest.ArchiveSpec) string {
	t.Helper()
	spec.Platform, spec.Version, spec.Dir = "linux-x64", "2.337.0", t.TempDir()
	archive, err := githubtest.NewArchive(spec)
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(spec.Dir, archive.Filename)
}

// tarball packs entries and nothing else.
func tarball(t *testing.T, entries []githubtest.Entry) []byte {
	t.Helper()
	var out bytes.Buffer
	zipped := gzip.NewWriter(&out)
	archive := tar.NewWriter(zipped)
	for _, e := range entries {
		header := &tar.Header{Name: e.Name, Typeflag: max(e.Type, tar.TypeReg), Linkname: e.Link, Mode: 0o755, Size: int64(len(e.Body))}
		if err := archive.WriteHeader(header); err != nil {
			t.Fatal(err)
		}
		if _, err := archive.Write([]byte(e.Body)); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(archive.Close(), zipped.Close()); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// keep leaves a tree to the account that runs the test.
func keep() Owner { return Owner{Keep: true} }

// wantNothing fails unless root and everything beside it is gone.
func wantNothing(t *testing.T, root string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(root))
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		t.Errorf("left behind: %s", entry.Name())
	}
}

func TestUnpackRefusesHostileArchives(t *testing.T) {
	t.Parallel()
	cases := append(githubtest.HostileCases(),
		githubtest.HostileCase{Name: "hard link to a link", Entries: []githubtest.Entry{
			{Name: "./bin/a/link", Type: tar.TypeSymlink, Link: "../../run.sh"},
			{Name: "./out", Type: tar.TypeLink, Link: "bin/a/link"},
		}},
		githubtest.HostileCase{Name: "link through a link", Entries: []githubtest.Entry{
			{Name: "./down", Type: tar.TypeSymlink, Link: "bin"},
			{Name: "./out", Type: tar.TypeSymlink, Link: "down/../../x"},
		}},
		githubtest.HostileCase{Name: "directory through a link", Entries: []githubtest.Entry{
			{Name: "./down", Type: tar.TypeSymlink, Link: "bin"},
			{Name: "./down/x/", Type: tar.TypeDir},
		}},
		githubtest.HostileCase{Name: "directory over a link", Entries: []githubtest.Entry{
			{Name: "./down", Type: tar.TypeSymlink, Link: "bin"},
			{Name: "./down/", Type: tar.TypeDir},
		}},
		githubtest.HostileCase{Name: "directory over a file", Entries: []githubtest.Entry{{Name: "./run.sh/", Type: tar.TypeDir}}},
		githubtest.HostileCase{Name: "file below a file", Entries: []githubtest.Entry{{Name: "./run.sh/x", Body: "x"}}},
		githubtest.HostileCase{Name: "file over a directory", Entries: []githubtest.Entry{{Name: "./bin", Body: "x"}}},
		githubtest.HostileCase{Name: "link twice", Entries: []githubtest.Entry{
			{Name: "./out", Type: tar.TypeSymlink, Link: "run.sh"}, {Name: "./out", Type: tar.TypeSymlink, Link: "run.sh"},
		}},
		githubtest.HostileCase{Name: "link to nothing", Entries: []githubtest.Entry{{Name: "./out", Type: tar.TypeSymlink}}},
		githubtest.HostileCase{Name: "hard link to nothing", Entries: []githubtest.Entry{{Name: "./out", Type: tar.TypeLink, Link: "none"}}},
		githubtest.HostileCase{Name: "hard link to a directory", Entries: []githubtest.Entry{{Name: "./out", Type: tar.TypeLink, Link: "bin"}}},
		githubtest.HostileCase{Name: "hard link absolute", Entries: []githubtest.Entry{{Name: "./out", Type: tar.TypeLink, Link: "/etc/passwd"}}},
		githubtest.HostileCase{Name: "backslash", Entries: []githubtest.Entry{{Name: `..\out`, Body: "x"}}},
		githubtest.HostileCase{Name: "backslash in a link", Entries: []githubtest.Entry{{Name: "./out", Type: tar.TypeSymlink, Link: `..\x`}}},
		githubtest.HostileCase{Name: "block device", Entries: []githubtest.Entry{{Name: "./sda", Type: tar.TypeBlock}}},
		githubtest.HostileCase{Name: "name beyond what a file system takes", Entries: []githubtest.Entry{{Name: "./" + strings.Repeat("x", 300), Body: "x"}}},
	)
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			archive := packed(t, c.Entries...)
			root := filepath.Join(t.TempDir(), "runners", "web-1")
			err := Unpack(t.Context(), archive, root, keep())
			if c.Name == "setuid" { // kept, without it
				info, statErr := os.Stat(filepath.Join(root, "bin", "setuid"))
				if err != nil || statErr != nil || info.Mode() != 0o755 {
					t.Errorf("%v, %v, %v", info, err, statErr)
				}
				return
			}
			if !errors.Is(err, ErrArchive) || !strings.Contains(err.Error(), "unpacking "+filepath.Base(archive)) {
				t.Errorf("%v, want ErrArchive", err)
			}
			wantNothing(t, root)
			if c.Outside == "" {
				return
			}
			outside := c.Outside
			if !filepath.IsAbs(outside) {
				outside = filepath.Join(root, outside)
			}
			if _, err := os.Lstat(outside); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%s is there: %v", outside, err)
			}
		})
	}
}

func TestUnpackRefusesWhatIsNoRunner(t *testing.T) {
	t.Parallel()
	whole, err := os.ReadFile(packedSpec(t, githubtest.ArchiveSpec{Padding: 200_000}))
	if err != nil {
		t.Fatal(err)
	}
	archives := map[string][]byte{
		"empty": nil, "garbage": []byte(strings.Repeat("garbage", 1000)), "a page": []byte("Not Found"),
		"damaged": append(slices.Clone(whole[:len(whole)/2]), bytes.Repeat([]byte{0xff}, len(whole)/2)...),
	}
	// A gzip stream ends with the CRC-32 and the length of what is in it.
	wrongCRC, wrongLength := slices.Clone(whole), slices.Clone(whole)
	wrongCRC[len(whole)-8] ^= 1
	wrongLength[len(whole)-4] ^= 1
	archives["wrong CRC"], archives["wrong length"] = wrongCRC, wrongLength
	archives["no CRC"] = whole[:len(whole)-8]
	archives["something behind it"] = append(slices.Clone(whole), "rubbish"...)
	for part := 1; part < 10; part++ {
		archives[fmt.Sprintf("cut after %d%%", 10*part)] = whole[:len(whole)*part/10]
	}
	notRunner := map[string][]githubtest.Entry{
		"no entry":               {},
		"no config.sh":           {{Name: "./bin/Runner.Listener", Body: "x"}},
		"no listener":            {{Name: "./config.sh", Body: "x"}},
		"config.sh is a folder":  {{Name: "./config.sh/", Type: tar.TypeDir}, {Name: "./bin/Runner.Listener", Body: "x"}},
		"the listener is a link": {{Name: "./config.sh", Body: "x"}, {Name: "./bin/Runner.Listener", Type: tar.TypeSymlink, Link: "none"}},
		"in a folder of its own": {{Name: "./r/config.sh", Body: "x"}, {Name: "./r/bin/Runner.Listener", Body: "x"}},
	}
	for name, entries := range notRunner {
		archives[name] = tarball(t, entries)
	}
	for name, data := range archives {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			archive := filepath.Join(t.TempDir(), "actions-runner-linux-x64-2.337.0.tar.gz")
			if err := os.WriteFile(archive, data, 0o600); err != nil {
				t.Fatal(err)
			}
			root := filepath.Join(t.TempDir(), "runners", "web-1")
			err := Unpack(t.Context(), archive, root, keep())
			if !errors.Is(err, ErrArchive) || notRunner[name] != nil && !errors.Is(err, ErrLayout) {
				t.Errorf("%v, want ErrArchive", err)
			}
			wantNothing(t, root)
		})
	}
}

func TestUnpackNeedsItsArchiveAndAFreePlace(t *testing.T) {
	t.Parallel()
	root := filepath.Join(t.TempDir(), "runners", "web-1")
	if err := Unpack(t.Context(), filepath.Join(t.TempDir(), "none"), root, keep()); !errors.Is(err, fs.ErrNotExist) || errors.Is(err, ErrArchive) {
		t.Errorf("without an archive: %v", err)
	}
	wantNothing(t, root)
	archive := packed(t)
	if err := os.MkdirAll(filepath.Join(root, "x"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := Unpack(t.Context(), archive, root, keep()); err == nil {
		t.Error("what was there is replaced")
	}
	entries, err := os.ReadDir(filepath.Dir(root))
	if err != nil || len(entries) != 1 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
}

// endless is a context that ends after it was looked at a number of times.
type endless struct {
	context.Context
	looks int
}

func (e *endless) Err() error {
	if e.looks--; e.looks < 0 {
		return context.Canceled
	}
	return nil
}

func TestUnpackEndsWithItsContext(t *testing.T) {
	t.Parallel()
	archive := packedSpec(t, githubtest.ArchiveSpec{Padding: 300_000})
	for _, looks := range []int{0, 1, 2, 10, 30} {
		root := filepath.Join(t.TempDir(), "runners", "web-1")
		err := Unpack(&endless{t.Context(), looks}, archive, root, keep())
		if !errors.Is(err, context.Canceled) || errors.Is(err, ErrArchive) {
			t.Errorf("after %d looks: %v", looks, err)
		}
		wantNothing(t, root)
	}
	copying := &interruptible{ctx: &endless{t.Context(), 1}, reader: strings.NewReader("ab")}
	if n, err := copying.Read(make([]byte, 1)); n != 1 || err != nil {
		t.Errorf("a copy reads %d, %v", n, err)
	}
	if n, err := copying.Read(make([]byte, 1)); n != 0 || !errors.Is(err, context.Canceled) {
		t.Errorf("a copy whose context has ended reads %d, %v", n, err)
	}
}

func TestUnpackRemovesWhatAKilledOneLeft(t *testing.T) {
	t.Parallel()
	runners := filepath.Join(t.TempDir(), "runners [1]") // no pattern
	for _, name := range []string{".web-1.new-123/bin", ".web-1.new-9", ".web-2.new-1", "web-2"} {
		if err := os.MkdirAll(filepath.Join(runners, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := Unpack(t.Context(), packed(t), filepath.Join(runners, "web-1"), keep()); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(runners)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	if want := []string{".web-2.new-1", "web-1", "web-2"}; !slices.Equal(names, want) {
		t.Errorf("there are %q, want %q", names, want)
	}
}

func TestUnpackTellsTheHostFromTheArchive(t *testing.T) {
	t.Parallel()
	wrapped := func(err error) error {
		return fmt.Errorf("writing: %w", &fs.PathError{Op: "write", Path: "x", Err: err})
	}
	for _, c := range []struct {
		name string
		err  error
		want []error
		not  []error
	}{
		{"disk full", wrapped(syscall.ENOSPC), []error{ErrSpace, syscall.ENOSPC}, []error{ErrArchive}},
		{"disk broken", wrapped(syscall.EIO), []error{syscall.EIO}, []error{ErrArchive, ErrSpace}},
		{"no permission", wrapped(syscall.EACCES), []error{fs.ErrPermission}, []error{ErrArchive, ErrSpace}},
		{"entry twice", wrapped(syscall.EEXIST), []error{ErrArchive}, []error{ErrSpace}},
		{"name too long", wrapped(syscall.ENAMETOOLONG), []error{ErrArchive}, []error{ErrSpace}},
		{"no gzip", errors.New("gzip: invalid header"), []error{ErrArchive}, []error{ErrSpace}},
		{"no runner", ErrLayout, []error{ErrLayout, ErrArchive}, nil},
	} {
		got := unpackError(t.Context(), c.err)
		for _, want := range c.want {
			if !errors.Is(got, want) {
				t.Errorf("%s: %v is not %v", c.name, got, want)
			}
		}
		for _, not := range c.not {
			if errors.Is(got, not) {
				t.Errorf("%s: %v is %v", c.name, got, not)
			}
		}
	}
}

func TestUnpackIsBounded(t *testing.T) {
	t.Parallel()
	w := &writer{entries: maxEntries}
	if err := w.entry(t.Context(), archiver.FileInfo{}); !errors.Is(err, ErrArchive) || !strings.Contains(err.Error(), "entries") {
		t.Errorf("entry %d: %v", maxEntries+1, err)
	}
	w = &writer{bytes: maxBytes - 10}
	if err := w.file(t.Context(), "x", &tar.Header{Size: 11}, archiver.FileInfo{}); !errors.Is(err, ErrArchive) || !strings.Contains(err.Error(), "bytes") {
		t.Errorf("byte %d: %v", int64(maxBytes+1), err)
	}
	if err := (&writer{}).entry(t.Context(), archiver.FileInfo{Header: "none"}); !errors.Is(err, ErrArchive) {
		t.Errorf("an entry without a header: %v", err)
	}
}

func FuzzConfinement(f *testing.F) {
	for _, script := range []string{
		"f a/b/c;l x a/b/c;h y a/b/c;l z ../root/a",
		"l a/b/l ..;l x a/b/l/../..",
		"l a/b/l ../..;h l a/b/l",
		"d a;l a/l ..;f a/l/b;l a/l/x ../..",
		"l a ..;d a;f a/b",
		"l l .;l l/l/x ..;l b l/l/../a",
		"l x /a;l ./a/../b ..;f ../a/f;h y ../a",
	} {
		f.Add(script)
	}
	f.Fuzz(confine)
}

func TestConfinementOfAnything(t *testing.T) {
	t.Parallel()
	names := []string{"a", "b", "l", "a/b", "a/l", "a/b/l", "b/a/l", "x"}
	steps := []string{"a", "b", "l", "..", "..", "."}
	dice := rand.New(rand.NewPCG(1, 2))
	for range 60 {
		var entries []string
		for range 12 {
			target := steps[dice.IntN(len(steps))]
			for range dice.IntN(5) {
				target += "/" + steps[dice.IntN(len(steps))]
			}
			entries = append(entries, fmt.Sprintf("%c %s %s", "llldfh"[dice.IntN(6)], names[dice.IntN(len(names))], target))
		}
		confine(t, strings.Join(entries, ";"))
	}
}

// confine makes a tree of whatever entries a script gives (l is a link, h a
// hard link, d a directory, f a file) and looks whether any
// path in it leads out. Around the tree lie the same names, so that what leads
// out also leads somewhere.
func confine(t *testing.T, script string) {
	t.Helper()
	outer := t.TempDir()
	root := filepath.Join(outer, "a", "b", "root")
	for _, dir := range []string{outer, filepath.Join(outer, "a"), filepath.Join(outer, "a", "b"), root} {
		if err := os.MkdirAll(filepath.Join(dir, "a", "b"), 0o700); err != nil && dir != root {
			t.Fatal(err)
		}
	}
	if err := os.RemoveAll(filepath.Join(root, "a")); err != nil {
		t.Fatal(err)
	}
	before := below(t, outer, root)
	tree, err := os.OpenRoot(root)
	if err != nil {
		t.Fatal(err)
	}
	defer tree.Close()
	w := &writer{tree: tree, owner: keep(), dirs: map[string]bool{}}
	kinds := map[string]byte{"l": tar.TypeSymlink, "d": tar.TypeDir, "f": tar.TypeReg, "h": tar.TypeLink}
	for entry := range strings.SplitSeq(script, ";") {
		words := append(strings.SplitN(entry, " ", 3), "", "", "")
		header := &tar.Header{Typeflag: kinds[words[0]], Name: words[1], Linkname: words[2], Mode: 0o755}
		info := archiver.FileInfo{Header: header, Open: func() (fs.File, error) { return os.Open(os.DevNull) }}
		// A refused one is left out, so that the next ones get their chance.
		_ = w.entry(t.Context(), info)
	}
	if after := below(t, outer, root); !maps.Equal(before, after) {
		t.Errorf("%s: outside it was %v and is %v", script, before, after)
	}
	real, err := filepath.EvalSymlinks(root)
	if err != nil {
		t.Fatal(err)
	}
	err = filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		to, err := filepath.EvalSymlinks(path)
		if err == nil && to != real && !strings.HasPrefix(to, real+string(filepath.Separator)) {
			t.Errorf("%s: %s leads to %s, out of %s", script, path, to, real)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// below lists what is below dir but not below except.
func below(t *testing.T, dir, except string) map[string]fs.FileMode {
	t.Helper()
	all := map[string]fs.FileMode{}
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if path == except {
			return fs.SkipDir
		}
		all[path] = entry.Type()
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}
