// Package transport builds the HTTP clients: one for GitHub's REST API, which
// waits and re-sends as GitHub asks its clients to, and one for downloads,
// which follows redirects and never carries a credential across hosts.
package transport

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/go-retryablehttp"
)

const (
	// retries is how often a request is re-sent after its first try. With the
	// waits below that bridges about half a minute: a host that boots before
	// its DNS and a short outage, not a long one.
	retries = 5
	waitMin = 500 * time.Millisecond
	waitMax = 20 * time.Second
	// maxRedirects bounds a chain of redirects.
	maxRedirects = 5
	// maxDownloadConnections are kept open between the parts of an archive.
	maxDownloadConnections = 8
)

// Config is what both clients share.
type Config struct {
	// UserAgent names this program and its version; GitHub refuses requests
	// without one.
	UserAgent string
	// Roots are the certificate authorities that are trusted; nil: the system's.
	Roots *x509.CertPool
	// Proxy is how a request gets out, a nil URL being the direct way; nil: as the variables of the environment say, which are
	// in a form that everybody understands, see [ProxyVariables].
	Proxy func(*http.Request) (*url.URL, error)
	// Log receives one line for every wait. Nil is silent.
	Log *slog.Logger
}

func (c Config) proxy() func(*http.Request) (*url.URL, error) {
	if c.Proxy == nil {
		return http.ProxyFromEnvironment
	}
	return c.Proxy
}

// Client sends requests to GitHub's REST API.
type Client struct {
	retry   *retryablehttp.Client
	log     *slog.Logger
	company *company
}

// NewAPI returns a client for GitHub's REST API. It follows a redirect only
// on the same scheme, host and port and only where the method is kept, so
// that a credential in a header cannot reach another host.
func NewAPI(c Config) *Client {
	retry, others := retryablehttp.NewClient(), &company{}
	retry.HTTPClient = &http.Client{
		Transport:     agent{name: c.UserAgent, proxy: c.proxy(), next: c.base(), roots: c.Roots, others: others},
		CheckRedirect: sameHostOnly,
	}
	retry.RetryMax = retries
	retry.RetryWaitMin, retry.RetryWaitMax = waitMin, waitMax
	retry.CheckRetry = checkRetry
	retry.Backoff = func(least, most time.Duration, attempt int, resp *http.Response) time.Duration {
		pause := backoff(least, most, attempt, resp)
		if c.Log != nil && pause >= time.Second {
			answer := "none"
			if resp != nil {
				answer = resp.Status
			}
			c.Log.Info("waiting before the request is sent again", "answer", answer, "in", pause.Round(100*time.Millisecond))
		}
		return pause
	}
	// The last answer is handed to the caller, who can say what GitHub said.
	retry.ErrorHandler = retryablehttp.PassthroughErrorHandler
	// The default logger writes URLs, with their queries, to standard error.
	retry.Logger = nil
	if c.Log != nil {
		retry.PrepareRetry = func(req *http.Request) error {
			c.Log.Info("sending again", "method", req.Method, "path", req.URL.Path)
			return nil
		}
	}
	return &Client{retry: retry, log: c.Log, company: others}
}

// Do sends req. A request is sent again after a transport error or a 5xx
// answer only where repeating it is safe: GET, HEAD, PUT and DELETE, and what
// was marked by [Repeatable]. A rate-limit answer (429, or 403 with the
// rate-limit headers or the words of a secondary limit) is obeyed for every
// method, as it had no effect, but only when the wait ends before the context's
// deadline; otherwise that answer is returned at once. To the wait a random time
// is added: little for a host that is alone, else the more the more often it is refused. After the last try the last
// answer is returned with its body unread: the caller closes it. An error for which
// the context has ended says what the latest try before came to.
func (c *Client) Do(req *http.Request) (*http.Response, error) {
	before := &last{}
	ctx := context.WithValue(context.WithValue(req.Context(), methodKey{}, req.Method), lastKey{}, before)
	wrapped, err := retryablehttp.FromRequest(req.WithContext(ctx))
	if err != nil {
		return nil, err
	}
	resp, err := c.obey(ctx, wrapped)
	if err != nil && resp != nil {
		// An answer that came in the moment in which the context ended.
		return nil, errors.Join(before.explain(err), resp.Body.Close())
	}
	if err != nil {
		return nil, before.explain(err)
	}
	return resp, nil
}

// NewDownload returns a client for archives. It has no overall time limit (a
// slow link is not an error; the reader watches for a stall), follows
// redirects as release hosts need it, never from https to http, and drops
// Authorization as soon as the host changes. Parts of an archive that are
// fetched at a time have a connection each, as HTTP/2 would put them all on one,
// which a server that limits each connection then slows down.
func NewDownload(c Config) *http.Client {
	wire := c.base()
	wire.ResponseHeaderTimeout = 0 // the reader watches for silence, and waits longer for it each time
	wire.MaxIdleConnsPerHost = maxDownloadConnections
	// As many requests do not do: one that begins to connect, and is then given a
	// connection that another has done with, leaves its own behind as one more.
	wire.MaxConnsPerHost = maxDownloadConnections
	return &http.Client{
		Transport:     agent{name: c.UserAgent, proxy: c.proxy(), next: wire, roots: c.Roots},
		CheckRedirect: withoutCredential,
	}
}

// base speaks HTTP/1.1, which every server and proxy understands: requests follow one another here, so HTTP/2 would bring
// nothing but its half a megabyte in the program (see scripts/package.sh).
func (c Config) base() *http.Transport {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	return &http.Transport{
		TLSClientConfig:        &tls.Config{RootCAs: c.Roots, MinVersion: tls.VersionTLS12},
		Proxy:                  c.proxy(),
		OnProxyConnectResponse: onConnect,
		DialContext:            newDialer().dial,
		Protocols:              protocols,
		MaxIdleConns:           10,
		IdleConnTimeout:        60 * time.Second,
		TLSHandshakeTimeout:    15 * time.Second,
		ResponseHeaderTimeout:  60 * time.Second,
	}
}

// agent sets the User-Agent of every request, redirected ones included, and tells what goes wrong at a proxy from what goes
// wrong behind it.
type agent struct {
	name   string
	proxy  func(*http.Request) (*url.URL, error)
	next   http.RoundTripper
	roots  *x509.CertPool
	others *company // is told of every answer; nil where nobody wants to know
}

func (a agent) RoundTrip(req *http.Request) (*http.Response, error) {
	req = req.Clone(req.Context())
	req.Header.Set("User-Agent", a.name)
	through, err := a.proxy(req)
	if err != nil || through == nil {
		return a.send(req)
	}
	way := &passage{proxy: through}
	resp, err := a.send(way.watch(req))
	if err != nil {
		return nil, way.blame(err)
	}
	// Without TLS there is no tunnel that a proxy could refuse, and it answers in the place of the server.
	if resp.StatusCode == http.StatusProxyAuthRequired {
		_ = resp.Body.Close() // what a proxy has to say is in its head
		return nil, refusedWith(through, resp)
	}
	return resp, nil
}

func (a agent) send(req *http.Request) (*http.Response, error) {
	resp, err := a.next.RoundTrip(req)
	if err == nil && a.others != nil {
		a.others.note(resp, time.Now())
	}
	return resp, explained(short(err), a.roots)
}

// maxText is how much of an error is told. What is no HTTP may be any bytes, and net/http repeats a line of it.
const maxText = 200

// short is an error whose text has an end.
func short(err error) error {
	if err == nil || len(err.Error()) <= maxText {
		return err
	}
	return shortError{err}
}

type shortError struct{ error }

func (e shortError) Error() string { return strings.ToValidUTF8(e.error.Error()[:maxText], "") + "..." }
func (e shortError) Unwrap() error { return e.error }

// Timeout is for who asks a [*url.Error], which looks at the error in it alone.
func (e shortError) Timeout() bool { return timedOut(e.error) }

// timedOut tells whether an error, or one in it, is about a time that was over.
func timedOut(err error) bool {
	var timeout interface{ Timeout() bool }
	if errors.As(err, &timeout) && timeout.Timeout() {
		return true
	}
	// The first that could tell has not looked further than at the next one.
	return errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded)
}

func sameHostOnly(req *http.Request, via []*http.Request) error {
	first := via[0]
	if len(via) > maxRedirects ||
		req.URL.Scheme != first.URL.Scheme || req.URL.Host != first.URL.Host || req.Method != first.Method {
		return http.ErrUseLastResponse
	}
	return nil
}

// errDowngrade is returned for a redirect that would leave TLS.
var errDowngrade = errors.New("redirect from https to http refused")

func withoutCredential(req *http.Request, via []*http.Request) error {
	last := via[len(via)-1]
	if len(via) > maxRedirects {
		return errors.New("too many redirects")
	}
	if last.URL.Scheme == "https" && req.URL.Scheme != "https" {
		return errDowngrade
	}
	// net/http keeps headers that it does not know to be secret, and known ones for subdomains of the first host; a runner
	// archive's signed storage host must not see any.
	if req.URL.Host != via[0].URL.Host {
		for name := range req.Header {
			if !slices.Contains([]string{"Accept-Encoding", "Range", "User-Agent"}, name) {
				req.Header.Del(name)
			}
		}
	}
	return nil
}
