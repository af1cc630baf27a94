package transfer

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/transport"
)

// faultSize has two segments and a bit.
const faultSize = 2*segmentSize + 12345

// span is a Range header.
func span(from int) string { return fmt.Sprintf("bytes=%d-", from) }

// wantTook fails unless as much time has passed, or up to half as much again.
func wantTook(t *testing.T, began time.Time, want time.Duration) {
	t.Helper()
	if took := time.Since(began); took < want || took > want+want/2 {
		t.Errorf("it took %v, want %v to %v", took, want, want+want/2)
	}
}

func TestCutIsMendedWhereItHappened(t *testing.T) {
	t.Parallel()
	for _, after := range []int{0, 1, enough, bufferSize + 1, segmentSize - 1, segmentSize, segmentSize + 1, 2 * segmentSize, faultSize - 1} {
		t.Run(strconv.Itoa(after), func(t *testing.T) {
			inBubble(t, faultSize, func(t *testing.T, o *origin) {
				o.body = func(n int, w http.ResponseWriter, _ *http.Request, data []byte) {
					if n == 0 {
						cut(w, data, after)
					}
					_, _ = w.Write(data)
				}
				began := time.Now()
				o.mustReceive(t, o.request())
				want, wait := []string{"", span(after)}, shortWait
				if after == 0 {
					want, wait = []string{"", ""}, firstWait
				}
				if got := o.ranges(0); !slices.Equal(got, want) {
					t.Errorf("requests %q, want %q", got, want)
				}
				wantTook(t, began, wait)
				if sent := o.allSent(); sent != faultSize {
					t.Errorf("%d bytes were sent, want each once: %d", sent, faultSize)
				}
			})
		})
	}
}

// A link that breaks often gets there as long as it moves.
func TestManyCutsWithProgress(t *testing.T) {
	inBubble(t, 5*mib, func(t *testing.T, o *origin) {
		o.body = func(_ int, w http.ResponseWriter, _ *http.Request, data []byte) { cut(w, data, 200_000) }
		r := o.request()
		last := int64(-1)
		r.Progress = func(done, _ int64) {
			if done <= last {
				t.Errorf("progress went from %d to %d", last, done)
			}
			last = done
		}
		o.mustReceive(t, r)
		if n := len(o.ranges(0)); n != (5*mib+200_000-1)/200_000 || o.allSent() != 5*mib {
			t.Errorf("%d requests and %d bytes", n, o.allSent())
		}
	})
}

// Four failures are the end only where nothing comes between them.
func TestManyFailuresWithProgressBetween(t *testing.T) {
	inBubble(t, 9*mib, func(t *testing.T, o *origin) {
		o.turn = func(n int, w http.ResponseWriter, _ *http.Request) bool {
			if n%2 == 1 {
				w.WriteHeader(http.StatusBadGateway)
			}
			return n%2 == 1
		}
		o.body = func(_ int, w http.ResponseWriter, _ *http.Request, data []byte) { cut(w, data, mib) }
		began := time.Now()
		o.mustReceive(t, o.request())
		wantTook(t, began, 8*(shortWait+firstWait))
	})
}

// The first reason stays the reason.
func TestReasonOfAFailureStays(t *testing.T) {
	inBubble(t, 9*mib, func(t *testing.T, o *origin) {
		o.turn = status(418, 1, 1)
		o.body = func(_ int, w http.ResponseWriter, _ *http.Request, data []byte) { cut(w, data, mib) }
		s, err := Open(t.Context(), o.client, o.request())
		if err != nil {
			t.Fatal(err)
		}
		for _, when := range []string{"first", "again", "after it was closed"} {
			_, err := io.Copy(io.Discard, s)
			var refused *statusError
			if !errors.As(err, &refused) || refused.Status != 418 {
				t.Errorf("%s: %v, want the status 418", when, err)
			}
			if when == "again" {
				if err := s.Close(); err != nil {
					t.Error(err)
				}
			}
		}
	})
}

// status answers requests first..first+times-1 with a status.
func status(code, first, times int, header ...string) func(int, http.ResponseWriter, *http.Request) bool {
	return func(n int, w http.ResponseWriter, _ *http.Request) bool {
		if n < first || n >= first+times {
			return false
		}
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(code)
		return true
	}
}

func TestFaults(t *testing.T) {
	t.Parallel()
	const always = 1000
	abort := func(n int, _ http.ResponseWriter, _ *http.Request) bool { panic(http.ErrAbortHandler) }
	silence := func(_ int, _ http.ResponseWriter, r *http.Request) bool { <-r.Context().Done(); return true }
	firstly := func(do func(int, http.ResponseWriter, *http.Request) bool) func(int, http.ResponseWriter, *http.Request) bool {
		return func(n int, w http.ResponseWriter, r *http.Request) bool { return n == 0 && do(n, w, r) }
	}
	cutFirst := func(n int, w http.ResponseWriter, _ *http.Request, data []byte) {
		if n == 0 {
			cut(w, data, mib)
		}
		_, _ = w.Write(data)
	}
	const stall = 30 * time.Second
	for _, c := range []struct {
		name     string
		turn     func(int, http.ResponseWriter, *http.Request) bool
		body     func(int, http.ResponseWriter, *http.Request, []byte)
		max      int64
		requests int
		err      error
		status   int // of the error
		took     time.Duration
	}{
		{name: "503 once", turn: status(503, 0, 1), requests: 2, took: time.Second},
		{name: "503 three times", turn: status(503, 0, 3), requests: 4, took: 7 * time.Second},
		{name: "503 for a minute", turn: status(503, 0, 6), requests: 7, took: 61 * time.Second},
		{name: "501", turn: status(501, 0, always), requests: 1, err: ErrTransfer, status: 501},
		{name: "511", turn: status(511, 0, always), requests: 1, err: ErrTransfer, status: 511},
		{name: "408", turn: status(408, 0, 5), requests: 6, took: 31 * time.Second},
		{name: "503 between two answers", turn: status(503, 1, 3), body: cutFirst, requests: 5, took: shortWait + 7*time.Second},
		{name: "429", turn: status(429, 0, 1), requests: 2, took: time.Second},
		{name: "429 with a wait", turn: status(429, 0, 1, "Retry-After", "33"), requests: 2, took: 33 * time.Second},
		{name: "429 with a wait too long", turn: status(429, 0, 1, "Retry-After", "7200"), requests: 2, took: time.Minute},
		{name: "429 with a date", turn: status(429, 0, 1, "Retry-After", "Sat, 01 Jan 2000 00:00:33 GMT"), requests: 2, took: 33 * time.Second}, // a bubble begins with that year
		{name: "429 with no number", turn: status(429, 0, 1, "Retry-After", "soon"), requests: 2, took: time.Second},
		{name: "401", turn: status(401, 0, always), requests: 1, err: ErrTransfer, status: 401},
		{name: "403 once", turn: status(403, 0, 1), requests: 2, took: firstWait},
		{name: "403", turn: status(403, 0, always), requests: 5, err: ErrTransfer, status: 403, took: 15 * firstWait},
		{name: "403 after bytes", turn: status(403, 1, 1), body: cutFirst, requests: 3, took: shortWait + firstWait},
		{name: "403 twice after bytes", turn: status(403, 1, 2), body: cutFirst, requests: 4, took: shortWait + 3*firstWait},
		{name: "404 once", turn: status(404, 0, 1), requests: 2, took: firstWait},
		{name: "404 with a wait", turn: status(404, 0, 1, "Retry-After", "20"), requests: 2, took: 20 * time.Second},
		{name: "404", turn: status(404, 0, always), requests: 5, err: ErrTransfer, status: 404, took: 15 * firstWait},
		{name: "404 after bytes", turn: status(404, 1, always), body: cutFirst, requests: 6, err: ErrTransfer, status: 404, took: shortWait + 15*firstWait},
		{name: "410 once", turn: status(410, 0, 1), requests: 2, took: firstWait},
		{name: "410", turn: status(410, 0, always), requests: 5, err: ErrTransfer, status: 410, took: 15 * firstWait},
		{name: "418", turn: status(418, 0, always), requests: 1, err: ErrTransfer, status: 418},
		{name: "204", turn: status(204, 0, always), requests: 1, err: ErrTransfer, status: 204},
		{name: "304", turn: status(304, 0, always), requests: 1, err: ErrTransfer, status: 304},
		{name: "206 was not asked for", turn: status(206, 0, always), requests: 1, err: ErrTransfer, status: 206},
		{name: "416 without a range", turn: status(416, 0, always), requests: 1, err: ErrTransfer, status: 416},
		{name: "connection closed once", turn: firstly(abort), requests: 2, took: time.Second},
		{name: "connection closed always", turn: abort, requests: 4, err: ErrTransfer, took: 7 * time.Second},
		{name: "no answer once", turn: firstly(silence), requests: 2, took: stall + firstWait},
		{name: "no answer ever", turn: silence, requests: 4, err: ErrTransfer, took: 4*stall + 7*firstWait},
		{name: "stalled in the body", body: func(n int, w http.ResponseWriter, r *http.Request, data []byte) {
			if n == 0 {
				hang(w, r, data, mib)
			}
			_, _ = w.Write(data)
		}, requests: 2, took: stall + shortWait},
		{name: "stalled before the body", body: func(n int, w http.ResponseWriter, r *http.Request, data []byte) {
			if n == 0 {
				hang(w, r, data, 0)
			}
			_, _ = w.Write(data)
		}, requests: 2, took: stall + firstWait},
		{name: "stalled for long where it was before", body: func(n int, w http.ResponseWriter, r *http.Request, data []byte) {
			if n < 6 {
				hang(w, r, data, mib*max(0, 1-n))
			}
			_, _ = w.Write(data)
		}, requests: 7, took: 6*stall + shortWait + 31*firstWait},
		{name: "slow is no stall", body: func(_ int, w http.ResponseWriter, _ *http.Request, data []byte) {
			for len(data) > 0 {
				n := min(len(data), 400_000)
				_, _ = w.Write(data[:n])
				flush(w)
				data = data[n:]
				time.Sleep(stall - time.Second)
			}
		}, requests: 1, took: 21 * 29 * time.Second},
		{name: "as long as allowed", max: faultSize, requests: 1},
		{name: "longer than allowed", max: faultSize - 1, requests: 1, err: ErrLength},
	} {
		t.Run(c.name, func(t *testing.T) {
			inBubble(t, faultSize, func(t *testing.T, o *origin) {
				o.turn, o.body = c.turn, c.body
				r := o.request()
				r.MaxBytes = c.max
				began := time.Now()
				got, err := o.receive(t.Context(), r)
				wantTook(t, began, c.took)
				if n := len(o.ranges(0)); n != c.requests {
					t.Errorf("%d requests, want %d: %q", n, c.requests, o.ranges(0))
				}
				if !errors.Is(err, c.err) {
					t.Fatalf("%v, want %v", err, c.err)
				}
				if c.err == nil {
					o.wantWhole(t, got)
					return
				}
				if errors.Is(err, ErrTransfer) && errors.Is(err, ErrLength) {
					t.Errorf("%v is of two kinds", err)
				}
				if errors.Is(err, ErrTransfer) && !strings.Contains(err.Error(), "files.test") || strings.Contains(err.Error(), "the%20file") {
					t.Errorf("%v names no host, or a whole address", err)
				}
				var refused *statusError
				if errors.As(err, &refused) != (c.status != 0) || c.status != 0 && refused.Status != c.status {
					t.Errorf("%v, want the status %d", err, c.status)
				}
			})
		})
	}
}

func TestRefusedConnectionsFail(t *testing.T) {
	inBubble(t, 100, func(t *testing.T, o *origin) {
		o.client.Transport.(*http.Transport).DialContext = nil
		o.client.Transport.(*http.Transport).Proxy = func(*http.Request) (*url.URL, error) { return nil, io.ErrClosedPipe }
		began := time.Now()
		_, err := o.receive(t.Context(), o.request())
		if !errors.Is(err, ErrTransfer) || !errors.Is(err, io.ErrClosedPipe) || strings.Contains(err.Error(), "http") {
			t.Errorf("%v, want the cause without a whole address", err)
		}
		wantTook(t, began, 7*time.Second)
	})
}

func TestInvalidURLFailsAtOnce(t *testing.T) {
	inBubble(t, 100, func(t *testing.T, o *origin) {
		r := o.request()
		r.URL = "http://[files.test/?signature=secret"
		began := time.Now()
		_, err := o.receive(t.Context(), r)
		if !errors.Is(err, ErrTransfer) || strings.Contains(err.Error(), "secret") || time.Since(began) > 0 {
			t.Errorf("%v after %v, want a failure at once that does not show the address", err, time.Since(began))
		}
	})
}

func TestLengthOfABodyThatWasNotAnnounced(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		max  int64
		err  error
	}{
		{name: "as long as allowed", max: faultSize},
		{name: "longer than allowed", max: faultSize - 1, err: ErrLength},
		{name: "much longer than allowed", max: 100, err: ErrLength},
	} {
		t.Run(c.name, func(t *testing.T) {
			inBubble(t, faultSize, func(t *testing.T, o *origin) {
				o.chunked = true
				r := o.request()
				r.MaxBytes = c.max
				got, err := o.receive(t.Context(), r)
				if !errors.Is(err, c.err) || len(o.ranges(0)) != 1 {
					t.Fatalf("%v after %d requests, want %v after one", err, len(o.ranges(0)), c.err)
				}
				if c.err == nil {
					o.wantWhole(t, got)
				} else if info, err := os.Stat(o.part()); err != nil || info.Size() > c.max {
					t.Errorf("%d bytes are on disk, %v, of %d that are allowed", info.Size(), err, c.max)
				}
			})
		})
	}
}

// A range in chunks has a length, but net/http does not hold it to that.
func TestRangeThatIsLongerOrShorterThanItSays(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		more int
		err  error
	}{"one byte more": {1, nil}, "much more": {100_000, nil}, "one byte less": {-1, nil}, "nothing": {-1 << 30, ErrTransfer}} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, faultSize, func(t *testing.T, o *origin) {
				o.body = func(n int, w http.ResponseWriter, _ *http.Request, data []byte) {
					if n == 0 {
						o.chunked = true
						cut(w, data, mib)
					}
					if c.more > 0 {
						data = append(data[:len(data):len(data)], make([]byte, c.more)...)
					} else if n == 1 || c.err != nil {
						data = data[:max(0, len(data)+c.more)]
					}
					_, _ = w.Write(data)
				}
				got, err := o.receive(t.Context(), o.request())
				if !errors.Is(err, c.err) {
					t.Fatalf("%v, want %v", err, c.err)
				}
				if c.err == nil {
					o.wantWhole(t, got)
				}
			})
		})
	}
}

// What comes behind the end is left out, however late it comes.
func TestRangeWhoseExcessComesLate(t *testing.T) {
	inBubble(t, 2*segmentSize+enough+1000, func(t *testing.T, o *origin) {
		o.body = func(n int, w http.ResponseWriter, _ *http.Request, data []byte) {
			if n == 0 {
				o.chunked = true
				cut(w, data, 2*segmentSize)
			}
			_, _ = w.Write(data)
			flush(w)
			time.Sleep(linger / 2)
			_, _ = w.Write([]byte("x"))
		}
		o.mustReceive(t, o.request())
	})
}

// What may travel with a redirect is decided by the client, and the address of
// a redirect is told nobody.
func TestCredentialStaysWithItsHost(t *testing.T) {
	inBubble(t, 5*mib, func(t *testing.T, o *origin) {
		client := transport.NewDownload(transport.Config{UserAgent: "test"})
		client.Transport = o.client.Transport
		o.client = client
		var seen []string
		broken := false
		o.turn = func(_ int, w http.ResponseWriter, r *http.Request) bool {
			seen = append(seen, r.Host+" "+r.Header.Get("Authorization"))
			if r.Host == "files.test" {
				http.Redirect(w, r, "http://signed.test/?signature=secret", http.StatusFound)
				return true
			}
			if broken {
				panic(http.ErrAbortHandler)
			}
			return false
		}
		o.body = func(n int, w http.ResponseWriter, _ *http.Request, data []byte) {
			if n == 1 {
				cut(w, data, mib)
			}
			_, _ = w.Write(data)
		}
		r := o.request()
		r.Authorize = func(req *http.Request) error { req.Header.Set("Authorization", "Bearer token"); return nil }
		o.mustReceive(t, r)
		if want := []string{"files.test Bearer token", "signed.test ", "files.test Bearer token", "signed.test "}; !slices.Equal(seen, want) {
			t.Errorf("hosts and their credentials: %q, want %q", seen, want)
		}
		broken = true
		r.Part += " 2"
		if _, err := o.receive(t.Context(), r); !errors.Is(err, ErrTransfer) || !strings.Contains(err.Error(), "signed.test") || strings.Contains(err.Error(), "secret") {
			t.Errorf("%v, want a failure that shows the host, and no signature", err)
		}
	})
}

// A server that scans a file before it passes it on is silent for longer than a broken one has to be.
func TestSilenceIsWaitedForLonger(t *testing.T) {
	t.Parallel()
	for most, requests := range map[time.Duration]int{0: 0, time.Minute: 0, 2 * time.Minute: 3, time.Hour: 3} {
		t.Run(most.String(), func(t *testing.T) {
			inBubble(t, faultSize, func(t *testing.T, o *origin) {
				o.turn = func(_ int, _ http.ResponseWriter, r *http.Request) bool {
					select {
					case <-r.Context().Done():
						return true
					case <-time.After(100 * time.Second):
						return false
					}
				}
				r := o.request()
				r.MostStall = most
				got, err := o.receive(t.Context(), r)
				if requests == 0 {
					if !errors.Is(err, ErrTransfer) || len(o.ranges(0)) != attempts {
						t.Errorf("%v after %d requests", err, len(o.ranges(0)))
					}
					return
				}
				if err != nil || len(o.ranges(0)) != requests {
					t.Fatalf("%v after %d requests, want %d", err, len(o.ranges(0)), requests)
				}
				o.wantWhole(t, got)
			})
		})
	}
}

// A page in the place of the file is asked for again, and named in the end. Where the file had begun it harms nothing.
func TestPageInTheFilesPlace(t *testing.T) {
	t.Parallel()
	begins := func(head []byte) bool { return head[0] == noise(1)[0] }
	page := func(first, times int) func(int, http.ResponseWriter, *http.Request) bool {
		return func(n int, w http.ResponseWriter, _ *http.Request) bool {
			if n < first || n >= first+times {
				return false
			}
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			_, _ = io.WriteString(unwrapped(w), "<html><head><TITLE lang=en>\n Blocked &amp; logged\n</title></head>")
			return true
		}
	}
	for name, c := range map[string]struct {
		first, times int
		whole        bool
	}{"once": {0, 1, true}, "always": {0, 1000, false}, "in the middle": {1, 2, true}} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, faultSize, func(t *testing.T, o *origin) {
				o.turn = page(c.first, c.times)
				o.body = func(n int, w http.ResponseWriter, _ *http.Request, data []byte) {
					if n == 0 {
						cut(w, data, 5*mib)
					}
					_, _ = w.Write(data)
				}
				r := o.request()
				r.Begins = begins
				got, err := o.receive(t.Context(), r)
				if c.whole {
					if err != nil {
						t.Fatal(err)
					}
					o.wantWhole(t, got)
					if sent := o.allSent(); c.first > 0 && sent != faultSize {
						t.Errorf("%d bytes were sent, want each once: %d", sent, faultSize)
					}
					return
				}
				const want = `files.test sent something else than the file, of the type text/html, with the title "Blocked & logged"`
				if !errors.Is(err, ErrTransfer) || !strings.Contains(err.Error(), want) {
					t.Errorf("%v, want %s", err, want)
				}
			})
		})
	}
}

// Some servers send whole blocks alone: what comes before the byte that was wanted is left out.
func TestRangeThatBeginsEarlier(t *testing.T) {
	inBubble(t, faultSize, func(t *testing.T, o *origin) {
		const block = 1 << 20
		o.turn = func(n int, w http.ResponseWriter, r *http.Request) bool {
			from, _, ranged := o.rangeOf(r)
			if !ranged {
				return false
			}
			from = from / block * block
			w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, faultSize-1, faultSize))
			w.WriteHeader(http.StatusPartialContent)
			if n < 6 {
				cut(w, o.data[from:], block+block/2)
			}
			_, _ = w.Write(o.data[from:])
			return true
		}
		o.body = func(_ int, w http.ResponseWriter, _ *http.Request, data []byte) { cut(w, data, block/3) }
		o.mustReceive(t, o.request())
		if n := len(o.ranges(0)); n != 7 {
			t.Errorf("%d requests: %q", n, o.ranges(0))
		}
	})
}

// No server's tags matter, and no byte is asked for twice.
func TestTwentyInterruptionsCostNothing(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(o *origin, n int){
		"another tag each time":  func(o *origin, n int) { o.etag = fmt.Sprintf(`"v%d"`, n) },
		"another date each time": func(o *origin, n int) { o.etag, o.modified = "", time.Unix(int64(n), 0).UTC().Format(http.TimeFormat) },
		"nothing to compare":     func(o *origin, _ int) { o.etag = "" },
		"of unknown length":      func(o *origin, _ int) { o.chunked = true },
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, 10*mib, func(t *testing.T, o *origin) {
				o.turn = func(n int, _ http.ResponseWriter, _ *http.Request) bool {
					o.mu.Lock()
					defer o.mu.Unlock()
					change(o, n)
					return false
				}
				o.body = func(_ int, w http.ResponseWriter, _ *http.Request, data []byte) { cut(w, data, mib/2) }
				o.mustReceive(t, o.request())
				if sent := o.allSent(); sent > 10*mib*102/100 {
					t.Errorf("%d bytes were sent for %d", sent, 10*mib)
				}
			})
		})
	}
}
