package transfer

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"testing"
	"time"
)

func (o *origin) digested() Request {
	r := o.request()
	sum := sha256.Sum256(o.data)
	r.SHA256 = hex.EncodeToString(sum[:])
	return r
}

// A body without a length that brings everything, and not its end: the digest knows that it is all.
func TestEndThatNeverComes(t *testing.T) {
	t.Parallel()
	all := func(_ int, w http.ResponseWriter, _ *http.Request, data []byte) { cut(w, data, len(data)) }
	for name, c := range map[string]struct {
		ranges bool
		body   func(int, http.ResponseWriter, *http.Request, []byte)
		asked  []string
		took   time.Duration
	}{
		"cut":       {true, all, []string{""}, 0},
		"no ranges": {false, all, []string{""}, 0},
		"silent":    {false, func(_ int, w http.ResponseWriter, r *http.Request, data []byte) { hang(w, r, data, len(data)) }, []string{""}, 30 * time.Second},
		"cut twice": {false, func(n int, w http.ResponseWriter, _ *http.Request, data []byte) {
			cut(w, data, min(len(data), (n+1)*segmentSize+n*segmentSize+99))
		}, []string{"", span(segmentSize + 99)}, shortWait},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, faultSize, func(t *testing.T, o *origin) {
				o.chunked, o.noRanges, o.body = true, !c.ranges, c.body
				began := time.Now()
				o.mustReceive(t, o.digested())
				if got := o.ranges(0); !slices.Equal(got, c.asked) {
					t.Errorf("requests %q, want %q", got, c.asked)
				}
				wantTook(t, began, c.took)
			})
		})
	}
}

// What is not the file is not the whole of it, however it ends.
func TestEndThatNeverComesOfAnotherFile(t *testing.T) {
	inBubble(t, faultSize, func(t *testing.T, o *origin) {
		o.chunked, o.noRanges = true, true
		o.body = func(_ int, w http.ResponseWriter, _ *http.Request, data []byte) { cut(w, data, len(data)-1) }
		if _, err := o.receive(t.Context(), o.digested()); !errors.Is(err, ErrTransfer) {
			t.Errorf("%v, want a failure of the transfer", err)
		}
	})
}

// An earlier run may have received everything but the end. A server that says of the rest only that there is none has said enough.
func TestNothingIsLeftOfUnknownLength(t *testing.T) {
	inBubble(t, faultSize, func(t *testing.T, o *origin) {
		o.chunked = true
		o.turn = func(n int, w http.ResponseWriter, _ *http.Request) bool {
			if n > 0 {
				w.WriteHeader(http.StatusRequestedRangeNotSatisfiable)
			}
			return n > 0
		}
		o.body = func(_ int, w http.ResponseWriter, r *http.Request, data []byte) { hang(w, r, data, len(data)) }
		o.interrupt(t, o.request(), faultSize)
		o.mustReceive(t, o.digested())
		if got, want := o.ranges(0), []string{"", span(faultSize)}; !slices.Equal(got, want) {
			t.Errorf("requests %q, want %q", got, want)
		}
	})
}

// What was seen of a file that was replaced says nothing of the next one.
func TestEndThatNeverComesAfterAnotherFile(t *testing.T) {
	inBubble(t, faultSize, func(t *testing.T, o *origin) {
		o.chunked, o.noRanges = true, true
		o.body = func(n int, w http.ResponseWriter, _ *http.Request, data []byte) {
			if n == 0 {
				cut(w, data[1:], segmentSize)
			}
			cut(w, data, len(data))
		}
		s, err := Open(t.Context(), o.client, o.digested())
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		select {
		case <-s.finished: // nothing was read yet, so nothing of the first one
		case <-time.After(time.Minute):
			t.Fatalf("it has not come after the requests %q", o.ranges(0))
		}
		o.wantPart(t)
	})
}

// A length that is announced and never comes: the digest knows that all of the file is here, whatever the server says of the rest.
func TestLengthThatIsTooLong(t *testing.T) {
	t.Parallel()
	const excess = 1000
	long := func(w http.ResponseWriter, data []byte, ranges bool) {
		w.Header().Set("Content-Length", strconv.Itoa(len(data)+excess))
		if ranges {
			w.Header().Set("Accept-Ranges", "bytes")
		}
	}
	all := func(w http.ResponseWriter, _ *http.Request, data []byte) { cut(w, data, len(data)) }
	silent := func(w http.ResponseWriter, r *http.Request, data []byte) { hang(w, r, data, len(data)) }
	for name, c := range map[string]struct {
		ranges      bool
		connections int
		first       func(http.ResponseWriter, *http.Request, []byte)
		rest        int // what is answered to who asks for more
		took        time.Duration
	}{
		"no ranges":                {false, 1, all, http.StatusOK, 0},
		"nothing there":            {true, 1, all, http.StatusRequestedRangeNotSatisfiable, 0},
		"not found":                {true, 1, all, http.StatusNotFound, 0},
		"silent":                   {true, 1, silent, http.StatusNotFound, 30 * time.Second},
		"more than one connection": {true, 4, silent, http.StatusRequestedRangeNotSatisfiable, 30 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, faultSize, func(t *testing.T, o *origin) {
				o.turn = func(n int, w http.ResponseWriter, r *http.Request) bool {
					if n > 0 && c.rest != http.StatusOK {
						w.WriteHeader(c.rest)
						return true
					}
					long(w, o.data, c.ranges)
					c.first(w, r, o.data)
					return true
				}
				r := o.digested()
				r.Connections = c.connections
				began := time.Now()
				o.mustReceive(t, r)
				if got := o.ranges(0); c.connections == 1 && len(got) != 1 {
					t.Errorf("requests %q, want one", got)
				}
				wantTook(t, began, c.took)
			})
		})
	}
}

// What went past the disk is received once more, as nobody can tell its digest any more.
func TestLengthThatIsTooLongPastTheDisk(t *testing.T) {
	inBubble(t, passSize, func(t *testing.T, o *origin) {
		o.turn = func(_ int, w http.ResponseWriter, _ *http.Request) bool {
			w.Header().Set("Content-Length", strconv.Itoa(len(o.data)+1000))
			cut(w, o.data, len(o.data))
			return true
		}
		r := o.digested()
		r.SkipDisk = time.Hour
		o.mustReceive(t, r)
		if got, want := o.ranges(0), []string{"", span(passSize)}; !slices.Equal(got, want) {
			t.Errorf("requests %q, want %q", got, want)
		}
	})
}

// Of a file that is another one, no length is believed that its server does not keep.
func TestLengthThatIsTooLongOfAnotherFile(t *testing.T) {
	inBubble(t, faultSize, func(t *testing.T, o *origin) {
		o.turn = func(_ int, w http.ResponseWriter, _ *http.Request) bool {
			w.Header().Set("Content-Length", strconv.Itoa(len(o.data)+1000))
			cut(w, o.data[1:], len(o.data)-1)
			return true
		}
		if _, err := o.receive(t.Context(), o.digested()); !errors.Is(err, ErrTransfer) {
			t.Errorf("%v, want a failure of the transfer", err)
		}
	})
}

// A server that tells another length with each range goes on where it broke: one of its words is wrong, and the digest decides.
func TestTotalsThatDiffer(t *testing.T) {
	t.Parallel()
	for total, asked := range map[int][]string{
		faultSize + 1000: {"", span(faultSize / 2), "", span(faultSize / 2)},
		faultSize - 1000: {"", span(faultSize / 2)},
		0:                {"", span(faultSize / 2)},
	} {
		t.Run(strconv.Itoa(total), func(t *testing.T) {
			inBubble(t, faultSize, func(t *testing.T, o *origin) {
				o.turn = func(_ int, w http.ResponseWriter, r *http.Request) bool {
					from, _, ranged := o.rangeOf(r)
					if !ranged {
						w.Header().Set("Content-Length", strconv.Itoa(faultSize))
						cut(w, o.data, faultSize/2)
					}
					w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, faultSize-1, total))
					w.WriteHeader(http.StatusPartialContent)
					_, _ = w.Write(o.data[from:])
					return true
				}
				o.mustReceive(t, o.digested())
				if got := o.ranges(0); !slices.Equal(got, asked) {
					t.Errorf("requests %q, want %q", got, asked)
				}
			})
		})
	}
}

// A range that says to reach behind the end brings nothing that is behind it.
func TestRangeThatReachesBehindTheEnd(t *testing.T) {
	inBubble(t, faultSize, func(t *testing.T, o *origin) {
		o.turn = func(_ int, w http.ResponseWriter, r *http.Request) bool {
			from, _, ranged := o.rangeOf(r)
			if !ranged {
				w.Header().Set("Content-Length", strconv.Itoa(faultSize))
				cut(w, o.data, faultSize/2)
			}
			w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/*", from, faultSize+99))
			w.WriteHeader(http.StatusPartialContent)
			_, _ = w.Write(append(slices.Clone(o.data[from:]), make([]byte, 100)...))
			return true
		}
		o.mustReceive(t, o.request())
	})
}
