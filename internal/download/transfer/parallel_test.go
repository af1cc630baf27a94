package transfer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// slowly sends a body at so many bytes a second, as a server does that limits
// each connection.
func slowly(w http.ResponseWriter, r *http.Request, data []byte, perSecond int) {
	const tick = 5 * time.Millisecond
	piece := perSecond / int(time.Second/tick)
	begun := time.Now()
	for sent := 0; sent < len(data); {
		n := min(piece, len(data)-sent)
		if _, err := w.Write(data[sent : sent+n]); err != nil {
			return
		}
		flush(w)
		sent += n
		// Not a pause per piece: what one is late, the next ones make good.
		ahead := time.Duration(float64(sent)/float64(perSecond)*float64(time.Second)) - time.Since(begun)
		select {
		case <-time.After(ahead):
		case <-r.Context().Done():
			return
		}
	}
}

// openConnections counts those of a client.
type openConnections struct {
	now, most, total atomic.Int64
	below            func(context.Context, string, string) (net.Conn, error)
}

func (c *openConnections) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	conn, err := c.below(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	c.total.Add(1)
	now := c.now.Add(1)
	for most := c.most.Load(); now > most && !c.most.CompareAndSwap(most, now); most = c.most.Load() {
	}
	return &countedConn{Conn: conn, c: c}, nil
}

type countedConn struct {
	net.Conn
	c    *openConnections
	once sync.Once
}

func (c *countedConn) Close() error {
	c.once.Do(func() { c.c.now.Add(-1) })
	return c.Conn.Close()
}

func countConnections(o *origin) *openConnections {
	wire := o.client.Transport.(*http.Transport)
	c := &openConnections{below: wire.DialContext}
	wire.DialContext = c.dial
	return c
}

func TestConnectionsAreAddedForAReaderThatStarves(t *testing.T) {
	t.Parallel()
	for _, limit := range []int{2, 5, maxConnections, maxConnections + 9} {
		t.Run(strconv.Itoa(limit), func(t *testing.T) {
			inBubble(t, 16*segmentSize+77, func(t *testing.T, o *origin) {
				open := countConnections(o)
				o.body = func(_ int, w http.ResponseWriter, r *http.Request, data []byte) { slowly(w, r, data, 6*mib) }
				r := o.request()
				r.Connections = limit
				o.mustReceive(t, r)
				if want := int64(min(limit, maxConnections)); open.most.Load() != want {
					t.Errorf("%d connections at once, want %d", open.most.Load(), want)
				}
				if open.total.Load() > int64(limit)+1 {
					t.Errorf("%d connections were made: they are not kept for the next range", open.total.Load())
				}
				for i, asked := range o.ranges(1) {
					if _, last, ok := strings.Cut(asked, "-"); !ok || last == "" {
						t.Errorf("request %d asks for %q, which takes what others should", i+1, asked)
					}
				}
				// What was on its way when the first connection met the second one.
				if more := o.allSent() - int64(len(o.data)); more > mib/2 {
					t.Errorf("%d bytes were sent in vain", more)
				}
			})
		})
	}
}

func TestConnectionsAreNotAdded(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name        string
		connections int
		segments    int
		set         func(*origin)
		pace        time.Duration // of the reader, per 256 KiB
	}{
		{name: "where one is allowed", connections: 1, segments: 4},
		{name: "where none is said", connections: 0, segments: 4},
		{name: "where the file is short", connections: 8, segments: 2},
		{name: "where the length is unknown", connections: 8, segments: 4, set: func(o *origin) { o.chunked = true }},
		{name: "where there are no ranges", connections: 8, segments: 4, set: func(o *origin) { o.noRanges = true }},
		{name: "where the reader is slower than the network", connections: 8, segments: 4, pace: 30 * time.Millisecond},
	} {
		t.Run(c.name, func(t *testing.T) {
			inBubble(t, c.segments*segmentSize, func(t *testing.T, o *origin) {
				o.body = func(_ int, w http.ResponseWriter, r *http.Request, data []byte) { slowly(w, r, data, 16*mib) }
				if c.set != nil {
					c.set(o)
				}
				r := o.request()
				r.Connections = c.connections
				s, err := Open(t.Context(), o.client, r)
				if err != nil {
					t.Fatal(err)
				}
				defer s.Close()
				var got []byte
				for p := make([]byte, 256<<10); ; time.Sleep(c.pace) {
					n, err := io.ReadFull(s, p)
					got = append(got, p[:n]...)
					if err != nil {
						break
					}
				}
				o.wantWhole(t, got)
				if asked := o.ranges(0); len(asked) != 1 {
					t.Errorf("%d requests, want one: %q", len(asked), asked)
				}
			})
		})
	}
}

// A reader that begins to starve late gets its connections then.
func TestConnectionsAreAddedWhenTheyAreNeeded(t *testing.T) {
	inBubble(t, 16*segmentSize, func(t *testing.T, o *origin) {
		open := countConnections(o)
		o.body = func(_ int, w http.ResponseWriter, r *http.Request, data []byte) { slowly(w, r, data, 4*mib) }
		r := o.request()
		r.Connections = maxConnections
		s, err := Open(t.Context(), o.client, r)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		time.Sleep(5 * time.Second)
		if n := open.most.Load(); n != 1 {
			t.Errorf("%d connections while nobody read", n)
		}
		if _, err := io.Copy(io.Discard, s); err != nil {
			t.Fatal(err)
		}
		if n := open.most.Load(); n != maxConnections {
			t.Errorf("%d connections when somebody waited, want %d", n, maxConnections)
		}
	})
}

// A link that is full stays with few connections.
func TestConnectionsThatBringNothing(t *testing.T) {
	inBubble(t, 16*segmentSize, func(t *testing.T, o *origin) {
		open := countConnections(o)
		var link sync.Mutex
		var free time.Time
		o.body = func(_ int, w http.ResponseWriter, r *http.Request, data []byte) {
			for len(data) > 0 {
				n := min(len(data), 64<<10)
				link.Lock()
				if now := time.Now(); free.Before(now) {
					free = now
				}
				free = free.Add(time.Duration(n) * time.Second / (24 * mib))
				until := free
				link.Unlock()
				time.Sleep(time.Until(until))
				if _, err := w.Write(data[:n]); err != nil {
					return
				}
				flush(w)
				data = data[n:]
			}
		}
		r := o.request()
		r.Connections = maxConnections
		o.mustReceive(t, r)
		if most := open.most.Load(); most != 1+firstTrial {
			t.Errorf("%d connections at once, want the first one and the %d of the trial", most, firstTrial)
		}
		// Those of the trial receive what they have claimed, and one receives the rest.
		asked := o.ranges(0)
		if len(asked) != 2+firstTrial || !strings.HasSuffix(asked[len(asked)-1], "-") {
			t.Errorf("it asked for %q, want %d, and to the end with the last", asked, 2+firstTrial)
		}
	})
}

// A server that refuses more connections keeps those that it has.
func TestRefusedConnectionsAreNoFailure(t *testing.T) {
	t.Parallel()
	for _, code := range []int{200, 403, 404, 416, 429, 500, 503, 0} {
		t.Run(strconv.Itoa(code), func(t *testing.T) {
			inBubble(t, 6*segmentSize+5, func(t *testing.T, o *origin) {
				open := countConnections(o)
				var now, refused atomic.Int64
				o.turn = func(_ int, w http.ResponseWriter, r *http.Request) bool {
					if now.Add(1) <= 2 {
						return false // body ends it
					}
					now.Add(-1)
					refused.Add(1)
					switch code {
					case 0:
						panic(http.ErrAbortHandler)
					case 200:
						w.Header().Set("Content-Length", "100000000")
					}
					w.WriteHeader(code)
					return true
				}
				o.body = func(_ int, w http.ResponseWriter, r *http.Request, data []byte) {
					defer now.Add(-1)
					slowly(w, r, data, 8*mib)
				}
				r := o.request()
				r.Connections = maxConnections
				began := time.Now()
				o.mustReceive(t, r)
				most := int64(2)
				if code == 0 {
					most = maxConnections // it may have been an accident
				}
				if n := refused.Load(); n < 1 || n > most {
					t.Errorf("%d were refused, want that it does not insist", n)
				}
				if open.most.Load() > 3 || time.Since(began) > 3*time.Second {
					t.Errorf("%d connections at once, and it took %v", open.most.Load(), time.Since(began))
				}
			})
		})
	}
}

func TestAllBytesAreRightUnderCuts(t *testing.T) {
	t.Parallel()
	for seed := range uint64(2) {
		o := onLoopback(t, 12*segmentSize+4711)
		open := countConnections(o)
		var mu sync.Mutex
		random := rand.New(rand.NewPCG(seed, 1))
		o.body = func(_ int, w http.ResponseWriter, r *http.Request, data []byte) {
			mu.Lock()
			breaks, after := random.IntN(3) == 0, random.IntN(len(data)+1)
			if random.IntN(5) == 0 {
				after = 0
			}
			mu.Unlock()
			if breaks {
				slowly(w, r, data[:after], 16*mib)
				panic(http.ErrAbortHandler)
			}
			slowly(w, r, data, 16*mib)
		}
		r := o.request()
		r.Connections = maxConnections
		var running atomic.Int64
		last := int64(-1)
		r.Progress = func(done, total int64) {
			if running.Add(1) != 1 || done <= last || total != int64(len(o.data)) {
				t.Errorf("progress %d of %d after %d, from several goroutines at once: %t", done, total, last, running.Load() != 1)
			}
			last = done
			running.Add(-1)
		}
		o.mustReceive(t, r)
		if most := open.most.Load(); most > maxConnections {
			t.Errorf("%d connections at once", most)
		}
		if last != int64(len(o.data)) {
			t.Errorf("progress ends at %d of %d", last, len(o.data))
		}
	}
}

// Twenty cuts anywhere cost next to nothing on one connection.
func TestRandomCutsMoveEachByteOnce(t *testing.T) {
	t.Parallel()
	o := onLoopback(t, 30*mib)
	random := rand.New(rand.NewPCG(1, 2))
	cuts := 0
	o.body = func(n int, w http.ResponseWriter, _ *http.Request, data []byte) {
		if cuts = n; n < 20 {
			cut(w, data, random.IntN(2*len(data)/(21-n)))
		}
		_, _ = w.Write(data)
	}
	o.mustReceive(t, o.request())
	o.mu.Lock()
	defer o.mu.Unlock()
	if size := int64(len(o.data)); o.sent > size*102/100 || cuts < 20 {
		t.Errorf("%d bytes were sent of %d with %d cuts", o.sent, size, cuts)
	}
}

// Several connections are interrupted; the next run has all they brought.
func TestSeveralConnectionsResume(t *testing.T) {
	t.Parallel()
	o := onLoopback(t, 16*segmentSize)
	o.body = func(_ int, w http.ResponseWriter, r *http.Request, data []byte) { slowly(w, r, data, 8*mib) }
	r := o.request()
	r.Connections = maxConnections
	ctx, cancel := context.WithCancel(t.Context())
	var done atomic.Int64
	r.Progress = func(now, _ int64) {
		done.Store(now)
		if now > 8*segmentSize {
			cancel()
		}
	}
	if _, err := o.receive(ctx, r); !errors.Is(err, context.Canceled) {
		t.Fatalf("%v, want that it was cancelled", err)
	}
	r.Progress = nil
	s, err := Open(t.Context(), o.client, r)
	if err != nil {
		t.Fatal(err)
	}
	if s.Resumed() != done.Load() {
		t.Errorf("resumed %d, want the %d that were on disk", s.Resumed(), done.Load())
	}
	got, err := io.ReadAll(s)
	if err := errors.Join(err, s.Close()); err != nil {
		t.Fatal(err)
	}
	o.wantWhole(t, got)
}

// A connection that brings something and breaks is worth another try.
func TestConnectionsThatBreakAreKept(t *testing.T) {
	inBubble(t, 12*segmentSize, func(t *testing.T, o *origin) {
		open := countConnections(o)
		o.body = func(n int, w http.ResponseWriter, r *http.Request, data []byte) {
			slowly(w, r, data[:min(len(data), mib)], 4*mib)
			if len(data) > mib {
				panic(http.ErrAbortHandler)
			}
		}
		r := o.request()
		r.Connections = 4
		began := time.Now()
		o.mustReceive(t, r)
		// Each MiB takes a quarter of a second, and the wait after it as long again at most.
		if most, took := open.most.Load(), time.Since(began); most != 4 || took > 48*time.Second/2/4*3/2 {
			t.Errorf("%d connections at once, and it took %v", most, took)
		}
	})
}

// Those that find nothing left to do go; the last one that is there is not let
// go for a failure.
func TestLastConnectionOfMany(t *testing.T) {
	inBubble(t, 4*segmentSize, func(t *testing.T, o *origin) {
		refuse := true
		o.body = func(_ int, w http.ResponseWriter, r *http.Request, data []byte) {
			if rest := len(o.data) - segmentSize; refuse && r.Header.Get("Range") == fmt.Sprintf("bytes=%d-%d", rest, len(o.data)-1) {
				refuse = false
				time.Sleep(25 * time.Second) // the others have long since ended
				cut(w, data, 0)
			}
			slowly(w, r, data, 4*mib)
		}
		r := o.request()
		r.Connections = 4
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		got, err := o.receive(ctx, r)
		if err != nil || refuse {
			t.Fatalf("%v after the requests %q", err, o.ranges(0))
		}
		o.wantWhole(t, got)
	})
}

// A server may send more than it was asked for, to each of several connections.
func TestServerThatSendsMoreThanItIsAskedFor(t *testing.T) {
	inBubble(t, 8*segmentSize, func(t *testing.T, o *origin) {
		o.turn = func(_ int, _ http.ResponseWriter, r *http.Request) bool {
			if from, _, ok := strings.Cut(r.Header.Get("Range"), "-"); ok {
				r.Header.Set("Range", from+"-")
			}
			return false
		}
		o.body = func(_ int, w http.ResponseWriter, r *http.Request, data []byte) { slowly(w, r, data, 4*mib) }
		r := o.request()
		r.Connections = 4
		r.Progress = func(done, total int64) {
			if done > total {
				t.Errorf("progress is %d of %d", done, total)
			}
		}
		o.mustReceive(t, r)
	})
}

// What a connection leaves in the middle of a segment, and cannot go on with,
// is not received again by the one that comes along.
func TestConnectionThatLeavesSomething(t *testing.T) {
	inBubble(t, 4*segmentSize, func(t *testing.T, o *origin) {
		o.turn = func(n int, w http.ResponseWriter, _ *http.Request) bool {
			if n == 2 {
				w.WriteHeader(http.StatusTooManyRequests)
			}
			return n == 2
		}
		o.body = func(n int, w http.ResponseWriter, r *http.Request, data []byte) {
			if n == 1 {
				cut(w, data, 1000)
			}
			slowly(w, r, data, 4*mib)
		}
		r := o.request()
		r.Connections = 2
		r.Progress = func(done, total int64) {
			if done > total {
				t.Errorf("progress is %d of %d", done, total)
			}
		}
		o.mustReceive(t, r)
		if asked := o.ranges(1); !slices.Contains(asked[2:], "bytes=4195304-") {
			t.Errorf("it asked for %q, want the rest of the second segment", asked)
		}
	})
}

// An outage takes all connections; one of them finds out when it is over.
func TestOutageOfAllConnections(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		out  time.Duration
		most int // tries, in minutes of waiting
		err  error
	}{"short": {out: 6 * time.Second, most: 3 + attempts}, "long": {out: 10 * time.Minute, most: 40}, "too long": {out: time.Hour, most: 50, err: ErrTransfer}} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, 12*segmentSize, func(t *testing.T, o *origin) {
				open := countConnections(o)
				from := time.Now().Add(1500 * time.Millisecond)
				isOut := func() bool { d := time.Since(from); return d > 0 && d < c.out }
				tries := 0
				o.turn = func(_ int, _ http.ResponseWriter, _ *http.Request) bool {
					if isOut() {
						tries++
						panic(http.ErrAbortHandler)
					}
					return false
				}
				o.body = func(_ int, w http.ResponseWriter, r *http.Request, data []byte) {
					for ; len(data) > 0; data = data[min(len(data), 64<<10):] {
						if isOut() {
							panic(http.ErrAbortHandler)
						}
						slowly(w, r, data[:min(len(data), 64<<10)], 4*mib)
					}
				}
				r := o.request()
				r.Connections = 4
				got, err := o.receive(t.Context(), r)
				if !errors.Is(err, c.err) {
					t.Fatalf("%v, want %v", err, c.err)
				}
				if c.err == nil {
					o.wantWhole(t, got)
				}
				if open.most.Load() != 4 || tries > c.most {
					t.Errorf("%d connections at once, and %d tries in the outage", open.most.Load(), tries)
				}
			})
		})
	}
}

// Eight connections bring several times what one does where the server limits
// each one, on a clock that counts nothing but the network.
func TestSeveralConnectionsAreFaster(t *testing.T) {
	inBubble(t, 225<<20, func(t *testing.T, o *origin) {
		const perSecond = 25_000_000 // 200 Mbit/s
		o.body = func(_ int, w http.ResponseWriter, r *http.Request, data []byte) {
			time.Sleep(20 * time.Millisecond)
			slowly(w, r, data, perSecond)
		}
		r := o.request()
		r.Connections = maxConnections
		began := time.Now()
		s, err := Open(t.Context(), o.client, r)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		if _, err := io.Copy(io.Discard, s); err != nil {
			t.Fatal(err)
		}
		alone, took := 225.0*mib/perSecond, time.Since(began).Seconds()
		t.Logf("%.2f s, %.2f times as fast as one connection", took, alone/took)
		if alone < 5*took {
			t.Errorf("it took %.2f s, one connection takes %.2f s: want a fifth at most", took, alone)
		}
	})
}
