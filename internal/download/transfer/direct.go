package transfer

import "time"

const (
	// keptFirst is how much of a file is put on the disk in any case: until then
	// nobody knows how long the rest will take.
	keptFirst = 2 * segmentSize
	// keptMark is what stays of that where nothing is worth keeping. A process that
	// goes on finds by it that this one was ended, and keeps everything.
	keptMark = 64 << 10
)

// direct is what goes to the reader without being put on the disk. Stream.mu
// guards it.
type direct struct {
	began     time.Time    // when the first bytes came
	decided   map[int]bool // by segment, at its start: it skips the disk, or it is kept
	handoff   []byte       // what a connection holds out to the reader
	handoffAt int64        // where that begins
	consumed  int          // segments that the reader has read, and whose room was freed
}

// skipped tells whether there are bytes that the disk does not hold, or no longer.
func (d *direct) skipped() bool {
	for _, skips := range d.decided {
		if skips {
			return true
		}
	}
	return d.consumed > 0
}

// goesDirectLocked tells whether segment index goes past the disk: where it is what the
// reader wants next, on the only connection, and comes so fast that receiving all of the
// rest again would be brief. Beside others a connection would wait for the reader while
// it could bring more. What an earlier process has left is continued, and always kept.
func (s *Stream) goesDirectLocked(index int) bool {
	if skips, decided := s.direct.decided[index]; decided {
		return skips
	}
	skips := s.mayGoDirectLocked(index)
	if s.direct.decided == nil {
		s.direct.decided = map[int]bool{}
	}
	s.direct.decided[index] = skips
	return skips
}

func (s *Stream) mayGoDirectLocked(index int) bool {
	if !s.maySkipDiskLocked() || s.active > 1 {
		return false
	}
	begin := int64(index) * segmentSize
	if begin < keptFirst || index != s.segs.first {
		return false
	}
	return s.comesSoonLocked(s.segs.size - begin)
}

// maySkipDiskLocked tells whether bytes of this download may be lost at all.
func (s *Stream) maySkipDiskLocked() bool {
	return s.r.SkipDisk > 0 && s.segs.known && s.generation == 0 && s.resumed == 0 && s.moved > 0
}

// comesSoonLocked tells whether so many bytes come in so short a time that they can skip the disk.
func (s *Stream) comesSoonLocked(bytes int64) bool {
	took := float64(bytes) / float64(s.moved) * float64(time.Since(s.direct.began))
	return time.Duration(took) <= s.r.SkipDisk
}

// handOff holds bytes out to the reader until it has taken them all, if they belong
// to a segment that skips the disk; otherwise they have to be written. An error is that
// of the stream: nobody will take them any more.
func (w worker) handOff(index int, p []byte, off int64) (taken bool, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.goesDirectLocked(index) {
		return false, nil
	}
	w.direct.handoff, w.direct.handoffAt = p, off
	w.more.Broadcast()
	for len(w.direct.handoff) > 0 && w.err == nil {
		w.more.Wait()
	}
	w.direct.handoff = nil // it is its owner's again
	return true, w.err
}

// punchConsumed frees the room of the segments that the reader has read from the disk, where
// the whole file comes in a brief time and so nothing of it is worth keeping. If that were
// left to the end, the system would have begun to write them to the disk, and closing the
// part file would wait for that. The state loses them first: a process that is killed in
// between leaves bytes that nobody counts on.
//
// Nobody reads or writes in such a segment again, unless the file is started again. Only
// connections call punchConsumed, and only the last of them may start again (see judge), when
// it is not in here.
func (w worker) punchConsumed() error {
	for {
		index, ok := w.nextConsumedLocked()
		if !ok {
			return nil
		}
		from, to := int64(index)*segmentSize, int64(index+1)*segmentSize
		if index == 0 {
			from = keptMark
		}
		if err := w.ledger.note(index, from-int64(index)*segmentSize); err != nil {
			return err
		}
		punch(w.part, from, to-from)
	}
}

// nextConsumedLocked returns a segment on the disk that the reader is done with, each only once.
func (w worker) nextConsumedLocked() (index int, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.maySkipDiskLocked() || !w.comesSoonLocked(w.segs.size) {
		return 0, false
	}
	for int64(w.direct.consumed+1)*segmentSize <= w.pos {
		index := w.direct.consumed
		w.direct.consumed++
		if !w.direct.decided[index] {
			return index, true
		}
	}
	return 0, false
}

// takeHandoffLocked takes what is held out at the reader's position. The
// owner may want it back at any time.
func (s *Stream) takeHandoffLocked(p []byte) int {
	n := copy(p, s.direct.handoff)
	s.direct.handoff = s.direct.handoff[n:]
	s.direct.handoffAt += int64(n)
	s.pos += int64(n)
	if len(s.direct.handoff) == 0 {
		s.more.Broadcast()
	}
	return n
}
