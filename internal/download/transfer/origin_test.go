package transfer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/githubtest"
)

// noise is for reading only: all tests share it, as far as it is long enough.
func noise(size int) []byte {
	if shared := sharedNoise(); size <= len(shared) {
		return shared[:size:size]
	}
	return makeNoise(size)
}

var sharedNoise = sync.OnceValue(func() []byte { return makeNoise(17 * segmentSize) })

// makeNoise repeats itself, but at no length that a mistake would have.
func makeNoise(size int) []byte {
	data := make([]byte, size)
	n := min(size, mib+7)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(data[:n])
	for n < size {
		n += copy(data[n:], data[:n])
	}
	return data
}

// origin is a server with one file.
type origin struct {
	URL    string
	client *http.Client
	dir    string

	mu       sync.Mutex
	data     []byte
	etag     string
	modified string
	noRanges bool
	chunked  bool
	// turn, if set, is asked about request n (from 0) first, and returns whether it has answered.
	turn func(n int, w http.ResponseWriter, r *http.Request) bool
	// body, if set, sends the body of answer n instead of one write.
	body       func(n int, w http.ResponseWriter, r *http.Request, data []byte)
	asked      []string // the Range of each request
	conditions []string // the If-Range of each request
	sent       int64    // bytes of bodies
	now, most  int      // answers at once
}

const strongTag = `"v1"`

func newOrigin(t *testing.T, size int) *origin {
	t.Helper()
	return &origin{URL: "http://files.test/the%20file", data: noise(size), etag: strongTag, dir: t.TempDir()}
}

// inBubble runs a test with a server on a clock of its own. It also fails where
// a goroutine is left.
func inBubble(t *testing.T, size int, test func(*testing.T, *origin)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := newOrigin(t, size)
		listener := githubtest.NewPipes("files.test")
		server := &http.Server{Handler: o}
		served := make(chan struct{})
		go func() { defer close(served); _ = server.Serve(listener) }()
		wire := newWire(listener.Dial)
		o.client = &http.Client{Transport: wire}
		test(t, o)
		wire.CloseIdleConnections()
		if err := server.Close(); err != nil {
			t.Error(err)
		}
		<-served
		for range 10_000 { // hours of this clock
			synctest.Wait()
			if o.busy() == 0 {
				return
			}
			time.Sleep(time.Second)
		}
		t.Errorf("%d answers have not ended", o.busy())
	})
}

// newWire keeps connections, and bounds them, as the transport of downloads does.
func newWire(dial func(context.Context, string, string) (net.Conn, error)) *http.Transport {
	return &http.Transport{MaxIdleConnsPerHost: maxConnections, MaxConnsPerHost: maxConnections, DialContext: dial}
}

// onLoopback has a real network.
func onLoopback(t *testing.T, size int) *origin {
	t.Helper()
	o := newOrigin(t, size)
	server := httptest.NewServer(o)
	t.Cleanup(server.Close)
	o.URL = server.URL
	wire := newWire(new(net.Dialer).DialContext)
	t.Cleanup(wire.CloseIdleConnections)
	o.client = &http.Client{Transport: wire}
	return o
}

func (o *origin) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	o.mu.Lock()
	n := len(o.asked)
	o.asked = append(o.asked, r.Header.Get("Range"))
	o.conditions = append(o.conditions, r.Header.Get("If-Range"))
	o.now++
	o.most = max(o.most, o.now)
	turn, body := o.turn, o.body
	o.mu.Unlock()
	defer func() {
		o.mu.Lock()
		defer o.mu.Unlock()
		o.now--
	}()
	if r.Header.Get("Accept-Encoding") != "identity" {
		http.Error(w, "offsets into what is encoded mean nothing", http.StatusNotAcceptable)
		return
	}
	w = &counted{ResponseWriter: w, o: o}
	if turn != nil && turn(n, w, r) {
		return
	}
	data := o.head(w, r)
	switch {
	case data == nil:
	case body != nil:
		body(n, w, r, data)
	default:
		_, _ = w.Write(data)
	}
}

// head answers as a good server does, all but the body.
func (o *origin) head(w http.ResponseWriter, r *http.Request) []byte {
	o.mu.Lock()
	defer o.mu.Unlock()
	h := w.Header()
	h.Set("Content-Type", "application/octet-stream")
	if o.etag != "" {
		h.Set("ETag", o.etag)
	}
	if o.modified != "" {
		h.Set("Last-Modified", o.modified)
	}
	size := len(o.data)
	from, to, ranged := o.rangeOf(r)
	if ranged && from >= size {
		h.Set("Content-Range", fmt.Sprintf("bytes */%d", size))
		w.WriteHeader(http.StatusRequestedRangeNotSatisfiable)
		_, _ = io.WriteString(unwrapped(w), "there is nothing here")
		return nil
	}
	if !o.noRanges {
		h.Set("Accept-Ranges", "bytes")
	}
	if !o.chunked {
		h.Set("Content-Length", strconv.Itoa(to-from))
	}
	if ranged {
		h.Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, to-1, size))
		w.WriteHeader(http.StatusPartialContent)
	} else {
		w.WriteHeader(http.StatusOK)
	}
	if o.chunked || to == from {
		flush(w)
	}
	return o.data[from:to]
}

func (o *origin) rangeOf(r *http.Request) (from, to int, ranged bool) {
	text, ranged := strings.CutPrefix(r.Header.Get("Range"), "bytes=")
	condition := r.Header.Get("If-Range")
	if !ranged || o.noRanges || condition != "" && condition != o.etag && condition != o.modified {
		return 0, len(o.data), false
	}
	first, last, _ := strings.Cut(text, "-")
	from, _ = strconv.Atoi(first)
	to = len(o.data)
	if last != "" {
		n, _ := strconv.Atoi(last)
		to = min(to, n+1)
	}
	return from, to, true
}

func flush(w http.ResponseWriter) { _ = http.NewResponseController(w).Flush() }

// unwrapped is for what is no part of the file.
func unwrapped(w http.ResponseWriter) http.ResponseWriter { return w.(*counted).ResponseWriter }

// counted counts what is sent of bodies.
type counted struct {
	http.ResponseWriter
	o *origin
}

func (c *counted) Unwrap() http.ResponseWriter { return c.ResponseWriter }

func (c *counted) Write(p []byte) (int, error) {
	n, err := c.ResponseWriter.Write(p)
	c.o.mu.Lock()
	c.o.sent += int64(n)
	c.o.mu.Unlock()
	return n, err
}

// cut sends so much of a body and closes the connection.
func cut(w http.ResponseWriter, data []byte, after int) {
	_, _ = w.Write(data[:min(after, len(data))])
	flush(w)
	panic(http.ErrAbortHandler)
}

// hang sends so much of a body and then nothing, until the client goes.
func hang(w http.ResponseWriter, r *http.Request, data []byte, after int) {
	_, _ = w.Write(data[:min(after, len(data))])
	flush(w)
	<-r.Context().Done()
	panic(http.ErrAbortHandler)
}

func (o *origin) part() string { return filepath.Join(o.dir, "part [1]") }

// request is what most tests begin with.
func (o *origin) request() Request {
	return Request{URL: o.URL, Part: o.part(), Stall: 30 * time.Second}
}

// ranges is what was asked for since the first n requests.
func (o *origin) ranges(n int) []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.asked[n:])
}

// allSent is how many bytes of bodies were sent, when nothing moves any more.
func (o *origin) allSent() int64 {
	synctest.Wait()
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.sent
}

func (o *origin) busy() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.now
}

// receive opens, reads to the end and closes.
func (o *origin) receive(ctx context.Context, r Request) (got []byte, err error) {
	s, err := Open(ctx, o.client, r)
	if err != nil {
		return nil, err
	}
	into := bytes.NewBuffer(make([]byte, 0, len(o.data)+bytes.MinRead))
	_, err = into.ReadFrom(s)
	return into.Bytes(), errors.Join(err, s.Close())
}

// mustReceive fails unless the whole file arrives, at the reader and on disk.
func (o *origin) mustReceive(t *testing.T, r Request) {
	t.Helper()
	got, err := o.receive(t.Context(), r)
	if err != nil {
		t.Fatalf("receiving: %v after the requests %q", err, o.ranges(0))
	}
	o.wantWhole(t, got)
}

func (o *origin) wantWhole(t *testing.T, got []byte) {
	t.Helper()
	if !bytes.Equal(got, o.data) {
		t.Errorf("the reader got %d bytes that %s, want %d", len(got), firstDifference(got, o.data), len(o.data))
	}
	o.wantPart(t)
}

// wantPart reads a piece at a time: under the race detector fresh memory costs more than
// all else that these tests do.
func (o *origin) wantPart(t *testing.T) {
	t.Helper()
	f, err := os.Open(o.part())
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	piece, at := make([]byte, 64<<10), 0
	for {
		n, err := f.Read(piece)
		if want := o.data[min(at, len(o.data)):min(at+n, len(o.data))]; !bytes.Equal(piece[:n], want) {
			t.Errorf("from %d on the part file has %d bytes that %s, want %d in all", at, n, firstDifference(piece[:n], want), len(o.data))
			return
		}
		at += n
		if err != nil {
			if err != io.EOF || at != len(o.data) {
				t.Errorf("the part file has %d bytes, %v, want %d", at, err, len(o.data))
			}
			return
		}
	}
}

func firstDifference(a, b []byte) string {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return fmt.Sprintf("differ first at %d", i)
		}
	}
	return "are the same as far as they go"
}

// interrupt receives until the disk has at least so many bytes, and ends there
// as a process that is told to stop.
func (o *origin) interrupt(t *testing.T, r Request, atLeast int) {
	t.Helper()
	s, err := Open(t.Context(), o.client, r)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.CopyN(io.Discard, s, int64(atLeast)); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}
