package transfer

import "time"

const (
	// beat is how often it is decided about another connection.
	beat = 60 * time.Millisecond
	// baseBeats is over how many beats a rate is measured before a trial. Not all
	// since the start: that has the connection's own slow start.
	baseBeats = 2
	// trialBeats is for how many beats connections have time to show what they
	// bring, and over how many it is measured, before they are found useless.
	trialBeats = 4
	// firstTrial is how many connections are added before the first judgement.
	// A trial that has paid is followed by one twice as large.
	firstTrial = 2
	// worth is what a trial has to multiply the rate by.
	worth = 1.1
	// evident is what a trial multiplies the rate by that needs no second look.
	evident = 1.5
	// few segments are not worth another connection.
	few = 2
)

// tune adds connections while the reader starves and it helps.
func (s *Stream) tune() {
	ticker := time.NewTicker(beat)
	defer ticker.Stop()
	t := tuner{size: firstTrial}
	var starvedBefore time.Duration
	for {
		select {
		case <-ticker.C:
		case <-s.finished:
			return
		case <-s.ctx.Done():
			return
		}
		s.mu.Lock()
		starved := s.starved
		if !s.waiting.IsZero() {
			starved += time.Since(s.waiting)
		}
		starves := starved-starvedBefore > beat/2
		starvedBefore = starved
		t.see(s.moved)
		t.judge(starves)
		if starves && s.canAddLocked() && t.more() {
			t.added()
			s.addWorkerLocked()
		}
		s.removeWorkersLocked(&t)
		s.mu.Unlock()
	}
}

// removeWorkersLocked has those of a trial leave that has brought nothing, after what they have
// claimed. Fewer connections bring the bytes in order, and what comes in order need
// not pass by the disk.
func (s *Stream) removeWorkersLocked(t *tuner) {
	if !t.useless || t.count == 0 {
		return
	}
	s.limit = min(s.limit, max(s.active-t.count, 1))
	t.count = 0
}

// canAddLocked tells whether another connection would have something to do.
func (s *Stream) canAddLocked() bool {
	if s.err != nil || !s.segs.known || !s.ranges || s.segs.done == 0 || s.active == 0 || s.active >= s.limit {
		return false
	}
	incomplete, unclaimed := s.segs.left()
	return incomplete > few && unclaimed > 0
}

// tuner decides from the rates before and after whether more connections help.
type tuner struct {
	seen    []int64 // bytes received in all, one for each beat
	size    int     // how many connections this trial adds
	count   int     // how many it has added
	base    float64 // bytes per beat before it
	since   int     // beats since the last one
	useless bool    // the link is full: no more for this download
}

// see is told once a beat how much was received in all.
func (t *tuner) see(bytes int64) {
	if n := len(t.seen); n > 0 && t.seen[n-1] == bytes {
		// Nothing comes at all: that says nothing about connections.
		t.seen, t.count = nil, 0
	}
	t.seen = append(t.seen, bytes)
	if len(t.seen) > trialBeats+1 {
		t.seen = t.seen[1:]
	}
	t.since++
}

// rate is what a beat brought, over the last ones.
func (t *tuner) rate(beats int) float64 {
	last := len(t.seen) - 1
	return float64(t.seen[last]-t.seen[last-beats]) / float64(beats)
}

// judge ends a trial when its connections have had the time to show what they bring:
// also one that has not come to its size, if the reader starves no longer.
func (t *tuner) judge(starves bool) {
	whole := t.count == t.size
	switch {
	case t.count == 0 || t.useless || len(t.seen) <= baseBeats:
		return
	case whole && t.since >= baseBeats && t.rate(baseBeats) >= evident*t.base:
	case t.since < trialBeats || len(t.seen) <= trialBeats || starves && !whole:
		return
	case t.rate(trialBeats) < worth*t.base:
		t.useless = true
		return
	}
	t.size, t.count = 2*t.size, 0
}

// more tells whether to add one now.
func (t *tuner) more() bool {
	if t.useless || t.count == t.size || len(t.seen) <= baseBeats {
		return false
	}
	if t.count == 0 {
		t.base = t.rate(baseBeats)
	}
	return true
}

func (t *tuner) added() {
	t.count++
	t.since = 0
}
