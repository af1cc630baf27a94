package inflate

import "math/bits"

// An entry of a table says all about the code that the next bits begin with:
//
//	31      it is a literal
//	16..30  the literal, the base of a length or distance, or a subtable's start
//	15      it is none of these: see the next two
//	14      the code goes on in a subtable
//	13      it ends the block; if 14 and 13 are 0, it stands for nothing
//	8..12   bits of the code, or of the subtable's index
//	0..7    bits of the code and its extra bits together
const (
	literal     = 1 << 31
	exceptional = 1 << 15
	subtable    = 1 << 14
	endOfBlock  = 1 << 13
	entryBits   = 63 // of an entry, and of that shifted by 8
	entryCode   = 31

	nothing = exceptional

	// Longer codes than litBits are rare enough for a second look-up. Of codes
	// of at most 15 bits, 288 need 2342 entries and 32 need 402 at worst (zlib's
	// program enough.c counts them); powers of 2 make indexes provable.
	litBits  = 11
	litSize  = 4096
	litMask  = 1<<litBits - 1
	distBits = 8
	distSize = 512
	distMask = 1<<distBits - 1
	preBits  = 7
	preMask  = 1<<preBits - 1

	maxCode = 15

	longDistance = maxCode + 13 // with its extra bits
)

// symbols holds the entries of all symbols, without the bits of their codes.
type symbols struct {
	lit  [fixedLit]uint32
	dist [fixedDist]uint32
	pre  [19]uint32
}

// set fills s with what RFC 1951, section 3.2.5, says.
func (s *symbols) set() {
	for i := range s.lit[:256] {
		s.lit[i] = literal | uint32(i)<<16
	}
	s.lit[256] = exceptional | endOfBlock
	base := uint32(3)
	for i := range 28 {
		extra := uint32(max(i/4-1, 0))
		s.lit[257+i] = base<<16 | extra
		base += 1 << extra
	}
	s.lit[285] = 258 << 16
	s.lit[286], s.lit[287] = nothing, nothing
	base = 1
	for i := range maxDist {
		extra := uint32(max(i/2-1, 0))
		s.dist[i] = base<<16 | extra
		base += 1 << extra
	}
	s.dist[30], s.dist[31] = nothing, nothing
	for i := range s.pre {
		s.pre[i] = uint32(i) << 16
	}
}

// code is one prefix code on its way into a table.
type code struct {
	counts [maxCode + 1]uint32
	sorted [fixedLit]uint16 // symbols, by length and then by value

	table  []uint32
	direct uint32 // bits that index the table itself

	length uint32 // of word
	word   uint32 // the current code word, its first bit lowest as in the stream
	next   int    // index into sorted
}

// build fills table with the code that lengths describe, and reports whether
// they do describe one. A code with a single word of one bit and a code without
// words are accepted, as elsewhere; their unused words stand for nothing.
func (c *code) build(table []uint32, direct uint32, lengths []uint8, entries []uint32) bool {
	c.counts = [maxCode + 1]uint32{}
	for _, n := range lengths {
		c.counts[n&maxCode]++
	}
	words := len(lengths) - int(c.counts[0])
	c.counts[0] = 0
	var first [maxCode + 2]uint32 // index into sorted, by length
	space := uint32(0)
	for n := 1; n <= maxCode; n++ {
		first[n+1] = first[n] + c.counts[n]
		space += c.counts[n] << (maxCode - n)
	}
	for symbol, n := range lengths {
		if n != 0 {
			c.sorted[first[n]] = uint16(symbol)
			first[n]++
		}
	}
	c.table, c.direct = table, direct
	c.length, c.word, c.next = 0, 0, 0
	switch {
	case space == 1<<maxCode:
		if !c.fillDirect(entries) {
			c.fillSubtables(entries)
		}
	case words == 0 || words == 1 && c.counts[1] == 1:
		for i := range table[:1<<direct] {
			table[i] = nothing
			if words == 1 && i&1 == 0 {
				table[i] = entries[c.sorted[0]] + 1<<8 + 1
			}
		}
	default:
		return false
	}
	return true
}

// fillDirect enters the words that fit in the table itself, and reports whether
// these were all. The table grows by doubling: what a longer word does not
// overwrite stays a copy of the entry for its first bits.
func (c *code) fillDirect(entries []uint32) (done bool) {
	size := uint32(1)
	for c.length < c.direct {
		c.length++
		if c.length > 1 {
			copy(c.table[size:2*size], c.table[:size])
		}
		size *= 2
		for range c.counts[c.length] {
			c.table[c.word] = entries[c.sorted[c.next]] + (c.length<<8 + c.length)
			if done = c.advance(size); done {
				break
			}
		}
		if done {
			break
		}
	}
	for ; done && size < 1<<c.direct; size *= 2 {
		copy(c.table[size:2*size], c.table[:size])
	}
	return done
}

// fillSubtables enters the words that are left, those with the same first bits
// into a subtable of their own.
func (c *code) fillSubtables(entries []uint32) {
	mask := uint32(1)<<c.direct - 1
	prefix, start, end := mask+1, mask+1, mask+1
	for c.length < maxCode {
		c.length++
		over := c.length - c.direct
		for left := c.counts[c.length]; left > 0; left-- {
			if c.word&mask != prefix {
				prefix, start = c.word&mask, end
				width := over
				for used := left; used < 1<<width; {
					width++
					used = used*2 + c.counts[c.direct+width]
				}
				end += 1 << width
				c.table[prefix] = start<<16 | exceptional | subtable | width<<8 | c.direct
			}
			entry := entries[c.sorted[c.next]] + (over<<8 + over)
			for i := start + c.word>>c.direct; i < end; i += 1 << over {
				c.table[i] = entry
			}
			if c.advance(1 << c.length) {
				return
			}
		}
	}
}

// advance moves on to the next word of a code whose words of this length are
// below size, and reports whether there is none. Counting up with the first bit
// lowest means to clear the ones at the upper end and set the zero below them.
func (c *code) advance(size uint32) (done bool) {
	c.next++
	zeros := c.word ^ (size - 1)
	if zeros == 0 {
		return true
	}
	bit := uint32(1) << (bits.Len32(zeros) - 1)
	c.word = c.word&(bit-1) | bit
	return false
}
