package unpack

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/download/unpack/naming"
	"github.com/runner-bootstrap/runner-bootstrap/internal/githubtest"
)

// zipOf packs what makes a runner, and then more.
func zipOf(t testing.TB, more func(w *zip.Writer)) []byte {
	t.Helper()
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for _, name := range []string{"config.cmd", "bin/Runner.Listener.exe"} {
		into, err := w.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(into, "content of "+name); err != nil {
			t.Fatal(err)
		}
	}
	more(w)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func unzipped(t testing.TB, data []byte, names naming.Rules) (string, *Manifest, error) {
	t.Helper()
	dir := emptyDir(t)
	m, err := Zip(context.Background(), bytes.NewReader(data), int64(len(data)), dir, names, 2)
	wantCanary(t, dir)
	return dir, m, err
}

func TestUnpackZip(t *testing.T) {
	t.Parallel()
	data := packed(t, githubtest.ArchiveSpec{Platform: "win-x64", Padding: 3 << 20, Extra: []githubtest.Entry{
		{Name: "externals/empty/", Type: '5'}, {Name: "externals/nothing"}, {Name: "bin/big.dll", Body: strings.Repeat("0123456789", 300_000)},
	}})
	for workers := range 4 {
		dir := emptyDir(t)
		m, err := Zip(t.Context(), bytes.NewReader(data), int64(len(data)), dir, naming.Windows, workers)
		if err != nil {
			t.Fatal(err)
		}
		in, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range in.File {
			path := filepath.Join(dir, filepath.FromSlash(file.Name))
			info, err := os.Stat(path)
			if err != nil {
				t.Fatal(err)
			}
			if file.Mode().IsDir() {
				if !info.IsDir() || hasModes() && info.Mode() != fs.ModeDir|0o755 {
					t.Errorf("%s is %v", path, info.Mode())
				}
				continue
			}
			want, errWant := fs.ReadFile(in, file.Name)
			got, errGot := os.ReadFile(path)
			if errWant != nil || errGot != nil || !bytes.Equal(got, want) {
				t.Errorf("%s has %d bytes, packed were %d: %v, %v", path, len(got), len(want), errGot, errWant)
			}
			if !info.ModTime().Equal(file.Modified.Truncate(time.Second)) || hasModes() && info.Mode() != 0o755 {
				t.Errorf("%s is %v of %v", path, info.Mode(), info.ModTime())
			}
		}
		if err := m.Check(t.Context(), dir); err != nil || len(m.entries) < len(in.File) {
			t.Errorf("%d entries for %d: %v", len(m.entries), len(in.File), err)
		}
	}
}

// raw adds an entry of which the directory says what it is told to.
func raw(t testing.TB, w *zip.Writer, header zip.FileHeader, data string) {
	t.Helper()
	into, err := w.CreateRaw(&header)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(into, data); err != nil {
		t.Fatal(err)
	}
}

func TestUnpackZipRefusesHostileArchives(t *testing.T) {
	t.Parallel()
	file := func(names ...string) func(w *zip.Writer) {
		return func(w *zip.Writer) {
			for _, name := range names {
				into, err := w.Create(name)
				if err == nil && !strings.HasSuffix(name, "/") {
					_, err = io.WriteString(into, "x")
				}
				if err != nil {
					t.Error(err)
				}
			}
		}
	}
	stored := func(name string, more zip.FileHeader) func(w *zip.Writer) {
		return func(w *zip.Writer) {
			more.Name, more.CompressedSize64 = name, 4
			if more.UncompressedSize64 == 0 {
				more.UncompressedSize64 = 4
			}
			if more.CRC32 == 0 {
				more.CRC32 = crc32.ChecksumIEEE([]byte("data"))
			}
			raw(t, w, more, "data")
		}
	}
	link := zip.FileHeader{}
	link.SetMode(fs.ModeSymlink | 0o777)
	pipe := zip.FileHeader{}
	pipe.SetMode(fs.ModeNamedPipe | 0o666)
	bomb, bombCRC := deflated(t, 64<<20)
	for name, c := range map[string]struct {
		more func(w *zip.Writer)
		says string
	}{
		"dotdot":            {file("../out"), "leads out"},
		"dotdot inside":     {file("bin/../out"), "leads out"},
		"absolute":          {file("/out"), "is absolute"},
		"backslash":         {file(`bin\out`), "character"},
		"backslash up":      {file(`..\out`), "character"},
		"drive":             {file("C:/out"), "reserves"},
		"drive alone":       {file("C:out"), "reserves"},
		"stream":            {file("bin/x:y"), "reserves"},
		"device":            {file("bin/nul"), "reserves"},
		"device with more":  {file("bin/COM1.txt"), "reserves"},
		"dot at the end":    {file("bin./x"), "reserves"},
		"not UTF-8":         {file("bin/\xff"), "UTF-8"},
		"NUL":               {file("bin/x\x00y"), "character"},
		"empty name":        {file(""), "is empty"},
		"other case":        {file("x", "X"), "replace"},
		"other folder case": {file("Bin/x"), "replace"},
		"file and folder":   {file("x", "x/y"), "replace"},
		"folder and file":   {file("x/y", "x"), "replace"},
		"file for the tree": {file("."), "no directory"},
		"symlink":           {stored("out", link), "neither file nor directory"},
		"pipe":              {stored("out", pipe), "neither file nor directory"},
		"encrypted":         {stored("out", zip.FileHeader{Flags: 1}), "encrypted"},
		"LZMA":              {stored("out", zip.FileHeader{Method: 14}), "a way of its own (14)"},
		"wrong CRC":         {stored("out", zip.FileHeader{CRC32: 1}), "checksum"},
		"longer":            {stored("out", zip.FileHeader{UncompressedSize64: 5}), "out"},
		"shorter":           {stored("out", zip.FileHeader{UncompressedSize64: 3}), "out"},
		"1 TB":              {stored("out", zip.FileHeader{UncompressedSize64: 1 << 40}), "more than 8589934592 bytes"},
		"2^64 bytes":        {stored("out", zip.FileHeader{UncompressedSize64: 1<<64 - 2}), "more than 8589934592 bytes"},
		"twice 5 GiB": {func(w *zip.Writer) {
			stored("a", zip.FileHeader{UncompressedSize64: 5 << 30})(w)
			stored("b", zip.FileHeader{UncompressedSize64: 5 << 30})(w)
		}, "more than 8589934592 bytes"},
		"folder with content": {stored("out!", zip.FileHeader{}), "has content"}, // Go's writer refuses the slash
		"no deflate":          {stored("out", zip.FileHeader{Method: zip.Deflate}), "out"},
		"no CRC": {func(w *zip.Writer) {
			raw(t, w, zip.FileHeader{Name: "out", CompressedSize64: 4, UncompressedSize64: 4}, "data")
		}, "no checksum"},
		"a bomb that says 10 bytes": {func(w *zip.Writer) {
			raw(t, w, zip.FileHeader{
				Name: "out", Method: zip.Deflate, CompressedSize64: uint64(len(bomb)), UncompressedSize64: 10, CRC32: bombCRC,
			}, bomb)
		}, "out"},
		"too many entries": {func(w *zip.Writer) {
			for range maxEntries + 1 {
				raw(t, w, zip.FileHeader{Name: "x/"}, "")
			}
		}, "more than 200000 entries"},
		"a directory beyond measure": {func(w *zip.Writer) {
			for i := range 500 {
				raw(t, w, zip.FileHeader{Name: fmt.Sprint(i), Comment: strings.Repeat("x", 60_000)}, "")
			}
		}, "a directory of more than"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			data := bytes.ReplaceAll(zipOf(t, c.more), []byte("out!"), []byte("out/"))
			dir, m, err := unzipped(t, data, naming.Windows)
			if !errors.Is(err, ErrArchive) || m != nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v, want ErrArchive and %q", err, c.says)
			}
			if info, err := os.Stat(filepath.Join(dir, "out")); err == nil && info.Size() > bufferSize {
				t.Errorf("%d bytes were written", info.Size())
			}
		})
	}
	// What differs by case is refused for those systems only that do not tell it.
	if _, _, err := unzipped(t, zipOf(t, file("x", "X")), naming.Fold); !errors.Is(err, ErrArchive) || errors.Is(err, ErrLayout) {
		t.Errorf("other case, for macOS: %v", err)
	}
	if runtime.GOOS == "windows" {
		return // where they cannot be made
	}
	if _, _, err := unzipped(t, zipOf(t, file("nul", "a:b")), naming.Fold); !errors.Is(err, ErrLayout) {
		t.Errorf("names of Windows' own, for macOS: %v, want that it has no config.sh", err)
	}
}

// deflated returns so many zeros, packed.
func deflated(t testing.TB, size int64) (data string, crc uint32) {
	t.Helper()
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	into, err := w.Create("x")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.CopyN(into, zero{}, size); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	r, err := zip.NewReader(bytes.NewReader(out.Bytes()), int64(out.Len()))
	if err != nil {
		t.Fatal(err)
	}
	in, err := r.File[0].OpenRaw()
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(in)
	if err != nil {
		t.Fatal(err)
	}
	return string(text), r.File[0].CRC32
}

func TestUnpackZipRefusesWhatIsNoRunner(t *testing.T) {
	t.Parallel()
	whole := zipOf(t, func(w *zip.Writer) {})
	contentOf := func(name string) int { return bytes.Index(whole, []byte(name)) + len(name) + 2 }
	broken := slices.Clone(whole)
	broken[contentOf("config.cmd")] ^= 0x55
	archives := map[string][]byte{
		"empty": nil, "garbage": bytes.Repeat([]byte("garbage"), 1000), "a tar": packed(t, githubtest.ArchiveSpec{}),
		"content damaged": broken,
	}
	for part := 1; part < 10; part++ {
		archives[fmt.Sprintf("cut after %d%%", 10*part)] = whole[:len(whole)*part/10]
	}
	for name, data := range archives {
		if _, m, err := unzipped(t, data, naming.Windows); !errors.Is(err, ErrArchive) || m != nil {
			t.Errorf("%s: %v, want ErrArchive", name, err)
		}
	}
	for name, files := range map[string][]string{
		"no config.cmd": {"bin/Runner.Listener.exe"}, "no listener": {"config.cmd"}, "of Linux": {"config.sh", "bin/Runner.Listener"},
		"a folder": {"config.cmd/", "bin/Runner.Listener.exe"},
	} {
		var out bytes.Buffer
		w := zip.NewWriter(&out)
		for _, file := range files {
			if _, err := w.Create(file); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if _, _, err := unzipped(t, out.Bytes(), naming.Windows); !errors.Is(err, ErrLayout) {
			t.Errorf("%s: %v, want ErrLayout", name, err)
		}
	}
	if _, err := Zip(t.Context(), bytes.NewReader(whole), -1, emptyDir(t), naming.Windows, 2); !errors.Is(err, ErrArchive) {
		t.Errorf("a negative size: %v", err)
	}
}

// Two entries that are made of the same bytes are two files.
func TestUnpackZipWithOverlappingEntries(t *testing.T) {
	t.Parallel()
	data := zipOf(t, func(w *zip.Writer) {
		for _, name := range []string{"one", "two"} {
			raw(t, w, zip.FileHeader{Name: name, CompressedSize64: 4, UncompressedSize64: 4, CRC32: crc32.ChecksumIEEE([]byte("data"))}, "data")
		}
	})
	// The directory's entries come last; where an entry lies stands before its name.
	one, two := bytes.LastIndex(data, []byte("one")), bytes.LastIndex(data, []byte("two"))
	copy(data[two-4:two], data[one-4:one])
	if binary.LittleEndian.Uint32(data[two-4:]) == 0 {
		t.Fatal("this is not where an entry's place is told")
	}
	dir, _, err := unzipped(t, data, naming.Windows)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"one", "two"} {
		if text, err := os.ReadFile(filepath.Join(dir, name)); err != nil || string(text) != "data" {
			t.Errorf("%s is %q, %v", name, text, err)
		}
	}
}

// brokenDisk fails from some place on.
type brokenDisk struct {
	io.ReaderAt
	from int64
	do   func() error
}

func (b brokenDisk) ReadAt(p []byte, off int64) (int, error) {
	if off < b.from {
		if err := b.do(); err != nil {
			return 0, &fs.PathError{Op: "read", Path: "x", Err: err}
		}
	}
	return b.ReaderAt.ReadAt(p, off)
}

func TestUnpackZipEndsWithItsContext(t *testing.T) {
	t.Parallel()
	data := packed(t, githubtest.ArchiveSpec{Platform: "win-x64", Padding: 3 << 20})
	for _, from := range []int64{1, int64(len(data)) / 2, int64(len(data))} {
		dir := emptyDir(t)
		synctest.Test(t, func(t *testing.T) { // fails if a goroutine is left
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			source := brokenDisk{bytes.NewReader(data), from, func() error { cancel(); return nil }}
			_, err := Zip(ctx, source, int64(len(data)), dir, naming.Windows, 2)
			if !errors.Is(err, context.Canceled) || errors.Is(err, ErrArchive) {
				t.Errorf("cancelled below byte %d: %v", from, err)
			}
		})
	}
	done, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Zip(done, bytes.NewReader(data), int64(len(data)), emptyDir(t), naming.Windows, 2); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled before the start: %v", err)
	}
}

func TestUnpackZipPassesOnTheDisksFailure(t *testing.T) {
	t.Parallel()
	data := packed(t, githubtest.ArchiveSpec{Platform: "win-x64", Padding: 1 << 20})
	for _, from := range []int64{1, int64(len(data)) / 2, int64(len(data))} {
		source := brokenDisk{bytes.NewReader(data), from, func() error { return fs.ErrClosed }}
		if _, err := Zip(t.Context(), source, int64(len(data)), emptyDir(t), naming.Windows, 2); !errors.Is(err, fs.ErrClosed) || errors.Is(err, ErrArchive) {
			t.Errorf("broken below byte %d: %v", from, err)
		}
	}
}

func FuzzZip(f *testing.F) {
	f.Add(zipOf(f, func(w *zip.Writer) {}))
	f.Add(packed(f, githubtest.ArchiveSpec{Platform: "win-x64"}))
	f.Add(zipOf(f, func(w *zip.Writer) {
		raw(f, w, zip.FileHeader{Name: "../out", CompressedSize64: 4, UncompressedSize64: 4, CRC32: crc32.ChecksumIEEE([]byte("data"))}, "data")
	}))
	f.Add(zipOf(f, func(w *zip.Writer) {
		bomb, crc := deflated(f, 1<<20)
		raw(f, w, zip.FileHeader{Name: "bomb", Method: zip.Deflate, CompressedSize64: uint64(len(bomb)), UncompressedSize64: 1 << 20, CRC32: crc}, bomb)
	}))
	f.Fuzz(func(t *testing.T, data []byte) {
		dir, m, err := unzipped(t, data, naming.Windows)
		if err != nil {
			if !errors.Is(err, ErrArchive) {
				t.Errorf("%v is not the archive's", err)
			}
			return
		}
		if err := m.Check(t.Context(), dir); err != nil {
			t.Error(err)
		}
	})
}
