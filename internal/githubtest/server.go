// Package githubtest is a simulated GitHub: a stateful HTTP server with the REST operations and the wire protocol of
// self-hosted runners, an archive host, and an archive whose programs behave at their boundary like the real runner's.
package githubtest

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

const (
	// ghesPrefix is where a GitHub Enterprise Server has its REST root.
	ghesPrefix = "/api/v3"
	// runnerPrefix is where the parts of the runner's own protocol live whose address GitHub hands out.
	runnerPrefix = "/_runner"
	// witnessPath takes what simulated programs say about how they were started.
	witnessPath = "/_simulator/witness"

	defaultSessionTTL = 5 * time.Second
	// FirstAllowedVersion is the oldest runner version GitHub lets register.
	FirstAllowedVersion = "2.329.0"
)

// Config says how a simulated GitHub is started. The zero value is a server on two free loopback ports without an
// archive to offer.
type Config struct {
	// API and Archives are the addresses to serve on; nil means a new one on 127.0.0.1. Start takes them over.
	API, Archives net.Listener
	// TLS, if set, makes both hosts speak https.
	TLS *tls.Config
	// Wrap is put around the REST handler, for a contract that looks at every request and answer.
	Wrap func(http.Handler) http.Handler
	// Archive is what downloads offer from the start; AddArchive offers more.
	Archive *Archive
	// SessionTTL is how long a runner that no longer polls keeps its session. Zero means five seconds.
	SessionTTL time.Duration
	// JobTTL is how long a job whose runner has lost its session is the runner's all the same; GitHub waits for some ten minutes.
	// Zero is as long as the session.
	JobTTL time.Duration
	// Limits are what everybody is held to, nil for no limits.
	Limits *Limits
}

// Server is one simulated GitHub. Its methods may be called from any goroutine.
type Server struct {
	scheme     string
	apiAddr    net.Addr
	archAddr   net.Addr
	httpAPI    *http.Server
	httpArch   *http.Server
	sessionTTL time.Duration
	jobTTL     time.Duration
	closed     chan struct{}
	closeOnce  sync.Once
	limits     *limiter // nil: none

	mu      sync.Mutex
	changed chan struct{}
	state

	topics
}

// topics are what can be asked of the server and told to it: each is the whole server seen from one side.
type topics struct {
	archiveHost
	broker
	faultInjector
	jobQueue
	observer
	appStore
	tokenStore
	runnerStore
}

// archiveHost offers archives.
type archiveHost struct{ *Server }

// broker speaks to listeners.
type broker struct{ *Server }

// faultInjector lets things go wrong.
type faultInjector struct{ *Server }

// jobQueue gives jobs.
type jobQueue struct{ *Server }

// observer remembers what was asked, and what must not have been.
type observer struct{ *Server }

// appStore knows GitHub Apps.
type appStore struct{ *Server }

// tokenStore knows tokens.
type tokenStore struct{ *Server }

// runnerStore knows runners and groups.
type runnerStore struct{ *Server }

// Start serves a simulated GitHub until Close.
func Start(cfg Config) (*Server, error) {
	api, err := listen(cfg.API)
	if err != nil {
		return nil, err
	}
	archives, err := listen(cfg.Archives)
	if err != nil {
		return nil, errors.Join(err, api.Close())
	}
	s := &Server{
		scheme:     "http",
		apiAddr:    api.Addr(),
		archAddr:   archives.Addr(),
		sessionTTL: cmp.Or(cfg.SessionTTL, defaultSessionTTL),
		jobTTL:     cfg.JobTTL,
		closed:     make(chan struct{}),
		changed:    make(chan struct{}),
		limits:     newLimiter(cfg.Limits),
	}
	if cfg.TLS != nil {
		s.scheme = "https"
		api, archives = tls.NewListener(api, cfg.TLS), tls.NewListener(archives, cfg.TLS)
	}
	s.state = newState()
	s.archiveHost = archiveHost{s}
	s.broker = broker{s}
	s.faultInjector = faultInjector{s}
	s.jobQueue = jobQueue{s}
	s.observer = observer{s}
	s.appStore = appStore{s}
	s.tokenStore = tokenStore{s}
	s.runnerStore = runnerStore{s}
	s.adminToken = s.addCredential(&credential{secret: newClassicToken()})
	if cfg.Archive != nil {
		s.AddArchive(cfg.Archive)
	}
	s.httpAPI = newHTTPServer(s.apiHandler(cfg.Wrap))
	s.httpArch = newHTTPServer(s.archiveHandler())
	go serve(s.httpAPI, api, s.Report)
	go serve(s.httpArch, archives, s.Report)
	return s, nil
}

func listen(given net.Listener) (net.Listener, error) {
	if given != nil {
		return given, nil
	}
	var lc net.ListenConfig
	l, err := lc.Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("opening a port for the simulated GitHub: %w", err)
	}
	return l, nil
}

func newHTTPServer(h http.Handler) *http.Server {
	return &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
}

func serve(srv *http.Server, l net.Listener, report func(error)) {
	if err := srv.Serve(l); err != nil && !errors.Is(err, http.ErrServerClosed) {
		report(fmt.Errorf("serving the simulated GitHub on %s: %w", l.Addr(), err))
	}
}

// Close ends the server and every connection to it. It may be repeated.
func (s *Server) Close() error {
	s.closeOnce.Do(func() { close(s.closed) })
	return errors.Join(s.httpAPI.Close(), s.httpArch.Close())
}

// URL is the address of the server as a GitHub Enterprise Server: scopes are below it, and its REST root is
// URL()+"/api/v3".
func (s *Server) URL() string { return s.scheme + "://" + reachable(s.apiAddr, "") }

// APIURL is the same server as api.github.com: the REST root without a prefix, over the same state.
func (s *Server) APIURL() string { return s.URL() }

// ArchiveURL is the address of the archive host.
func (s *Server) ArchiveURL() string { return s.scheme + "://" + reachable(s.archAddr, "") }

// reachable turns the address of a listener into one that can be called. A listener on all addresses is called by the
// name the caller used for us, so that a simulator works from inside a network namespace too.
func reachable(addr net.Addr, callerUsed string) string {
	tcp, ok := addr.(*net.TCPAddr)
	if !ok || !tcp.IP.IsUnspecified() {
		return addr.String()
	}
	host := "127.0.0.1"
	if callerUsed != "" {
		host = callerUsed
		if h, _, err := net.SplitHostPort(callerUsed); err == nil {
			host = h
		}
	}
	return net.JoinHostPort(strings.Trim(host, "[]"), fmt.Sprint(tcp.Port))
}

// origin is the address under which the sender of r reached this server.
func (s *Server) origin(r *http.Request) string { return s.scheme + "://" + r.Host }

// now is the server's clock: the real one plus what Advance added. The caller holds the lock.
func (s *Server) now() time.Time { return time.Now().Add(s.skew) }

// Advance moves the server's clock forward, so that a test can outlive a token without waiting.
func (s *Server) Advance(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.skew += d
	s.notify()
}

// notify wakes everybody who waits for a change of state. The caller holds the lock.
func (s *Server) notify() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// await calls done under the lock, at once and after every change of state, until it says true or the wait ends.
func (s *Server) await(ctx context.Context, done func() bool) error {
	// Sessions end by the mere passing of time, which changes no state by itself.
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		s.mu.Lock()
		s.reapSessions()
		ok, changed := done(), s.changed
		s.mu.Unlock()
		if ok {
			return nil
		}
		select {
		case <-changed:
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		case <-s.closed:
			return http.ErrServerClosed
		}
	}
}
