package transfer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"sync"
	"sync/atomic"
	"time"
)

const (
	bufferSize = 256 << 10
	// enough is what is written at once: TLS brings 16 KiB at a time, and one
	// write for each, and waking the reader for it, would be a waste.
	enough = 192 << 10
	// linger is for how long bytes may wait for more: the reader may starve.
	linger = 20 * time.Millisecond
)

// flow is the body of one answer on its way to the disk.
type flow struct {
	w     worker
	watch *watch
	end   int64 // where the body ends; below 0: unknown

	mu       sync.Mutex // held while bytes are written
	buf      []byte
	from, to int   // buf[from:to] is not on disk yet
	off      int64 // where buf[from] belongs
	index    int   // the claimed segment
	met      bool  // another connection has what follows
	err      error // of the disk
}

// run receives until the end, and writes down what came before a failure.
func (f *flow) run(ctx context.Context, body io.Reader) error {
	late := time.AfterFunc(math.MaxInt64, f.late)
	defer func() {
		late.Stop()
		f.mu.Lock() // also waits for a late write that runs
		defer f.mu.Unlock()
		f.from = f.to
	}()
	for {
		f.watch.waits()
		n, err := body.Read(f.room())
		f.watch.works()
		stop, werr := f.hold(n, err != nil, late)
		switch {
		case werr != nil:
			return werr
		case stop:
			return nil
		case errors.Is(err, io.EOF):
			return f.ended(ctx)
		case err != nil:
			return f.w.lost(ctx, err)
		}
	}
}

// room is where the next bytes go. There is room for one byte more than the
// body may have: so it is seen to be too long.
func (f *flow) room() []byte {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.from == f.to {
		f.from, f.to = 0, 0
	}
	room := f.buf[f.to:]
	if f.end < 0 {
		return room
	}
	return room[:min(int64(len(room)), f.left()+1)]
}

// left is how much is still to come.
func (f *flow) left() int64 { return f.end - f.off - int64(f.to-f.from) }

// hold takes n bytes more into the buffer, and writes it where that is worth it.
func (f *flow) hold(n int, last bool, late *time.Timer) (stop bool, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if n > 0 && f.from == f.to {
		late.Reset(linger)
	}
	f.to += n
	if f.end >= 0 && f.left() < 0 {
		f.to += int(f.left()) // what comes behind the end is not of the file
		last, stop = true, true
	}
	// What seems to be the end waits until it is known to be the end.
	full := f.to-f.from >= enough && (f.end < 0 || f.left() > 0)
	if last || full || f.to == len(f.buf) {
		late.Stop()
		f.writeLocked()
	}
	return f.met || stop, f.err
}

// late writes what has waited long enough for more.
func (f *flow) late() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.writeLocked()
	if f.err != nil {
		f.w.fail(f.err)
	}
}

// writeLocked puts what is held on the disk, and then into the state, never the other
// way round; or passes it on.
func (f *flow) writeLocked() {
	for f.from < f.to && f.err == nil && !f.met {
		upto := int64(f.index+1) * segmentSize
		if f.off == upto {
			f.met = !f.w.follow(f.index)
			if !f.met {
				f.index++
				f.err = f.w.punchConsumed()
			}
			continue
		}
		p := f.buf[f.from:f.to]
		p = p[:min(int64(len(p)), upto-f.off)]
		if f.w.r.MaxBytes > 0 && f.off+int64(len(p)) > f.w.r.MaxBytes {
			f.err = f.w.fits(math.MaxInt64)
			return
		}
		if f.err = f.storeLocked(p); f.err != nil {
			return
		}
		f.w.record(f.index, int64(len(p)))
	}
}

// storeLocked hands p to the reader, or puts it on the disk and notes that.
func (f *flow) storeLocked(p []byte) error {
	taken, err := f.w.handOff(f.index, p, f.off)
	if err != nil {
		return err
	}
	if !taken {
		if _, err := f.w.part.WriteAt(p, f.off); err != nil {
			return fmt.Errorf("writing the part file: %w", err)
		}
	}
	f.off += int64(len(p))
	f.from += len(p)
	if taken {
		return nil
	}
	return f.w.ledger.note(f.index, f.off-int64(f.index)*segmentSize)
}

// follow goes on from a finished segment to the next one, if nobody has it.
func (w worker) follow(index int) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.segs.claimEmpty(index + 1)
}

// record notes bytes that are here now.
func (s *Stream) record(index int, n int64) {
	s.mu.Lock()
	if s.moved == 0 {
		s.direct.began = time.Now()
	}
	s.segs.add(index, n)
	s.moved += n
	s.high = max(s.high, s.segs.done)
	if s.segs.complete() {
		s.arrivedLocked()
	}
	s.more.Broadcast()
	s.mu.Unlock()
	s.report()
}

// ended is the end of a body, which may have come too early.
func (f *flow) ended(ctx context.Context) error {
	f.mu.Lock()
	off := f.off
	f.mu.Unlock()
	switch {
	case f.end >= 0 && off < f.end:
		return f.w.lost(ctx, io.ErrUnexpectedEOF)
	case f.end >= 0:
		return nil
	}
	f.w.mu.Lock()
	defer f.w.mu.Unlock()
	return f.w.wholeAtLocked(off)
}

// watch ends a request that brings nothing for too long. Only what is spent in
// waiting for the network counts: a slow disk is no stall.
type watch struct {
	stall  time.Duration
	began  time.Time
	since  atomic.Int64 // when the wait began, after began; or working
	cancel context.CancelCauseFunc
	timer  *time.Timer
	mu     sync.Mutex
	over   bool
}

const working = -1

func watchFor(stall time.Duration, cancel context.CancelCauseFunc) *watch {
	w := &watch{stall: stall, began: time.Now(), cancel: cancel}
	if stall > 0 {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.timer = time.AfterFunc(stall, w.check)
	}
	return w
}

// These are called often, so they leave the timer alone.
func (w *watch) waits() { w.since.Store(int64(time.Since(w.began))) }
func (w *watch) works() { w.since.Store(working) }

func (w *watch) check() {
	w.mu.Lock()
	defer w.mu.Unlock()
	rest := w.stall
	if since := w.since.Load(); since != working {
		rest -= time.Since(w.began) - time.Duration(since)
	}
	switch {
	case w.over:
	case rest > 0:
		w.timer.Reset(rest)
	default:
		w.cancel(fmt.Errorf("no byte for %s", w.stall))
	}
}

func (w *watch) stop() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.over = true
	if w.timer != nil {
		w.timer.Stop()
	}
}
