package githubtest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"path"
	"strconv"
	"time"
)

// Fault is a wrong turn the server takes on purpose. Its zero fields do nothing.
type Fault struct {
	Method string // empty: any
	// Path is a path.Match pattern on the path below the root, such as "/orgs/*/actions/runners"; empty: any.
	Path string
	Host string // "api" (the default) or "archive"
	// Skip lets so many matching requests pass first; Times limits how often it happens then, 0 is always.
	Skip, Times int

	// Status answers so instead of the truth. AfterEffect takes the effect first and hides its answer.
	Status      int
	Header      http.Header
	Body        string // empty: an error in GitHub's shape
	AfterEffect bool
	NotJSON     bool   // answers a page of HTML, with Status or 200
	Redirect    string // answers a redirection there, with Status or 302

	Delay           time.Duration // waits first
	CloseConnection bool          // closes the connection instead of answering

	// These let the answer through in part or slowly. CutAfter and StallAfter count bytes of the body; below zero they
	// strike before the first byte.
	CutAfter, StallAfter int64
	RatePerSecond        int64
}

type activeFault struct {
	Fault
	seen, used int
}

// Fault makes the server fail from now on; the first fault that matches a request wins.
func (s faultInjector) Fault(f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f.Host == "" {
		f.Host = "api"
	}
	if _, err := path.Match(f.Path, "/"); err != nil {
		s.problems = append(s.problems, fmt.Errorf("fault pattern %q: %w", f.Path, err))
	}
	s.faults = append(s.faults, &activeFault{Fault: f})
}

// ClearFaults forgets all faults, used up or not.
func (s faultInjector) ClearFaults() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = nil
}

func (s faultInjector) pickFault(host, at, method string) *Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.faults {
		if f.Host != host || (f.Method != "" && f.Method != method) || (f.Times > 0 && f.used >= f.Times) {
			continue
		}
		if matches, err := path.Match(f.Path, at); f.Path != "" && (err != nil || !matches) {
			continue
		}
		f.seen++
		if f.seen <= f.Skip {
			continue
		}
		f.used++
		return &f.Fault
	}
	return nil
}

// withFaults lets a request through to next, or what a fault leaves of it.
func (s faultInjector) withFaults(host, at string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f := s.pickFault(host, at, r.Method)
		if f == nil {
			next.ServeHTTP(w, r)
			return
		}
		if !s.pause(r, f.Delay) {
			panic(http.ErrAbortHandler)
		}
		if f.AfterEffect {
			next.ServeHTTP(&blackHole{header: http.Header{}}, r)
		}
		for name, values := range f.Header {
			w.Header()[name] = values
		}
		if f.CutAfter != 0 || f.StallAfter != 0 || f.RatePerSecond != 0 {
			w.Header().Set(FaultHeader, "shaped")
			w = &shapedWriter{ResponseWriter: w, s: s.Server, r: r, fault: f}
		}
		switch {
		case f.CloseConnection:
			// This is how a handler asks net/http to drop the connection without an answer.
			panic(http.ErrAbortHandler)
		case f.Status != 0 || f.NotJSON || f.Redirect != "" || f.AfterEffect:
			f.answer(w)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// answer writes what the fault says instead of the truth.
func (f *Fault) answer(w http.ResponseWriter) {
	w.Header().Set(FaultHeader, "instead")
	status, body, kind := f.Status, f.Body, "application/json; charset=utf-8"
	switch {
	case f.Redirect != "":
		w.Header().Set("Location", f.Redirect)
		status = orElse(status, http.StatusFound)
	case f.NotJSON:
		status, kind = orElse(status, http.StatusOK), "text/html; charset=utf-8"
		if body == "" {
			body = "<!DOCTYPE html>\n<html><head><title>Unicorn!</title></head><body>Too long to respond.</body></html>\n"
		}
	default:
		status = orElse(status, http.StatusInternalServerError)
	}
	if body == "" {
		// A map of strings always encodes.
		raw, _ := json.Marshal(map[string]string{
			"message": http.StatusText(status), "documentation_url": docsURL, "status": strconv.Itoa(status),
		})
		body = string(raw)
	}
	if w.Header().Get("Content-Type") == "" {
		w.Header().Set("Content-Type", kind)
	}
	w.WriteHeader(status)
	// The reader may be gone, or the fault cuts the answer; both are as wanted.
	_, _ = w.Write([]byte(body))
}

func orElse(n, otherwise int) int {
	if n != 0 {
		return n
	}
	return otherwise
}

// pause waits, unless the client or the server goes first.
func (s faultInjector) pause(r *http.Request, d time.Duration) bool {
	if d <= 0 {
		return true
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-r.Context().Done():
		return false
	case <-s.closed:
		return false
	}
}

// blackHole takes an answer that nobody gets to see.
type blackHole struct{ header http.Header }

func (b *blackHole) Header() http.Header         { return b.header }
func (b *blackHole) Write(p []byte) (int, error) { return len(p), nil }
func (b *blackHole) WriteHeader(int)             {}

// shapedWriter cuts, stalls or slows an answer down.
type shapedWriter struct {
	http.ResponseWriter
	s     *Server
	r     *http.Request
	fault *Fault
	sent  int64
}

func (w *shapedWriter) Write(p []byte) (int, error) {
	done := 0
	for done < len(p) {
		part := p[done:]
		if limit := w.limit(); limit >= 0 {
			if w.sent >= limit {
				w.strike()
			}
			part = part[:min(int64(len(part)), limit-w.sent)]
		}
		if rate := w.fault.RatePerSecond; rate > 0 {
			part = part[:min(int64(len(part)), max(rate/20, 1))]
			if !w.s.pause(w.r, time.Duration(len(part))*time.Second/time.Duration(rate)) {
				panic(http.ErrAbortHandler)
			}
		}
		n, err := w.ResponseWriter.Write(part)
		done += n
		w.sent += int64(n)
		if err != nil {
			return done, fmt.Errorf("writing a shaped answer: %w", err)
		}
		if w.fault.RatePerSecond > 0 {
			w.flush()
		}
	}
	return done, nil
}

// limit is the number of bytes after which the fault strikes, or -1 for never.
func (w *shapedWriter) limit() int64 {
	for _, n := range []int64{w.fault.CutAfter, w.fault.StallAfter} {
		if n != 0 {
			return max(n, 0)
		}
	}
	return -1
}

func (w *shapedWriter) flush() {
	// A connection that cannot be flushed is one that is gone; the next write says so.
	_ = http.NewResponseController(w.ResponseWriter).Flush()
}

func (w *shapedWriter) strike() {
	w.flush()
	if w.fault.CutAfter == 0 {
		// Stalled until the client gives up or the server closes, an hour at most.
		w.s.pause(w.r, time.Hour)
	}
	panic(http.ErrAbortHandler)
}
