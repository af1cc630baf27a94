package transfer

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/retry"
)

// attempt sends one request and writes down what it brings. It returns nil
// where it brought all it was asked for, or met what another connection has.
func (s *Stream) attempt(t task, buf []byte) error {
	defer func() { s.release(t.index) }()
	ctx, cancel := context.WithCancelCause(s.ctx)
	defer cancel(nil)
	watch := watchFor(s.r.Stall, cancel)
	defer watch.stop()
	req, err := s.request(ctx, t)
	if err != nil {
		return err
	}
	resp, err := s.client.Do(req)
	if err != nil {
		return s.lost(ctx, err)
	}
	defer resp.Body.Close()
	watch.works()
	end, err := s.accept(&t, resp)
	if err != nil || end == t.from {
		return err
	}
	f := &flow{s: s, watch: watch, buf: buf, index: t.index, off: t.from, end: end}
	defer func() { t.index = f.index }()
	s.report()
	return f.run(ctx, resp.Body)
}

func (s *Stream) release(index int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.segs.release(index)
}

func (s *Stream) request(ctx context.Context, t task) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.r.URL, nil)
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
		s.mu.Lock()
		known := s.validator
		s.mu.Unlock()
		if unchanged := known.ETag; unchanged != "" {
			req.Header.Set("If-Range", unchanged)
		} else if known.Modified != "" {
			req.Header.Set("If-Range", known.Modified)
		}
	}
	if s.r.Authorize != nil {
		s.r.Authorize(req)
	}
	return req, nil
}

// lost is the error of a connection that failed.
func (s *Stream) lost(ctx context.Context, err error) error {
	if s.ctx.Err() != nil {
		return context.Cause(s.ctx)
	}
	if ctx.Err() != nil {
		err = context.Cause(ctx) // the watch
	}
	return &attemptError{kind: tryAgain, err: fmt.Errorf("%w: %w", ErrTransfer, withoutURL(err))}
}

// withoutURL drops the address: the query of a redirected one is a signature.
func withoutURL(err error) error {
	var withURL *url.Error
	if errors.As(err, &withURL) {
		return withURL.Err
	}
	return err
}

// accept looks at the head of an answer, and says up to where its body reaches
// (below 0: unknown). A body that begins at the start of the file changes t.
func (s *Stream) accept(t *task, resp *http.Response) (end int64, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.err != nil:
		return 0, s.err
	case resp.StatusCode == http.StatusOK && t.plain:
		return s.acceptWholeLocked(resp)
	case resp.StatusCode == http.StatusOK && s.active > 1:
		return 0, refusal(startAgain, fmt.Errorf("%w: the server refused a range", ErrTransfer))
	case resp.StatusCode == http.StatusOK:
		if s.restarts++; s.restarts > maxRestarts {
			return 0, refusal(giveUp, fmt.Errorf("%w: the server has no ranges, and its answers break", ErrTransfer))
		}
		if err := s.startAgainLocked(); err != nil {
			return 0, err
		}
		*t = task{plain: true}
		return s.acceptWholeLocked(resp)
	case resp.StatusCode == http.StatusPartialContent && !t.plain:
		return s.acceptRangeLocked(t, resp)
	case resp.StatusCode == http.StatusRequestedRangeNotSatisfiable:
		return s.acceptNothingLocked(t, resp)
	}
	b := refusal(giveUp, &StatusError{resp.StatusCode})
	if resp.StatusCode >= 500 || resp.StatusCode == http.StatusTooManyRequests {
		b.kind = tryAgain
		b.after, _ = retry.After(resp.Header, time.Now(), longestAsked) // none where nothing is asked for
	}
	return 0, b
}

func refusal(k kind, err error) *attemptError {
	return &attemptError{kind: k, err: err, answered: true}
}

// acceptWholeLocked begins the file with an answer that has all of it.
func (s *Stream) acceptWholeLocked(resp *http.Response) (end int64, err error) {
	known := resp.ContentLength >= 0
	size := max(0, resp.ContentLength)
	if err := s.fits(size); err != nil {
		return 0, err
	}
	s.segs = emptySegments(size, known)
	s.segs.claimEmpty(0)
	s.validator = validator{Modified: resp.Header.Get("Last-Modified")}
	if tag := resp.Header.Get("ETag"); strong(tag) {
		s.ETag = tag
	}
	s.ranges = resp.Header.Get("Accept-Ranges") == "bytes"
	if err := s.ledger.rewrite(size, s.validator, s.segs.got); err != nil {
		return 0, err
	}
	if s.segs.complete() {
		s.arrivedLocked()
	}
	s.getReadyLocked()
	s.more.Broadcast()
	if !known {
		return -1, nil
	}
	return size, nil
}

// strong tells whether a tag stands for the very bytes: W/ ones do not.
func strong(tag string) bool { return strings.HasPrefix(tag, `"`) }

func (s *Stream) fits(size int64) error {
	if s.r.MaxBytes > 0 && size > s.r.MaxBytes {
		return fmt.Errorf("%w: more than %d bytes", ErrLength, s.r.MaxBytes)
	}
	return nil
}

// acceptRangeLocked looks whether a range is the one that was asked for, of the file
// that is on disk.
func (s *Stream) acceptRangeLocked(t *task, resp *http.Response) (end int64, err error) {
	from, to, total, ok := contentRange(resp.Header.Get("Content-Range"))
	if !ok || from != t.from {
		return 0, refusal(startAgain, fmt.Errorf("%w: the server sent another range than it was asked for", ErrTransfer))
	}
	if total >= 0 && s.segs.known && total != s.segs.size {
		return 0, refusal(startAgain, fmt.Errorf("%w: the file has %d bytes now, not %d", ErrLength, total, s.segs.size))
	}
	if tag := resp.Header.Get("ETag"); strong(tag) && s.ETag != "" && tag != s.ETag {
		return 0, refusal(startAgain, fmt.Errorf("%w: the server sent a range of another file", ErrTransfer))
	}
	if total >= 0 && !s.segs.known {
		if err := s.learnSizeLocked(total); err != nil {
			return 0, err
		}
	}
	s.ranges = true
	s.getReadyLocked()
	return to, nil // that may be less, or more, than was asked for
}

// learnSizeLocked is told the length after the beginning.
func (s *Stream) learnSizeLocked(size int64) error {
	if err := s.fits(size); err != nil {
		return err
	}
	s.segs.setSize(size)
	return s.ledger.rewrite(size, s.validator, s.segs.got)
}

// acceptNothingLocked is told that there is nothing at and behind an offset. That is
// the truth where all had come but the news that it was all.
func (s *Stream) acceptNothingLocked(t *task, resp *http.Response) (end int64, err error) {
	if total, ok := strings.CutPrefix(resp.Header.Get("Content-Range"), "bytes */"); ok && !s.segs.known && !t.plain {
		if size, err := strconv.ParseInt(total, 10, 64); err == nil && size == t.from {
			if err := s.learnSizeLocked(size); err != nil {
				return 0, err
			}
			s.arrivedLocked()
			s.getReadyLocked()
			s.more.Broadcast()
			return size, nil
		}
	}
	b := refusal(startAgain, &StatusError{resp.StatusCode})
	if t.plain {
		b.kind = giveUp
	}
	return 0, b
}

var rangeForm = regexp.MustCompile(`^bytes (\d{1,18})-(\d{1,18})/(\d{1,18}|\*)$`)

// contentRange reads a Content-Range; to is exclusive, and total below 0 where
// the server does not tell.
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
	return from, to, total, from < to && (total < 0 || to <= total)
}
