package transfer

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// interrupted leaves a part file with at least five MiB.
func interrupted(t *testing.T, o *origin) (held int) {
	t.Helper()
	whole := o.body
	o.body = func(_ int, w http.ResponseWriter, r *http.Request, data []byte) { hang(w, r, data, 5*mib) }
	o.interrupt(t, o.request(), 5*mib)
	o.body = whole
	info, err := os.Stat(o.part())
	if err != nil {
		t.Fatal(err)
	}
	if info.Size() != 5*mib {
		t.Fatalf("the part file has %d bytes, want %d", info.Size(), 5*mib)
	}
	return int(info.Size())
}

func TestResume(t *testing.T) {
	t.Parallel()
	const date = "Thu, 01 Jan 2026 00:00:00 GMT"
	for _, c := range []struct {
		name, etag, modified string
		changes, chunked     bool
	}{
		{name: "with a tag", etag: strongTag, modified: date},
		{name: "with a weak tag", etag: `W/"v1"`, modified: date},
		{name: "with a date", modified: date},
		{name: "without a validator"},
		{name: "with another tag in each answer", etag: strongTag, changes: true},
		{name: "of unknown length", etag: strongTag, chunked: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			inBubble(t, faultSize, func(t *testing.T, o *origin) {
				o.etag, o.modified, o.chunked = c.etag, c.modified, c.chunked
				held := interrupted(t, o)
				if c.changes {
					o.etag = `"v2"`
				}
				r := o.request()
				var told []int64
				r.Progress = func(done, _ int64) { told = append(told, done) }
				s, err := Open(t.Context(), o.client, r)
				if err != nil {
					t.Fatal(err)
				}
				if s.Resumed() != int64(held) || s.Size() != faultSize {
					t.Errorf("resumed %d of %d, want %d of %d", s.Resumed(), s.Size(), held, faultSize)
				}
				got, err := io.ReadAll(s)
				if err := errors.Join(err, s.Close()); err != nil {
					t.Fatal(err)
				}
				o.wantWhole(t, got)
				if asked := o.ranges(1); !slices.Equal(asked, []string{span(held)}) || o.conditions[1] != "" {
					t.Errorf("it asked for %q if %q, want %q", asked, o.conditions[1], span(held))
				}
				if pieced, unmeasured := s.Doubts(); !pieced || unmeasured != "" {
					t.Errorf("of pieces: %t, without a length: %q", pieced, unmeasured)
				}
				if told[0] != int64(held) || !slices.IsSorted(told) || told[len(told)-1] != faultSize {
					t.Errorf("progress from %d to %d, want %d to %d", told[0], told[len(told)-1], held, faultSize)
				}
			})
		})
	}
}

// Each of these makes what is on disk useless: it starts again, and ends well.
func TestServerThatCannotResume(t *testing.T) {
	t.Parallel()
	header := func(name, value string) func(int, http.ResponseWriter, *http.Request) bool {
		return func(n int, w http.ResponseWriter, r *http.Request) bool {
			if n != 1 {
				return false
			}
			w.Header().Set(name, value)
			w.WriteHeader(http.StatusPartialContent)
			_, _ = w.Write(make([]byte, 100))
			return true
		}
	}
	for _, c := range []struct {
		name  string
		turn  func(int, http.ResponseWriter, *http.Request) bool
		set   func(*origin)
		asked []string
	}{
		{name: "has no ranges", set: func(o *origin) { o.noRanges = true }, asked: []string{span(5 * mib)}},
		{name: "has a longer file", set: func(o *origin) { o.etag = `"v2"`; o.data = noise(3*segmentSize + 1) }, asked: []string{span(5 * mib), ""}},
		{name: "has a shorter file", set: func(o *origin) { o.etag = `"v2"`; o.data = noise(100) }, asked: []string{span(5 * mib), ""}},
		{name: "has no ranges and tells no length", set: func(o *origin) { o.noRanges, o.chunked = true, true }, asked: []string{span(5 * mib)}},
		{name: "416", turn: status(416, 1, 1), asked: []string{span(5 * mib), ""}},
		{name: "a later range", turn: header("Content-Range", fmt.Sprintf("bytes %d-%d/%d", 5*mib+1, 5*mib+100, faultSize)), asked: []string{span(5 * mib), ""}},
		{name: "an earlier range that ends before", turn: header("Content-Range", "bytes 5-104/"+strconv.Itoa(faultSize)), asked: []string{span(5 * mib), ""}},
		{name: "another length", turn: header("Content-Range", "bytes "+strconv.Itoa(5*mib)+"-"+strconv.Itoa(5*mib+99)+"/"+strconv.Itoa(faultSize+1)), asked: []string{span(5 * mib), ""}},
		{name: "no range", turn: header("X-Nothing", "x"), asked: []string{span(5 * mib), ""}},
	} {
		t.Run(c.name, func(t *testing.T) {
			inBubble(t, faultSize, func(t *testing.T, o *origin) {
				interrupted(t, o)
				if c.set != nil {
					c.set(o)
				}
				o.turn = c.turn
				var told []int64
				r := o.request()
				r.Progress = func(done, _ int64) { told = append(told, done) }
				s, err := Open(t.Context(), o.client, r)
				if err != nil {
					t.Fatal(err)
				}
				if s.Resumed() != 0 {
					t.Errorf("%d bytes are said to be used again", s.Resumed())
				}
				got, err := io.ReadAll(s)
				if err := errors.Join(err, s.Close()); err != nil {
					t.Fatal(err)
				}
				o.wantWhole(t, got)
				if asked := o.ranges(1); !slices.Equal(asked, c.asked) {
					t.Errorf("it asked for %q, want %q", asked, c.asked)
				}
				if told[0] != 0 || !slices.IsSorted(told) || told[len(told)-1] != int64(len(o.data)) {
					t.Errorf("progress from %d to %d, want 0 to %d", told[0], told[len(told)-1], len(o.data))
				}
				before := len(o.ranges(0))
				o.mustReceive(t, o.request())
				if asked := o.ranges(before); len(asked) != 0 {
					t.Errorf("what is whole is asked for again: %q", asked)
				}
			})
		})
	}
}

// A server that does it again and again is given up.
func TestServerThatNeverCan(t *testing.T) {
	t.Parallel()
	whole := func(n int, w http.ResponseWriter, _ *http.Request, data []byte) { cut(w, data, 5*mib+n*1000) }
	first := func(n int, w http.ResponseWriter, _ *http.Request, data []byte) { cut(w, data, 5*mib) }
	ranged := func(do http.HandlerFunc) func(int, http.ResponseWriter, *http.Request) bool {
		return func(_ int, w http.ResponseWriter, r *http.Request) bool {
			if r.Header.Get("Range") == "" {
				return false
			}
			do(w, r)
			return true
		}
	}
	for _, c := range []struct {
		name     string
		turn     func(int, http.ResponseWriter, *http.Request) bool
		body     func(int, http.ResponseWriter, *http.Request, []byte)
		noRanges bool
		err      error
		most     int // requests
	}{
		{name: "breaks and has no ranges, but gets on", body: whole, noRanges: true, err: ErrTransfer, most: maxRestarts + 2},
		{name: "breaks and has no ranges", body: first, noRanges: true, err: ErrTransfer, most: maxRestarts + 2},
		{name: "416", turn: ranged(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(416) }), body: first, err: ErrTransfer, most: 4},
		{name: "another length", turn: ranged(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Range", "bytes "+strconv.Itoa(5*mib)+"-"+strconv.Itoa(5*mib+99)+"/"+strconv.Itoa(faultSize+1))
			w.WriteHeader(206)
		}), body: first, err: ErrLength, most: 4},
	} {
		t.Run(c.name, func(t *testing.T) {
			inBubble(t, faultSize, func(t *testing.T, o *origin) {
				o.turn, o.body, o.noRanges = c.turn, c.body, c.noRanges
				_, err := o.receive(t.Context(), o.request())
				if !errors.Is(err, c.err) || errors.Is(err, ErrTransfer) && errors.Is(err, ErrLength) {
					t.Errorf("%v, want %v", err, c.err)
				}
				if n := len(o.ranges(0)); n != c.most {
					t.Errorf("%d requests, want %d: %q", n, c.most, o.ranges(0))
				}
			})
		})
	}
}

// What comes again is no progress, and what an earlier run had counts too.
func TestServerThatNeverGetsAsFarAsTheLastRun(t *testing.T) {
	inBubble(t, faultSize, func(t *testing.T, o *origin) {
		interrupted(t, o)
		o.noRanges = true
		o.body = func(_ int, w http.ResponseWriter, _ *http.Request, data []byte) { cut(w, data, 3*mib) }
		if _, err := o.receive(t.Context(), o.request()); !errors.Is(err, ErrTransfer) {
			t.Errorf("%v, want a failure", err)
		}
		if n := len(o.ranges(1)); n != maxRestarts+1 {
			t.Errorf("%d attempts, want %d", n, maxRestarts+1)
		}
	})
}

// A file that has become shorter, by a server that tells no version.
func TestRangeBehindTheEnd(t *testing.T) {
	inBubble(t, faultSize, func(t *testing.T, o *origin) {
		o.chunked, o.etag = true, ""
		interrupted(t, o)
		o.data = o.data[:3*mib]
		o.mustReceive(t, o.request())
		if asked := o.ranges(1); !slices.Equal(asked, []string{span(5 * mib), ""}) {
			t.Errorf("it asked for %q", asked)
		}
	})
}

// A range that comes shows that there are ranges.
func TestSeveralConnectionsAfterResuming(t *testing.T) {
	inBubble(t, 12*segmentSize, func(t *testing.T, o *origin) {
		interrupted(t, o)
		open := countConnections(o)
		o.body = func(_ int, w http.ResponseWriter, r *http.Request, data []byte) { slowly(w, r, data, 8*mib) }
		r := o.request()
		r.Connections = 3
		o.mustReceive(t, r)
		if most := open.most.Load(); most != 3 {
			t.Errorf("%d connections at once, want 3", most)
		}
	})
}

// What has confused a server is not done again.
func TestOneConnectionAfterStartingAgain(t *testing.T) {
	inBubble(t, 8*segmentSize, func(t *testing.T, o *origin) {
		interrupted(t, o)
		open := countConnections(o)
		o.turn = status(416, 1, 1)
		o.body = func(_ int, w http.ResponseWriter, r *http.Request, data []byte) { slowly(w, r, data, 8*mib) }
		r := o.request()
		r.Connections = maxConnections
		o.mustReceive(t, r)
		if most := open.most.Load(); most != 1 {
			t.Errorf("%d connections at once", most)
		}
	})
}

// A reader that has read something goes on behind it when the file starts again.
func TestReaderGoesOnWhenTheFileStartsAgain(t *testing.T) {
	t.Parallel()
	for name, size := range map[string]int{"the same": faultSize, "just as long as what was read": 6 * mib} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, faultSize, func(t *testing.T, o *origin) {
				o.noRanges = true
				o.body = func(n int, w http.ResponseWriter, r *http.Request, data []byte) {
					if n == 0 {
						cut(w, data, 6*mib)
					}
					_, _ = w.Write(data[:3*mib])
					flush(w)
					time.Sleep(time.Second)
					_, _ = w.Write(data[3*mib:])
				}
				s, err := Open(t.Context(), o.client, o.request())
				if err != nil {
					t.Fatal(err)
				}
				defer s.Close()
				got := make([]byte, 6*mib)
				if _, err := io.ReadFull(s, got); err != nil {
					t.Fatal(err)
				}
				o.mu.Lock()
				o.data = o.data[:size]
				o.mu.Unlock()
				rest, err := io.ReadAll(s)
				if err != nil {
					t.Fatal(err)
				}
				o.wantWhole(t, append(got, rest...))
				if s.Size() != int64(size) {
					t.Errorf("size %d, want %d", s.Size(), size)
				}
			})
		})
	}
}

func TestFileThatBecomesShorterThanWhatWasRead(t *testing.T) {
	inBubble(t, faultSize, func(t *testing.T, o *origin) {
		o.body = func(n int, w http.ResponseWriter, r *http.Request, data []byte) {
			if n == 0 {
				o.mu.Lock()
				o.data, o.etag = o.data[:6*mib-1], `"v2"`
				o.mu.Unlock()
				cut(w, data, 6*mib)
			}
			_, _ = w.Write(data)
		}
		s, err := Open(t.Context(), o.client, o.request())
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		if _, err := io.CopyN(io.Discard, s, 6*mib); err != nil {
			t.Fatal(err)
		}
		if n, err := s.Read(make([]byte, 10)); !errors.Is(err, ErrLength) {
			t.Errorf("%d, %v, want that the length is wrong", n, err)
		}
	})
}

// The last byte came, but not the end of the body: only the server knows that
// there is nothing more.
func TestCompleteFileOfUnknownLengthEnds(t *testing.T) {
	t.Parallel()
	for _, size := range []int{5 * mib, segmentSize} {
		t.Run(strconv.Itoa(size), func(t *testing.T) {
			inBubble(t, size, func(t *testing.T, o *origin) {
				o.chunked = true
				o.body = func(_ int, w http.ResponseWriter, r *http.Request, data []byte) { hang(w, r, data, size) }
				o.interrupt(t, o.request(), size)
				o.mustReceive(t, o.request())
				o.mustReceive(t, o.request()) // now it is known
				if asked := o.ranges(1); !slices.Equal(asked, []string{span(size)}) {
					t.Errorf("it asked for %q", asked)
				}
			})
		})
	}
}

// State that cannot be true is not believed.
func TestStateThatIsNotBelieved(t *testing.T) {
	t.Parallel()
	edit := func(old, with string) func(*testing.T, *origin) {
		return func(t *testing.T, o *origin) {
			text, err := os.ReadFile(o.part() + stateMark)
			if err != nil || strings.Count(string(text), old) != 1 {
				t.Fatalf("no %q to replace in %q, %v", old, text, err)
			}
			if err := os.WriteFile(o.part()+stateMark, []byte(strings.Replace(string(text), old, with, 1)), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, spoil := range map[string]func(*testing.T, *origin){
		"garbage":                 edit(`{"schema":1`, "\x00\xff{"),
		"empty":                   func(t *testing.T, o *origin) { os.Truncate(o.part()+stateMark, 0) },
		"cut":                     func(t *testing.T, o *origin) { os.Truncate(o.part()+stateMark, 50) },
		"cut in the lines":        edit("00000000\n", "0000"),
		"a line more":             edit("00000000\n", "00000000\n00000000\n"),
		"a line less":             edit("00000000\n", ""),
		"no number":               edit("01048576\n", "0104857x\n"),
		"below nothing":           edit("01048576\n", "-1048576\n"),
		"no end of line":          edit("01048576\n", "01048576 "),
		"another schema":          edit(`"schema":1`, `"schema":2`),
		"another segment":         edit(`"segment":4194304`, `"segment":4194305`),
		"another size":            edit(`"size":8400953`, `"size":18400953`),
		"size below nothing":      edit(`"size":8400953`, `"size":-8400953`),
		"segment too full":        edit("04194304\n", "04194305\n"),
		"more than the part file": edit("01048576\n", "01048577\n"),
		"no part file":            func(t *testing.T, o *origin) { os.Remove(o.part()) },
		"part file cut":           func(t *testing.T, o *origin) { os.Truncate(o.part(), 5*mib-1) },
		"no state":                func(t *testing.T, o *origin) { os.Remove(o.part() + stateMark) },
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, faultSize, func(t *testing.T, o *origin) {
				interrupted(t, o)
				spoil(t, o)
				s, err := Open(t.Context(), o.client, o.request())
				if err != nil {
					t.Fatal(err)
				}
				if s.Resumed() != 0 {
					t.Errorf("it resumes at %d", s.Resumed())
				}
				got, err := io.ReadAll(s)
				if err := errors.Join(err, s.Close()); err != nil {
					t.Fatal(err)
				}
				o.wantWhole(t, got)
				if asked := o.ranges(1); !slices.Equal(asked, []string{""}) {
					t.Errorf("it asked for %q, want all", asked)
				}
			})
		})
	}
}

func TestStateIsReadable(t *testing.T) {
	inBubble(t, faultSize, func(t *testing.T, o *origin) {
		o.modified = "Thu, 01 Jan 2026 00:00:00 GMT"
		interrupted(t, o)
		text, err := os.ReadFile(o.part() + stateMark)
		want := `{"schema":1,"size":8400953,"segment":4194304}` +
			"\n04194304\n01048576\n00000000\n"
		if err != nil || string(text) != want {
			t.Errorf("it is %q, %v, want %q", text, err, want)
		}
	})
}

// A smaller limit than last time is looked at again.
func TestPartOfAFileThatIsTooLong(t *testing.T) {
	inBubble(t, faultSize, func(t *testing.T, o *origin) {
		interrupted(t, o)
		r := o.request()
		r.MaxBytes = 6 * mib
		if got, err := o.receive(t.Context(), r); !errors.Is(err, ErrLength) || len(got) > 0 {
			t.Errorf("%d bytes and %v, want that it is too long", len(got), err)
		}
		o.body = nil
		o.mustReceive(t, o.request())
		if got, err := o.receive(t.Context(), r); !errors.Is(err, ErrLength) || len(got) > 0 {
			t.Errorf("%d bytes and %v of what is whole, want that it is too long", len(got), err)
		}
	})
}

// Segments that came over several connections leave gaps, which are filled.
func TestGapsAreFilled(t *testing.T) {
	t.Parallel()
	const size = 5*segmentSize + 99
	for _, connections := range []int{1, maxConnections} {
		t.Run(strconv.Itoa(connections), func(t *testing.T) {
			inBubble(t, size, func(t *testing.T, o *origin) {
				got := []int64{0, segmentSize, 7, 0, 5, 50}
				file := slices.Clone(o.data)
				for i, n := range got {
					clear(file[int64(i)*segmentSize+n : min(size, (i+1)*segmentSize)])
				}
				l := &ledger{path: o.part() + stateMark}
				if err := errors.Join(os.WriteFile(o.part(), file, 0o600), l.rewrite(size, got), l.close()); err != nil {
					t.Fatal(err)
				}
				r := o.request()
				r.Connections = connections
				o.mustReceive(t, r)
				want := []string{"bytes=0-4194303", "bytes=8388615-16777215", "bytes=16777221-20971519", "bytes=20971570-"}
				if asked := o.ranges(0); !slices.Equal(asked, want) {
					t.Errorf("it asked for %q, want %q", asked, want)
				}
				if sent, missing := o.allSent(), int64(size-segmentSize-7-5-50); sent != missing {
					t.Errorf("%d bytes were sent, want the %d that were missing", sent, missing)
				}
			})
		})
	}
}

func TestPartFileCutWhileItIsRead(t *testing.T) {
	inBubble(t, faultSize, func(t *testing.T, o *origin) {
		s, err := Open(t.Context(), o.client, o.request())
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		synctest.Wait()
		if err := os.Truncate(o.part(), 100); err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(s)
		if len(got) != 100 || !errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, ErrTransfer) {
			t.Errorf("%d bytes, %v, want what is there and that the file ends too early", len(got), err)
		}
		s.Close()
		o.mustReceive(t, o.request()) // the state says more than the part file holds
	})
}

// Any number of runs that end anywhere move each byte once.
func TestManyRuns(t *testing.T) {
	inBubble(t, faultSize, func(t *testing.T, o *origin) {
		random := rand.New(rand.NewPCG(1, 2))
		end := 0
		o.body = func(_ int, w http.ResponseWriter, r *http.Request, data []byte) {
			done := len(o.data) - len(data)
			hang(w, r, data, end-done)
		}
		for end < faultSize {
			end = min(faultSize, end+1+random.IntN(faultSize/10))
			s, err := Open(t.Context(), o.client, o.request())
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.CopyN(io.Discard, s, int64(end)); err != nil {
				t.Fatal(err)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
		}
		runs := len(o.ranges(0))
		o.mustReceive(t, o.request())
		if len(o.ranges(runs)) != 0 || o.allSent() != faultSize || runs < 10 {
			t.Errorf("%d bytes were sent in %d runs, want %d", o.allSent(), runs, faultSize)
		}
	})
}
