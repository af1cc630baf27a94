package transfer

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/pattern"
	"github.com/runner-bootstrap/runner-bootstrap/internal/retry"
	"github.com/runner-bootstrap/runner-bootstrap/internal/transport"
)

// attempt sends one request and writes down what it brings. It returns nil
// where it brought all it was asked for, or met what another connection has.
func (w worker) attempt(t task, buf []byte) error {
	defer func() { w.release(t.index) }()
	ctx, cancel := context.WithCancelCause(w.ctx)
	defer cancel(nil)
	watch := watchFor(w.stall(), cancel)
	defer watch.stop()
	req, err := w.request(ctx, t)
	if err != nil {
		return err
	}
	resp, err := w.client.Do(req)
	if err != nil {
		return w.lost(ctx, err)
	}
	defer resp.Body.Close()
	watch.works()
	body := &head{Reader: resp.Body, watch: watch}
	if err := w.look(ctx, resp, body); err != nil {
		return err
	}
	begin, end, err := w.accept(&t, resp)
	if err != nil || end == t.from {
		return err
	}
	if err := body.skip(t.from - begin); err != nil {
		return w.lost(ctx, err)
	}
	f := &flow{w: w, watch: watch, buf: buf, index: t.index, off: t.from, end: end}
	defer func() { t.index = f.index }()
	w.report()
	return f.run(ctx, body)
}

// stall is how long silence is waited for: longer at each try that has brought nothing.
func (w worker) stall() time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.r.Stall == 0 {
		return 0
	}
	return max(w.r.Stall, min(w.r.Stall<<min(w.failures, 16), w.r.MostStall))
}

func (w worker) release(index int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.segs.release(index)
}

func (w worker) request(ctx context.Context, t task) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, w.r.URL, nil)
	if err != nil {
		return nil, &attemptError{kind: giveUp, err: fmt.Errorf("%w: %w", ErrTransfer, withoutURL(err))}
	}
	// Offsets into what is encoded on the way would mean nothing.
	req.Header.Set("Accept-Encoding", "identity")
	if !t.plain {
		to := ""
		if t.to > 0 {
			to = strconv.FormatInt(t.to-1, 10)
		}
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-%s", t.from, to))
	}
	if w.r.Authorize != nil {
		if err := w.r.Authorize(req); err != nil {
			return nil, err
		}
	}
	return req, nil
}

// lost is the error of a connection that failed.
func (w worker) lost(ctx context.Context, err error) error {
	if w.ctx.Err() != nil {
		return context.Cause(w.ctx)
	}
	if ctx.Err() != nil {
		err = context.Cause(ctx) // the watch
	}
	how := tryAgain
	if transport.Untrusted(err) || errors.Is(err, transport.ErrNoTLS) || transport.RefusedByProxy(err) {
		how = giveUp // a password that is wrong stays wrong, and may be locked when it is sent again; so does a certificate, or a port
	}
	return &attemptError{kind: how, err: fmt.Errorf("%w: %s: %w", ErrTransfer, w.hostIn(err), withoutURL(err))}
}

// hostIn is who was asked when a connection failed.
func (w worker) hostIn(err error) string {
	at := w.r.URL
	var withURL *url.Error
	if errors.As(err, &withURL) {
		at = withURL.URL
	}
	u, parseErr := url.Parse(at)
	if parseErr == nil && u.Hostname() == "" {
		u, parseErr = url.Parse(w.r.URL) // a redirect to another path of the same host
	}
	if parseErr != nil {
		return "the server"
	}
	return u.Hostname()
}

// withoutURL drops the address: the query of a redirected one is a signature.
func withoutURL(err error) error {
	var withURL *url.Error
	if errors.As(err, &withURL) {
		return transport.WithoutAddress(withURL.Err)
	}
	return err
}

// accept looks at the head of an answer, and says from where and up to where its body reaches
// (below 0: unknown). A body that begins at the start of the file changes t.
func (w worker) accept(t *task, resp *http.Response) (begin, end int64, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.err != nil:
		return 0, 0, w.err
	case resp.StatusCode == http.StatusOK && t.plain, resp.StatusCode == http.StatusPartialContent && t.plain && isWhole(resp):
		end, err = w.acceptWholeLocked(resp)
		return 0, end, err
	case resp.StatusCode == http.StatusOK && w.active > 1:
		return 0, 0, refusal(startAgain, fmt.Errorf("%w: %s refused a range", ErrTransfer, hostOf(resp)))
	case resp.StatusCode == http.StatusOK:
		if w.restarts++; w.restarts > maxRestarts {
			return 0, 0, refusal(giveUp, fmt.Errorf("%w: %s has no ranges, and its answers break", ErrTransfer, hostOf(resp)))
		}
		if err := w.startAgainLocked(); err != nil {
			return 0, 0, err
		}
		*t = task{plain: true}
		end, err = w.acceptWholeLocked(resp)
		return 0, end, err
	case resp.StatusCode == http.StatusPartialContent && !t.plain:
		return w.acceptRangeLocked(t, resp)
	case resp.StatusCode == http.StatusRequestedRangeNotSatisfiable:
		end, err = w.acceptNothingLocked(t, resp)
		return t.from, end, err
	}
	return 0, 0, refusedBy(resp)
}

// refusedBy is an answer that is not the file. What a server says of a moment passes. What it says of the file may be said by
// one machine of many that does not have it yet, or of a signature that has run out: another request may be answered by another.
func refusedBy(resp *http.Response) *attemptError {
	b := refusal(giveUp, &statusError{Status: resp.StatusCode, Host: hostOf(resp)})
	switch code := resp.StatusCode; {
	case code >= 500 && code != http.StatusNotImplemented && code != http.StatusNetworkAuthenticationRequired,
		code == http.StatusRequestTimeout, code == http.StatusTooEarly, code == http.StatusTooManyRequests:
		b.kind = tryLong
	case code == http.StatusForbidden, code == http.StatusNotFound, code == http.StatusGone:
		b.kind = tryAgain
	default:
		return b
	}
	b.after, _ = retry.After(resp.Header, time.Now(), longestAsked) // none where nothing is asked for
	return b
}

// hostOf is who has answered.
func hostOf(resp *http.Response) string { return resp.Request.URL.Hostname() }

func refusal(k kind, err error) *attemptError {
	return &attemptError{kind: k, err: err, answered: true}
}

// acceptWholeLocked begins the file with an answer that has all of it.
func (w worker) acceptWholeLocked(resp *http.Response) (end int64, err error) {
	known := resp.ContentLength >= 0
	size := max(0, resp.ContentLength)
	if err := w.fits(size); err != nil {
		return 0, err
	}
	w.segs = emptySegments(size, known)
	w.segs.claimEmpty(0)
	w.answers, w.unmeasured = 1, ""
	if !known {
		w.unmeasured = hostOf(resp)
	}
	w.ranges = resp.Header.Get("Accept-Ranges") == "bytes"
	if err := w.ledger.rewrite(size, w.segs.got); err != nil {
		return 0, err
	}
	if w.segs.complete() {
		w.arrivedLocked()
	}
	w.getReadyLocked()
	w.more.Broadcast()
	if !known {
		return -1, nil
	}
	return size, nil
}

func (s *Stream) fits(size int64) error {
	if s.r.MaxBytes > 0 && size > s.r.MaxBytes {
		return fmt.Errorf("%w: more than %d bytes", ErrLength, s.r.MaxBytes)
	}
	return nil
}

// acceptRangeLocked looks whether a range has what was asked for, of a file as long as the one on the disk. It may begin earlier,
// as some servers give whole blocks alone. Tags and dates are of no interest: the digest decides. It also decides about a server
// that goes on to tell two lengths: one of them is wrong, and the bytes may be right.
func (w worker) acceptRangeLocked(t *task, resp *http.Response) (begin, end int64, err error) {
	from, to, total, ok := contentRange(resp.Header.Get("Content-Range"))
	if total >= 0 && w.segs.known && total != w.segs.size && (!w.sentAgain || w.r.SHA256 == "") {
		return 0, 0, refusal(startAgain, fmt.Errorf("%w: the file has %d bytes now, not %d", ErrLength, total, w.segs.size))
	}
	if !ok || from > t.from || to <= t.from {
		return 0, 0, refusal(startAgain, fmt.Errorf("%w: %s sent another range than it was asked for", ErrTransfer, hostOf(resp)))
	}
	if total >= 0 && !w.segs.known {
		if err := w.learnSizeLocked(total); err != nil {
			return 0, 0, err
		}
		w.unmeasured = ""
	}
	if w.segs.known {
		to = min(to, w.segs.size) // the rest is of no file that is known here
	}
	w.answers++
	w.ranges = true
	w.getReadyLocked()
	return from, to, nil // that may be less, or more, than was asked for
}

// learnSizeLocked is told the length after the beginning.
func (s *Stream) learnSizeLocked(size int64) error {
	if err := s.fits(size); err != nil {
		return err
	}
	s.segs.setSize(size)
	return s.ledger.rewrite(size, s.segs.got)
}

// acceptNothingLocked is told that there is nothing at and behind an offset. That is
// the truth where all had come but the news that it was all.
func (w worker) acceptNothingLocked(t *task, resp *http.Response) (end int64, err error) {
	if !w.segs.known && !t.plain {
		total, ok := strings.CutPrefix(resp.Header.Get("Content-Range"), "bytes */")
		size, err := strconv.ParseInt(total, 10, 64)
		if ok && err == nil && size == t.from {
			return t.from, w.wholeAtLocked(t.from)
		}
	}
	b := refusal(startAgain, &statusError{Status: resp.StatusCode, Host: hostOf(resp)})
	if t.plain {
		b.kind = giveUp
	}
	return 0, b
}

// isWhole tells whether a range is all of the file, as some caches call it.
func isWhole(resp *http.Response) bool {
	from, to, total, ok := contentRange(resp.Header.Get("Content-Range"))
	return ok && from == 0 && to == total && (resp.ContentLength < 0 || resp.ContentLength == total)
}

var rangeForm = pattern.New(`^bytes (\d{1,18})-(\d{1,18})/(\d{1,18}|\*)$`)

// contentRange reads a Content-Range; to is exclusive, and total below 0 where the server does not tell, or tells one that
// cannot be.
func contentRange(text string) (from, to, total int64, ok bool) {
	parts := rangeForm.FindStringSubmatch(text)
	if parts == nil {
		return 0, 0, 0, false
	}
	// The form lets nothing through that does not fit.
	from, _ = strconv.ParseInt(parts[1], 10, 64)
	to, _ = strconv.ParseInt(parts[2], 10, 64)
	to++
	total = -1
	if parts[3] != "*" {
		total, _ = strconv.ParseInt(parts[3], 10, 64)
	}
	if total < to {
		total = -1
	}
	return from, to, total, from < to
}
