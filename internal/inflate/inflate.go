// Package inflate decodes deflate and gzip streams (RFC 1951 and RFC 1952)
// with the verdicts of the standard library, several times faster.
//
// Decoding is what unpacking a runner costs. The speed comes from doing little
// per symbol: a 64-bit bit buffer that one load refills, tables whose entries
// hold everything about a symbol, and matches copied by words that may run past
// their end. That needs slack around input and output, so near the edge of the
// input a second, careful loop takes over; it also tells truncation from damage.
package inflate

import (
	"errors"
	"fmt"
	"io"
)

const (
	windowSize = 32 << 10 // how far back a match may reach

	// Output and window of one go, and a power of 2. In 128 and 512 KiB it is not
	// faster.
	outSize = 256 << 10
	// One turn of the fast loop may write two literals, a match of 258, and the
	// words of a copy that run over its end.
	fastOut  = 320
	outLimit = outSize - fastOut

	inSize    = 128 << 10
	fastIn    = 2 * word // what one turn of the fast loop may load
	maxHeader = 320      // more bytes than the header of a block has

	maxEmptyReads = 100
)

// CorruptError is the error of a stream that is not what its format allows.
type CorruptError struct {
	Offset int64  // of the first byte of input that was not used yet
	Reason string // without a full stop
}

func (e *CorruptError) Error() string {
	return fmt.Sprintf("inflating input at byte %d: %s", e.Offset, e.Reason)
}

// Reader decodes one raw deflate stream, as in the member of a zip archive. It
// ends with the stream's final block; what follows is read ahead but not looked
// at, so the source should end where the stream does.
//
// A stream that ends early gives io.ErrUnexpectedEOF, a broken one a
// *CorruptError, a failing source its own error; each after the data before it.
// A Reader holds 400 KiB of buffers: use Reset to decode many small streams.
type Reader struct {
	dec  decoder
	rest []byte // decoded and not handed out
}

// NewReader returns a Reader of the stream in src.
func NewReader(src io.Reader) *Reader {
	r := new(Reader)
	r.Reset(src)
	return r
}

// Reset makes r what NewReader(src) returns, keeping its buffers.
func (r *Reader) Reset(src io.Reader) {
	r.rest = nil
	r.dec.reset(src)
}

// Read implements io.Reader.
func (r *Reader) Read(p []byte) (int, error) { return read(p, &r.rest, r.dec.next) }

// WriteTo implements io.WriterTo. It hands out blocks of at most 256 KiB
// without copying them; w must not keep them.
func (r *Reader) WriteTo(w io.Writer) (int64, error) { return writeTo(w, &r.rest, r.dec.next) }

// read copies what is in rest, and fetches more from next if that is nothing.
func read(p []byte, rest *[]byte, next func() ([]byte, error)) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if len(*rest) == 0 {
		var err error
		if *rest, err = next(); err != nil {
			return 0, err
		}
	}
	n := copy(p, *rest)
	*rest = (*rest)[n:]
	return n, nil
}

// writeTo hands rest and all that next returns to w.
func writeTo(w io.Writer, rest *[]byte, next func() ([]byte, error)) (total int64, err error) {
	for {
		if len(*rest) > 0 {
			n, err := w.Write(*rest)
			if n < 0 || n > len(*rest) {
				return total, errors.New("writing decoded data: writer returned an impossible count")
			}
			total += int64(n)
			*rest = (*rest)[n:]
			if err != nil {
				return total, err
			}
			if len(*rest) > 0 {
				return total, io.ErrShortWrite
			}
		}
		if *rest, err = next(); atEOF(err) {
			return total, nil
		} else if err != nil {
			return total, err
		}
	}
}
