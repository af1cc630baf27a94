package unpack

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mholt/archiver/v4"

	"github.com/runner-bootstrap/runner-bootstrap/internal/download/unpack/naming"
	"github.com/runner-bootstrap/runner-bootstrap/internal/githubtest"
)

// packed returns a runner archive with extra entries.
func packed(t testing.TB, spec githubtest.ArchiveSpec) []byte {
	t.Helper()
	if spec.Platform == "" {
		spec.Platform = "linux-x64"
	}
	spec.Version = "2.337.0"
	archive, err := githubtest.NewArchive(spec)
	if err != nil {
		t.Fatal(err)
	}
	in, err := archive.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	data, err := io.ReadAll(in)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func zipped(t testing.TB, data []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	_, err := w.Write(data)
	if err := errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// plain packs entries, and what makes a runner of them unless bare, as a tar
// without gzip around it.
func plain(t testing.TB, bare bool, headers ...*tar.Header) []byte {
	t.Helper()
	if !bare {
		headers = append([]*tar.Header{{Name: "./config.sh", Mode: 0o755}, {Name: "./bin/Runner.Listener", Mode: 0o755}}, headers...)
	}
	var out bytes.Buffer
	archive := tar.NewWriter(&out)
	for _, h := range headers {
		if h.Typeflag == 0 {
			h.Typeflag = tar.TypeReg
		}
		if err := archive.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := io.CopyN(archive, zero{}, h.Size); err != nil {
			t.Fatal(err)
		}
	}
	if err := archive.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

type zero struct{}

func (zero) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// emptyDir is a directory to unpack into, with a canary beside it.
func emptyDir(t testing.TB) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "outer", "tree")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "..", "canary"), []byte("alive"), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// wantCanary fails if there is anything new outside of a place, or less.
func wantCanary(t testing.TB, dir string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(dir))
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != 2 {
		t.Errorf("beside the tree there are %v", entries)
	}
	if above, err := os.ReadDir(filepath.Join(dir, "..", "..")); err != nil || len(above) != 1 {
		t.Errorf("above the tree there are %v, %v", above, err)
	}
	if text, err := os.ReadFile(filepath.Join(dir, "..", "canary")); err != nil || string(text) != "alive" {
		t.Errorf("the canary is %q, %v", text, err)
	}
}

// unpacked makes a tree of an archive that is all right.
func unpacked(t testing.TB, data []byte) (string, *Manifest) {
	t.Helper()
	dir := emptyDir(t)
	m, err := Tar(context.Background(), bytes.NewReader(data), dir, naming.Unix, Later)
	if err != nil {
		t.Fatal(err)
	}
	return dir, m
}

// disguised are entries that a runner's archive must not have.
func disguised() []githubtest.HostileCase {
	long := strings.Repeat("x", 255) + "/"
	return append(githubtest.HostileCases(), []githubtest.HostileCase{
		{Name: "hard link to a link", Entries: []githubtest.Entry{
			{Name: "./bin/a/link", Type: tar.TypeSymlink, Link: "../../run.sh"},
			{Name: "./out", Type: tar.TypeLink, Link: "bin/a/link"},
		}},
		{Name: "hard link through a link", Entries: []githubtest.Entry{
			{Name: "./down", Type: tar.TypeSymlink, Link: "bin"},
			{Name: "./out", Type: tar.TypeLink, Link: "down/Runner.Listener"},
		}},
		{Name: "link through a link", Entries: []githubtest.Entry{
			{Name: "./down", Type: tar.TypeSymlink, Link: "bin"},
			{Name: "./out", Type: tar.TypeSymlink, Link: "down/../../x"},
		}},
		{Name: "directory through a link", Entries: []githubtest.Entry{
			{Name: "./down", Type: tar.TypeSymlink, Link: "bin"},
			{Name: "./down/x/", Type: tar.TypeDir},
		}},
		{Name: "file through a link that stays inside", Entries: []githubtest.Entry{
			{Name: "./down", Type: tar.TypeSymlink, Link: "bin"},
			{Name: "./down/x", Body: "x"},
		}},
		{Name: "file through a chain of links", Entries: []githubtest.Entry{
			{Name: "./one", Type: tar.TypeSymlink, Link: "bin"},
			{Name: "./two", Type: tar.TypeSymlink, Link: "one"},
			{Name: "./two/deep/x", Body: "x"},
		}},
		{Name: "file through a link to itself", Entries: []githubtest.Entry{
			{Name: "./self", Type: tar.TypeSymlink, Link: "."},
			{Name: "./self/x", Body: "x"},
		}},
		{Name: "link through a link of a link", Entries: []githubtest.Entry{
			{Name: "./a/b/up", Type: tar.TypeSymlink, Link: ".."},
			{Name: "./a/b/up/out", Type: tar.TypeSymlink, Link: "../.."},
		}},
		{Name: "directory over a link", Entries: []githubtest.Entry{
			{Name: "./down", Type: tar.TypeSymlink, Link: "bin"},
			{Name: "./down/", Type: tar.TypeDir},
		}},
		{Name: "link over a directory", Entries: []githubtest.Entry{{Name: "./bin", Type: tar.TypeSymlink, Link: "run.sh"}}},
		{Name: "directory over a file", Entries: []githubtest.Entry{{Name: "./run.sh/", Type: tar.TypeDir}}},
		{Name: "file below a file", Entries: []githubtest.Entry{{Name: "./run.sh/x", Body: "x"}}},
		{Name: "file over a directory", Entries: []githubtest.Entry{{Name: "./bin", Body: "x"}}},
		{Name: "file over the tree", Entries: []githubtest.Entry{{Name: ".", Body: "x"}}},
		{Name: "link over the tree", Entries: []githubtest.Entry{{Name: "./", Type: tar.TypeSymlink, Link: "bin"}}},
		{Name: "link that is replaced by one that leads out", Entries: []githubtest.Entry{
			{Name: "./out", Type: tar.TypeSymlink, Link: "run.sh"}, {Name: "./out", Type: tar.TypeSymlink, Link: "../run.sh"},
		}},
		{Name: "file that is replaced by a link, and below it", Entries: []githubtest.Entry{
			{Name: "./out", Body: "x"}, {Name: "./out", Type: tar.TypeSymlink, Link: "bin"}, {Name: "./out/x", Body: "x"},
		}},
		{Name: "link to nothing", Entries: []githubtest.Entry{{Name: "./out", Type: tar.TypeSymlink}}},
		{Name: "link to the directory above", Entries: []githubtest.Entry{{Name: "./bin/a/out", Type: tar.TypeSymlink, Link: "../../.."}}},
		{Name: "hard link to nothing", Entries: []githubtest.Entry{{Name: "./out", Type: tar.TypeLink, Link: "none"}}},
		{Name: "hard link to a later file", Entries: []githubtest.Entry{{Name: "./out", Type: tar.TypeLink, Link: "later"}, {Name: "./later", Body: "x"}}},
		{Name: "hard link to itself", Entries: []githubtest.Entry{{Name: "./out", Type: tar.TypeLink, Link: "out"}}},
		{Name: "hard link to a directory", Entries: []githubtest.Entry{{Name: "./out", Type: tar.TypeLink, Link: "bin"}}},
		{Name: "hard link absolute", Entries: []githubtest.Entry{{Name: "./out", Type: tar.TypeLink, Link: "/etc/passwd"}}},
		{Name: "backslash", Entries: []githubtest.Entry{{Name: `..\out`, Body: "x"}}},
		{Name: "backslash inside", Entries: []githubtest.Entry{{Name: `bin\out`, Body: "x"}}},
		{Name: "drive letter", Entries: []githubtest.Entry{{Name: `C:\out`, Body: "x"}}},
		{Name: "dotdot that stays inside", Entries: []githubtest.Entry{{Name: "./bin/../out", Body: "x"}}},
		{Name: "backslash in a link", Entries: []githubtest.Entry{{Name: "./out", Type: tar.TypeSymlink, Link: `..\x`}}},
		{Name: "block device", Entries: []githubtest.Entry{{Name: "./sda", Type: tar.TypeBlock}}},
		{Name: "part beyond what a file system takes", Entries: []githubtest.Entry{{Name: "./" + strings.Repeat("x", 256), Body: "x"}}},
		{Name: "name beyond what a system takes", Entries: []githubtest.Entry{{Name: strings.Repeat(long, 16) + "x", Body: "x"}}},
		{Name: "folder in folder in folder", Entries: []githubtest.Entry{{Name: strings.Repeat("x/", 100) + "x", Body: "x"}}},
	}...)
}

func TestUnpackRefusesHostileArchives(t *testing.T) {
	t.Parallel()
	for _, c := range disguised() {
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			dir := emptyDir(t)
			m, err := Tar(t.Context(), bytes.NewReader(packed(t, githubtest.ArchiveSpec{Extra: c.Entries})), dir, naming.Unix, Later)
			wantCanary(t, dir)
			if c.Name == "setuid" { // kept, without it
				info, statErr := os.Stat(filepath.Join(dir, "bin", "setuid"))
				if err != nil || statErr != nil || info.Mode() != 0o755 {
					t.Errorf("%v, %v, %v", info, err, statErr)
				}
				return
			}
			if !errors.Is(err, ErrArchive) || m != nil || !strings.HasPrefix(err.Error(), "unpacking the archive: ") {
				t.Errorf("%v, want ErrArchive", err)
			}
			if strings.HasSuffix(c.Name, "over the tree") && !strings.Contains(err.Error(), "is no directory") {
				t.Errorf("%v, want that it is no directory", err)
			}
			if strings.Contains(err.Error(), "handling file") {
				t.Errorf("a name stands unquoted in %q", err)
			}
			if c.Outside == "" {
				return
			}
			outside := c.Outside
			if !filepath.IsAbs(outside) {
				outside = filepath.Join(dir, outside)
			}
			if _, err := os.Lstat(outside); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%s is there: %v", outside, err)
			}
		})
	}
}

func TestUnpackRefusesWhatIsNoRunner(t *testing.T) {
	t.Parallel()
	whole := packed(t, githubtest.ArchiveSpec{Padding: 200_000})
	archives := map[string][]byte{
		"empty": nil, "garbage": []byte(strings.Repeat("garbage", 1000)), "a page": []byte("Not Found"),
		"damaged": append(slices.Clone(whole[:len(whole)/2]), bytes.Repeat([]byte{0xff}, len(whole)/2)...),
		"no tar":  zipped(t, []byte(strings.Repeat("no tar ", 1000))),
	}
	// A gzip stream ends with the CRC-32 and the length of what is in it.
	wrongCRC, wrongLength := slices.Clone(whole), slices.Clone(whole)
	wrongCRC[len(whole)-8] ^= 1
	wrongLength[len(whole)-4] ^= 1
	archives["wrong CRC"], archives["wrong length"] = wrongCRC, wrongLength
	archives["no CRC"] = whole[:len(whole)-8]
	archives["something behind it"] = append(slices.Clone(whole), "rubbish"...)
	archives["a zip's member behind zeros"] = slices.Concat(whole, make([]byte, 100), whole)
	for part := 1; part < 10; part++ {
		archives[fmt.Sprintf("cut after %d%%", 10*part)] = whole[:len(whole)*part/10]
	}
	// The same in the tar, with a gzip that is all right.
	inner := plain(t, false, &tar.Header{Name: "last", Size: 2000})
	end := len(inner) - 1024
	for name, length := range map[string]int{
		"a header": 700, "a header of a file": end - 2048 - 100, "the data": end - 1500, "the padding": end - 10,
		"a bit of the end": end + 1000, "a bit of a block": end + 100,
	} {
		archives["tar cut in "+name] = zipped(t, inner[:length])
	}
	archives["something behind the tar"] = zipped(t, append(slices.Clone(inner), "x"...))
	archives["tar behind the tar"] = zipped(t, slices.Concat(inner, inner))
	header := slices.Clone(inner)
	header[1] ^= 1
	archives["header damaged"] = zipped(t, header)
	notRunner := map[string][]*tar.Header{
		"no entry":               {},
		"no config.sh":           {{Name: "./bin/Runner.Listener"}},
		"no listener":            {{Name: "./config.sh"}},
		"config.sh is a folder":  {{Name: "./config.sh/", Typeflag: tar.TypeDir}, {Name: "./bin/Runner.Listener"}},
		"the listener is a link": {{Name: "./config.sh"}, {Name: "./bin/Runner.Listener", Typeflag: tar.TypeSymlink, Linkname: "none"}},
		"in a folder of its own": {{Name: "./r/config.sh"}, {Name: "./r/bin/Runner.Listener"}},
	}
	for name, entries := range notRunner {
		archives[name] = zipped(t, plain(t, true, entries...))
	}
	for name, data := range archives {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m, err := Tar(t.Context(), bytes.NewReader(data), emptyDir(t), naming.Unix, Later)
			if !errors.Is(err, ErrArchive) || m != nil || notRunner[name] != nil && !errors.Is(err, ErrLayout) {
				t.Errorf("%v, %v, want ErrArchive", m, err)
			}
		})
	}
	// What was cut above is all right otherwise.
	for name, data := range map[string][]byte{
		"whole": inner, "with more zeros": append(slices.Clone(inner), make([]byte, 1<<20)...),
		"without an end": inner[:end], "with half an end": inner[:end+512], // as tar takes them
	} {
		if m, err := Tar(t.Context(), bytes.NewReader(zipped(t, data)), emptyDir(t), naming.Unix, Later); err != nil || len(m.entries) != 4 {
			t.Errorf("%s: %v, %v", name, m, err)
		}
	}
}

// A header alone may not make the host give away space, time or memory.
func TestUnpackIsBounded(t *testing.T) {
	t.Parallel()
	headerOf := func(h tar.Header) []byte {
		var out bytes.Buffer
		if err := tar.NewWriter(&out).WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		return out.Bytes()
	}
	sparse := tar.Header{Typeflag: tar.TypeReg, Name: "holes", Size: 1536, Format: tar.FormatPAX}
	records := map[string]string{"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.name": "holes", "GNU.sparse.realsize": "7000000000"}
	for name, c := range map[string]struct {
		stream []byte
		says   string
	}{
		"an entry of 1 TB":        {headerOf(tar.Header{Typeflag: tar.TypeReg, Name: "big", Size: 1 << 40}), "more than 8589934592 bytes"},
		"an entry of 8 GiB":       {headerOf(tar.Header{Typeflag: tar.TypeReg, Name: "big", Size: 8<<30 + 1}), "more than 8589934592 bytes"},
		"an entry of 2^63 bytes":  {headerOf(tar.Header{Typeflag: tar.TypeReg, Name: "big", Size: 1<<63 - 1}), "more than 8589934592 bytes"},
		"a file with holes":       {sparseTar(t, sparse, records), "has holes"},
		"a file with holes (old)": {oldSparse(t), "neither file"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := emptyDir(t)
			_, err := Tar(t.Context(), bytes.NewReader(zipped(t, c.stream)), dir, naming.Unix, Later)
			if !errors.Is(err, ErrArchive) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v, want %q", err, c.says)
			}
			if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
				t.Errorf("written: %v, %v", left, err)
			}
		})
	}
	builders := map[string]struct {
		builder builder
		entry   entry
		says    string
	}{
		"entries":     {builder{entries: make([]entry, maxEntries)}, entry{path: "x"}, "more than 200000 entries"},
		"names":       {builder{text: maxText - 10}, entry{path: "123456", target: "78901"}, "bytes of names"},
		"bytes":       {builder{bytes: maxBytes - 10}, entry{path: "x", size: 11}, "more than 8589934592 bytes"},
		"minus bytes": {builder{}, entry{path: "x", size: -1}, "more than 8589934592 bytes"},
	}
	for name, c := range builders {
		c.builder.known = map[string]int32{}
		if _, err := c.builder.add(c.entry); !errors.Is(err, ErrArchive) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("too many %s: %v", name, err)
		}
	}
	u := &untar{builder: &builder{}}
	if err := u.entry(t.Context(), archiver.FileInfo{Header: "none"}); !errors.Is(err, ErrArchive) {
		t.Errorf("an entry without a header: %v", err)
	}
}

// sparseTar writes the PAX header that Go's writer refuses to.
func sparseTar(t *testing.T, h tar.Header, records map[string]string) []byte {
	t.Helper()
	text := ""
	for key, value := range records {
		rest := " " + key + "=" + value + "\n"
		size := len(rest) + 1
		for len(fmt.Sprint(size))+len(rest) != size {
			size = len(fmt.Sprint(size)) + len(rest)
		}
		text += fmt.Sprint(size) + rest
	}
	raw := rawHeader("PaxHeaders/holes", 'x', int64(len(text)))
	raw = append(raw, text...)
	raw = append(raw, make([]byte, 512-len(text)%512)...)
	raw = append(raw, rawHeader(h.Name, '0', h.Size)...)
	return append(raw, append([]byte("1\n6999999000\n1000\n"), make([]byte, 8192)...)...)
}

func oldSparse(t *testing.T) []byte {
	t.Helper()
	raw := rawHeader("holes", 'S', 512)
	copy(raw[257:], "ustar  \x00")
	copy(raw[386:], "77777776000\x00") // where the only piece lies
	copy(raw[398:], "00000001000\x00")
	copy(raw[483:], "77777777777\x00") // the size with the hole
	seal(raw)
	return append(raw, make([]byte, 2048)...)
}

func rawHeader(name string, kind byte, size int64) []byte {
	raw := make([]byte, 512)
	copy(raw, name)
	copy(raw[100:], "0000644\x00")
	copy(raw[124:], fmt.Sprintf("%011o\x00", size))
	copy(raw[136:], "00000000000\x00")
	raw[156] = kind
	copy(raw[257:], "ustar\x0000")
	seal(raw)
	return raw
}

func seal(raw []byte) {
	copy(raw[148:], "        ")
	sum := 0
	for _, b := range raw {
		sum += int(b)
	}
	copy(raw[148:], fmt.Sprintf("%06o\x00 ", sum))
}

// An archive may be small and have millions of entries.
func TestUnpackStopsAtTooManyEntries(t *testing.T) {
	t.Parallel()
	const most, each = 10_000_000, 10_000
	// A gzip may consist of many that stand one after the other.
	piece := zipped(t, bytes.Repeat(rawHeader("./", tar.TypeDir, 0), each))
	in, out := io.Pipe()
	written := make(chan int)
	go func() {
		n := 0
		for ; n < most; n += each {
			if _, err := out.Write(piece); err != nil {
				break
			}
		}
		_ = out.Close()
		written <- n
	}()
	_, err := Tar(t.Context(), in, emptyDir(t), naming.Unix, Later)
	_ = in.Close()
	if n := <-written; n > maxEntries+20*each {
		t.Errorf("%d entries were read", n)
	}
	if !errors.Is(err, ErrArchive) || !strings.Contains(err.Error(), "more than 200000 entries") {
		t.Errorf("%v, want too many entries", err)
	}
}

// What the library for an archive promises about lengths is looked at again.
func TestFilesAreAsLongAsTheySay(t *testing.T) {
	t.Parallel()
	done, cancel := context.WithCancel(t.Context())
	cancel()
	for name, c := range map[string]struct {
		ctx     context.Context
		content io.Reader
		want    error
	}{
		"exact":   {t.Context(), strings.NewReader("1234"), nil},
		"shorter": {t.Context(), strings.NewReader("123"), ErrArchive},
		"longer":  {t.Context(), strings.NewReader("12345"), ErrArchive},
		"a bomb":  {t.Context(), io.LimitReader(zero{}, 1<<20), ErrArchive},
		"stopped": {done, strings.NewReader("1234"), context.Canceled},
	} {
		b, err := newBuilder(emptyDir(t), naming.Unix)
		if err != nil {
			t.Fatal(err)
		}
		defer b.close()
		if err := b.hand.file(c.ctx, &entry{kind: aFile, path: "x", size: 4, mode: 0o600}, c.content); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
		if info, err := b.top.Stat("x"); err != nil || info.Size() > 4 {
			t.Errorf("%s: %d bytes were written, %v", name, info.Size(), err)
		}
	}
}

// Nobody but us can write to the tree while it is made. Should somebody swap a
// directory all the same, nothing is written through the link.
func TestUnpackDoesNotEnterASwappedDirectory(t *testing.T) {
	t.Parallel()
	for name, target := range map[string]string{"inside": "bin", "outside": ".."} {
		dir := emptyDir(t)
		b, err := newBuilder(dir, naming.Unix)
		if err != nil {
			t.Fatal(err)
		}
		defer b.close()
		for _, folder := range []string{"bin", "a", "a/b"} {
			if err := b.mkdir(folder, permissions); err != nil {
				t.Fatal(err)
			}
		}
		b.hand.close()
		if err := errors.Join(os.RemoveAll(filepath.Join(dir, "a")), os.Symlink(target, filepath.Join(dir, "a"))); err != nil {
			t.Fatal(err)
		}
		e, err := b.add(entry{kind: aFile, path: "a/x", mode: 0o600})
		if err == nil {
			err = b.hand.file(t.Context(), e, strings.NewReader(""))
		}
		if err == nil {
			t.Errorf("%s: it was entered", name)
		}
		if left, err := os.ReadDir(filepath.Join(dir, "bin")); err != nil || len(left) != 0 {
			t.Errorf("%s: through it went %v, %v", name, left, err)
		}
		wantCanary(t, dir)
	}
}

// cutOff calls at once it has handed out n bytes, and then goes on.
type cutOff struct {
	io.Reader
	n  int
	at func() error
}

func (c *cutOff) Read(p []byte) (int, error) {
	if c.n <= 0 {
		if err := c.at(); err != nil {
			return 0, err
		}
	}
	n, err := c.Reader.Read(p[:min(len(p), 4096)])
	c.n -= n
	return n, err
}

func TestUnpackEndsWithItsContext(t *testing.T) {
	t.Parallel()
	data := packed(t, githubtest.ArchiveSpec{Padding: 3 << 20})
	dice := rand.New(rand.NewPCG(1, 2))
	for i := range 20 {
		after, waits := dice.IntN(len(data)), i%2 == 0
		dir := emptyDir(t)
		synctest.Test(t, func(t *testing.T) { // fails if a goroutine is left
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			source := &cutOff{bytes.NewReader(data), after, func() error {
				cancel()
				if waits { // as the body of an answer does
					return ctx.Err()
				}
				return nil
			}}
			_, err := Tar(ctx, source, dir, naming.Unix, Later)
			if !errors.Is(err, context.Canceled) || errors.Is(err, ErrArchive) {
				t.Errorf("cancelled after %d of %d bytes: %v", after, len(data), err)
			}
			if rest := source.Reader.(*bytes.Reader).Len(); !waits && rest < len(data)-after-(6<<20) {
				t.Errorf("cancelled after %d of %d bytes, but %d were read", after, len(data), len(data)-rest)
			}
		})
		wantCanary(t, dir)
	}
	done, cancel := context.WithCancel(t.Context())
	cancel()
	dir := emptyDir(t)
	if _, err := Tar(done, bytes.NewReader(data), dir, naming.Unix, Later); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled before the start: %v", err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("cancelled before the start, and yet there are %v, %v", left, err)
	}
}

// A deadline ends it while the source says nothing.
func TestUnpackEndsWhileItWaits(t *testing.T) {
	t.Parallel()
	data := packed(t, githubtest.ArchiveSpec{Padding: 1 << 20})
	dir := emptyDir(t)
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		source := &cutOff{bytes.NewReader(data), len(data) / 2, func() error {
			<-ctx.Done()
			return ctx.Err()
		}}
		if _, err := Tar(ctx, source, dir, naming.Unix, Later); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v, want the deadline", err)
		}
	})
}

// A connection that breaks is not the archive's fault, nor is it silent.
func TestUnpackPassesOnTheSourcesFailure(t *testing.T) {
	t.Parallel()
	data := packed(t, githubtest.ArchiveSpec{Padding: 1 << 20})
	broken := errors.New("connection reset")
	for _, failure := range []error{broken, io.ErrUnexpectedEOF} {
		for _, after := range []int{0, 1, 1000, len(data) / 2, len(data) - 5, len(data)} {
			source := &cutOff{bytes.NewReader(data), after, func() error { return failure }}
			m, err := Tar(t.Context(), source, emptyDir(t), naming.Unix, Later)
			if !errors.Is(err, failure) || errors.Is(err, ErrArchive) || m != nil {
				t.Errorf("broken after %d of %d bytes: %v", after, len(data), err)
			}
		}
	}
	// The archive's fault stays one, whatever the source does afterwards.
	bad := packed(t, githubtest.ArchiveSpec{Extra: []githubtest.Entry{{Name: "../x", Body: "x"}}, Padding: 1 << 20})
	source := &cutOff{bytes.NewReader(bad), len(bad) - 100, func() error { return broken }}
	if _, err := Tar(t.Context(), source, emptyDir(t), naming.Unix, Later); !errors.Is(err, ErrArchive) && !errors.Is(err, broken) {
		t.Errorf("%v", err)
	}
}

func TestUnpackNeedsItsDirectory(t *testing.T) {
	t.Parallel()
	data := packed(t, githubtest.ArchiveSpec{})
	none := filepath.Join(t.TempDir(), "none")
	if _, err := Tar(t.Context(), bytes.NewReader(data), none, naming.Unix, Later); !errors.Is(err, fs.ErrNotExist) || errors.Is(err, ErrArchive) {
		t.Errorf("without a directory: %v", err)
	}
	if _, err := Zip(t.Context(), bytes.NewReader(data), int64(len(data)), none, naming.Windows, 2); !errors.Is(err, fs.ErrNotExist) || errors.Is(err, ErrArchive) {
		t.Errorf("without a directory: %v", err)
	}
	dir := emptyDir(t)
	if err := os.WriteFile(filepath.Join(dir, "run.sh"), []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Tar(t.Context(), bytes.NewReader(data), dir, naming.Unix, Later); err == nil {
		t.Error("what was there is replaced")
	}
	if text, err := os.ReadFile(filepath.Join(dir, "run.sh")); string(text) != "mine" {
		t.Errorf("what was there is now %q, %v", text, err)
	}
}

func TestErrorsTellTheHostFromTheArchive(t *testing.T) {
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
		{"disk broken", wrapped(syscall.EIO), []error{syscall.EIO}, []error{ErrArchive, ErrSpace}},
		{"no permission", wrapped(syscall.EACCES), []error{fs.ErrPermission}, []error{ErrArchive, ErrSpace}},
		{"entry twice", wrapped(syscall.EEXIST), []error{ErrArchive}, []error{ErrSpace}},
		{"name too long", wrapped(syscall.ENAMETOOLONG), []error{ErrArchive}, []error{ErrSpace}},
		{"no gzip", errors.New("gzip: invalid header"), []error{ErrArchive}, []error{ErrSpace}},
		{"no runner", ErrLayout, []error{ErrLayout, ErrArchive}, nil},
	} {
		got := archiveError(c.err)
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

func FuzzConfinement(f *testing.F) {
	for _, script := range []string{
		"f a/b/c;l x a/b/c;h y a/b/c;l z ../root/a",
		"l a/b/l ..;l x a/b/l/../..",
		"l a/b/l ../..;h l a/b/l",
		"d a;l a/l ..;f a/l/b;l a/l/x ../..",
		"l a ..;d a;f a/b",
		"l l .;l l/l/x ..;l b l/l/../a",
		"l x /a;l ./a/../b ..;f ../a/f;h y ../a",
		"f a;h b a;h c b;f b/x;d c",
		"f A;f a;d B/x;d b/y",
	} {
		f.Add(script, uint8(len(script)))
	}
	f.Fuzz(func(t *testing.T, script string, names uint8) { confine(t, script, naming.Rules(names%3)) })
}

func TestConfinementOfAnything(t *testing.T) {
	t.Parallel()
	names := []string{"a", "b", "l", "a/b", "a/l", "a/b/l", "b/a/l", "x"}
	steps := []string{"a", "b", "l", "..", "..", "."}
	dice := rand.New(rand.NewPCG(1, 2))
	for i := range 60 {
		var entries []string
		for range 12 {
			target := steps[dice.IntN(len(steps))]
			for range dice.IntN(5) {
				target += "/" + steps[dice.IntN(len(steps))]
			}
			entries = append(entries, fmt.Sprintf("%c %s %s", "llldfh"[dice.IntN(6)], names[dice.IntN(len(names))], target))
		}
		confine(t, strings.Join(entries, ";"), naming.Rules(i%3))
	}
}

// confine makes a tree of whatever entries a script gives (l is a link, h a
// hard link, d a directory, f a file) and looks whether any
// path in it leads out. Around the tree lie the same names, so that what leads
// out also leads somewhere.
func confine(t *testing.T, script string, names naming.Rules) {
	t.Helper()
	outer := t.TempDir()
	root := filepath.Join(outer, "a", "b", "root")
	for _, dir := range []string{outer, filepath.Join(outer, "a"), filepath.Join(outer, "a", "b")} {
		if err := os.MkdirAll(filepath.Join(dir, "a", "b"), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "x"), []byte("canary"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(root, 0o700); err != nil {
		t.Fatal(err)
	}
	before := below(t, outer, root)
	b, err := newBuilder(root, names)
	if err != nil {
		t.Fatal(err)
	}
	defer b.close()
	u := &untar{builder: b}
	kinds := map[string]byte{"l": tar.TypeSymlink, "d": tar.TypeDir, "f": tar.TypeReg, "h": tar.TypeLink}
	for entry := range strings.SplitSeq(script, ";") {
		words := append(strings.SplitN(entry, " ", 3), "", "", "")
		header := &tar.Header{Typeflag: kinds[words[0]], Name: words[1], Linkname: words[2], Mode: 0o755}
		info := archiver.FileInfo{Header: header, Open: func() (fs.File, error) { return os.Open(os.DevNull) }}
		// A refused one is left out, so that the next ones get their chance.
		_ = u.entry(t.Context(), info)
	}
	if after := below(t, outer, root); !maps.Equal(before, after) {
		t.Errorf("%s: outside it was %v and is %v", script, before, after)
	}
	real, err := filepath.EvalSymlinks(root)
	if err != nil {
		t.Fatal(err)
	}
	err = filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
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

// below lists what is below dir but not below except, with the sizes of files.
func below(t *testing.T, dir, except string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if path == except {
			return fs.SkipDir
		}
		all[path] = entry.Type().String()
		if entry.Type().IsRegular() {
			text, err := os.ReadFile(path)
			all[path] = string(text)
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}
