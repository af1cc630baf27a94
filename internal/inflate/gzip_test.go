package inflate

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

// member compresses to one gzip member, with what is in header.
func member(tb testing.TB, data []byte, level int, header gzip.Header) []byte {
	tb.Helper()
	var b bytes.Buffer
	w, err := gzip.NewWriterLevel(&b, level)
	if err != nil {
		tb.Fatal(err)
	}
	w.Header = header
	if _, err := w.Write(data); err != nil {
		tb.Fatal(err)
	}
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

// standardGzip decodes with the standard library, which does not know that zeros may follow.
func standardGzip(compressed []byte) ([]byte, error) {
	in := bytes.NewReader(compressed)
	r, err := gzip.NewReader(in)
	if err != nil {
		return nil, err
	}
	var all []byte
	for {
		r.Multistream(false)
		data, err := io.ReadAll(r)
		all = append(all, data...)
		if rest := compressed[len(compressed)-in.Len():]; err != nil || len(bytes.Trim(rest, "\x00")) == 0 {
			return all, err
		}
		if err := r.Reset(in); err != nil {
			return all, err
		}
	}
}

// withHeaderCRC adds the checksum of a header of 10 bytes to a member.
func withHeaderCRC(m []byte) []byte {
	header := append([]byte{}, m[:10]...)
	header[3] |= flagHeaderCRC
	header = binary.LittleEndian.AppendUint16(header, uint16(crc32.ChecksumIEEE(header)))
	return append(header, m[10:]...)
}

func TestGzipMembers(t *testing.T) {
	full := gzip.Header{Name: "archive.tar", Comment: "a comment", Extra: []byte("extra\x00field"), ModTime: time.Unix(1e9, 0), OS: 3}
	plain := func(text string) []byte { return member(t, []byte(text), 6, gzip.Header{}) }
	large := samples()[4].data
	for _, c := range []struct {
		name   string
		stream []byte
		want   string
	}{
		{"one", plain("data"), "data"},
		{"empty", plain(""), ""},
		{"three", slices.Concat(plain("a"), plain(""), plain("b")), "ab"},
		{"two large", slices.Concat(member(t, large, 9, full), member(t, large, 1, full)), string(large) + string(large)},
		{"not compressed", member(t, large, 0, full), string(large)},
		{"all of a header", member(t, []byte("data"), 6, full), "data"},
		{"longest name", member(t, []byte("data"), 6, gzip.Header{Name: strings.Repeat("n", 511)}), "data"},
		{"longest extra field", member(t, []byte("data"), 6, gzip.Header{Extra: make([]byte, 65535)}), "data"},
		{"checksum of the header", withHeaderCRC(plain("data")), "data"},
		{"many empty ones", bytes.Repeat(plain(""), 1000), ""},
		{"a zero behind", append(plain("data"), 0), "data"},
		{"zeros behind", append(plain("data"), make([]byte, 200_000)...), "data"},
		{"zeros behind two", slices.Concat(plain("da"), plain("ta"), make([]byte, 10_240)), "data"},
	} {
		for name, source := range sources() {
			t.Run(c.name+", "+name, func(t *testing.T) {
				got, err := io.ReadAll(NewGzipReader(source(c.stream)))
				check(t, got, err, []byte(c.want))
				var b bytes.Buffer
				n, err := NewGzipReader(source(c.stream)).WriteTo(&b)
				check(t, b.Bytes(), err, []byte(c.want))
				if n != int64(len(c.want)) {
					t.Errorf("WriteTo returned %d, want %d", n, len(c.want))
				}
			})
		}
	}
}

// blockReader decodes into blocks in turn, and looks whether what they hold stays.
type blockReader struct {
	z      *GzipReader
	blocks []*Block
	data   [][]byte // what each returned last
	copies [][]byte // of that
	turn   int
	rest   []byte
}

// inBlocks takes two blocks in turn.
func inBlocks(src io.Reader) io.Reader { return newBlockReader(src, 2) }

func newBlockReader(src io.Reader, blocks int) *blockReader {
	r := &blockReader{z: NewGzipReader(src), data: make([][]byte, blocks), copies: make([][]byte, blocks)}
	for range blocks {
		r.blocks = append(r.blocks, new(Block))
	}
	return r
}

func (r *blockReader) Read(p []byte) (int, error) {
	if len(r.rest) == 0 {
		r.turn = (r.turn + 1) % len(r.blocks)
		data, err := r.z.Next(r.blocks[r.turn])
		for i := range r.blocks {
			if i != r.turn && !bytes.Equal(r.data[i], r.copies[i]) {
				return 0, errors.New("a block that is in use was changed")
			}
		}
		if err != nil {
			return 0, err
		}
		if len(data) == 0 {
			return 0, errors.New("nothing was decoded, without an error")
		}
		r.data[r.turn], r.copies[r.turn], r.rest = data, bytes.Clone(data), data
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

func TestDecodesIntoBlocks(t *testing.T) {
	t.Parallel()
	for _, s := range samples() {
		stream := slices.Concat(member(t, s.data, 6, gzip.Header{}), member(t, []byte("more"), 6, gzip.Header{}))
		for _, blocks := range []int{1, 2, 3} {
			for name, source := range sources() {
				got, err := io.ReadAll(newBlockReader(source(stream), blocks))
				if err != nil || !bytes.Equal(got, slices.Concat(s.data, []byte("more"))) {
					t.Errorf("%s, %d blocks, %s: %d bytes, %v", s.name, blocks, name, len(got), err)
				}
			}
		}
	}
}

// A match must not reach into the member before.
func TestGzipMembersShareNoWindow(t *testing.T) {
	var s stream
	second := s.fixed(1).match(3, 1).symbol(256).end()
	stream := slices.Concat(member(t, []byte("data"), 6, gzip.Header{}), member(t, nil, 6, gzip.Header{})[:10], second, make([]byte, 40))
	got, err := io.ReadAll(NewGzipReader(bytes.NewReader(stream)))
	var corrupt *CorruptError
	if !errors.As(err, &corrupt) || corrupt.Reason != reasonBefore || string(got) != "data" {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestBadGzip(t *testing.T) {
	good := member(t, []byte("data"), 6, gzip.Header{})
	flip := func(at int) []byte {
		b := bytes.Clone(good)
		b[(at+len(b))%len(b)] ^= 1
		return b
	}
	badHeaderCRC := withHeaderCRC(good)
	badHeaderCRC[10] ^= 1
	noEnd := append([]byte{0x1f, 0x8b, 8, flagName, 0, 0, 0, 0, 0, 0}, bytes.Repeat([]byte("n"), 600)...)
	const header = "no header of a gzip member"
	for _, c := range []struct {
		name, reason, before string
		stream               []byte
	}{
		{"magic", header, "", flip(0)},
		{"second byte", header, "", flip(1)},
		{"method", header, "", flip(2)},
		{"text", header, "", []byte("<html>not what was asked for</html>")},
		{"checksum", "checksum of the data does not match", "data", flip(-8)},
		{"length", "length of the data does not match", "data", flip(-1)},
		{"checksum of the header", "checksum of the header does not match", "", badHeaderCRC},
		{"endless name", "name or comment that does not end", "", noEnd},
		{"garbage behind", header, "data", append(bytes.Clone(good), "garbage, and more of it"...)},
		{"zeros before", header, "", append(make([]byte, 512), good...)},
		{"a member behind zeros", header, "data", slices.Concat(good, make([]byte, 512), good)},
		{"garbage behind zeros", header, "data", slices.Concat(good, make([]byte, 512), []byte("x"))},
		{"damage", "block of a type that does not exist", "", append(bytes.Clone(good[:10]), 7)},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, source := range sources() {
				z := NewGzipReader(source(c.stream))
				got, err := io.ReadAll(z)
				var corrupt *CorruptError
				if !errors.As(err, &corrupt) || corrupt.Reason != c.reason || string(got) != c.before {
					t.Fatalf("got %q, %v; want %q, %q", got, err, c.before, c.reason)
				}
				if _, again := z.Read(make([]byte, 1)); again != err { //nolint:errorlint // the same
					t.Errorf("then %v", again)
				}
			}
			if _, err := standardGzip(c.stream); err == nil {
				t.Error("the standard library accepts it")
			}
		})
	}
}

func TestTruncatedGzip(t *testing.T) {
	header := gzip.Header{Name: "name", Comment: "comment", Extra: []byte("extra")}
	stream := withHeaderCRC(member(t, []byte("data"), 6, gzip.Header{}))
	stream = append(stream, member(t, []byte(strings.Repeat("data ", 50)), 6, header)...)
	end := bytes.LastIndex(stream, []byte("\x1f\x8b")) // where it may end
	for at := range len(stream) {
		want := io.ErrUnexpectedEOF
		if at == end {
			want = nil
		}
		for name, source := range sources() {
			if _, err := io.ReadAll(NewGzipReader(source(stream[:at]))); !errors.Is(err, want) {
				t.Errorf("cut at %d of %d, %s: got %v, want %v", at, len(stream), name, err, want)
			}
		}
	}
}

func TestGzipSourceFailure(t *testing.T) {
	failure := errors.New("connection reset")
	stream := member(t, []byte("data"), 6, gzip.Header{Name: "name"})
	for at := range len(stream) + 1 {
		src := io.MultiReader(bytes.NewReader(stream[:at]), iotest.ErrReader(failure))
		if _, err := io.ReadAll(NewGzipReader(src)); !errors.Is(err, failure) {
			t.Errorf("failing at %d: got %v", at, err)
		}
	}
}

// A source that wraps io.EOF has failed; it must not look like the end.
func TestWrappedEOFIsNoEnd(t *testing.T) {
	failure := &wrapped{io.EOF}
	stream := member(t, []byte("data"), 6, gzip.Header{})
	for _, at := range []int{0, 15, len(stream)} {
		src := io.MultiReader(bytes.NewReader(stream[:at]), iotest.ErrReader(failure))
		_, err := NewGzipReader(src).WriteTo(io.Discard)
		if got := new(wrapped); !errors.As(err, &got) {
			t.Errorf("failing at %d: got %v", at, err)
		}
	}
}

type wrapped struct{ error }

func (w *wrapped) Unwrap() error { return w.error }

// The archive is made with the gzip program, so its streams are tried where it is.
func TestGzipProgram(t *testing.T) {
	program, err := exec.LookPath("gzip")
	if err != nil {
		t.Logf("0 streams: %v", err)
		return
	}
	streams := 0
	for _, s := range samples() {
		for _, level := range []string{"-1", "-6", "-9"} {
			command := exec.Command(program, level, "-c")
			command.Stdin = bytes.NewReader(s.data)
			stream, err := command.Output()
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(NewGzipReader(bytes.NewReader(stream)))
			check(t, got, err, s.data)
			streams++
		}
	}
	t.Logf("%d streams of %s", streams, program)
}
