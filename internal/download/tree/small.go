package tree

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
	// So many of these goroutines there are, and so many files wait for them.
	smallHands = 2
	smallFiles = 16
)

// smallWriter writes the small files of one tree while its archive is read on. One
// goroutine hands them over; what they were found to be comes back with settle.
type smallWriter struct {
	builder *builder
	jobs    chan smallJob
	free    chan []byte // nil stands for a buffer that was not needed so far
	hands   sync.WaitGroup
	open    sync.WaitGroup // jobs that are not done

	mu   sync.Mutex
	sums []smallSum
	err  error // the first failure
}

// smallJob has an entry of its own: the builder's may move while it is written.
type smallJob struct {
	index int
	entry entry
	data  []byte
}

type smallSum struct {
	index int
	crc   uint32
}

func (b *builder) startSmall(ctx context.Context) {
	s := &smallWriter{builder: b, jobs: make(chan smallJob, smallFiles), free: make(chan []byte, smallFiles)}
	for range smallFiles {
		s.free <- nil
	}
	for range smallHands {
		s.hands.Go(func() { s.work(ctx) })
	}
	b.small = s
}

func (s *smallWriter) work(ctx context.Context) {
	h := s.builder.newHand()
	defer h.close()
	for job := range s.jobs {
		err := s.failure()
		if err == nil {
			err = h.file(ctx, &job.entry, bytes.NewReader(job.data))
		}
		s.mu.Lock()
		if s.err == nil {
			s.err = err
		}
		s.sums = append(s.sums, smallSum{job.index, job.entry.crc})
		s.mu.Unlock()
		s.free <- job.data
		s.open.Done()
	}
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
	data := <-s.free // comes back from whoever has it, also after a failure
	if int64(cap(data)) < e.size {
		data = make([]byte, e.size, max(e.size, 4<<10))
	}
	data = data[:e.size]
	if _, err := io.ReadFull(content, data); err != nil {
		s.free <- data
		return fmt.Errorf("%w: entry %q is shorter than it says", ErrArchive, e.path)
	}
	s.open.Add(1)
	s.jobs <- smallJob{index: index, entry: e, data: data}
	return nil
}

// settle waits until all files that were handed over are there.
func (s *smallWriter) settle() error {
	s.open.Wait()
	for _, sum := range s.sums {
		s.builder.entries[sum.index].crc = sum.crc
	}
	s.sums = s.sums[:0]
	return s.err
}

// close ends the goroutines, once what was handed over is done.
func (s *smallWriter) close() {
	close(s.jobs)
	s.hands.Wait()
}
