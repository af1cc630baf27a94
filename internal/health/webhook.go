package health

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/openfile"
)

// maxQueued is how many events wait at most, beside the one that is being
// delivered.
const maxQueued = 100

// Errors of webhooks.
var (
	// ErrWebhook is matched by every error about the configuration of a webhook.
	ErrWebhook = errors.New("not a usable webhook")
	// errUndelivered is matched by the error of a [Webhook.Close] that left events behind.
	errUndelivered = errors.New("events were not delivered")
)

// WebhookConfig says where events go.
type WebhookConfig struct {
	// URL is where events are posted: https, or http on loopback. Its path and
	// query may hold a secret, so logs name its host alone.
	URL string
	// Secret signs every delivery as [Verify] describes; nil: unsigned, unless
	// SecretFile names the file that it is in.
	Secret     interface{ Reveal() string }
	SecretFile string
	// Roots are the certificate authorities that are trusted; nil: the system's.
	Roots *x509.CertPool
	// UserAgent names this program and its version.
	UserAgent string
	// Log hears of what is dropped and of a receiver that fails. Nil is silent.
	Log *slog.Logger
}

// Webhook delivers events, in order, one at a time. Its methods may be called
// from several goroutines.
type Webhook struct {
	target *url.URL
	secret interface{ Reveal() string }
	agent  string
	log    *slog.Logger
	// wire is no http.Client: that would follow redirects, and put the URL into errors.
	wire *http.Transport

	cancel  context.CancelFunc
	wake    chan struct{} // has room for one: there is something to take
	closing chan struct{} // closed by Close: no pauses of our own any more
	done    chan struct{} // closed when the goroutine has ended

	mu       sync.Mutex
	queue    []delivery
	dropping bool // the queue was full when last added to, which has been said
	closed   bool
	sequence int64
	left     int // an event that was taken and neither delivered nor dropped
}

// delivery is an event as it goes out.
type delivery struct {
	id, kind string
	body     []byte
}

// NewWebhook starts the goroutine that delivers; [Webhook.Close] ends it.
// Nothing is sent before the first event. Errors match [ErrWebhook] and do not
// repeat the URL.
func NewWebhook(c WebhookConfig) (*Webhook, error) {
	target, err := parseTarget(c.URL)
	if err != nil {
		return nil, err
	}
	if c.SecretFile != "" {
		secret, err := readSecret(c.SecretFile)
		if err != nil {
			return nil, err
		}
		c.Secret = secret
	}
	if c.Secret != nil && c.Secret.Reveal() == "" {
		return nil, fmt.Errorf("%w: its secret is empty", ErrWebhook)
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	ctx, cancel := context.WithCancel(context.Background())
	w := &Webhook{
		target: target, secret: c.Secret, agent: c.UserAgent, log: c.Log.With("host", target.Host),
		wire: newWire(c.Roots), cancel: cancel,
		wake: make(chan struct{}, 1), closing: make(chan struct{}), done: make(chan struct{}),
	}
	go w.run(ctx)
	return w, nil
}

// FlushTimeout is how long the last events may take to be delivered where somebody
// waits for it.
const FlushTimeout = 5 * time.Second

// SendOnce delivers one event, within [FlushTimeout].
func SendOnce(c WebhookConfig, e Event) error {
	webhook, err := NewWebhook(c)
	if err != nil {
		return err
	}
	webhook.Send(e)
	ctx, cancel := context.WithTimeout(context.Background(), FlushTimeout)
	defer cancel()
	return webhook.Close(ctx)
}

// fileSecret is a secret that no format prints.
type fileSecret func() string

// Reveal gives the secret.
func (s fileSecret) Reveal() string { return s() }

// maxSecret is far more than a secret has.
const maxSecret = 64 << 10

func readSecret(file string) (fileSecret, error) {
	text, err := openfile.Read(file, maxSecret)
	if err != nil {
		return nil, fmt.Errorf("reading the webhook's secret: %w", err)
	}
	return func() string { return strings.TrimSpace(string(text)) }, nil
}

// parseTarget repeats nothing of the URL but its host: the rest may be secret.
func parseTarget(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return nil, fmt.Errorf("%w: its address cannot be read as a URL", ErrWebhook)
	}
	switch {
	case u.User != nil:
		return nil, fmt.Errorf("%w: its URL holds a user name or password", ErrWebhook)
	case u.Hostname() == "" || u.Scheme != "https" && u.Scheme != "http":
		return nil, fmt.Errorf("%w: its URL does not begin with https://HOST/", ErrWebhook)
	case u.Fragment != "":
		return nil, fmt.Errorf("%w: its URL has a fragment, which is never sent", ErrWebhook)
	case u.Scheme == "http" && !loopback(u.Hostname()):
		return nil, fmt.Errorf("%w: plain http is for loopback alone, not for %q", ErrWebhook, u.Host)
	}
	u.Host = strings.ToLower(u.Host)
	return u, nil
}

func loopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// newWire obeys the proxy variables of the environment. It speaks HTTP/1.1, where
// the end of a request is the end of its connection: nothing outlives Close.
func newWire(roots *x509.CertPool) *http.Transport {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	return &http.Transport{
		TLSClientConfig:     &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         (&net.Dialer{Timeout: tryTimeout}).DialContext,
		TLSHandshakeTimeout: tryTimeout,
		Protocols:           protocols,
		// Events that come together share a connection. Those that come later would
		// often find that a router between has forgotten it.
		IdleConnTimeout: 10 * time.Second,
	}
}

// Send queues an event and returns at once. When a hundred wait already, the
// oldest of the same type gives way, else the oldest; the log hears of it once
// until something leaves the queue. An event of an unknown type, and any after
// Close, is dropped with a warning. ID, Time and Sequence are filled where they
// are not set (an ID: where it is no UUID); the sequence counts on from the highest
// that was seen.
func (w *Webhook) Send(e Event) {
	if !knownType(e.Type) {
		w.log.Warn("cannot deliver an event of an unknown type", "event", e.Type)
		return
	}
	if !validID.MatchString(e.ID) {
		e.ID = newID()
	}
	if e.Time.IsZero() {
		e.Time = time.Now()
	}
	e.Time = e.Time.UTC()
	if dropped, reason := w.enqueue(e); reason != "" {
		w.log.Warn("cannot deliver an event", "event", dropped, "reason", reason)
	}
}

// enqueue returns what the log has to hear, which is said without the lock: the
// type of an event that was dropped, and why.
func (w *Webhook) enqueue(e Event) (dropped, reason string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return e.Type, "the webhook is closed"
	}
	if e.Sequence == 0 {
		e.Sequence = w.sequence + 1
	}
	body, err := json.Marshal(e)
	if err != nil {
		return e.Type, err.Error()
	}
	w.sequence = max(w.sequence, e.Sequence)
	if len(w.queue) >= maxQueued {
		oldest := max(0, slices.IndexFunc(w.queue, func(d delivery) bool { return d.kind == e.Type }))
		if !w.dropping {
			dropped, reason = w.queue[oldest].kind, "too many are waiting"
		}
		w.dropping = true
		w.queue = slices.Delete(w.queue, oldest, oldest+1)
	}
	w.queue = append(w.queue, delivery{id: e.ID, kind: e.Type, body: body})
	select {
	case w.wake <- struct{}{}:
	default:
	}
	return dropped, reason
}

// next waits for the next event. There is none any more when ctx has ended, or
// the webhook is being closed and its queue is empty.
func (w *Webhook) next(ctx context.Context) (next delivery, ok bool) {
	w.mu.Lock()
	w.left = 0 // what was taken before is settled
	w.mu.Unlock()
	for ctx.Err() == nil {
		w.mu.Lock()
		if len(w.queue) > 0 {
			next = w.queue[0]
			w.queue = slices.Delete(w.queue, 0, 1)
			w.dropping, w.left = false, 1
			w.mu.Unlock()
			return next, true
		}
		closed := w.closed
		w.mu.Unlock()
		if closed {
			break
		}
		select {
		case <-w.wake:
		case <-w.closing:
		case <-ctx.Done():
		}
	}
	return delivery{}, false
}

// Close takes no more events and delivers what waits, until ctx ends. A pause
// after a failed try is cut short, but not one that the receiver asked for. After
// it no goroutine and no connection is left, whatever it returns. An error
// matches [errUndelivered] and says how many events were lost. It may be repeated.
func (w *Webhook) Close(ctx context.Context) error {
	w.mu.Lock()
	if !w.closed {
		w.closed = true
		close(w.closing)
	}
	w.mu.Unlock()
	select {
	case <-w.done:
	case <-ctx.Done():
	}
	w.cancel()
	<-w.done
	w.mu.Lock()
	defer w.mu.Unlock()
	if lost := len(w.queue) + w.left; lost > 0 {
		return fmt.Errorf("%w: %d", errUndelivered, lost)
	}
	return nil
}
