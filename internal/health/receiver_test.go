package health

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/githubtest"
)

// delivered is one request that a receiver got.
type delivered struct {
	at     time.Time
	method string
	target string
	header http.Header
	body   []byte
	event  Event
}

// receiver is what a webhook leads to: it notes every request, and then does as
// its script says for the n-th one.
type receiver struct {
	script func(n int, w http.ResponseWriter, r *http.Request)

	mu   sync.Mutex
	got  []delivered
	fail []error
	came chan struct{} // has room for one
}

func newReceiver(script func(n int, w http.ResponseWriter, r *http.Request)) *receiver {
	return &receiver{script: script, came: make(chan struct{}, 1)}
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	d := delivered{at: time.Now(), method: req.Method, target: req.URL.String(), header: req.Header.Clone(), body: body}
	if err == nil {
		err = json.Unmarshal(body, &d.event)
	}
	r.mu.Lock()
	if err != nil {
		r.fail = append(r.fail, fmt.Errorf("request %d: %w: %q", len(r.got), err, body))
	}
	n := len(r.got)
	r.got = append(r.got, d)
	r.mu.Unlock()
	select {
	case r.came <- struct{}{}:
	default:
	}
	r.script(n, w, req)
}

func (r *receiver) all(t *testing.T) []delivered {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, err := range r.fail {
		t.Error(err)
	}
	return slices.Clone(r.got)
}

// reasons are the requests by the Reason of their events, which tests use as names.
func (r *receiver) reasons(t *testing.T) []string {
	t.Helper()
	var names []string
	for _, d := range r.all(t) {
		names = append(names, d.event.Reason)
	}
	return names
}

// logbook keeps what was logged, one JSON object a line.
type logbook struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logbook) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logbook) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func (l *logbook) logger() *slog.Logger {
	return slog.New(slog.NewJSONHandler(l, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// warnings are the lines at that level with these words.
func (l *logbook) warnings(words string) (lines []string) {
	for line := range strings.Lines(l.String()) {
		if strings.Contains(line, `"level":"WARN"`) && strings.Contains(line, words) {
			lines = append(lines, line)
		}
	}
	return lines
}

type plainText string

func (s plainText) Reveal() string { return string(s) }

// bubble runs a test on a fake clock, with a receiver in memory. That no
// goroutine is left at its end, synctest sees to.
func bubble(t *testing.T, script func(n int, w http.ResponseWriter, r *http.Request),
	test func(t *testing.T, w *Webhook, r *receiver, log *logbook),
) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		pipes := githubtest.NewPipes("hook.test")
		r, log := newReceiver(script), new(logbook)
		server := &http.Server{Handler: r}
		served := make(chan error)
		go func() { served <- server.Serve(pipes) }()
		w, err := NewWebhook(WebhookConfig{URL: "http://127.0.0.1/hook", UserAgent: "test/1", Log: log.logger()})
		if err != nil {
			t.Fatal(err)
		}
		w.wire.DialContext = pipes.Dial
		test(t, w, r, log)
		closeNow(w)
		if err := server.Close(); err != nil {
			t.Error(err)
		}
		<-served
	})
}

// closeNow ends a webhook whatever it has left.
func closeNow(w *Webhook) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_ = w.Close(ctx)
}

// overHTTP is a webhook that leads to a real server on loopback.
func overHTTP(t *testing.T, c WebhookConfig, script func(n int, w http.ResponseWriter, r *http.Request)) (*Webhook, *receiver, *logbook) {
	t.Helper()
	r, log := newReceiver(script), new(logbook)
	server := httptest.NewServer(r)
	t.Cleanup(server.Close)
	c.URL, c.Log = server.URL+c.URL, log.logger()
	w, err := NewWebhook(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeNow(w) })
	return w, r, log
}

// finish closes a webhook that is expected to deliver all it has.
func finish(t *testing.T, w *Webhook) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := w.Close(ctx); err != nil {
		t.Errorf("Close: %v", err)
	}
}

func ok(_ int, w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }

func hang(_ int, _ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

func always(status int) func(int, http.ResponseWriter, *http.Request) {
	return func(_ int, w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }
}

// cut ends the connection without an answer.
func cut(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err == nil {
		_ = conn.Close()
	}
}
