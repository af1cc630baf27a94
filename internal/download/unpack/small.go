package unpack

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"sync"
)

const (
	// Files up to this size are written by goroutines of their own: making a file
	// takes longer than decoding so little, and a runner has thousands of them.
	smallFile = 64 << 10
	// So many of these goroutines there are, and so many batches. A batch is what
	// one of them takes at a time: being woken takes about as long as a file.
	smallHands   = 2
	smallBatches = 6
	batchSize    = 2 * smallFile
	batchFiles   = 32
)

// smallWriter writes the small files of one tree while its archive is read on. One
// goroutine hands them over; what they were found to be comes back with settle.
type smallWriter struct {
	builder *builder
	filling *batch // not handed over yet
	full    chan *batch
	free    chan *batch
	hands   sync.WaitGroup
	open    sync.WaitGroup // batches that were handed over and are not done

	mu   sync.Mutex
	sums []smallSum
	err  error // the first failure
}

// batch is some files, whose contents lie in data one after the other.
type batch struct {
	files []smallJob
	data  []byte
}

// smallJob has an entry of its own: the builder's may move while it is written.
type smallJob struct {
	index int
	entry entry
}

type smallSum struct {
	index   int
	crc     uint32
	inode   uint64
	changed int64
}

func (b *builder) startSmall(ctx context.Context) {
	s := &smallWriter{builder: b, full: make(chan *batch, smallBatches), free: make(chan *batch, smallBatches)}
	for range smallBatches {
		s.free <- &batch{}
	}
	for range smallHands {
		s.hands.Go(func() { s.work(ctx) })
	}
	b.small = s
}

func (s *smallWriter) work(ctx context.Context) {
	h := s.builder.newHand()
	defer h.close()
	for b := range s.full {
		err := s.failure()
		rest := b.data
		for i := range b.files {
			if err != nil {
				break
			}
			e := &b.files[i].entry
			err = h.file(ctx, e, bytes.NewReader(rest[:e.size]))
			rest = rest[e.size:]
		}
		s.done(b, err)
	}
}

// done notes what the files of a batch were found to be.
func (s *smallWriter) done(b *batch, err error) {
	s.mu.Lock()
	if s.err == nil {
		s.err = err
	}
	for i := range b.files {
		e := &b.files[i].entry
		s.sums = append(s.sums, smallSum{b.files[i].index, e.crc, e.inode, e.changed})
	}
	s.mu.Unlock()
	b.files, b.data = b.files[:0], b.data[:0]
	s.free <- b
	s.open.Done()
}

func (s *smallWriter) failure() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// write takes a file over. Its content is read at once; a failure to write it, or
// one before it, may come with a later call.
func (s *smallWriter) write(index int, e entry, content io.Reader) error {
	if err := s.failure(); err != nil {
		return err
	}
	if b := s.filling; b != nil && (len(b.data)+int(e.size) > batchSize || len(b.files) == batchFiles) {
		s.flush()
	}
	if s.filling == nil {
		s.filling = <-s.free // comes back from the goroutine that has it, also after a failure
	}
	b := s.filling
	if b.data == nil {
		b.data = make([]byte, 0, batchSize)
	}
	end := len(b.data) + int(e.size)
	if _, err := io.ReadFull(content, b.data[len(b.data):end]); err != nil {
		return fmt.Errorf("%w: entry %q is shorter than it says", ErrArchive, e.path)
	}
	b.data, b.files = b.data[:end], append(b.files, smallJob{index, e})
	return nil
}

// flush hands over what has come together.
func (s *smallWriter) flush() {
	if s.filling == nil {
		return
	}
	s.open.Add(1)
	s.full <- s.filling // there is room for all that there are
	s.filling = nil
}

// wait waits until all files that were taken over are there.
func (s *smallWriter) wait() error {
	s.flush()
	s.open.Wait()
	for _, sum := range s.sums {
		e := &s.builder.entries[sum.index]
		e.crc, e.inode, e.changed = sum.crc, sum.inode, sum.changed
	}
	s.sums = s.sums[:0]
	return s.err
}

// close ends the goroutines, once what was handed over is done.
func (s *smallWriter) close() {
	close(s.full)
	s.hands.Wait()
}
