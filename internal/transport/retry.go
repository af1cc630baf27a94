package transport

import (
	"context"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"

	"github.com/hashicorp/go-retryablehttp"
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

// checkRetry decides whether a request is sent again. retryablehttp would
// re-send a POST that may have taken effect, and would never retry GitHub's
// 403 rate limits.
func checkRetry(ctx context.Context, resp *http.Response, err error) (bool, error) {
	if ctx.Err() != nil {
		return false, ctx.Err()
	}
	if err != nil {
		if !repeatable(ctx) {
			return false, err
		}
		// Its rules know the errors that no second try can mend: an untrusted
		// certificate, an unknown scheme, an invalid header.
		return retryablehttp.DefaultRetryPolicy(ctx, nil, err)
	}
	if limited(resp) {
		return fits(ctx, limitWait(resp, time.Now())), nil
	}
	serverError := resp.StatusCode >= 500 && resp.StatusCode != http.StatusNotImplemented
	return serverError && repeatable(ctx), nil
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

// limited tells whether GitHub refused the request for its rate limits, the
// primary or a secondary one.
func limited(resp *http.Response) bool {
	switch resp.StatusCode {
	case http.StatusTooManyRequests:
		return true
	case http.StatusForbidden:
		return resp.Header.Get("Retry-After") != "" || resp.Header.Get("X-RateLimit-Remaining") == "0"
	}
	return false
}

// limitWait is how long GitHub asks to wait: Retry-After, else until the reset
// of the exhausted limit, else a minute as its documentation says for
// secondary limits.
func limitWait(resp *http.Response, now time.Time) time.Duration {
	if after := resp.Header.Get("Retry-After"); after != "" {
		if seconds, err := strconv.Atoi(after); err == nil {
			return max(0, time.Duration(seconds)*time.Second)
		}
		if at, err := http.ParseTime(after); err == nil {
			return max(0, at.Sub(now))
		}
	}
	if resp.Header.Get("X-RateLimit-Remaining") == "0" {
		if reset, err := strconv.ParseInt(resp.Header.Get("X-RateLimit-Reset"), 10, 64); err == nil {
			// One second more: the header is cut to whole seconds.
			return max(0, time.Unix(reset, 0).Sub(now)+time.Second)
		}
	}
	return time.Minute
}

// fits tells whether a wait ends before the context does. Without a deadline
// nothing bounds the wait but ourselves: an hour is the longest primary window.
func fits(ctx context.Context, wait time.Duration) bool {
	deadline, ok := ctx.Deadline()
	if !ok {
		return wait <= time.Hour
	}
	return time.Now().Add(wait).Before(deadline)
}

// backoff is what GitHub asked for, or else exponential with full jitter, so
// that hosts that failed together do not come back together.
func backoff(least, most time.Duration, attempt int, resp *http.Response) time.Duration {
	if resp != nil && limited(resp) {
		return limitWait(resp, time.Now())
	}
	ceiling := min(most, least<<min(attempt, 16))
	return least/2 + rand.N(ceiling)
}
