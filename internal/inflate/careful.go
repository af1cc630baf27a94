package inflate

// careful decodes symbols near the end of the input that was read. It takes a
// symbol only if all of it is there, and reports whether it stopped because one
// was not.
func (d *decoder) careful() (dry bool, err error) {
	for d.wr < outLimit && d.stage == inSymbols && err == nil && !dry {
		for d.count <= 48 && d.pos < d.end {
			d.bits |= uint64(d.in[d.pos]) << d.count
			d.pos++
			d.count += 8
		}
		dry, err = d.symbol()
	}
	d.pos -= int(d.count / 8)
	d.count %= 8
	d.bits &= 1<<d.count - 1
	return dry, err
}

// symbol decodes a literal, a match, or the end of the block, if all bits of it
// are in the buffer, which has room for the longest (48).
func (d *decoder) symbol() (dry bool, err error) {
	b, left := d.bits, int(d.count)
	e := d.lit[b&litMask]
	if e&subtable != 0 {
		b >>= litBits
		left -= litBits
		e = d.lit[below(e, b)]
	}
	if left -= int(e & entryBits); left < 0 {
		return true, nil
	}
	switch {
	case e&literal != 0:
		d.wr = int(put(d.out, uint(d.wr), e))
	case e&endOfBlock != 0:
		d.endBlock()
	case e&exceptional != 0:
		return false, d.corrupt(reasonNothing)
	default:
		return d.match(b>>(e&entryBits), left, int(value(e, b)))
	}
	d.keep(left)
	return false, nil
}

// match decodes the distance in b, of which left bits are there, and copies.
func (d *decoder) match(b uint64, left, length int) (dry bool, err error) {
	e := d.dist[b&distMask]
	if e&subtable != 0 {
		b >>= distBits
		left -= distBits
		e = d.dist[below(e, b)]
	}
	if left -= int(e & entryBits); left < 0 {
		return true, nil
	}
	if e&exceptional != 0 {
		return false, d.corrupt(reasonNothing)
	}
	distance := int(value(e, b))
	if distance > d.wr {
		return false, d.corrupt(reasonBefore)
	}
	for range length { // byte by byte: it may read what it has just written
		d.out[d.wr] = d.out[d.wr-distance]
		d.wr++
	}
	d.keep(left)
	return false, nil
}

// keep drops all bits but the last left ones.
func (d *decoder) keep(left int) {
	d.bits >>= d.count - uint(left)
	d.count = uint(left)
}
