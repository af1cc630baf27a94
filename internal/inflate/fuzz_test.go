package inflate

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"math/rand/v2"
	"testing"
)

const fuzzInput = 64 << 10 // a longer input finds nothing new, only later

// seeds returns small streams of every kind of block.
func seeds(f *testing.F) [][]byte {
	f.Helper()
	var result [][]byte
	for _, c := range bad() {
		result = append(result, c.stream)
	}
	for _, s := range samples() {
		data := s.data[:min(len(s.data), 3000)]
		for _, level := range []int{-2, 0, 1, 6, 9} {
			result = append(result, deflated(f, data, level))
		}
	}
	for seed := range uint64(6) {
		r := rand.New(rand.NewPCG(seed, 9))
		var s stream
		data := s.fixed(0).random(r, nil, 40)
		data = s.dynamic(0, randomCode(r, maxLit), randomCode(r, maxDist)).random(r, data, 100)
		s.fixed(1).random(r, data, 10)
		result = append(result, s.end())
	}
	return result
}

// compare fails if two decoders disagree about a stream: on whether it is good,
// on its data, or, if it is not good, on data that both returned before that.
// How far each comes before it notices may differ.
func compare(t *testing.T, got []byte, gotErr error, want []byte, wantErr error) {
	t.Helper()
	if (gotErr == nil) != (wantErr == nil) {
		t.Fatalf("got error %v, the standard library %v", gotErr, wantErr)
	}
	n := min(len(got), len(want))
	if !bytes.Equal(got[:n], want[:n]) || gotErr == nil && len(got) != len(want) {
		t.Fatalf("got %d bytes, the standard library %d, and they differ", len(got), len(want))
	}
	var corrupt *CorruptError
	if gotErr != nil && !errors.Is(gotErr, io.ErrUnexpectedEOF) && !errors.As(gotErr, &corrupt) {
		t.Fatalf("error of an unknown kind: %v", gotErr)
	}
}

// agree fails if the way in which input arrives changes what comes out.
func agree(t *testing.T, data []byte, got []byte, gotErr error, decode func(io.Reader) io.Reader) {
	t.Helper()
	size := 1
	if len(data) > 0 {
		size += int(data[len(data)/2])
	}
	for name, source := range map[string]io.Reader{
		"one byte": &chunks{data, 1},
		"chunks":   &chunks{data, size},
	} {
		again, err := io.ReadAll(decode(source))
		if !bytes.Equal(got, again) {
			t.Fatalf("%s (%d): %d bytes, and %d at once", name, size, len(again), len(got))
		}
		var a, b *CorruptError
		if errors.As(err, &a) != errors.As(gotErr, &b) || a != nil && a.Reason != b.Reason || a == nil && !errors.Is(err, gotErr) {
			t.Fatalf("%s (%d): %v, and %v at once", name, size, err, gotErr)
		}
	}
}

func FuzzAgainstStandard(f *testing.F) {
	for _, seed := range seeds(f) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > fuzzInput {
			t.Skip("too long")
		}
		got, gotErr := io.ReadAll(NewReader(bytes.NewReader(data)))
		want, wantErr := standard(data)
		compare(t, got, gotErr, want, wantErr)
		agree(t, data, got, gotErr, func(src io.Reader) io.Reader { return NewReader(src) })
	})
}

// FuzzBlocks writes valid streams, which chance finds too seldom, and damages one byte.
func FuzzBlocks(f *testing.F) {
	f.Add(uint64(1), uint16(0), byte(0))
	f.Add(uint64(2), uint16(700), byte(1))
	f.Fuzz(func(t *testing.T, seed uint64, at uint16, flip byte) {
		r := rand.New(rand.NewPCG(seed, 11))
		var s stream
		data := s.dynamic(0, randomCode(r, maxLit), randomCode(r, maxDist)).random(r, nil, r.IntN(400))
		data = s.fixed(0).random(r, data, r.IntN(400))
		data = s.dynamic(1, randomCode(r, maxLit), randomCode(r, maxDist)).random(r, data, r.IntN(40))
		stream := s.end()
		stream[int(at)%len(stream)] ^= flip
		got, gotErr := io.ReadAll(NewReader(bytes.NewReader(stream)))
		want, wantErr := standard(stream)
		compare(t, got, gotErr, want, wantErr)
		agree(t, stream, got, gotErr, func(src io.Reader) io.Reader { return NewReader(src) })
		if flip == 0 && !bytes.Equal(got, data) {
			t.Fatal("not what was written")
		}
	})
}

func FuzzGzipAgainstStandard(f *testing.F) {
	for _, s := range samples() {
		m := member(f, s.data[:min(len(s.data), 500)], 6, gzip.Header{Name: s.name, Extra: []byte("extra")})
		f.Add(m)
		f.Add(append(withHeaderCRC(member(f, nil, 6, gzip.Header{})), m...))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) == 0 || len(data) > fuzzInput {
			t.Skip("nothing is no stream for us, but one for the standard library; or too long")
		}
		got, gotErr := io.ReadAll(NewGzipReader(bytes.NewReader(data)))
		want, wantErr := standardGzip(data)
		compare(t, got, gotErr, want, wantErr)
		agree(t, data, got, gotErr, func(src io.Reader) io.Reader { return NewGzipReader(src) })
		agree(t, data, got, gotErr, inBlocks)
	})
}
