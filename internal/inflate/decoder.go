package inflate

import (
	"errors"
	"io"
)

// stage says what the next bits of the input are.
type stage int

const (
	atHeader  stage = iota // of a block
	inStored               // the bytes of a stored block
	inSymbols              // the codes of a compressed block
	atEnd                  // behind the final block
)

// decoder turns the blocks of a deflate stream into output. The zero value is
// no decoder: call reset. All but the output is in one struct, so that
// the fast loop reaches it from one register.
type decoder struct {
	lit  [litSize]uint32 // by the next bits: a literal, a length or the end of the block
	dist [distSize]uint32

	// in[pos:end] is read and not used. bits holds the count bits before that,
	// fewer than 8 outside of the loops, and zeros above.
	bits     uint64
	count    uint
	pos, end int
	before   int64 // bytes of input that were in front of in[0]

	out    *output // nil before the first byte
	wr     int     // out[:wr] is decoded; its last 32 KiB are the window
	stage  stage
	final  bool // this block is the last
	fixed  bool // the tables are those of the fixed codes
	stored int  // bytes of a stored block to come

	src    io.Reader
	srcErr error // what src returned together with data
	err    error // what ended the decoding

	symbols symbols
	code    code
	lengths [maxLit + maxDist]uint8
	in      input
}

// What is wrong with codes, wherever it is noticed.
const (
	reasonNothing = "code that stands for nothing"
	reasonBefore  = "match that begins before the data does"
)

// reset makes d ready for the stream in src.
func (d *decoder) reset(src io.Reader) {
	if d.symbols.lit[0] == 0 {
		d.symbols.set()
	}
	d.src, d.srcErr = src, nil
	d.pos, d.end, d.before = 0, 0, 0
	d.restart()
}

// restart makes d ready for another stream behind the one that ended.
func (d *decoder) restart() {
	d.bits, d.count, d.wr = 0, 0, 0
	d.stage, d.final, d.stored, d.err = atHeader, false, 0, nil
}

// next returns some more output, valid until the next call, or the error that
// ended it: io.EOF behind the final block. It waits for input only when it has
// no output to return.
func (d *decoder) next() ([]byte, error) {
	if d.out == nil {
		d.out = new(output)
	}
	if d.wr >= outLimit {
		copy(d.out[:windowSize], d.out[d.wr-windowSize:d.wr])
		d.wr = windowSize
	}
	start := d.wr
	for d.err == nil && d.wr < outLimit {
		if d.stage == atHeader && d.wr > start && d.end-d.pos < maxHeader {
			break
		}
		dry, err := d.step()
		if dry && err == nil {
			if d.wr > start {
				break
			}
			err = noEOF(d.fill())
		}
		d.err = err
	}
	if d.wr > start {
		return d.out[start:d.wr], nil
	}
	return nil, d.err
}

// use makes b the place of the output to come, and takes the window along.
func (d *decoder) use(b *Block) {
	n := min(d.wr, windowSize)
	if n > 0 {
		copy(b.out[:n], d.out[d.wr-n:d.wr])
	}
	d.out, d.wr = &b.out, n
}

// step decodes what it can of the current stage, and reports whether it stopped
// for lack of input.
func (d *decoder) step() (dry bool, err error) {
	switch d.stage {
	case atHeader:
		return false, d.readHeader()
	case inStored:
		return d.copyStored(), nil
	case inSymbols:
		if d.end-d.pos >= word+fastIn { // the fast loop loads a word before its first turn
			return false, d.fast()
		}
		return d.careful()
	default:
		return false, io.EOF
	}
}

// endBlock moves on behind the last symbol of a block.
func (d *decoder) endBlock() {
	d.stage = atHeader
	if d.final {
		d.stage = atEnd
	}
}

// align drops the bits up to the next whole byte.
func (d *decoder) align() { d.bits, d.count = 0, 0 }

// copyStored copies of a stored block what is there and what fits.
func (d *decoder) copyStored() (dry bool) {
	n := min(d.stored, d.end-d.pos, outLimit-d.wr)
	copy(d.out[d.wr:d.wr+n], d.in[d.pos:d.pos+n])
	d.wr += n
	d.pos += n
	d.stored -= n
	if d.stored == 0 {
		d.endBlock()
		return false
	}
	return d.pos == d.end
}

// fill reads once from the source, behind what is not used yet. It returns nil
// if there is more input now.
func (d *decoder) fill() error {
	d.before += int64(d.pos)
	d.end = copy(d.in[:], d.in[d.pos:d.end])
	d.pos = 0
	for range maxEmptyReads {
		if d.srcErr != nil {
			return d.srcErr
		}
		n, err := d.src.Read(d.in[d.end:inSize])
		if n < 0 || n > inSize-d.end {
			return errors.New("reading compressed data: reader returned an impossible count")
		}
		d.end += n
		d.srcErr = err
		if n > 0 {
			return nil
		}
	}
	return io.ErrNoProgress
}

// corrupt returns the error for damage found here.
func (d *decoder) corrupt(reason string) error {
	return &CorruptError{Offset: d.before + int64(d.pos-int(d.count/8)), Reason: reason}
}

// atEOF reports whether err is the end of a source, which is never wrapped.
func atEOF(err error) bool {
	return err == io.EOF //nolint:errorlint // by the contract of io.Reader; what wraps it is a failure
}

// noEOF is for places where the input must not end.
func noEOF(err error) error {
	if atEOF(err) {
		return io.ErrUnexpectedEOF
	}
	return err
}
