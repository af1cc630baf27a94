package unpack

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/githubtest"
)

func textOf(t testing.TB, m *Manifest) string {
	t.Helper()
	var out strings.Builder
	n, err := m.WriteTo(&out)
	if err != nil || n != int64(out.Len()) {
		t.Fatalf("%d of %d bytes, %v", n, out.Len(), err)
	}
	return out.String()
}

// sealed puts the first and the last line around others.
func sealed(lines ...string) string {
	text := strings.Join(append([]string{schema}, lines...), "\n") + "\n"
	crc := crc32.Checksum([]byte(text), crc32.MakeTable(crc32.Castagnoli))
	return fmt.Sprintf("%send %d %08x\n", text, len(lines), crc)
}

func TestManifestRoundTrip(t *testing.T) {
	t.Parallel()
	dir, m := unpacked(t, small(t))
	text := textOf(t, m)
	for name, in := range map[string]io.Reader{
		"at once": strings.NewReader(text), "by bytes": iotest.OneByteReader(strings.NewReader(text)), "with its end": iotest.DataErrReader(strings.NewReader(text)),
	} {
		again, err := ReadManifest(in)
		if err != nil {
			t.Fatal(err)
		}
		same := func(a, b entry) bool { a.inode, a.changed = b.inode, b.changed; return a == b } // which is not written down
		if !slices.EqualFunc(again.entries, m.entries, same) || textOf(t, again) != text {
			t.Errorf("%s: it is not the same", name)
		}
		if err := again.Check(t.Context(), dir); err != nil {
			t.Error(err)
		}
	}
	if files, bytes := m.Files(), m.Bytes(); files != strings.Count(text, "\nf ") || bytes < 5_300_000 || bytes > 5_400_000 {
		t.Errorf("%d files and %d bytes", files, bytes)
	}
	if want := `f 755 `; !strings.Contains(text, want) || !strings.HasPrefix(text, "runner tree 1\nd 755 \"bin\"\nf ") {
		t.Errorf("it begins with %.100q", text)
	}
	empty := textOf(t, newManifest(nil))
	if m, err := ReadManifest(strings.NewReader(empty)); err != nil || len(m.entries) != 0 || empty != sealed() {
		t.Errorf("%q: %v, %v", empty, m, err)
	}
}

func TestManifestHoldsAnyName(t *testing.T) {
	t.Parallel()
	names := []string{"a", "a/b", "a/b/c", "a-b", "a b", "a\nb", "a\"b", "ä", "\xff", "\u2028", "a/\U0010ffff", "A", strings.Repeat("x", 255)}
	var entries []entry
	for _, name := range names {
		kind := byte(aDir)
		mode := uint16(0o755)
		if name != "a" && name != "a/b" {
			kind, mode = aFile, 0o644
		}
		entries = append(entries, entry{kind: kind, path: name, mode: mode})
	}
	entries = append(entries, entry{kind: aLink, path: "z", target: "a/\n\xff"}, entry{kind: aHardLink, path: "zz", target: "a\nb"})
	m := newManifest(entries)
	again, err := ReadManifest(strings.NewReader(textOf(t, m)))
	if err != nil || !slices.Equal(again.entries, m.entries) {
		t.Errorf("%v: %+v is not %+v", err, again, m)
	}
	// A directory and all that is in it stand together.
	var order []string
	for _, e := range m.entries[1:7] {
		order = append(order, e.path)
	}
	if want := []string{"a", "a/b", "a/b/c", "a/\U0010ffff", "a\nb", "a b"}; !slices.Equal(order, want) {
		t.Errorf("the order is %q, not %q", order, want)
	}
}

func TestManifestThatWasCutOrChanged(t *testing.T) {
	t.Parallel()
	_, m := unpacked(t, packed(t, githubtest.ArchiveSpec{}))
	text := textOf(t, m)
	for n := range len(text) {
		if _, err := ReadManifest(strings.NewReader(text[:n])); !errors.Is(err, ErrDamaged) {
			t.Fatalf("cut after %d of %d bytes: %v", n, len(text), err)
		}
	}
	dice := rand.New(rand.NewPCG(1, 2))
	for n := range len(text) {
		changed := []byte(text)
		changed[n] ^= byte(1 + dice.IntN(255))
		if _, err := ReadManifest(bytes.NewReader(changed)); !errors.Is(err, ErrDamaged) {
			t.Fatalf("changed at byte %d of %d: %v", n, len(text), err)
		}
	}
	lines := strings.SplitAfter(text, "\n")
	for n := range len(lines) - 1 {
		shorter := strings.Join(slices.Delete(slices.Clone(lines), n, n+1), "")
		if _, err := ReadManifest(strings.NewReader(shorter)); !errors.Is(err, ErrDamaged) {
			t.Errorf("without line %d: %v", n+1, err)
		}
	}
	for _, more := range []string{"x", "\n", "\x00", text} {
		if _, err := ReadManifest(strings.NewReader(text + more)); !errors.Is(err, ErrDamaged) {
			t.Errorf("with %.10q behind it: %v", more, err)
		}
	}
	broken := errors.New("broken disk")
	for _, after := range []int{0, 100, len(text)} {
		in := io.MultiReader(strings.NewReader(text[:after]), iotest.ErrReader(broken))
		if _, err := ReadManifest(in); !errors.Is(err, broken) || errors.Is(err, ErrDamaged) {
			t.Errorf("from a disk that breaks after %d bytes: %v", after, err)
		}
	}
}

func TestForeignManifestIsRefused(t *testing.T) {
	t.Parallel()
	good := []string{`d 755 "a"`, `f 755 1 1 00000001 "a/b"`, `h "a/c" "a/b"`, `l "a/d" "../x"`}
	if _, err := ReadManifest(strings.NewReader(sealed(good...))); err != nil {
		t.Fatalf("what the others are variants of: %v", err)
	}
	for name, lines := range map[string][]string{
		"dotdot":               {`d 755 ".."`},
		"dotdot inside":        {`d 755 "a"`, `d 755 "a/.."`},
		"absolute":             {`d 755 "/a"`},
		"the tree":             {`d 755 "."`},
		"no name":              {`d 755 ""`},
		"not clean":            {`d 755 "./a"`},
		"slash at the end":     {`d 755 "a/"`},
		"NUL":                  {`d 755 "a\x00"`},
		"backslash":            {`d 755 "a\\b"`},
		"twice":                {`d 755 "a"`, `d 755 "a"`},
		"not in order":         {`d 755 "b"`, `d 755 "a"`},
		"order of bytes":       {`d 755 "a"`, `d 755 "a-b"`, `d 755 "a/b"`},
		"nothing above":        {`f 755 1 1 00000001 "a/b"`},
		"file above":           {`f 755 1 1 00000001 "a"`, `f 755 1 1 00000001 "a/b"`},
		"link above":           {`l "a" "b"`, `f 755 1 1 00000001 "a/b"`},
		"setuid":               {`f 4755 1 1 00000001 "a"`},
		"writable for all":     {`f 777 1 1 00000001 "a"`},
		"folder writable":      {`d 777 "a"`},
		"folder closed":        {`d 555 "a"`},
		"file closed":          {`f 0 1 1 00000001 "a"`},
		"mode beyond":          {`f 7777777755 1 1 00000001 "a"`},
		"negative size":        {`f 755 -1 1 00000001 "a"`},
		"size of 1 TB":         {`f 755 1099511627776 1 00000001 "a"`},
		"sizes of 10 GB":       {`f 755 5000000000 1 00000001 "a"`, `f 755 5000000000 1 00000001 "b"`},
		"size beyond":          {`f 755 99999999999999999999 1 00000001 "a"`},
		"before 1970":          {`f 755 1 -1 00000001 "a"`},
		"after 2038":           {`f 755 1 2147483648 00000001 "a"`},
		"CRC in capitals":      {`f 755 1 1 0000000A "a"`},
		"CRC too long":         {`f 755 1 1 000000001 "a"`},
		"CRC too short":        {`f 755 1 1 1 "a"`},
		"leading zero":         {`f 0755 1 1 00000001 "a"`},
		"plus":                 {`f 755 +1 1 00000001 "a"`},
		"two blanks":           {`f 755  1 1 00000001 "a"`},
		"blank at the end":     {`d 755 "a" `},
		"no quotes":            {`d 755 a`},
		"other quotes":         {"d 755 `a`"},
		"escaped for nothing":  {`d 755 "\x61"`},
		"quotes open":          {`d 755 "a`},
		"too few":              {`f 755 1 1 "a"`},
		"too many":             {`d 755 1 "a"`},
		"no mode":              {`d "a"`},
		"no kind":              {` 755 "a"`},
		"unknown kind":         {`x 755 "a"`},
		"long kind":            {`dd 755 "a"`},
		"empty line":           {``},
		"only a kind":          {`d`},
		"only a kind of file":  {`f`},
		"only a kind of link":  {`l`},
		"link without target":  {`l "a"`},
		"link to nothing":      {`l "a" ""`},
		"link out":             {`l "a" "../x"`},
		"absolute link":        {`l "a" "/x"`},
		"link by a link":       {`l "a" "b/../../x"`},
		"hard link to nothing": {`h "a" "b"`},
		"hard link to itself":  {`h "a" "a"`},
		"hard link to a link":  {`h "a" "b"`, `l "b" "c"`},
		"hard link to a folder": {
			`d 755 "a"`, `h "b" "a"`,
		},
		"hard link to a hard link": {`f 755 1 1 00000001 "a"`, `h "b" "a"`, `h "c" "b"`},
		"hard link out":            {`h "a" "../x"`},
		"line without end":         {`d 755 "` + strings.Repeat("a", maxLine) + `"`},
	} {
		m, err := ReadManifest(strings.NewReader(sealed(lines...)))
		if !errors.Is(err, ErrDamaged) || m != nil {
			t.Errorf("%s: %v, want ErrDamaged", name, err)
		}
	}
	for name, text := range map[string]string{
		"nothing":        "",
		"another kind":   strings.Replace(sealed(good...), "tree 1", "tree 2", 1),
		"another count":  strings.Replace(sealed(good...), "end 4", "end 5", 1),
		"Windows' lines": strings.ReplaceAll(sealed(good...), "\n", "\r\n"),
	} {
		if _, err := ReadManifest(strings.NewReader(text)); !errors.Is(err, ErrDamaged) {
			t.Errorf("%s: %v, want ErrDamaged", name, err)
		}
	}
	other := "runner tree 2\n"
	other = fmt.Sprintf("%send 0 %08x\n", other, crc32.Checksum([]byte(other), crc32.MakeTable(crc32.Castagnoli)))
	if _, err := ReadManifest(strings.NewReader(other)); !errors.Is(err, ErrDamaged) {
		t.Errorf("a later schema: %v, want ErrDamaged", err)
	}
	for path, want := range map[string]bool{"ab": true, "abc": false} {
		in := &manifestReader{dirs: []string{"."}, text: maxText - 2, entries: []entry{{kind: aDir, path: path, mode: 0o755}}}
		if got := in.fits(0); got != want {
			t.Errorf("with a text of %d bytes too many it fits: %v", len(path)-2, got)
		}
	}
	many := strings.Builder{}
	many.WriteString(schema + "\n")
	for i := range maxEntries + 1 {
		fmt.Fprintf(&many, "d 755 \"%06d\"\n", i)
	}
	fmt.Fprintf(&many, "end %d %08x\n", maxEntries+1, crc32.Checksum([]byte(many.String()), crc32.MakeTable(crc32.Castagnoli)))
	if _, err := ReadManifest(strings.NewReader(many.String())); !errors.Is(err, ErrDamaged) {
		t.Errorf("with too many entries: %v, want %v", err, ErrDamaged)
	}
}

func TestTimesThatAnyFileSystemHolds(t *testing.T) {
	t.Parallel()
	for when, want := range map[time.Time]int64{
		time.Unix(0, 0): 0, time.Unix(1_700_000_000, 999_999_999): 1_700_000_000, time.Unix(1<<31-1, 1): 1<<31 - 1,
		time.Unix(1<<31, 0): 0, time.Unix(-1, 0): 0, {}: 0, time.Unix(1<<62, 0): 0,
	} {
		if got := seconds(when); got != want {
			t.Errorf("%v is %d, want %d", when, got, want)
		}
	}
}

func TestManifestThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken disk")
	if _, err := newManifest(nil).WriteTo(failing{broken}); !errors.Is(err, broken) {
		t.Errorf("%v, want %v", err, broken)
	}
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }

func FuzzManifest(f *testing.F) {
	_, m := unpacked(f, packed(f, githubtest.ArchiveSpec{}))
	f.Add([]byte(textOf(f, m)), true)
	f.Add([]byte(sealed(`d 755 "a"`, `f 755 1 1 00000001 "a/b"`, `h "a/c" "a/b"`, `l "a/d" "../x"`)), false)
	f.Add([]byte("d 755 \"a\"\nf 644 1 1 00000001 \"a/b\""), true)
	f.Fuzz(func(t *testing.T, data []byte, seals bool) {
		if seals { // gets past the checksum
			data = []byte(sealed(strings.Split(string(data), "\n")...))
		}
		m, err := ReadManifest(bytes.NewReader(data))
		if err != nil {
			if !errors.Is(err, ErrDamaged) {
				t.Errorf("%v is not ErrDamaged", err)
			}
			return
		}
		if text := textOf(t, m); text != string(data) {
			t.Errorf("%q was read from %q", text, data)
		}
		if folders, _ := m.folders(); len(folders) > len(m.entries)+1 {
			t.Errorf("%d folders in %d entries", len(folders), len(m.entries))
		}
	})
}

// What is long is read by several at a time: the whole is the same, and each part is looked at.
func TestLongManifest(t *testing.T) {
	t.Parallel()
	lines := []string{`d 755 "a"`}
	for i := range 9_000 {
		lines = append(lines, fmt.Sprintf(`f 644 %d 7 %08x "a/%05d"`, i, i, i))
	}
	text := sealed(lines...)
	m, err := ReadManifest(strings.NewReader(text))
	if err != nil || textOf(t, m) != text || m.Files() != 9_000 {
		t.Fatalf("it is read as another one, %v", err)
	}
	for _, at := range []int{1, 4_500, 9_000} {
		for name, line := range map[string]string{"no entry": "x", "an entry twice": lines[at-1], "one written in another way": strings.Replace(lines[at], "644", "0644", 1)} {
			bad := slices.Clone(lines)
			bad[at] = line
			if _, err := ReadManifest(strings.NewReader(sealed(bad...))); !errors.Is(err, ErrDamaged) {
				t.Errorf("with %s in line %d: %v, want %v", name, at, err, ErrDamaged)
			}
		}
	}
}
