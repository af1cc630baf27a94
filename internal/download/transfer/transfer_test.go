package transfer

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
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

// mib is used for sizes around those of segments.
const mib = 1 << 20

func TestWholeFile(t *testing.T) {
	t.Parallel()
	for _, size := range []int{1, 4095, segmentSize - 1, segmentSize, segmentSize + 1, 2*segmentSize + 12345, 3 * segmentSize} {
		for _, chunked := range []bool{false, true} {
			t.Run(strconv.Itoa(size)+map[bool]string{true: " of unknown length"}[chunked], func(t *testing.T) {
				inBubble(t, size, func(t *testing.T, o *origin) {
					o.chunked = chunked
					opened := make(chan struct{})
					o.body = func(_ int, w http.ResponseWriter, _ *http.Request, data []byte) {
						flush(w)
						<-opened
						_, _ = w.Write(data)
					}
					var told [][2]int64
					r := o.request()
					r.Progress = func(done, total int64) { told = append(told, [2]int64{done, total}) }
					s, err := Open(t.Context(), o.client, r)
					if err != nil {
						t.Fatal(err)
					}
					want := int64(size)
					if chunked {
						want = 0
					}
					if s.Size() != want || s.Resumed() != 0 {
						t.Errorf("size %d, resumed %d, want %d and nothing", s.Size(), s.Resumed(), want)
					}
					close(opened)
					got, err := io.ReadAll(s)
					if err := errors.Join(err, s.Close()); err != nil {
						t.Fatal(err)
					}
					o.wantWhole(t, got)
					if s.Size() != int64(size) {
						t.Errorf("size %d at the end, want %d", s.Size(), size)
					}
					for i, now := range told {
						if now[1] != want || i > 0 && now[0] <= told[i-1][0] {
							t.Fatalf("progress %d is %v after %v, with a total of %d", i, now, told[max(0, i-1)], want)
						}
					}
					if len(told) == 0 || told[len(told)-1][0] != int64(size) {
						t.Errorf("progress ends with %v, want %d", told[max(0, len(told)-1):], size)
					}
					if !slices.Equal(o.ranges(0), []string{""}) {
						t.Errorf("requests for the ranges %q, want one for all", o.ranges(0))
					}
				})
			})
		}
	}
}

func TestEmptyFileIsReceived(t *testing.T) {
	t.Parallel()
	for name, chunked := range map[string]bool{"told": false, "not told": true} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, 0, func(t *testing.T, o *origin) {
				o.chunked = chunked
				o.mustReceive(t, o.request())
				o.mustReceive(t, o.request()) // on what the first has left
			})
		})
	}
}

func TestWholeFileIsNotAskedForAgain(t *testing.T) {
	t.Parallel()
	for name, chunked := range map[string]bool{"told": false, "not told": true} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, 5*mib, func(t *testing.T, o *origin) {
				o.chunked = chunked
				o.mustReceive(t, o.request())
				r := o.request()
				var told [][2]int64
				r.Progress = func(done, total int64) { told = append(told, [2]int64{done, total}) }
				s, err := Open(t.Context(), o.client, r)
				if err != nil {
					t.Fatal(err)
				}
				defer s.Close()
				if s.Size() != 5*mib || s.Resumed() != 5*mib || !slices.Equal(told, [][2]int64{{5 * mib, 5 * mib}}) {
					t.Errorf("size %d, resumed %d, progress %v, want all of it", s.Size(), s.Resumed(), told)
				}
				got, err := io.ReadAll(s)
				if err != nil {
					t.Fatal(err)
				}
				o.wantWhole(t, got)
				if n := len(o.ranges(0)); n != 1 {
					t.Errorf("%d requests, want the first one alone", n)
				}
			})
		})
	}
}

// What is there is read at once, though little, and though the rest takes long.
func TestReadDoesNotWaitForMore(t *testing.T) {
	inBubble(t, 3*mib, func(t *testing.T, o *origin) {
		o.body = func(_ int, w http.ResponseWriter, r *http.Request, data []byte) {
			for _, piece := range [][]byte{data[:10], data[10:20], data[20:]} {
				_, _ = w.Write(piece)
				flush(w)
				time.Sleep(10 * time.Second)
			}
		}
		s, err := Open(t.Context(), o.client, o.request())
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		began := time.Now()
		p := make([]byte, 256<<10)
		for i, want := range []time.Duration{0, 10 * time.Second, 20 * time.Second} {
			n, err := s.Read(p)
			if late := time.Since(began) - want; err != nil || late > 50*time.Millisecond || late < 0 {
				t.Errorf("read %d: %d bytes, %v, %v after they were sent", i, n, err, late)
			}
			if i < 2 && !bytes.Equal(p[:n], o.data[i*10:i*10+10]) {
				t.Errorf("read %d: %d bytes, want the ten that were sent", i, n)
			}
		}
		if rest, err := io.Copy(io.Discard, s); err != nil || rest == 0 {
			t.Errorf("the rest: %d bytes, %v", rest, err)
		}
		if n, err := s.Read(p); n != 0 || err != io.EOF { //nolint:errorlint // a reader says io.EOF itself
			t.Errorf("behind the end: %d, %v", n, err)
		}
		if n, err := s.Read(nil); n != 0 || err != nil {
			t.Errorf("a read of nothing: %d, %v", n, err)
		}
	})
}

// Bytes that come in pieces, with pauses in which they are written.
func TestPausesAnywhere(t *testing.T) {
	inBubble(t, 7*mib+1, func(t *testing.T, o *origin) {
		random := rand.New(rand.NewPCG(1, 2))
		o.body = func(_ int, w http.ResponseWriter, _ *http.Request, data []byte) {
			for len(data) > 0 {
				n := min(len(data), 1+random.IntN(bufferSize*5/4))
				_, _ = w.Write(data[:n])
				flush(w)
				data = data[n:]
				time.Sleep(time.Duration(random.Int64N(int64(2 * linger))))
			}
		}
		o.mustReceive(t, o.request())
	})
}

// A slow disk, or a slow listener, is not a server that stalls.
func TestStallIsTheNetworksOnly(t *testing.T) {
	inBubble(t, 3*mib, func(t *testing.T, o *origin) {
		r := o.request()
		r.Progress = func(int64, int64) { time.Sleep(3 * r.Stall) }
		o.mustReceive(t, r)
		if asked := o.ranges(0); len(asked) != 1 {
			t.Errorf("%d requests, want one", len(asked))
		}
	})
}

// The disk is the window: a reader that sleeps does not hold the network.
func TestSlowReaderHoldsNothing(t *testing.T) {
	inBubble(t, 9*mib, func(t *testing.T, o *origin) {
		r := o.request()
		r.Connections = maxConnections
		s, err := Open(t.Context(), o.client, r)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		synctest.Wait()
		if info, err := os.Stat(r.Part); err != nil || info.Size() != 9*mib {
			t.Errorf("%d bytes on disk, %v, before the first read, want all", info.Size(), err)
		}
		time.Sleep(time.Hour)
		got, err := io.ReadAll(s)
		if err != nil {
			t.Fatal(err)
		}
		o.wantWhole(t, got)
		if o.most != 1 {
			t.Errorf("%d connections at once for a reader that did not starve", o.most)
		}
	})
}

func TestCloseInTheMiddle(t *testing.T) {
	inBubble(t, 9*mib, func(t *testing.T, o *origin) {
		o.body = func(n int, w http.ResponseWriter, r *http.Request, data []byte) {
			if n == 0 {
				// The last ten bytes are in a buffer when the reader has the rest.
				_, _ = w.Write(data[:5*mib])
				flush(w)
				hang(w, r, data[5*mib:], 10)
			}
			_, _ = w.Write(data)
		}
		s, err := Open(t.Context(), o.client, o.request())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.CopyN(io.Discard, s, 5*mib); err != nil {
			t.Fatal(err)
		}
		failed := make(chan error)
		go func() {
			_, err := s.Read(make([]byte, 1))
			failed <- err
		}()
		synctest.Wait()
		began := time.Now()
		if err := errors.Join(s.Close(), s.Close()); err != nil {
			t.Error(err)
		}
		if info, err := os.Stat(o.part()); err != nil || info.Size() != 5*mib+10 {
			t.Errorf("%d bytes on disk, %v, want all that came: %d", info.Size(), err, 5*mib+10)
		}
		if err := <-failed; !errors.Is(err, fs.ErrClosed) || errors.Is(err, ErrTransfer) {
			t.Errorf("a read that waited: %v, want that it is closed", err)
		}
		if took := time.Since(began); took > 0 {
			t.Errorf("closing took %v", took)
		}
		o.mustReceive(t, o.request())
		if got, want := o.ranges(1), []string{span(5*mib + 10)}; !slices.Equal(got, want) {
			t.Errorf("the next run asked for %q, want %q", got, want)
		}
	})
}

func TestEndOfTheContext(t *testing.T) {
	t.Parallel()
	for name, turn := range map[string]func(int, http.ResponseWriter, *http.Request) bool{
		"before an answer": func(_ int, _ http.ResponseWriter, r *http.Request) bool { <-r.Context().Done(); return true },
		"while it waits to try again": func(_ int, w http.ResponseWriter, _ *http.Request) bool {
			w.Header().Set("Retry-After", "40")
			w.WriteHeader(http.StatusServiceUnavailable)
			return true
		},
		"in the body": nil,
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, 5*mib, func(t *testing.T, o *origin) {
				o.turn = turn
				o.body = func(_ int, w http.ResponseWriter, r *http.Request, data []byte) { hang(w, r, data, mib) }
				ctx, cancel := context.WithTimeout(t.Context(), 7*time.Second)
				defer cancel()
				began := time.Now()
				_, err := o.receive(ctx, o.request())
				if !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, ErrTransfer) {
					t.Errorf("%v, want the context's error alone", err)
				}
				if waits := name == "while it waits to try again"; strings.Contains(err.Error(), "files.test answered 503") != waits {
					t.Errorf("%v, want what has failed until then: %t", err, waits)
				}
				if took := time.Since(began); took != 7*time.Second {
					t.Errorf("it took %v", took)
				}
			})
		})
	}
}

// A context that ends when everything is here still ends the stream.
func TestEndOfTheContextAfterTheLastByte(t *testing.T) {
	inBubble(t, 100, func(t *testing.T, o *origin) {
		ctx, cancel := context.WithCancel(t.Context())
		s, err := Open(ctx, o.client, o.request())
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		synctest.Wait()
		cancel()
		synctest.Wait()
		if n, err := s.Read(make([]byte, 10)); !errors.Is(err, context.Canceled) {
			t.Errorf("%d, %v, want that it was cancelled", n, err)
		}
	})
}

func TestAuthorizeIsCalledForEachRequest(t *testing.T) {
	inBubble(t, 5*mib, func(t *testing.T, o *origin) {
		var seen []string
		o.turn = func(_ int, w http.ResponseWriter, r *http.Request) bool {
			seen = append(seen, r.URL.Path+" "+r.Header.Get("Authorization"))
			if r.URL.Path == "/elsewhere" {
				return false
			}
			http.Redirect(w, r, "/elsewhere", http.StatusFound)
			return true
		}
		o.body = func(n int, w http.ResponseWriter, _ *http.Request, data []byte) {
			if n == 1 {
				cut(w, data, mib)
			}
			_, _ = w.Write(data)
		}
		calls := 0
		r := o.request()
		r.Authorize = func(req *http.Request) error {
			calls++
			req.Header.Set("Authorization", "Bearer "+strconv.Itoa(calls))
			return nil
		}
		o.mustReceive(t, r)
		want := []string{"/the file Bearer 1", "/elsewhere Bearer 1", "/the file Bearer 2", "/elsewhere Bearer 2"}
		if !slices.Equal(seen, want) {
			t.Errorf("requests %q, want %q: each attempt begins at the address it was told", seen, want)
		}
	})
}

func TestDiscard(t *testing.T) {
	inBubble(t, 5*mib, func(t *testing.T, o *origin) {
		o.mustReceive(t, o.request())
		for range 2 {
			if err := Discard(o.part()); err != nil {
				t.Fatal(err)
			}
			if entries, err := os.ReadDir(o.dir); err != nil || len(entries) != 0 {
				t.Fatalf("it left %v, %v", entries, err)
			}
		}
		if err := os.MkdirAll(o.part()+"/in the way", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := Discard(o.part()); err == nil || !strings.Contains(err.Error(), "removing a part file") {
			t.Errorf("with a directory in its place: %v", err)
		}
	})
}

func TestDiskErrorsComeOutAsTheyAre(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"", stateMark, stateMark + newMark} {
		t.Run("a directory in the place of part"+name, func(t *testing.T) {
			inBubble(t, 100, func(t *testing.T, o *origin) {
				if err := os.MkdirAll(o.part()+name+"/in the way", 0o755); err != nil {
					t.Fatal(err)
				}
				began := time.Now()
				_, err := o.receive(t.Context(), o.request())
				var disk *fs.PathError
				if !errors.As(err, &disk) || errors.Is(err, ErrTransfer) || time.Since(began) > 0 {
					t.Errorf("%v after %v, want the disk's error at once", err, time.Since(began))
				}
			})
		})
	}
}
