package transfer

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"testing"
	"time"
)

const passSize = 8*segmentSize + 12345

// fast is a request that need not keep what comes within three seconds.
func (o *origin) fast() Request {
	r := o.request()
	r.SkipDisk = 3 * time.Second
	return r
}

// wantRead fails unless the reader gets the whole file.
func (o *origin) wantRead(t *testing.T, r Request) {
	t.Helper()
	got, err := o.receive(t.Context(), r)
	if err != nil {
		t.Fatalf("receiving: %v after the requests %q", err, o.ranges(0))
	}
	if !bytes.Equal(got, o.data) {
		t.Errorf("the reader got %d bytes that %s, want %d", len(got), firstDifference(got, o.data), len(o.data))
	}
}

// wantKept fails unless so much is on the disk for another process.
func (o *origin) wantKept(t *testing.T, want int64) {
	t.Helper()
	info, err := os.Stat(o.part())
	if err != nil {
		t.Fatal(err)
	}
	l := &ledger{path: o.part() + stateMark}
	_, got, err := l.load(info.Size())
	var kept int64
	for _, n := range got {
		kept += n
	}
	if err := errors.Join(err, l.close()); err != nil || kept != want {
		t.Errorf("%d bytes are kept, %v, want %d", kept, err, want)
	}
}

// steady sends a body at a rate.
func steady(perSecond int) func(int, http.ResponseWriter, *http.Request, []byte) {
	return func(_ int, w http.ResponseWriter, _ *http.Request, data []byte) {
		for len(data) > 0 {
			n := min(len(data), perSecond/10)
			if _, err := w.Write(data[:n]); err != nil {
				return
			}
			flush(w)
			data = data[n:]
			time.Sleep(time.Second / 10)
		}
	}
}

func TestFastDownloadSkipsTheDisk(t *testing.T) {
	inBubble(t, passSize, func(t *testing.T, o *origin) {
		r := o.fast()
		var told []int64
		r.Progress = func(done, _ int64) { told = append(told, done) }
		o.wantRead(t, r)
		o.wantKept(t, keptMark)
		if !slices.IsSorted(told) || told[len(told)-1] != passSize {
			t.Errorf("progress ends with %d", told[len(told)-1])
		}
		if asked := o.ranges(0); !slices.Equal(asked, []string{""}) {
			t.Errorf("it asked for %q", asked)
		}
		// What is left is where the next process continues, and that keeps everything.
		s, err := Open(t.Context(), o.client, r)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(s)
		if err := errors.Join(err, s.Close()); err != nil || s.Resumed() != keptMark {
			t.Fatalf("resumed %d, %v", s.Resumed(), err)
		}
		o.wantKept(t, passSize)
		// It does not lose those bytes once more.
		o.wantWhole(t, got)
	})
}

func TestSlowDownloadIsKeptButForItsEnd(t *testing.T) {
	t.Parallel()
	// At these rates less than three seconds are left when so many segments have come.
	for perSecond, segments := range map[int]int64{9 * mib: 2, 7 * mib: 3, 5 * mib: 5, 2 * mib: 7} {
		t.Run(fmt.Sprint(perSecond/mib), func(t *testing.T) {
			inBubble(t, passSize, func(t *testing.T, o *origin) {
				o.body = steady(perSecond)
				o.wantRead(t, o.fast())
				o.wantKept(t, segments*segmentSize)
			})
		})
	}
}

// A download that becomes slow is kept from then on, behind a gap.
func TestDownloadThatBecomesSlow(t *testing.T) {
	inBubble(t, passSize, func(t *testing.T, o *origin) {
		slow := func(_ int, w http.ResponseWriter, r *http.Request, data []byte) {
			_, _ = w.Write(data[:4*segmentSize])
			flush(w)
			steady(mib/2)(0, w, r, data[4*segmentSize:])
		}
		o.body = slow
		o.interrupt(t, o.fast(), 7*segmentSize+1000)
		if info, err := os.Stat(o.part()); err != nil || info.Size() <= 6*segmentSize {
			t.Fatalf("%v, %v: nothing was kept once it was slow", info.Size(), err)
		}
		o.body = nil
		asked := len(o.ranges(0))
		o.mustReceive(t, o.request())
		// The gap is received again, and what was kept is not.
		var sent int64
		for _, text := range o.ranges(asked) {
			var from, to int64
			if n, err := fmt.Sscanf(text, "bytes=%d-%d", &from, &to); n == 1 {
				to = passSize - 1
			} else if err != nil {
				t.Fatalf("%q: %v", text, err)
			}
			sent += to - from + 1
		}
		if sent < 2*segmentSize || sent > 6*segmentSize {
			t.Errorf("it asked again for %d bytes: %q", sent, o.ranges(asked))
		}
	})
}

// A connection that breaks in what is passed on goes on at the very byte.
func TestDirectDownloadThatBreaksGoesOn(t *testing.T) {
	inBubble(t, passSize, func(t *testing.T, o *origin) {
		const after = 3*segmentSize + 777
		o.turn = func(n int, w http.ResponseWriter, r *http.Request) bool {
			if n == 0 {
				cut(w, o.head(w, r), after)
			}
			return false
		}
		o.wantRead(t, o.fast())
		if asked := o.ranges(1); !slices.Equal(asked, []string{span(after)}) {
			t.Errorf("it asked for %q", asked)
		}
	})
}

// A server that has another file, or no ranges, begins again: what was passed on
// is gone, so from then on everything is kept.
func TestDirectDownloadThatStartsAgain(t *testing.T) {
	inBubble(t, passSize, func(t *testing.T, o *origin) {
		o.noRanges = true
		o.turn = func(n int, w http.ResponseWriter, r *http.Request) bool {
			if n == 0 {
				cut(w, o.head(w, r), 4*segmentSize+5)
			}
			return false
		}
		o.mustReceive(t, o.fast())
	})
}

func TestReaderThatStopsAndIsClosed(t *testing.T) {
	inBubble(t, passSize, func(t *testing.T, o *origin) {
		s, err := Open(t.Context(), o.client, o.fast())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.CopyN(io.Discard, s, keptFirst+1000); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute) // a slow reader is no stall
		if _, err := io.CopyN(io.Discard, s, 1000); err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if _, err := s.Read(make([]byte, 10)); err == nil {
			t.Error("it can be read after Close")
		}
		// Nothing that was passed on is taken for kept.
		o.mustReceive(t, o.request())
	})
}

// The room of what was kept is free long before the end.
func TestDiskIsFreedOnTheWay(t *testing.T) {
	inBubble(t, passSize, func(t *testing.T, o *origin) {
		s, err := Open(t.Context(), o.client, o.fast())
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		if _, err := io.CopyN(io.Discard, s, keptFirst+segmentSize+1000); err != nil {
			t.Fatal(err)
		}
		o.wantKept(t, keptMark)
	})
}

// Several connections keep what they bring: only one can bring it in order.
func TestSeveralConnectionsKeepWhatTheyBring(t *testing.T) {
	inBubble(t, 16*segmentSize, func(t *testing.T, o *origin) {
		o.body = func(n int, w http.ResponseWriter, r *http.Request, data []byte) {
			steady(12*mib)(n, w, r, data)
		}
		r := o.fast()
		r.SkipDisk, r.Connections = time.Hour, 8
		o.wantRead(t, r)
		o.mu.Lock()
		most := o.most
		o.mu.Unlock()
		if most < 2 {
			t.Errorf("there were %d connections", most)
		}
		o.mustReceive(t, o.request())
	})
}

// The room of what the reader has read is given back, each segment's once.
func TestNextConsumed(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*Stream)
		want   []int
	}{
		"fast":             {func(*Stream) {}, []int{0, 2}},
		"long":             {func(s *Stream) { s.moved /= 100 }, nil},
		"resumed":          {func(s *Stream) { s.resumed = 1 }, nil},
		"just read":        {func(s *Stream) { s.pos = 4 * segmentSize }, []int{0, 2, 3}},
		"still to be read": {func(s *Stream) { s.pos = segmentSize - 1 }, nil},
		"punched before":   {func(s *Stream) { s.direct.consumed = 1 }, []int{2}},
	} {
		s := &Stream{r: Request{SkipDisk: time.Minute}, segs: emptySegments(passSize, true)}
		s.moved, s.direct.began = 6*segmentSize, time.Now().Add(-10*time.Second)
		s.direct.decided, s.pos = map[int]bool{0: false, 1: true, 2: false, 3: false}, 4*segmentSize-1
		c.change(s)
		var got []int
		for {
			index, ok := (worker{s}).nextConsumedLocked()
			if !ok {
				break
			}
			got = append(got, index)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

func TestMayGoDirect(t *testing.T) {
	t.Parallel()
	const index = 4
	for name, c := range map[string]struct {
		change func(*Stream)
		want   bool
	}{
		"fast":                    {func(*Stream) {}, true},
		"not asked for":           {func(s *Stream) { s.r.SkipDisk = 0 }, false},
		"too long":                {func(s *Stream) { s.moved /= 100 }, false},
		"of unknown length":       {func(s *Stream) { s.segs.known = false }, false},
		"resumed":                 {func(s *Stream) { s.resumed = 1 }, false},
		"started again":           {func(s *Stream) { s.generation = 1 }, false},
		"nothing came yet":        {func(s *Stream) { s.moved = 0 }, false},
		"not what is wanted next": {func(s *Stream) { s.segs.first = index - 1 }, false},
		"beside another":          {func(s *Stream) { s.active = 2 }, false},
	} {
		s := &Stream{r: Request{SkipDisk: time.Minute}, segs: emptySegments(passSize, true)}
		s.active = 1
		s.segs.first, s.moved, s.direct.began = index, index*segmentSize, time.Now().Add(-10*time.Second)
		c.change(s)
		if got := s.mayGoDirectLocked(index); got != c.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}

// A refusal lets nobody stay who was to leave already.
func TestRemovedWorkersStayRemoved(t *testing.T) {
	t.Parallel()
	s := &Stream{segs: emptySegments(passSize, true)}
	s.active, s.limit = 5, maxConnections
	s.removeWorkersLocked(&tuner{useless: true, count: 4})
	refusal := &attemptError{kind: giveUp, err: errors.New("refused"), answered: true}
	if _, again := (worker{s}).judge(task{}, refusal); again || s.active != 4 || s.limit != 1 {
		t.Errorf("after a refusal there are %d workers of %d, and one more try: %t", s.active, s.limit, again)
	}
	for s.active > 1 {
		if got, ok := (worker{s}).claim(); ok {
			t.Fatalf("one of %d workers takes %+v", s.active, got)
		}
	}
	if got, ok := (worker{s}).claim(); !ok || got.to != s.segs.runEnd(0) {
		t.Errorf("the last hand takes %+v: %t", got, ok)
	}
}

func TestSmallReadsOfAHandoff(t *testing.T) {
	inBubble(t, keptFirst+segmentSize+4321, func(t *testing.T, o *origin) {
		s, err := Open(t.Context(), o.client, o.fast())
		if err != nil {
			t.Fatal(err)
		}
		var got []byte
		p := make([]byte, 100_004)
		for size := 1; ; size = size*3%100_003 + 1 {
			n, err := s.Read(p[:size])
			got = append(got, p[:n]...)
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		if err := s.Close(); err != nil || !bytes.Equal(got, o.data) {
			t.Errorf("%d bytes that %s, %v", len(got), firstDifference(got, o.data), err)
		}
	})
}
