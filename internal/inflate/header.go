package inflate

import "math"

const (
	maxLit  = 286 // codes for literals, the end of the block, and lengths
	maxDist = 30  // codes for distances

	fixedLit  = 288 // the fixed codes have symbols that stand for nothing
	fixedDist = 32
)

// readHeader reads the header of a block, waiting for input as needed.
func (d *decoder) readHeader() error {
	v, err := d.take(3)
	if err != nil {
		return err
	}
	d.final = v&1 != 0
	switch v >> 1 {
	case 0:
		return d.readStored()
	case 1:
		d.stage = inSymbols
		return d.setFixed()
	case 2:
		d.stage = inSymbols
		return d.readCodes()
	default:
		return d.corrupt("block of a type that does not exist")
	}
}

// readStored reads the length of a stored block and its complement.
func (d *decoder) readStored() error {
	d.align()
	v, err := d.take(32)
	if err != nil {
		return err
	}
	if v&0xffff != ^v>>16&0xffff {
		return d.corrupt("stored block whose length and its complement differ")
	}
	d.stored = int(v & 0xffff)
	d.stage = inStored
	return nil
}

// setFixed makes the tables of the fixed codes.
func (d *decoder) setFixed() error {
	if d.fixed {
		return nil
	}
	var lengths [fixedLit + fixedDist]uint8
	for i := range lengths {
		switch {
		case i < 144:
			lengths[i] = 8
		case i < 256:
			lengths[i] = 9
		case i < 280:
			lengths[i] = 7
		case i < fixedLit:
			lengths[i] = 8
		default:
			lengths[i] = 5
		}
	}
	if !d.code.build(d.lit[:], litBits, lengths[:fixedLit], d.symbols.lit[:]) ||
		!d.code.build(d.dist[:], distBits, lengths[fixedLit:], d.symbols.dist[:]) {
		return d.corrupt("fixed codes that do not fit together") // they do
	}
	d.fixed = true
	return nil
}

// readCodes reads the codes of a dynamic block and makes their tables.
func (d *decoder) readCodes() error {
	v, err := d.take(14)
	if err != nil {
		return err
	}
	lits, dists, precodes := int(v&31)+257, int(v>>5&31)+1, int(v>>10)+4
	if lits > maxLit || dists > maxDist {
		return d.corrupt("more codes than there are symbols")
	}
	const order = "\x10\x11\x12\x00\x08\x07\x09\x06\x0a\x05\x0b\x04\x0c\x03\x0d\x02\x0e\x01\x0f"
	var pre [len(order)]uint8
	for i := range precodes {
		if v, err = d.take(3); err != nil {
			return err
		}
		pre[order[i]] = uint8(v & 7)
	}
	d.fixed = false
	if !d.code.build(d.lit[:], preBits, pre[:], d.symbols.pre[:]) { // the table is free until the lengths are known
		return d.corrupt("code lengths with a code that does not fit together")
	}
	if err = d.readLengths(lits + dists); err != nil {
		return err
	}
	if !d.code.build(d.lit[:], litBits, d.lengths[:lits], d.symbols.lit[:]) {
		return d.corrupt("literal codes that do not fit together")
	}
	if !d.code.build(d.dist[:], distBits, d.lengths[lits:lits+dists], d.symbols.dist[:]) {
		return d.corrupt("distance codes that do not fit together")
	}
	return nil
}

// readLengths reads n code lengths, of literals and distances in one row.
func (d *decoder) readLengths(n int) error {
	for i := 0; i < n; {
		e, err := d.takePre()
		if err != nil {
			return err
		}
		symbol := e >> 16
		if symbol < 16 {
			d.lengths[i] = uint8(symbol & 15)
			i++
			continue
		}
		var length uint8
		run, extra := 3, uint(3)
		switch symbol {
		case 16:
			if i == 0 {
				return d.corrupt("repetition of a code length before the first")
			}
			length, extra = d.lengths[i-1], 2
		case 18:
			run, extra = 11, 7
		}
		v, err := d.take(extra)
		if err != nil {
			return err
		}
		run += int(v)
		if i+run > n {
			return d.corrupt("more code lengths than announced")
		}
		for range run {
			d.lengths[i] = length
			i++
		}
	}
	return nil
}

// take returns the next n bits, n <= 32, waiting for input as needed.
func (d *decoder) take(n uint) (uint32, error) {
	for d.count < n {
		if err := d.pull(); err != nil {
			return 0, err
		}
	}
	v := uint32(d.bits & (1<<n - 1) & math.MaxUint32)
	d.bits >>= n
	d.count -= n
	return v, nil
}

// takePre returns the entry of the next code length.
func (d *decoder) takePre() (uint32, error) {
	for {
		e := d.lit[d.bits&preMask]
		n := uint(e & entryBits)
		if n <= d.count {
			if e&exceptional != 0 {
				return 0, d.corrupt(reasonNothing)
			}
			d.bits >>= n
			d.count -= n
			return e, nil
		}
		if err := d.pull(); err != nil {
			return 0, err
		}
	}
}

// pull adds a byte to the bit buffer.
func (d *decoder) pull() error {
	if d.pos == d.end {
		if err := d.fill(); err != nil {
			return noEOF(err)
		}
	}
	d.bits |= uint64(d.in[d.pos]) << d.count
	d.pos++
	d.count += 8
	return nil
}
