package githubtest

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"
)

const keptBody = 64 << 10

// Request is one request a host of the simulator received.
type Request struct {
	Root   string // "ghes", "github", "runner" or "archive"
	Method string
	Path   string // below the root
	Query  string
	// Status is zero while the request is being answered, and if the connection was cut instead.
	Status     int
	AuthScheme string
	UserAgent  string
	Range      string
	Body       string // its first 64 KiB
	Time       time.Time
	// CarriedSecret says that a secret was where none belongs: in the address or in a header other than
	// Authorization; and, on the archive host, in Authorization too, unless it is the download token of that address.
	CarriedSecret bool
}

// Witness is what a simulated program said about how it was started.
type Witness struct {
	Command    string // "configure", "remove", "run" or "worker"
	Version    string
	Argv       []string
	Environ    []string
	UID        int // -1 where the system has none
	GID        int
	GIDs       []int
	Dir        string
	PID        int
	ParentArgv []string // nil where the system does not tell
	Umask      int      // -1 where the system does not tell
}

// Requests lists every request so far, in the order in which they came. Reports of witnesses are not among them.
func (s observer) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]Request, len(s.requests))
	for i, r := range s.requests {
		out[i] = *r
	}
	return out
}

// Witnesses lists what simulated programs reported, in order.
func (s observer) Witnesses() []Witness {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.witnesses)
}

// Report adds to the problems of this server; a contract is given it.
func (s observer) Report(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.problems = append(s.problems, err)
}

// Problems lists what should not have happened: violations of the contract, requests nobody expects, and faults with a
// number of times that were not used up.
func (s observer) Problems() []error {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := slices.Clone(s.problems)
	for _, f := range s.faults {
		if f.Times > 0 && f.used < f.Times {
			out = append(out, fmt.Errorf("fault %s %q was used %d of %d times", f.Method, f.Path, f.used, f.Times))
		}
	}
	return out
}

func (s observer) takeWitness(w http.ResponseWriter, r *http.Request) {
	var report Witness
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody)).Decode(&report); err != nil {
		s.Report(fmt.Errorf("reading the report of a simulated program: %w", err))
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.witnesses = append(s.witnesses, report)
	s.notify()
	w.WriteHeader(http.StatusNoContent)
}

// recorded notes every request and the status of its answer, and takes internal marks off the answer.
func (s observer) recorded(rootOf func(*http.Request) (root, path string), next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
		if err != nil {
			s.Report(fmt.Errorf("reading the body of %s %s: %w", r.Method, r.URL.Path, err))
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		root, path := rootOf(r)
		scheme, _, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		entry := &Request{
			Root: root, Method: r.Method, Path: path, Query: r.URL.RawQuery, AuthScheme: scheme, UserAgent: r.UserAgent(),
			Range: r.Header.Get("Range"), Body: string(body[:min(len(body), keptBody)]), Time: time.Now(),
		}
		s.mu.Lock()
		entry.CarriedSecret = s.misplacedSecret(root, r)
		s.requests = append(s.requests, entry)
		s.mu.Unlock()
		w.Header().Set("X-GitHub-Request-Id", strings.ToUpper(randomString("0123456789abcdef", 20)))
		out := &recorder{ResponseWriter: w, note: func(status int) {
			s.mu.Lock()
			defer s.mu.Unlock()
			entry.Status = status
		}}
		next.ServeHTTP(out, r)
		if !out.wrote {
			out.WriteHeader(http.StatusOK)
		}
	})
}

// misplacedSecret looks for secrets where none belongs. The caller holds the lock.
func (s observer) misplacedSecret(root string, r *http.Request) bool {
	places := []string{r.URL.String()}
	for name, values := range r.Header {
		if name != "Authorization" {
			places = append(places, values...)
		}
	}
	if auth := r.Header.Get("Authorization"); root == rootArchive && auth != "" {
		if own := s.downloads[r.URL.Path]; own == "" || bearer(auth) != own {
			places = append(places, auth, decodedBasic(auth))
		}
	}
	all := strings.Join(places, "\n")
	return slices.ContainsFunc(s.secrets, func(secret string) bool { return strings.Contains(all, secret) })
}

func decodedBasic(header string) string {
	_, value, _ := strings.Cut(header, " ")
	raw, err := base64.StdEncoding.DecodeString(value)
	if err != nil {
		return ""
	}
	return string(raw)
}

// recorder is a response writer that notes the status.
type recorder struct {
	http.ResponseWriter
	note  func(status int)
	wrote bool
}

func (r *recorder) WriteHeader(status int) {
	if !r.wrote {
		r.wrote = true
		r.Header().Del(FaultHeader)
		r.note(status)
	}
	r.ResponseWriter.WriteHeader(status)
}

func (r *recorder) Write(p []byte) (int, error) {
	if !r.wrote {
		r.WriteHeader(http.StatusOK)
	}
	n, err := r.ResponseWriter.Write(p)
	if err != nil {
		return n, fmt.Errorf("writing an answer: %w", err)
	}
	return n, nil
}

// Unwrap lets http.ResponseController reach the connection.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// Problem joins the problems into one error, nil if there are none.
func (s observer) Problem() error { return errors.Join(s.Problems()...) }
