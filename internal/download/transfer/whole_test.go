package transfer

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"slices"
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
