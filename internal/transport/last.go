package transport

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/runner-bootstrap/runner-bootstrap/internal/retry"
)

type lastKey struct{}

// last is what the latest try of one request came to.
type last struct {
	status int // of an answer; 0 without one
	err    error
}

// notice remembers what a try came to, for the error of a request whose time ends meanwhile. What the end of the time has
// itself made fail is none.
func notice(ctx context.Context, resp *http.Response, err error) {
	l, asked := ctx.Value(lastKey{}).(*last)
	switch {
	case !asked:
	case err != nil && ctx.Err() == nil:
		*l = last{err: err}
	case err == nil && resp != nil && ctx.Err() == nil:
		*l = last{status: resp.StatusCode}
	}
}

// explain adds to the error of a context what the latest try before came to: that is the reason for which it took so long.
func (l *last) explain(err error) error {
	if !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, context.Canceled) {
		return err
	}
	err = retry.Plain(err)
	switch {
	case l.status != 0:
		return fmt.Errorf("%w; the last answer was %d %s", err, l.status, http.StatusText(l.status))
	case errors.Is(l.err, ErrProxy):
		return fmt.Errorf("%w; the last try failed: %w", err, bare(l.err)) // so that its remedy is told
	case l.err != nil:
		return fmt.Errorf("%w; the last try failed: %v", err, bare(l.err)) //nolint:errorlint // it is not why this one failed
	}
	return err
}

// bare is an error without the URL that was asked.
func bare(err error) error {
	var withURL *url.Error
	if errors.As(err, &withURL) {
		return WithoutAddress(withURL.Err)
	}
	return err
}

// WithoutAddress is an error of net/http without an address that was answered and cannot be read: it may be signed.
func WithoutAddress(err error) error {
	if err != nil && strings.HasPrefix(err.Error(), "failed to parse Location header") {
		return errors.New("the answer leads to an address that cannot be read")
	}
	return err
}
