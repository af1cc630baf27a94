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

// longestAsked is longer than anybody waits.
const longestAsked = 1000 * time.Hour

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
	if wait, limited := Limited(resp.StatusCode, resp.Header, time.Now()); limited {
		return fits(ctx, wait), nil
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

// Limited tells whether an answer refuses a request for GitHub's rate limits,
// the primary or a secondary one, and how long GitHub asks to wait then.
func Limited(status int, header http.Header, now time.Time) (wait time.Duration, limited bool) {
	switch status {
	case http.StatusTooManyRequests:
		return limitWait(header, now), true
	case http.StatusForbidden:
		if header.Get("Retry-After") != "" || header.Get("X-RateLimit-Remaining") == "0" {
			return limitWait(header, now), true
		}
	}
	return 0, false
}

// limitWait is Retry-After, else until the reset of the exhausted limit, else
// a minute as GitHub's documentation says for secondary limits.
func limitWait(header http.Header, now time.Time) time.Duration {
	if after := header.Get("Retry-After"); after != "" {
		if seconds, err := strconv.ParseInt(after, 10, 64); err == nil {
			return whole(seconds)
		}
		if at, err := http.ParseTime(after); err == nil {
			return min(max(0, at.Sub(now)), longestAsked)
		}
	}
	if header.Get("X-RateLimit-Remaining") == "0" {
		if reset, err := strconv.ParseInt(header.Get("X-RateLimit-Reset"), 10, 64); err == nil {
			// One second more: the header is cut to whole seconds.
			return whole(max(0, reset)-now.Unix()) + time.Second
		}
	}
	return time.Minute
}

// whole is a number of seconds that was asked for. One that does not fit into
// a Duration would otherwise come out as no wait at all.
func whole(seconds int64) time.Duration {
	return time.Duration(min(max(0, seconds), int64(longestAsked/time.Second))) * time.Second
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
	if resp != nil {
		if wait, limited := Limited(resp.StatusCode, resp.Header, time.Now()); limited {
			return wait
		}
	}
	ceiling := min(most, least<<min(attempt, 16))
	return least/2 + rand.N(ceiling)
}
