package inflate

import (
	"hash/crc32"
	"io"
	"math"
)

// Flags of the header of a gzip member.
const (
	flagHeaderCRC = 1 << 1
	flagExtra     = 1 << 2
	flagName      = 1 << 3
	flagComment   = 1 << 4

	maxText = 512 // bytes of a name or comment, with its end; as in compress/gzip
)

// GzipReader decodes a gzip stream: one member or several, one after the other
// up to the end of the source, or to zeros that fill it up, as on a tape. The CRC-32 and the length of each are checked
// when its data has been returned, so nothing of it is sure before io.EOF.
//
// A stream that ends early, or has no member at all, gives io.ErrUnexpectedEOF;
// a broken one, or one with something else behind it, a *CorruptError; a failing
// source its own error. Each comes after the data before it and then stays.
type GzipReader struct {
	dec  decoder
	rest []byte // decoded and not handed out

	inMember bool
	members  bool // there was one
	crc      uint32
	size     uint32
	err      error
	one      [1]byte
}

// NewGzipReader returns a reader of the stream in src. It reads ahead.
func NewGzipReader(src io.Reader) *GzipReader {
	z := new(GzipReader)
	z.dec.reset(src)
	return z
}

// Read implements io.Reader.
func (z *GzipReader) Read(p []byte) (int, error) { return read(p, &z.rest, z.next) }

// WriteTo implements io.WriterTo. It hands out blocks of at most 256 KiB
// without copying them; w must not keep them.
func (z *GzipReader) WriteTo(w io.Writer) (int64, error) { return writeTo(w, &z.rest, z.next) }

// Block is room for what [GzipReader.Next] decodes at a time.
type Block struct{ out output }

// Next decodes some more into b, and returns it: a part of b, which is not empty,
// up to 256 KiB, and valid as long as b is not given to Next again. So nothing is
// copied but the window, from block to block: what the call before has returned
// must still be as it was. Next does not go with Read and WriteTo on one reader.
func (z *GzipReader) Next(b *Block) ([]byte, error) {
	z.dec.use(b)
	return z.next()
}

// next returns some more data, or what ended it.
func (z *GzipReader) next() ([]byte, error) {
	for z.err == nil {
		if !z.inMember {
			z.err = z.begin()
			continue
		}
		data, err := z.dec.next()
		if len(data) > 0 {
			z.crc = crc32.Update(z.crc, crc32.IEEETable, data)
			z.size += uint32(uint64(len(data)) & math.MaxUint32)
			return data, nil
		}
		if z.err = err; atEOF(err) {
			z.err = z.finish()
		}
	}
	return nil, z.err
}

// begin reads the header of a member, or finds that there is none to come.
func (z *GzipReader) begin() error {
	if z.dec.pos == z.dec.end {
		if err := z.dec.fill(); atEOF(err) && z.members {
			return err
		} else if err != nil {
			return noEOF(err)
		}
	}
	z.dec.restart()
	if z.members && z.dec.in[z.dec.pos] == 0 {
		return z.padding()
	}
	z.crc, z.size = 0, 0
	if err := z.readHeader(); err != nil {
		return err
	}
	z.crc = 0
	z.inMember, z.members = true, true
	return nil
}

// padding reads zeros up to the end of the source.
func (z *GzipReader) padding() error {
	for {
		for ; z.dec.pos < z.dec.end; z.dec.pos++ {
			if z.dec.in[z.dec.pos] != 0 {
				return z.dec.corrupt("no header of a gzip member")
			}
		}
		if err := z.dec.fill(); err != nil {
			return err
		}
	}
}

// finish checks the end of a member against its data.
func (z *GzipReader) finish() error {
	z.dec.align()
	crc, err := z.dec.take(32)
	if err != nil {
		return err
	}
	size, err := z.dec.take(32)
	switch {
	case err != nil:
		return err
	case crc != z.crc:
		return z.dec.corrupt("checksum of the data does not match")
	case size != z.size:
		return z.dec.corrupt("length of the data does not match")
	}
	z.inMember = false
	return nil
}

// readHeader reads the header of a member (RFC 1952, section 2.3).
func (z *GzipReader) readHeader() error {
	var fixed [10]byte
	for i := range fixed {
		if err := z.readByte(&fixed[i]); err != nil {
			return err
		}
	}
	if fixed[0] != 0x1f || fixed[1] != 0x8b || fixed[2] != 8 {
		return z.dec.corrupt("no header of a gzip member")
	}
	flags := fixed[3]
	if flags&flagExtra != 0 {
		if err := z.skipExtra(); err != nil {
			return err
		}
	}
	for _, flag := range []byte{flagName, flagComment} {
		if flags&flag != 0 {
			if err := z.skipText(); err != nil {
				return err
			}
		}
	}
	if flags&flagHeaderCRC == 0 {
		return nil
	}
	want := z.crc & 0xffff
	if got, err := z.dec.take(16); err != nil {
		return err
	} else if got != want {
		return z.dec.corrupt("checksum of the header does not match")
	}
	return nil
}

// skipExtra reads over the extra field.
func (z *GzipReader) skipExtra() error {
	var low, high, b byte
	if err := z.readByte(&low); err != nil {
		return err
	}
	if err := z.readByte(&high); err != nil {
		return err
	}
	for range int(high)<<8 | int(low) {
		if err := z.readByte(&b); err != nil {
			return err
		}
	}
	return nil
}

// skipText reads over a name or a comment.
func (z *GzipReader) skipText() error {
	for range maxText {
		var b byte
		if err := z.readByte(&b); err != nil {
			return err
		}
		if b == 0 {
			return nil
		}
	}
	return z.dec.corrupt("name or comment that does not end")
}

// readByte reads a byte of a header into b and its checksum.
func (z *GzipReader) readByte(b *byte) error {
	v, err := z.dec.take(8)
	if err != nil {
		return err
	}
	*b = byte(v & 0xff)
	z.one[0] = *b
	z.crc = crc32.Update(z.crc, crc32.IEEETable, z.one[:])
	return nil
}
