package inflate

import "encoding/binary"

// The types of the buffers. What they hold over a power of 2 is there for words
// that begin at its end: a masked index then needs no check.
type (
	input  [inSize + word]byte
	output [outSize + 2*word]byte
)

const word = 8

// fast decodes symbols while input and output have room for a whole turn of its
// loop, which is so for almost all of a stream.
//
// The entry of the next symbol is looked up before the bits are refilled and the
// match is copied, as neither changes it. Of the 56 bits that there are at least
// after refill, two literals and one more symbol take 2*11+15+5 at most. That
// leaves enough for the first look-up of a distance; all of a distance and the
// next look-up may need more.
//
// Masks stand where an index cannot be too large, because they cost less than
// checks. Loads and stores by package unsafe gain 5 to 9 % over that (medians of
// three times 7 interleaved runs over 84 MB: 481, 526 and 526 MB/s as it is, 526,
// 556 and 552 with unsafe): too little to give up what the language promises.
//
//nolint:gocognit // one loop for speed: with the copying in a call of its own it was 4 to 11 % slower
func (d *decoder) fast() error {
	in, out, lit, dist := &d.in, d.out, &d.lit, &d.dist
	limit, op := uint(d.end-fastIn), uint(d.wr)
	b, n, ip := refill(in, d.bits, d.count, uint(d.pos))
	e := lit[b&litMask]
	for ip <= limit && op < outLimit {
		saved := b
		b, n = drop(b, n, e)
		if e&literal != 0 {
			op = put(out, op, e)
			e, saved = lit[b&litMask], b
			b, n = drop(b, n, e)
			if e&literal != 0 {
				op = put(out, op, e)
				e, saved = lit[b&litMask], b
				b, n = drop(b, n, e)
			}
		}
		if e&(literal|exceptional) != 0 {
			if e&subtable != 0 {
				e, saved = lit[below(e, b)&(litSize-1)], b
				b, n = drop(b, n, e)
			}
			if e&literal != 0 {
				op = put(out, op, e)
				e = lit[b&litMask]
				b, n, ip = refill(in, b, n, ip)
				continue
			}
			if e&exceptional != 0 {
				return d.settle(b, n, ip, op, e)
			}
		}
		length, f := value(e, saved), dist[b&distMask]
		if n < longDistance+litBits {
			b, n, ip = refill(in, b, n, ip)
		}
		if f&subtable != 0 {
			b, n = drop(b, n, f)
			f = dist[below(f, b)&(distSize-1)]
		}
		distance := value(f, b)
		if f&exceptional != 0 || distance > op {
			return d.settle(b, n, ip, op, f)
		}
		b, n = drop(b, n, f)
		e = lit[b&litMask]
		b, n, ip = refill(in, b, n, ip)
		from, end := op-distance, op+length
		if distance < 2*word {
			copyNear(out, op, distance, end)
		} else {
			copyWords(out, op, from)
			for op += 2 * word; op < end; op += 2 * word {
				from += 2 * word
				copyWords(out, op, from)
			}
		}
		op = end
	}
	return d.settle(b, n, ip, op, 0)
}

// settle ends the fast loop: it puts back the bytes of which no bit is used, and
// acts on the entry that stopped the loop, if one did.
func (d *decoder) settle(b uint64, n, ip, op uint, stop uint32) error {
	d.wr = int(op)
	d.pos = int(ip - n/8)
	d.count = n % 8
	d.bits = b & (1<<d.count - 1)
	switch {
	case stop == 0:
		return nil
	case stop&endOfBlock != 0:
		d.endBlock()
		return nil
	case stop&exceptional != 0:
		return d.corrupt(reasonNothing)
	default:
		return d.corrupt(reasonBefore)
	}
}

// refill loads the next 8 bytes above the n bits of b, and counts those that fit
// whole. What is loaded of the byte after them is right, and loaded again later.
func refill(in *input, b uint64, n, ip uint) (bits uint64, count, pos uint) {
	ip &= inSize - 1
	return b | binary.LittleEndian.Uint64(in[ip:ip+word])<<(n&63), n | 56, ip + (63-n)>>3
}

// drop takes the bits of e out of the buffer.
func drop(b uint64, n uint, e uint32) (bits uint64, count uint) {
	return b >> (e & entryBits), n - uint(e&entryBits)
}

// below returns the index of an entry in the subtable that e points at.
func below(e uint32, b uint64) uint {
	return uint(e>>16) + uint(b&(1<<(e>>8&entryCode)-1))
}

// value returns the length or distance that e and the extra bits in b make.
func value(e uint32, b uint64) uint {
	return uint(e>>16) + uint(b&(1<<(e&entryBits)-1)>>(e>>8&entryCode))
}

// put writes the literal of e.
func put(out *output, op uint, e uint32) uint {
	out[op] = byte(e >> 16 & 0xff)
	return op + 1
}

// copyNear copies a match that begins less than two words back. Of the words
// that it writes only the first bytes, as many as the distance, are right; the
// next words begin behind these.
func copyNear(out *output, op, distance, end uint) {
	from := op - distance
	if distance == 1 {
		run := uint64(out[from&(outSize-1)]) * 0x0101010101010101
		for ; op < end; op += word {
			op &= outSize - 1
			binary.LittleEndian.PutUint64(out[op:op+word], run)
		}
		return
	}
	for ; op < end; op += distance {
		copyWords(out, op, from)
		from += distance
	}
}

// copyWords copies two words. The language has them loaded before they are
// stored, so they may overlap.
func copyWords(out *output, to, from uint) {
	to &= outSize - 1
	from &= outSize - 1
	*(*[2 * word]byte)(out[to : to+2*word]) = *(*[2 * word]byte)(out[from : from+2*word])
}
