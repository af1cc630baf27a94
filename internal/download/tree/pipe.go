package tree

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/runner-bootstrap/runner-bootstrap/internal/inflate"
)

const (
	// What the decoder hands out at a time. Larger ones are no faster.
	blockSize = 256 << 10
	// Decoding goes on for so many blocks while files are made.
	blocks = 8
	// What a tar may have beyond the content of its files: headers, long names,
	// and zeros at its end.
	maxStream = maxBytes + maxEntries*maxName
)

// pipe hands what one goroutine decodes to another, in blocks that are used
// again.
type pipe struct {
	full chan []byte
	free chan []byte // nil stands for a block that was not needed so far
	stop <-chan struct{}
	err  error // what ended it, once full is closed; io.EOF if all is well
}

// decode starts a goroutine that decodes the gzip in source, until its end or
// that of ctx. When full is closed it has ended.
func decode(ctx context.Context, source io.Reader) *pipe {
	p := &pipe{full: make(chan []byte, blocks), free: make(chan []byte, blocks), stop: ctx.Done()}
	for range blocks {
		p.free <- nil
	}
	go func() {
		defer close(p.full)
		in := &filler{pipe: p}
		_, err := inflate.NewGzipReader(source).WriteTo(in)
		if err == nil {
			err = in.flush()
		}
		if err == nil {
			err = io.EOF
		}
		p.err = err
	}()
	return p
}

// filler is the side of a pipe that is written to.
type filler struct {
	pipe  *pipe
	block []byte
	total int64
}

var errStopped = errors.New("nobody reads on")

// Write fills blocks. It waits while all of them are being read.
func (f *filler) Write(data []byte) (int, error) {
	if f.total += int64(len(data)); f.total > maxStream {
		return 0, fmt.Errorf("%w: more than %d bytes", ErrArchive, int64(maxBytes))
	}
	for written := 0; written < len(data); {
		if f.block == nil {
			select {
			case f.block = <-f.pipe.free:
			case <-f.pipe.stop:
				return written, errStopped
			}
			if f.block == nil {
				f.block = make([]byte, 0, blockSize)
			}
		}
		n := min(len(data)-written, cap(f.block)-len(f.block))
		f.block = append(f.block, data[written:written+n]...)
		written += n
		if len(f.block) == cap(f.block) {
			if err := f.flush(); err != nil {
				return written, err
			}
		}
	}
	return len(data), nil
}

// flush hands on what has come together.
func (f *filler) flush() error {
	if len(f.block) == 0 {
		return nil
	}
	select {
	case f.pipe.full <- f.block:
		f.block = nil
		return nil
	case <-f.pipe.stop:
		return errStopped
	}
}

// drain is the side of a pipe that is read from.
type drain struct {
	pipe  *pipe
	block []byte // as it came
	rest  []byte // of it
	err   error  // that ended it; io.EOF if all is well
}

// Read implements io.Reader.
func (d *drain) Read(p []byte) (int, error) {
	for len(d.rest) == 0 {
		if err := d.next(); err != nil {
			return 0, err
		}
	}
	n := copy(p, d.rest)
	d.rest = d.rest[n:]
	return n, nil
}

// next gives back one block and waits for the next.
func (d *drain) next() error {
	if d.err != nil {
		return d.err
	}
	if d.block != nil {
		d.pipe.free <- d.block[:0] // there is room for all that there are
		d.block = nil
	}
	block, ok := <-d.pipe.full
	if !ok {
		d.err = d.pipe.err
		return d.err
	}
	d.block, d.rest = block, block
	return nil
}

// zeros reads to the end, and is an error if something lies there.
func (d *drain) zeros() error {
	for {
		for _, b := range d.rest {
			if b != 0 {
				return fmt.Errorf("%w: something lies behind its end", ErrArchive)
			}
		}
		d.rest = nil
		if err := d.next(); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// origin remembers the failure of a source, which is no failing of the archive.
type origin struct {
	source io.Reader
	err    error
}

func (o *origin) Read(p []byte) (int, error) {
	n, err := o.source.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		o.err = err
	}
	return n, err
}
