package inflate

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// lengths returns n code lengths, of which those of the symbols given are set.
func lengths(n int, set map[int]uint8) []uint8 {
	result := make([]uint8, n)
	for symbol, length := range set {
		result[symbol] = length
	}
	return result
}

// bad are streams that no decoder may accept, each with what comes out before.
func bad() map[string]struct {
	stream []byte
	reason string
	before string
} {
	type row = struct {
		stream []byte
		reason string
		before string
	}
	one := lengths(257, map[int]uint8{'a': 1, 256: 1})
	withMatch := lengths(258, map[int]uint8{'a': 1, 256: 2, 257: 2})
	rows := map[string]row{}
	add := func(name, reason, before string, write func(s *stream)) {
		var s stream
		write(&s)
		rows[name] = row{s.end(), reason, before}
	}
	pre := func(set map[int]uint) func(int) uint { return func(symbol int) uint { return set[symbol] } }

	add("block type", "block of a type that does not exist", "", func(s *stream) { s.put(1|3<<1, 3) })
	add("stored length", "stored block whose length and its complement differ", "", func(s *stream) {
		s.put(1, 8)
		s.put(5, 16)
		s.put(5, 16)
	})
	add("287 literal codes", "more codes than there are symbols", "", func(s *stream) { s.dynamic(1, make([]uint8, 287), one[:1]) })
	add("31 distance codes", "more codes than there are symbols", "", func(s *stream) { s.dynamic(1, one, make([]uint8, 31)) })
	add("code lengths, too many", "code lengths with a code that does not fit together", "", func(s *stream) {
		s.header(1, 257, 1, func(int) uint { return 3 })
	})
	add("code lengths, too few", "code lengths with a code that does not fit together", "", func(s *stream) {
		s.header(1, 257, 1, pre(map[int]uint{0: 2, 1: 2, 2: 2}))
	})
	add("code lengths, none", reasonNothing, "", func(s *stream) { s.header(1, 257, 1, pre(nil)) })
	add("code lengths, unused word", reasonNothing, "", func(s *stream) {
		s.header(1, 257, 1, pre(map[int]uint{0: 1}))
		s.put(1, 1)
	})
	add("repetition first", "repetition of a code length before the first", "", func(s *stream) {
		s.header(1, 257, 1, pre(map[int]uint{16: 1, 0: 1}))
		s.put(1, 1)
	})
	add("repetition over the end", "more code lengths than announced", "", func(s *stream) {
		s.header(1, 257, 1, pre(map[int]uint{18: 1, 0: 1}))
		s.put(1, 1)
		s.put(138-11, 7)
		s.put(1, 1)
		s.put(121-11, 7) // of 258
	})
	add("literals, too many", "literal codes that do not fit together", "", func(s *stream) {
		s.dynamic(1, lengths(257, map[int]uint8{'a': 1, 'b': 1, 256: 2}), one[:1])
	})
	add("literals, too few", "literal codes that do not fit together", "", func(s *stream) {
		s.dynamic(1, lengths(257, map[int]uint8{'a': 2, 256: 2}), one[:1])
	})
	add("literals, one of two bits", "literal codes that do not fit together", "", func(s *stream) {
		s.dynamic(1, lengths(257, map[int]uint8{256: 2}), one[:1])
	})
	add("literals, none", reasonNothing, "", func(s *stream) { s.dynamic(1, lengths(257, nil), one[:1]) })
	add("literals, unused word", reasonNothing, "", func(s *stream) {
		s.dynamic(1, lengths(257, map[int]uint8{256: 1}), one[:1]).put(1, 1)
	})
	add("distances, too many", "distance codes that do not fit together", "", func(s *stream) {
		s.dynamic(1, one, []uint8{1, 1, 1})
	})
	add("distances, too few", "distance codes that do not fit together", "", func(s *stream) { s.dynamic(1, one, []uint8{2, 2, 2}) })
	add("distances, none", reasonNothing, "aa", func(s *stream) {
		s.dynamic(1, withMatch, []uint8{0}).text("aa").symbol(257).put(0, 8)
	})
	add("distances, unused word", reasonNothing, "aaaaa", func(s *stream) {
		s.dynamic(1, withMatch, []uint8{1}).text("aa").match(3, 1).symbol(257).put(1, 8)
	})
	add("literal 286", reasonNothing, "a", func(s *stream) { s.fixed(1).text("a").symbol(286) })
	add("literal 287", reasonNothing, "abc", func(s *stream) { s.fixed(1).text("abc").symbol(287) })
	add("distance 30", reasonNothing, "a", func(s *stream) { s.fixed(1).text("a").symbol(257).distance(30, 0, 0) })
	add("distance 31", reasonNothing, "a", func(s *stream) { s.fixed(1).text("a").symbol(257).distance(31, 0, 0) })
	add("too far at once", reasonBefore, "", func(s *stream) { s.fixed(1).match(3, 1) })
	add("too far", reasonBefore, "abcd", func(s *stream) { s.fixed(1).text("abcd").match(258, 5) })
	add("much too far", reasonBefore, "abcd", func(s *stream) { s.fixed(1).text("abcd").match(258, windowSize) })
	return rows
}

func TestBadStreams(t *testing.T) {
	for name, c := range bad() {
		// What follows is enough for the fast loop, or nothing.
		for follows, more := range map[string]int{"alone": 0, "followed": 100} {
			t.Run(name+", "+follows, func(t *testing.T) {
				compressed := append(bytes.Clone(c.stream), make([]byte, more)...)
				for _, source := range sources() {
					r := NewReader(source(compressed))
					got, err := io.ReadAll(r)
					var corrupt *CorruptError
					if !errors.As(err, &corrupt) || corrupt.Reason != c.reason {
						t.Fatalf("got error %v, want %q", err, c.reason)
					}
					if corrupt.Offset < 1 || corrupt.Offset > int64(len(c.stream)) {
						t.Errorf("at %d of %d bytes", corrupt.Offset, len(c.stream))
					}
					if string(got) != c.before {
						t.Errorf("got %q before the error, want %q", got, c.before)
					}
					if _, again := r.Read(make([]byte, 1)); again != err { //nolint:errorlint // the same
						t.Errorf("then %v", again)
					}
				}
				if _, err := standard(compressed); err == nil {
					t.Error("the standard library accepts it")
				}
			})
		}
	}
}

func TestErrorText(t *testing.T) {
	_, err := io.ReadAll(NewReader(strings.NewReader("\x07")))
	if want := "inflating input at byte 1: block of a type that does not exist"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestTruncated(t *testing.T) {
	for _, s := range samples() {
		compressed := deflated(t, s.data, 6)
		for _, at := range cuts(len(compressed)) {
			got, err := io.ReadAll(NewReader(bytes.NewReader(compressed[:at])))
			if !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Fatalf("%s cut at %d of %d: got error %v", s.name, at, len(compressed), err)
			}
			if !bytes.HasPrefix(s.data, got) {
				t.Errorf("%s cut at %d: wrong data", s.name, at)
			}
		}
	}
}

// cuts returns lengths below n: all near the ends, some between.
func cuts(n int) []int {
	var result []int
	for at := 0; at < n; at++ {
		if at < 20 || at > n-20 || at%(n/4+1) == 0 {
			result = append(result, at)
		}
	}
	return result
}

// impossible is a reader that returns a count nobody can have read.
type impossible int

func (n impossible) Read(p []byte) (int, error) {
	if n < 0 {
		return int(n), nil
	}
	return len(p) + int(n), nil
}

func TestSourceFailures(t *testing.T) {
	failure := errors.New("connection reset")
	compressed := deflated(t, []byte(strings.Repeat("data ", 1000)), 6)
	half := compressed[:len(compressed)/2]
	for _, c := range []struct {
		name string
		src  io.Reader
		want string
	}{
		{"error at once", iotest.ErrReader(failure), "connection reset"},
		{"error later", io.MultiReader(bytes.NewReader(half), iotest.ErrReader(failure)), "connection reset"},
		{"error with data", iotest.DataErrReader(io.MultiReader(bytes.NewReader(half), iotest.ErrReader(failure))), "connection reset"},
		{"no progress", &chunks{compressed, 0}, io.ErrNoProgress.Error()},
		{"negative count", impossible(-1), "reading compressed data: reader returned an impossible count"},
		{"count too high", impossible(1), "reading compressed data: reader returned an impossible count"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := io.ReadAll(NewReader(c.src)); err == nil || err.Error() != c.want {
				t.Errorf("raw: got %v, want %s", err, c.want)
			}
		})
	}
}
