// Package ahead decodes a gzip stream while what was decoded before is read.
package ahead

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/runner-bootstrap/runner-bootstrap/internal/inflate"
)

// Decoding goes on for so many blocks while files are made.
const blocks = 9

// pipe hands what one goroutine decodes to another, in blocks that are used
// again.
type pipe struct {
	full  chan decoded
	free  chan *inflate.Block // nil stands for a block that was not needed so far
	stop  <-chan struct{}
	limit int64 // bytes that may be decoded
	total int64 // bytes that were
	err   error // what ended it, once full is closed; io.EOF if all is well
}

// decoded is data, and the block that it lies in.
type decoded struct {
	data  []byte
	block *inflate.Block
}

var errStopped = errors.New("nobody reads on")

// start begins to decode the gzip in source, until its end or that of ctx. When full is closed it has ended.
func start(ctx context.Context, source io.Reader, limit int64) *pipe {
	p := &pipe{full: make(chan decoded, blocks), free: make(chan *inflate.Block, blocks), stop: ctx.Done(), limit: limit}
	for range blocks {
		p.free <- nil
	}
	go func() {
		defer close(p.full)
		p.err = p.fill(inflate.NewGzipReader(source))
	}()
	return p
}

// fill is the side of a pipe that decodes. It waits while all blocks are being
// read.
func (p *pipe) fill(from *inflate.GzipReader) error {
	for {
		var block *inflate.Block
		select {
		case block = <-p.free:
		case <-p.stop:
			return errStopped
		}
		if block == nil {
			block = new(inflate.Block)
		}
		data, err := from.Next(block)
		if err != nil {
			return err
		}
		if p.total += int64(len(data)); p.total > p.limit {
			return fmt.Errorf("more than %d bytes", p.limit)
		}
		p.full <- decoded{data, block} // there is room for all that there are
	}
}

// Reader reads what a goroutine decodes. The end of its context ends that, and [Reader.Wait] waits for it.
type Reader struct {
	pipe   *pipe
	source *origin
	block  *inflate.Block
	rest   []byte // of what it holds
	err    error  // that ended it; io.EOF if all is well
	offset int64  // of what was read
}

// NewReader begins to decode source, of which no more than limit bytes may come.
func NewReader(ctx context.Context, source io.Reader, limit int64) *Reader {
	from := &origin{source: source}
	return &Reader{pipe: start(ctx, from, limit), source: from}
}

// Wait returns when nothing is decoded any more.
func (r *Reader) Wait() {
	for range r.pipe.full {
		continue
	}
}

// Offset is how many bytes were read.
func (r *Reader) Offset() int64 { return r.offset }

// SourceErr is the source's own failure, if that is what ended the stream.
func (r *Reader) SourceErr() error {
	if r.err == nil {
		return nil
	}
	return r.source.err
}

// Read implements io.Reader.
func (r *Reader) Read(p []byte) (int, error) {
	for len(r.rest) == 0 {
		if err := r.next(); err != nil {
			return 0, err
		}
	}
	n := copy(p, r.rest)
	r.rest, r.offset = r.rest[n:], r.offset+int64(n)
	return n, nil
}

// next gives back one block and waits for the next.
func (r *Reader) next() error {
	if r.err != nil {
		return r.err
	}
	if r.block != nil {
		r.pipe.free <- r.block // there is room for all that there are
		r.block = nil
	}
	next, ok := <-r.pipe.full
	if !ok {
		r.err = r.pipe.err
		return r.err
	}
	r.block, r.rest = next.block, next.data
	return nil
}

// Zeros reads to the end, and is an error if something else lies there.
func (r *Reader) Zeros() error {
	for {
		for _, b := range r.rest {
			if b != 0 {
				return errors.New("something lies behind its end")
			}
		}
		r.rest = nil
		if err := r.next(); errors.Is(err, io.EOF) {
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
