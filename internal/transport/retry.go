package transport

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/hashicorp/go-retryablehttp"

	"github.com/runner-bootstrap/runner-bootstrap/internal/retry"
)

type (
	methodKey     struct{}
	repeatableKey struct{}
)

// Repeatable marks the requests of ctx as safe to send twice although they are
// POSTs: minting a second registration token does no harm.
func Repeatable(ctx context.Context) context.Context {
	return context.WithValue(ctx, repeatableKey{}, true)
}

// checkRetry decides whether a request that failed is sent again. retryablehttp
// would re-send a POST that may have taken effect. Rate limits are no failures:
// see [Client.Do].
func checkRetry(ctx context.Context, resp *http.Response, err error) (bool, error) {
	notice(ctx, resp, err)
	switch {
	case ctx.Err() != nil && errors.Is(err, ErrProxy):
		return false, err // it says for whom the time was spent
	case ctx.Err() != nil:
		return false, ctx.Err()
	}
	if err != nil {
		if Untrusted(err) || errors.Is(err, ErrNoTLS) || RefusedByProxy(err) || !repeatable(ctx) {
			return false, err
		}
		// Its rules know the errors that no second try can mend: an unknown scheme, an invalid header.
		return retryablehttp.DefaultRetryPolicy(ctx, nil, err)
	}
	// These two do not pass by themselves: the operation is not there, or a portal is in the way.
	lasting := resp.StatusCode == http.StatusNotImplemented || resp.StatusCode == http.StatusNetworkAuthenticationRequired
	failed := resp.StatusCode >= 500 && !lasting || resp.StatusCode == http.StatusRequestTimeout || resp.StatusCode == http.StatusTooEarly
	return failed && repeatable(ctx), nil
}

func repeatable(ctx context.Context) bool {
	if marked, _ := ctx.Value(repeatableKey{}).(bool); marked {
		return true
	}
	switch ctx.Value(methodKey{}) {
	case http.MethodGet, http.MethodHead, http.MethodPut, http.MethodDelete:
		return true
	}
	return false
}

// backoff has hosts that failed together not come back together. A server that says when to come back is not asked earlier, as
// long as that is not later than we come back anyway.
func backoff(least, most time.Duration, attempt int, resp *http.Response) time.Duration {
	pause := retry.Backoff{First: least, Most: most}.Jitter(attempt + 1)
	if resp == nil {
		return pause
	}
	if asked, told := retry.After(resp.Header, time.Now(), most); told && asked > pause {
		return retry.AtLeast(asked)
	}
	return pause
}
