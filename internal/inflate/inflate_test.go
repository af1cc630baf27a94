package inflate

import (
	"bytes"
	"compress/flate"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/iotest"
	"unsafe"
)

// sources are ways to hand over the same bytes.
func sources() map[string]func([]byte) io.Reader {
	plain := func(b []byte) io.Reader { return bytes.NewReader(b) }
	return map[string]func([]byte) io.Reader{
		"plain":          plain,
		"one byte":       func(b []byte) io.Reader { return iotest.OneByteReader(plain(b)) },
		"half":           func(b []byte) io.Reader { return iotest.HalfReader(plain(b)) },
		"data and error": func(b []byte) io.Reader { return iotest.DataErrReader(plain(b)) },
		"chunks of 29":   func(b []byte) io.Reader { return &chunks{b, 29} },
	}
}

// chunks is a reader that returns n bytes at a time, and nothing in between.
type chunks struct {
	b []byte
	n int
}

func (c *chunks) Read(p []byte) (int, error) {
	if c.n = -c.n; c.n < 0 {
		return 0, nil
	}
	if len(c.b) == 0 {
		return 0, io.EOF
	}
	n := copy(p[:min(c.n, len(p))], c.b)
	c.b = c.b[n:]
	return n, nil
}

// standard decodes with the standard library.
func standard(compressed []byte) ([]byte, error) {
	return io.ReadAll(flate.NewReader(bytes.NewReader(compressed)))
}

func check(t *testing.T, got []byte, err error, want []byte) {
	t.Helper()
	if err != nil {
		t.Fatalf("after %d of %d bytes: %v", len(got), len(want), err)
	}
	if !bytes.Equal(got, want) {
		at := 0
		for at < min(len(got), len(want)) && got[at] == want[at] {
			at++
		}
		t.Fatalf("got %d bytes, want %d; the first %d are equal", len(got), len(want), at)
	}
}

func TestDecodesWhatCompressorsMake(t *testing.T) {
	for _, s := range samples() {
		for level := flate.HuffmanOnly; level <= flate.BestCompression; level++ {
			t.Run(fmt.Sprintf("%s, level %d", s.name, level), func(t *testing.T) {
				compressed := deflated(t, s.data, level)
				got, err := io.ReadAll(NewReader(bytes.NewReader(compressed)))
				check(t, got, err, s.data)
			})
		}
	}
}

func TestAwkwardSources(t *testing.T) {
	for _, s := range samples() {
		compressed := deflated(t, s.data, 6)
		for name, source := range sources() {
			t.Run(s.name+", "+name, func(t *testing.T) {
				got, err := io.ReadAll(NewReader(source(compressed)))
				check(t, got, err, s.data)
				var b bytes.Buffer
				n, err := NewReader(source(compressed)).WriteTo(&b)
				check(t, b.Bytes(), err, s.data)
				if n != int64(len(s.data)) {
					t.Errorf("WriteTo returned %d, want %d", n, len(s.data))
				}
			})
		}
	}
}

func TestAwkwardSizes(t *testing.T) {
	for _, s := range samples() {
		compressed := deflated(t, s.data, 6)
		for _, size := range []int{1, 3, 511, 4096, 1 << 20} {
			t.Run(fmt.Sprintf("%s, %d", s.name, size), func(t *testing.T) {
				var got []byte
				r, p := NewReader(bytes.NewReader(compressed)), make([]byte, size)
				for {
					n, err := r.Read(p)
					got = append(got, p[:n]...)
					if n == 0 && err == nil {
						t.Fatal("Read returned nothing and no error")
					}
					if err != nil {
						if !errors.Is(err, io.EOF) {
							t.Fatal(err)
						}
						break
					}
				}
				check(t, got, nil, s.data)
				if n, err := r.Read(p[:0]); n != 0 || err != nil {
					t.Errorf("Read of nothing: %d, %v", n, err)
				}
				if n, err := r.Read(p); n != 0 || !errors.Is(err, io.EOF) {
					t.Errorf("Read behind the end: %d, %v", n, err)
				}
			})
		}
	}
}

func TestDecodesEveryLengthAndDistance(t *testing.T) {
	var s stream
	var want []byte
	b := s.fixed(1)
	for i := range windowSize {
		b.symbol(i * i % 251)
		want = append(want, byte(i*i%251))
	}
	// 258 and the longest distance are among them.
	match := func(length, distance int) {
		b.match(length, distance)
		for range length {
			want = append(want, want[len(want)-distance])
		}
	}
	for length := 3; length <= 258; length += 3 {
		for distance := 1; distance <= 40; distance++ {
			match(length, distance)
		}
		match(length, windowSize)
	}
	for distance := 1; distance <= windowSize; distance += 7 {
		match(3+distance%256, distance)
	}
	compressed := b.symbol(256).end()
	for name, source := range sources() {
		t.Run(name, func(t *testing.T) {
			got, err := io.ReadAll(NewReader(source(compressed)))
			check(t, got, err, want)
		})
	}
	got, err := standard(compressed)
	check(t, got, err, want)
}

// Symbol 284 with all extra bits set is a second way to write a length of 258.
func TestTwoWaysToWrite258(t *testing.T) {
	var s stream
	b := s.fixed(1).text("a").symbol(284)
	b.put(31, 5)
	compressed := b.distance(0, 0, 0).symbol(256).end()
	got, err := io.ReadAll(NewReader(bytes.NewReader(compressed)))
	check(t, got, err, bytes.Repeat([]byte("a"), 259))
}

func TestDecodesRandomCodes(t *testing.T) {
	for seed := range uint64(25) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 7))
			var s stream
			var want []byte
			for range 4 {
				switch r.IntN(4) {
				case 0:
					want = s.fixed(0).random(r, want, r.IntN(3000))
				case 1:
					n := r.IntN(100)
					s.put(0, 3)
					s.put(0, (8-s.count)%8)
					s.put(uint(n), 16)
					s.put(uint(n)^0xffff, 16)
					for range n {
						s.put('s', 8)
						want = append(want, 's')
					}
				default: // with all 286 and 30 symbols
					want = s.dynamic(0, randomCode(r, maxLit), randomCode(r, maxDist)).random(r, want, r.IntN(3000))
				}
			}
			want = s.dynamic(1, randomCode(r, maxLit), randomCode(r, maxDist)).random(r, want, 10)
			compressed := s.end()
			got, err := standard(compressed)
			check(t, got, err, want)
			for _, source := range sources() {
				got, err = io.ReadAll(NewReader(source(compressed)))
				check(t, got, err, want)
			}
		})
	}
}

func TestStopsBehindTheFinalBlock(t *testing.T) {
	compressed := append(deflated(t, []byte("data"), 6), "something else"...)
	got, err := io.ReadAll(NewReader(bytes.NewReader(compressed)))
	check(t, got, err, []byte("data"))
}

func TestReset(t *testing.T) {
	r := NewReader(iotest.DataErrReader(strings.NewReader("\xff")))
	if _, err := r.Read(make([]byte, 1)); err == nil {
		t.Fatal("no error of a broken stream")
	}
	for _, s := range samples() {
		r.Reset(bytes.NewReader(deflated(t, s.data, 6)))
		got, err := io.ReadAll(r)
		check(t, got, err, s.data)
		r.Reset(bytes.NewReader(deflated(t, s.data, 6)))
		if len(s.data) > 0 {
			if _, err := r.Read(make([]byte, 1)); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// What was flushed must come out before more input is waited for.
func TestReturnsFlushedData(t *testing.T) {
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, 6)
	if err != nil {
		t.Fatal(err)
	}
	want := ""
	for i, text := range []string{"first", "second, longer than the first", strings.Repeat("third ", 20_000)} {
		if _, err := io.WriteString(w, text); err != nil {
			t.Fatal(err)
		}
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
		want += text
		asked := false
		more := readerFunc(func([]byte) (int, error) {
			asked = true
			return 0, errors.New("nothing is there yet")
		})
		got := make([]byte, len(want))
		if n, err := io.ReadFull(NewReader(io.MultiReader(bytes.NewReader(b.Bytes()), more)), got); err != nil {
			t.Fatalf("%d: after %d of %d bytes: %v", i, n, len(want), err)
		}
		check(t, got, nil, []byte(want))
		if asked {
			t.Errorf("%d: asked for more input before it returned all", i)
		}
	}
}

// So must what an unfinished block has in it.
func TestReturnsWhatIsThere(t *testing.T) {
	for name, write := range map[string]func(*stream){
		"compressed": func(s *stream) { s.fixed(1).text("what is there, and") },
		"stored": func(s *stream) {
			s.put(1, 8)
			s.put(1000, 16)
			s.put(1000^0xffff, 16)
			s.WriteString("what is there, and")
		},
	} {
		t.Run(name, func(t *testing.T) {
			var s stream
			write(&s)
			asked := false
			more := readerFunc(func([]byte) (int, error) {
				asked = true
				return 0, errors.New("nothing is there yet")
			})
			got := make([]byte, len("what is there"))
			_, err := io.ReadFull(NewReader(io.MultiReader(bytes.NewReader(s.end()), more)), got)
			check(t, got, err, []byte("what is there"))
			if asked {
				t.Error("asked for more input first")
			}
		})
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func TestMemoryIsBounded(t *testing.T) {
	if size := unsafe.Sizeof(GzipReader{}); size > 512<<10 {
		t.Errorf("a reader takes %d bytes", size)
	}
}

// failing is a writer that does as told.
type failing struct {
	n   int
	err error
}

func (f failing) Write([]byte) (int, error) { return f.n, f.err }

func TestWriteToFailures(t *testing.T) {
	full := errors.New("disk full")
	for _, c := range []struct {
		name string
		w    failing
		want string
		n    int64
	}{
		{"error", failing{2, full}, "disk full", 2},
		{"short", failing{1, nil}, io.ErrShortWrite.Error(), 1},
		{"negative", failing{-1, nil}, "writing decoded data: writer returned an impossible count", 0},
		{"too many", failing{5, nil}, "writing decoded data: writer returned an impossible count", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			n, err := NewReader(bytes.NewReader(deflated(t, []byte("data"), 6))).WriteTo(c.w)
			if err == nil || err.Error() != c.want || n != c.n {
				t.Errorf("got %d, %v; want %d, %s", n, err, c.n, c.want)
			}
		})
	}
}
