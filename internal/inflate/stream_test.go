package inflate

import (
	"bytes"
	"compress/flate"
	"fmt"
	"math/bits"
	"math/rand/v2"
	"slices"
	"testing"
)

// stream writes deflate streams that no compressor would.
type stream struct {
	bytes.Buffer
	acc   uint64
	count uint
}

// put writes the low n bits of v.
func (s *stream) put(v, n uint) {
	s.acc |= uint64(v) << s.count
	for s.count += n; s.count >= 8; s.count -= 8 {
		s.WriteByte(byte(s.acc))
		s.acc >>= 8
	}
}

// end pads to a whole byte and returns the stream.
func (s *stream) end() []byte {
	if s.count > 0 {
		s.put(0, 8-s.count)
	}
	return s.Bytes()
}

// words returns the code words of a code with these lengths, first bit lowest.
func words(lengths []uint8) []uint {
	result := make([]uint, len(lengths))
	word := uint(0)
	for n := uint8(1); n <= maxCode; n++ {
		for symbol, l := range lengths {
			if l == n {
				result[symbol] = uint(bits.Reverse16(uint16(word)) >> (16 - n))
				word++
			}
		}
		word <<= 1
	}
	return result
}

// block encodes with one pair of codes.
type block struct {
	*stream
	lit, dist   []uint8
	litW, distW []uint
}

func (s *stream) codes(lit, dist []uint8) *block {
	return &block{s, lit, dist, words(lit), words(dist)}
}

// fixed begins a block with the fixed codes.
func (s *stream) fixed(final uint) *block {
	s.put(final|1<<1, 3)
	lit := slices.Concat(bytes.Repeat([]byte{8}, 144), bytes.Repeat([]byte{9}, 112), bytes.Repeat([]byte{7}, 24), bytes.Repeat([]byte{8}, 8))
	return s.codes(lit, bytes.Repeat([]byte{5}, fixedDist))
}

// dynamic begins a block with codes of its own. Each code length is written out
// by a code of 4 bits.
func (s *stream) dynamic(final uint, lit, dist []uint8) *block {
	s.header(final, uint(len(lit)), uint(len(dist)), func(symbol int) uint { return [2]uint{4, 0}[symbol/16] })
	for _, l := range slices.Concat(lit, dist) {
		s.put(uint(bits.Reverse8(l)>>4), 4)
	}
	return s.codes(lit, dist)
}

// header writes the header of a dynamic block up to the code lengths.
func (s *stream) header(final, lits, dists uint, length func(symbol int) uint) {
	s.put(final|2<<1, 3)
	s.put(lits-257, 5)
	s.put(dists-1, 5)
	s.put(15, 4)
	for _, symbol := range []int{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15} {
		s.put(length(symbol), 3)
	}
}

func (b *block) symbol(symbol int) *block {
	b.put(b.litW[symbol], uint(b.lit[symbol]))
	return b
}

func (b *block) text(text string) *block {
	for _, c := range []byte(text) {
		b.symbol(int(c))
	}
	return b
}

// distance writes a distance code and its extra bits.
func (b *block) distance(symbol int, extra, n uint) *block {
	b.put(b.distW[symbol], uint(b.dist[symbol]))
	b.put(extra, n)
	return b
}

// match writes a match.
func (b *block) match(length, distance int) *block {
	symbol, base, extra := 285, 258, 0
	if length < 258 {
		for i, at := 0, 3; i < 28 && at <= length; i++ {
			symbol, base, extra = 257+i, at, max(i/4-1, 0)
			at += 1 << extra
		}
	}
	b.symbol(symbol).put(uint(length-base), uint(extra))
	symbol = 0
	for i, at := 0, 1; i < maxDist && at <= distance; i++ {
		symbol, base, extra = i, at, max(i/2-1, 0)
		at += 1 << extra
	}
	return b.distance(symbol, uint(distance-base), uint(extra))
}

// randomCode returns the lengths of a complete code with n words, as deep as 15.
func randomCode(r *rand.Rand, n int) []uint8 {
	leaves := []uint8{0}
	for len(leaves) < n {
		i := r.IntN(len(leaves))
		if r.IntN(2) == 0 {
			i = len(leaves) - 1 // for depth
		}
		if leaves[i] < maxCode {
			leaves[i]++
			leaves = append(leaves, leaves[i])
		}
	}
	r.Shuffle(n, func(i, j int) { leaves[i], leaves[j] = leaves[j], leaves[i] })
	return leaves
}

// random writes tokens of every kind and appends what they stand for.
func (b *block) random(r *rand.Rand, data []byte, tokens int) []byte {
	for range tokens {
		if len(data) < 8 || r.IntN(3) > 0 {
			c := byte(r.IntN(256))
			b.symbol(int(c))
			data = append(data, c)
			continue
		}
		length, distance := 3+r.IntN(256), 1+r.IntN(min(len(data), windowSize))
		switch r.IntN(4) {
		case 0:
			distance = 1 + r.IntN(min(len(data), 40))
		case 1:
			length = 3 + r.IntN(30)
		case 2:
			distance = min(len(data), windowSize)
		}
		b.match(length, distance)
		for range length {
			data = append(data, data[len(data)-distance])
		}
	}
	b.symbol(256)
	return data
}

// sample is data of one kind.
type sample struct {
	name string
	data []byte
}

// samples returns data that compressors treat in different ways.
func samples() []sample {
	r := rand.New(rand.NewPCG(1, 2))
	noise := make([]byte, 150_000)
	for i := range noise {
		noise[i] = byte(r.Uint32())
	}
	var text, letters, far bytes.Buffer
	for i := range 12_000 {
		fmt.Fprintf(&text, "line %d of a text with the number %d in it\n", i, r.IntN(1000))
		letters.WriteString("acgt\n"[r.IntN(4):][:1])
	}
	for range 6 {
		far.Write(noise[:windowSize]) // found again at a distance of exactly 32768
	}
	return []sample{
		{"nothing", nil},
		{"one byte", []byte("a")},
		{"zeros", make([]byte, 900_000)},
		{"noise", noise},
		{"text", text.Bytes()},
		{"letters", letters.Bytes()},
		{"far", far.Bytes()},
		{"period 2 to 40", periods()},
	}
}

// periods returns runs with all short distances.
func periods() []byte {
	var b []byte
	for period := 2; period <= 40; period++ {
		for i := range 700 {
			b = append(b, byte(period*i%period*7+period))
		}
	}
	return b
}

// deflated compresses with the standard library.
func deflated(tb testing.TB, data []byte, level int) []byte {
	tb.Helper()
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, level)
	if err != nil {
		tb.Fatal(err)
	}
	if _, err := w.Write(data); err != nil {
		tb.Fatal(err)
	}
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}
