package transfer

// segmentSize is what one connection claims at a time. Smaller ones cost a
// round trip more often, larger ones make the reader wait longer for a slow
// connection.
const segmentSize = 4 << 20

// segments says what of the file is on disk, and who receives which part of
// the rest. Each segment is received from its start without a gap.
type segments struct {
	size    int64 // where known
	known   bool
	got     []int64
	claimed []bool
	first   int   // the first segment that is not complete
	done    int64 // bytes on disk
}

// segmentsOf takes over what an earlier run has received; size 0 is unknown.
func segmentsOf(size int64, got []int64) segments {
	s := segments{size: size, known: size > 0, got: got, claimed: make([]bool, len(got))}
	for _, n := range got {
		s.done += n
	}
	s.advance()
	return s
}

// emptySegments is for a file of which nothing is on disk.
func emptySegments(size int64, known bool) segments {
	s := segments{size: size, known: known}
	if known {
		s.got = make([]int64, segmentCount(size))
		s.claimed = make([]bool, len(s.got))
	}
	return s
}

func segmentCount(size int64) int { return int((size + segmentSize - 1) / segmentSize) }

// end is the offset behind segment i.
func (s *segments) end(i int) int64 {
	end := int64(i+1) * segmentSize
	if s.known {
		end = min(end, s.size)
	}
	return end
}

// next is the offset of the first byte that segment i lacks.
func (s *segments) next(i int) int64 { return int64(i)*segmentSize + s.got[i] }

func (s *segments) full(i int) bool { return s.next(i) >= s.end(i) }

func (s *segments) complete() bool { return s.known && s.first == len(s.got) }

// prefix is the number of bytes on disk from the start without a gap.
func (s *segments) prefix() int64 {
	if s.first < len(s.got) {
		return s.next(s.first)
	}
	if s.known {
		return s.size
	}
	return int64(s.first) * segmentSize
}

func (s *segments) advance() {
	for s.first < len(s.got) && s.full(s.first) {
		s.first++
	}
}

// claimLowest claims the first segment that nobody receives.
func (s *segments) claimLowest() (int, bool) {
	for i := s.first; i < len(s.got); i++ {
		if s.free(i) {
			s.claimed[i] = true
			return i, true
		}
	}
	if s.known {
		return 0, false
	}
	s.grow()
	s.claimed[len(s.got)-1] = true
	return len(s.got) - 1, true
}

// claimEmpty claims segment i for a connection that arrives at its start.
func (s *segments) claimEmpty(i int) bool {
	if i == len(s.got) && !s.known {
		s.grow()
	}
	if i >= len(s.got) || !s.free(i) || s.got[i] > 0 {
		return false
	}
	s.claimed[i] = true
	return true
}

func (s *segments) grow() {
	s.got, s.claimed = append(s.got, 0), append(s.claimed, false)
}

func (s *segments) free(i int) bool { return !s.claimed[i] && !s.full(i) }

// release gives segment i back, complete or not.
func (s *segments) release(i int) {
	if i < len(s.claimed) { // the file may have been started again since
		s.claimed[i] = false
	}
}

// add notes n more bytes of segment i.
func (s *segments) add(i int, n int64) {
	s.got[i] += n
	s.done += n
	s.advance()
}

// runEnd is up to where one connection can receive from segment i on without
// meeting bytes that are here; 0 means the end of the file.
func (s *segments) runEnd(i int) int64 {
	for i++; i < len(s.got); i++ {
		if !s.free(i) || s.got[i] > 0 {
			return s.end(i - 1)
		}
	}
	return 0
}

// left counts the segments that are not complete, and those of them that
// nobody receives.
func (s *segments) left() (incomplete, unclaimed int) {
	for i := s.first; i < len(s.got); i++ {
		if !s.full(i) {
			incomplete++
		}
		if s.free(i) {
			unclaimed++
		}
	}
	return incomplete, unclaimed
}

// setSize is told the length late: by the end of a body that had not announced
// one, or by an answer to a later request. It is not below what is on disk.
func (s *segments) setSize(size int64) {
	s.size, s.known = size, true
	for len(s.got) < segmentCount(size) {
		s.grow()
	}
	s.got, s.claimed = s.got[:segmentCount(size)], s.claimed[:segmentCount(size)]
	s.first = 0
	s.advance()
}
