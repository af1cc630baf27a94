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

// passing is what goes to the reader without being put on the disk. Stream.mu
// guards it.
type passing struct {
	began time.Time    // when the first bytes came
	whole map[int]bool // by segment: it is passed, or it is kept; decided at its start
	lent  []byte       // what a connection holds out to the reader
	at    int64        // where that begins
	spent int          // segments that the reader has read, and whose room was given back
}

// passes tells whether segment index goes past the disk: where it is what the
// reader wants next, and comes so fast that receiving all of the rest again would be
// brief. What an earlier process has left is continued, and never passed. The caller
// holds mu.
func (s *Stream) passes(index int) bool {
	if passed, decided := s.passing.whole[index]; decided {
		return passed
	}
	passed := s.mayPass(index)
	if s.passing.whole == nil {
		s.passing.whole = map[int]bool{}
	}
	s.passing.whole[index] = passed
	return passed
}

func (s *Stream) mayPass(index int) bool {
	if !s.mayPassAny() {
		return false
	}
	begin := int64(index) * segmentSize
	if begin < keptFirst || index != s.segs.first {
		return false
	}
	return s.brief(s.segs.size - begin)
}

// mayPassAny tells whether bytes of this download may be lost at all. The caller holds mu.
func (s *Stream) mayPassAny() bool {
	return s.r.Brief > 0 && s.segs.known && s.generation == 0 && s.resumed == 0 && s.moved > 0
}

// brief tells whether so many bytes come in a brief time. The caller holds mu.
func (s *Stream) brief(bytes int64) bool {
	took := float64(bytes) / float64(s.moved) * float64(time.Since(s.passing.began))
	return time.Duration(took) <= s.r.Brief
}

// pass holds bytes out to the reader until it has taken them all, if they belong
// to a segment that is passed; otherwise they have to be written. An error is that
// of the stream: nobody will take them any more.
func (s *Stream) pass(index int, p []byte, off int64) (passed bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.passes(index) {
		return false, nil
	}
	s.passing.lent, s.passing.at = p, off
	s.more.Broadcast()
	for len(s.passing.lent) > 0 && s.err == nil {
		s.more.Wait()
	}
	s.passing.lent = nil // it is its owner's again
	return true, s.err
}

// giveBack frees the room of the segments that the reader has read from the disk, where
// the whole file comes in a brief time and so nothing of it is worth keeping. If that were
// left to the end, the system would have begun to write them to the disk, and closing the
// part file would wait for that. The state loses them first: a process that is killed in
// between leaves bytes that nobody counts on.
//
// Nobody reads or writes in such a segment again, unless the file is started again. Only
// connections call giveBack, and only the last of them may start again (see judge), when
// it is not in here.
func (s *Stream) giveBack() error {
	for {
		index, ok := s.takeSpent()
		if !ok {
			return nil
		}
		from, to := int64(index)*segmentSize, int64(index+1)*segmentSize
		if index == 0 {
			from = keptMark
		}
		if err := s.ledger.note(index, from-int64(index)*segmentSize); err != nil {
			return err
		}
		punch(s.part, from, to-from)
	}
}

// takeSpent returns a segment on the disk that the reader is done with, each only once.
func (s *Stream) takeSpent() (index int, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.mayPassAny() || !s.brief(s.segs.size) {
		return 0, false
	}
	for int64(s.passing.spent+1)*segmentSize <= s.pos {
		index := s.passing.spent
		s.passing.spent++
		if !s.passing.whole[index] {
			return index, true
		}
	}
	return 0, false
}

// borrow takes what is held out at the reader's position. The caller holds mu, as
// the owner may want it back at any time.
func (s *Stream) borrow(p []byte) int {
	n := copy(p, s.passing.lent)
	s.passing.lent = s.passing.lent[n:]
	s.passing.at += int64(n)
	s.pos += int64(n)
	if len(s.passing.lent) == 0 {
		s.more.Broadcast()
	}
	return n
}
