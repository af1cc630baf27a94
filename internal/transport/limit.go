package transport

import (
	"bytes"
	"context"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/hashicorp/go-retryablehttp"

	"github.com/runner-bootstrap/runner-bootstrap/internal/retry"
)

const (
	// longestAsked is longer than anybody waits.
	longestAsked = 1000 * time.Hour
	// alone is the part of a wait that a host stays away longer which seems to have the credential for itself.
	alone = 20
	// spread is up to how many times longer than they were asked for others stay away,
	// and mostSpread for how long at first; both are doubled so many times while they
	// are refused again. Those that were refused together would be refused together
	// for ever; and refusals count against the hourly limit, which a thousand hosts
	// (test/herd) use up with a spread below three minutes.
	spread       = 4
	mostSpread   = 4 * time.Minute
	spreadDouble = 4
	// mostLimits bounds the waits of one request, whatever the server says.
	mostLimits = 50
	// maxPeek is how much of an answer is read for the words of a limit.
	maxPeek = 4 << 10
)

// obey sends a request until no rate limit refuses it, and waits as GitHub asks
// each time, while that ends before the context does.
func (c *Client) obey(ctx context.Context, req *retryablehttp.Request) (*http.Response, error) {
	for turn := 0; ; turn++ {
		resp, err := c.retry.Do(req)
		if err != nil {
			return resp, err
		}
		readWords(resp)
		asked, limited := Limited(resp.StatusCode, resp.Header, time.Now())
		if !limited || turn == mostLimits || !fits(ctx, asked) {
			return resp, nil
		}
		wait := asked + stayAway(ctx, asked, turn, c.company.refusesMany(resp, turn))
		if c.log != nil {
			c.log.Info("waiting for GitHub's rate limit",
				"method", req.Method, "path", req.URL.Path, "wait", wait.Round(time.Second).String())
		}
		// What was read to its end leaves the connection to the next try.
		_, _ = io.CopyN(io.Discard, resp.Body, maxPeek)
		_ = resp.Body.Close()
		if err := retry.Sleep(ctx, wait); err != nil {
			return nil, err
		}
	}
}

// stayAway is a random time beyond the wait that was asked for, within the
// context's.
func stayAway(ctx context.Context, asked time.Duration, turn int, herd bool) time.Duration {
	most := min(max(asked, time.Second)/alone, mostSpread)
	if herd {
		most = min(spread*max(asked, time.Second), mostSpread) << min(turn, spreadDouble)
	}
	if deadline, ok := ctx.Deadline(); ok {
		most = min(most, time.Until(deadline)-asked)
	}
	if most <= 0 {
		return 0
	}
	return rand.N(most)
}

// readWords looks for a secondary limit that is told in words alone, and adds the
// header that such an answer lacks: GitHub's documentation asks for a minute then.
// The body can still be read.
func readWords(resp *http.Response) {
	if resp.StatusCode != http.StatusForbidden {
		return
	}
	if _, limited := Limited(resp.StatusCode, resp.Header, time.Now()); limited {
		return
	}
	begin, err := io.ReadAll(io.LimitReader(resp.Body, maxPeek))
	rest := io.MultiReader(bytes.NewReader(begin), resp.Body)
	if err != nil {
		rest = io.MultiReader(bytes.NewReader(begin), failing{err})
	}
	resp.Body = struct {
		io.Reader
		io.Closer
	}{rest, resp.Body}
	said := bytes.ToLower(begin)
	if slices.ContainsFunc(limitWords(), func(words string) bool { return bytes.Contains(said, []byte(words)) }) {
		resp.Header.Set("Retry-After", strconv.Itoa(int(time.Minute/time.Second)))
	}
}

// limitWords are those of a limit, also of servers that call it by its old name.
func limitWords() []string {
	return []string{"secondary rate limit", "abuse detection", "rate limit exceeded"}
}

// failing ends a body as it ended when we looked at it.
type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

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
	if wait, found := retry.After(header, now, longestAsked); found {
		return wait
	}
	if header.Get("X-RateLimit-Remaining") == "0" {
		if reset, err := strconv.ParseInt(header.Get("X-RateLimit-Reset"), 10, 64); err == nil {
			// One second more: the header is cut to whole seconds.
			return retry.Seconds(max(0, reset)-retry.Answered(header, now).Unix(), longestAsked) + time.Second
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
