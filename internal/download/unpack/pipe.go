package unpack

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/runner-bootstrap/runner-bootstrap/internal/inflate"
)

const (
	// Decoding goes on for so many blocks while files are made.
	blocks = 9
	// What a tar may have beyond the content of its files: headers, long names,
	// and zeros at its end.
	maxStream = maxBytes + maxEntries*maxName
)

// pipe hands what one goroutine decodes to another, in blocks that are used
// again.
type pipe struct {
	full  chan decoded
	free  chan *inflate.Block // nil stands for a block that was not needed so far
	stop  <-chan struct{}
	total int64 // bytes that were decoded
	err   error // what ended it, once full is closed; io.EOF if all is well
}

// decoded is data, and the block that it lies in.
type decoded struct {
	data  []byte
	block *inflate.Block
}

var errStopped = errors.New("nobody reads on")

// decode starts a goroutine that decodes the gzip in source, until its end or
// that of ctx. When full is closed it has ended.
func decode(ctx context.Context, source io.Reader) *pipe {
	p := &pipe{full: make(chan decoded, blocks), free: make(chan *inflate.Block, blocks), stop: ctx.Done()}
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
		if p.total += int64(len(data)); p.total > maxStream {
			return fmt.Errorf("%w: more than %d bytes", ErrArchive, int64(maxBytes))
		}
		p.full <- decoded{data, block} // there is room for all that there are
	}
}

// drain is the side of a pipe that is read from.
type drain struct {
	pipe  *pipe
	block *inflate.Block
	rest  []byte // of what it holds
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
		d.pipe.free <- d.block // there is room for all that there are
		d.block = nil
	}
	next, ok := <-d.pipe.full
	if !ok {
		d.err = d.pipe.err
		return d.err
	}
	d.block, d.rest = next.block, next.data
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
