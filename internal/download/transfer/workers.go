package transfer

import (
	"errors"
	"fmt"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/retry"
)

const (
	// attempts is how many may fail in a row without one new byte; refusals are how many where a server has answered: one
	// machine of many may not have the file yet.
	attempts  = 4
	refusals  = 5
	firstWait = time.Second
	// shortWait is after an attempt that brought something: a link that breaks
	// often but moves is not punished.
	shortWait = 200 * time.Millisecond
	// longestAsked bounds what Retry-After may ask for.
	longestAsked = time.Minute
	// longestWait is between two attempts.
	longestWait = 30 * time.Second
	// patience bounds how long is tried without a new byte where the context does not.
	patience = 15 * time.Minute
	// maxRestarts bounds how often a server without ranges may begin again.
	maxRestarts = 8
)

// workers are the connections, and what they have met. Stream.mu guards it.
type workers struct {
	active int // goroutines that receive
	limit  int // of active; goes down where the server refuses more of them, or more bring nothing
	// high is the most that was ever on disk: what a server without ranges sends
	// again is no progress. failedAt is what high was at the last failure.
	high, failedAt int64
	moved          int64 // bytes received in this process, over all restarts
	failures       int   // in a row without a new byte
	restarts       int
	sentAgain      bool      // started again for a wrong range already
	since          time.Time // of the first of the failures in a row
	last           error     // the last of them
}

// lateLocked says with the end of the context what has failed until then.
func (w *workers) lateLocked(cause error) error {
	if w.failures == 0 || w.last == nil {
		return retry.Plain(cause)
	}
	cause = retry.Plain(cause)
	return fmt.Errorf("%w, after %d failures in a row (%v)", cause, w.failures, w.last) //nolint:errorlint // it is the time that was over
}

// kind is what can be done about a attemptError.
type kind int

const (
	// tryAgain is given up after a few attempts in a row, unless something had come before: a name that does not exist stays
	// unknown, and an outage passes.
	tryAgain kind = iota
	// tryLong is tried for as long as there is time: a server has said that it can answer at another moment.
	tryLong
	startAgain // what is on disk does not fit to what the server has
	giveUp
)

// attemptError is a failed attempt to receive. Errors of other types are not the
// network's, and end everything.
type attemptError struct {
	kind     kind
	err      error
	after    time.Duration // for which the server asked
	answered bool          // the server refused; otherwise the connection failed
}

func (b *attemptError) Error() string { return b.err.Error() }
func (b *attemptError) Unwrap() error { return b.err }

// task is what one request asks for.
type task struct {
	index    int   // of the first segment, which is claimed
	from, to int64 // to is exclusive; 0 is the end of the file
	plain    bool  // the whole file without a range: nothing is on disk
}

// addWorkerLocked adds a connection.
func (s *Stream) addWorkerLocked() {
	s.active++
	s.running.Go(worker{s}.work)
}

// worker is a connection that receives for a Stream.
type worker struct{ *Stream }

// work receives until nothing is left to claim.
func (w worker) work() {
	var buf []byte
	for {
		t, ok := w.claim()
		if !ok {
			return
		}
		if buf == nil {
			buf = make([]byte, bufferSize)
		}
		err := w.attempt(t, buf)
		if err == nil {
			err = w.punchConsumed()
		}
		if err == nil {
			continue
		}
		wait, again := w.judge(t, err)
		if !again || !w.pause(wait) {
			return
		}
	}
}

// claim takes the lowest part that nobody receives. Where there is none, or there are
// too many of them, the goroutine ends: the one that holds the rest goes on alone
// if need be.
func (w worker) claim() (task, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.active > w.limit {
		w.active--
		return task{}, false
	}
	// Read before the claim, which makes a first segment where the size is unknown.
	plain := w.segs.done == 0
	index, ok := w.segs.claimLowest()
	if !ok {
		w.active--
		return task{}, false
	}
	t := task{index: index, from: w.segs.next(index), to: w.segs.end(index), plain: plain}
	if w.active == 1 {
		t.to = w.segs.runEnd(index)
	}
	return t, true
}

// judge decides after a failed attempt whether its goroutine goes on, and after
// which wait.
func (w worker) judge(t task, err error) (wait time.Duration, again bool) {
	var b *attemptError
	if !errors.As(err, &b) {
		w.fail(err)
		return 0, false
	}
	w.mu.Lock()
	if w.err != nil || w.segs.complete() {
		w.mu.Unlock()
		return 0, false
	}
	if whole, err := w.endsHereLocked(); whole || err != nil {
		w.mu.Unlock()
		if err != nil {
			w.fail(err)
		}
		return 0, false
	}
	progress := w.high > w.failedAt
	w.failedAt = w.high
	if progress {
		w.failures = 0
	}
	if w.active > 1 {
		defer w.mu.Unlock()
		return w.judgeOneOfManyLocked(t, b)
	}
	wait, err = w.judgeAloneLocked(b, progress)
	w.mu.Unlock()
	if err != nil {
		w.fail(err)
		return 0, false
	}
	return wait, true
}

// judgeOneOfManyLocked: a connection beside others is never needed, so what refuses
// it or brings nothing is let go. The others take what it had claimed.
func (w worker) judgeOneOfManyLocked(t task, b *attemptError) (wait time.Duration, again bool) {
	switch {
	case b.answered:
		w.active--
		w.limit = min(w.limit, w.active)
		return 0, false
	case w.segs.next(t.index) > t.from:
		return retry.AtLeast(shortWait), true
	}
	w.active--
	return 0, false
}

// judgeAloneLocked returns how long to wait, or the error that ends the transfer.
func (w worker) judgeAloneLocked(b *attemptError, progress bool) (time.Duration, error) {
	switch {
	case b.kind == startAgain && !w.sentAgain:
		w.sentAgain = true
		return 0, w.startAgainLocked()
	case b.kind == startAgain, b.kind == giveUp:
		return 0, b.err
	}
	if progress {
		return max(b.after, retry.AtLeast(shortWait)), nil
	}
	if w.failures++; w.failures == 1 {
		w.since = time.Now()
	}
	// A connection that fails after bytes have come is an outage.
	long := b.kind == tryLong || !b.answered && w.moved > 0
	most := attempts
	if b.answered {
		most = refusals
	}
	if !long && w.failures >= most || time.Since(w.since) >= patience {
		return 0, b.err
	}
	w.last = b.err
	return max(b.after, retry.AtLeast(min(firstWait<<min(w.failures-1, 16), longestWait))), nil
}

// pause waits, unless there is nothing left to wait for.
func (w worker) pause(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-w.finished:
	case <-w.ctx.Done():
	}
	return false
}

// startAgainLocked forgets what is on disk. The caller is the only
// connection, and will be: what has confused a server once is not done again.
func (w worker) startAgainLocked() error {
	w.generation++
	w.limit = 1
	w.answers, w.unmeasured = 0, ""
	w.resumed = 0
	w.segs, w.direct.decided, w.direct.consumed = segments{}, nil, 0
	// From here on the old state says more than the part file holds, so that it
	// is not believed if this process ends before the new one is written.
	if err := w.part.Truncate(0); err != nil {
		return fmt.Errorf("emptying the part file: %w", err)
	}
	return nil
}
