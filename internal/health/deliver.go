package health

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/retry"
)

const (
	tryTimeout = 10 * time.Second
	// Between tries of one event it waits waitMin at least and waitMax at most, and
	// after giveUp the event is dropped: the next one tells more.
	waitMin = time.Second
	waitMax = 5 * time.Minute
	giveUp  = time.Hour
)

// run delivers one event after the other until take has no more.
func (w *Webhook) run(ctx context.Context) {
	defer close(w.done)
	defer w.wire.CloseIdleConnections()
	for {
		next, ok := w.next(ctx)
		if !ok || !w.deliver(ctx, next) {
			return
		}
	}
}

// deliver tries until an event is delivered or dropped; false: ctx ended before that.
func (w *Webhook) deliver(ctx context.Context, d delivery) (settled bool) {
	log := w.log.With("event", d.kind, "delivery", d.id)
	first, said := time.Now(), false
	for try := 0; ; try++ {
		hurry := w.open()
		a := w.post(ctx, d)
		switch {
		case a.delivered():
			if said {
				log.Info("the webhook answers again")
			}
			return true
		case ctx.Err() != nil:
			return false
		case !a.again():
			log.Warn("cannot deliver an event: the webhook refuses it", "reason", a.reason())
			return true
		case !said:
			said = true
			log.Warn("cannot reach the webhook, trying again", "reason", a.reason())
		}
		wait := a.after
		if wait > 0 {
			hurry = nil // it is the receiver that needs the time
		} else {
			wait = min(retry.Backoff{First: 2 * waitMin, Most: waitMax}.Jitter(try+1), giveUp-time.Since(first))
		}
		switch pause(ctx, wait, hurry) {
		case interrupted:
			return false
		case hurried:
			try = -1 // little time is left: from the shortest wait again
		case waited:
		}
		if time.Since(first) >= giveUp {
			log.Warn("cannot deliver an event: the webhook has failed for an hour", "reason", a.reason())
			return true
		}
	}
}

// open is closed by Close. When it is already, there is nothing to wait for.
func (w *Webhook) open() <-chan struct{} {
	select {
	case <-w.closing:
		return nil
	default:
		return w.closing
	}
}

type ending int

const (
	waited ending = iota
	hurried
	interrupted
)

func pause(ctx context.Context, wait time.Duration, hurry <-chan struct{}) ending {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return waited
	case <-hurry:
		return hurried
	case <-ctx.Done():
		return interrupted
	}
}

// answer is how a try ended.
type answer struct {
	status int           // 0: err says why there is none
	after  time.Duration // how long the receiver asks to wait; 0: it does not
	err    error
}

func (a answer) delivered() bool { return a.status/100 == 2 }

// again tells whether a failure may pass by itself. A redirect does not: it is
// not followed, as it could lead anywhere.
func (a answer) again() bool {
	return a.err != nil || a.status >= 500 ||
		a.status == http.StatusRequestTimeout || a.status == http.StatusTooManyRequests
}

// reason is for the log. It never is the text of an unknown error: what a
// receiver answers may repeat the URL, whose query may be a secret.
func (a answer) reason() string {
	if a.err == nil {
		return "status " + strconv.Itoa(a.status)
	}
	var (
		network     *net.OpError
		certificate *tls.CertificateVerificationError
		timeout     net.Error
	)
	switch {
	case errors.Is(a.err, context.DeadlineExceeded), errors.As(a.err, &timeout) && timeout.Timeout():
		return "no answer in time"
	case errors.Is(a.err, io.EOF), errors.Is(a.err, io.ErrUnexpectedEOF):
		return "the connection was cut"
	case errors.As(a.err, &network):
		return network.Error()
	case errors.As(a.err, &certificate):
		return certificate.Error()
	default:
		return fmt.Sprintf("no valid answer (%T)", a.err)
	}
}

// post sends an event once. The timestamp is that of the try: a receiver must
// not take a late delivery for a replay.
func (w *Webhook) post(ctx context.Context, d delivery) answer {
	ctx, cancel := context.WithTimeout(ctx, tryTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "", bytes.NewReader(d.body))
	if err != nil {
		return answer{err: err}
	}
	timestamp := strconv.FormatInt(time.Now().Unix(), 10)
	req.URL, req.Host = w.target, w.target.Host
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", w.agent)
	req.Header.Set(headerEvent, d.kind)
	req.Header.Set(headerDelivery, d.id)
	req.Header.Set(headerTimestamp, timestamp)
	if w.secret != nil {
		req.Header.Set(headerSignature, sign(w.secret.Reveal(), timestamp, d.body))
	}
	resp, err := w.wire.RoundTrip(req)
	if err != nil {
		return answer{err: err}
	}
	// The status is all that counts. A body that is not read costs the connection,
	// one that is read could cost more.
	_ = resp.Body.Close()
	after, _ := retry.After(resp.Header, time.Now(), giveUp) // one that asks for more is asked again after an hour
	return answer{status: resp.StatusCode, after: after}
}
