// Package github holds the REST operations of a runner's life, for
// repositories, organizations and enterprises, behind one thin client.
package github

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/retry"
	"github.com/runner-bootstrap/runner-bootstrap/internal/secret"
	"github.com/runner-bootstrap/runner-bootstrap/internal/transport"
)

// apiVersion is the REST API version whose description our operations were
// checked against; GitHub supports it until 2028 at least.
const apiVersion = "2022-11-28"

// brokenTries is how often an answer that breaks off is asked for again.
const brokenTries = 2

// Client performs operations on the runners of one scope with one credential.
// It may be used by many goroutines at once.
type Client struct{ caller }

// caller sends what the operations of a Client ask for.
type caller struct {
	http       *transport.Client
	scope      Scope
	credential Credential
}

// NewClient returns a client. The credential's tokens are sent to the scope's
// API root and nowhere else.
func NewClient(http *transport.Client, scope Scope, credential Credential) *Client {
	return &Client{caller{http: http, scope: scope, credential: credential}}
}

// Scope is what the client's operations act on.
func (c *Client) Scope() Scope { return c.scope }

// request is one operation: what it is called in messages, what is sent, what
// is expected.
type request struct {
	op     string // "listing runners"
	method string
	suffix string // below the scope's actions/
	path   string // instead of suffix, below the API's root
	whole  bool   // op says all, the scope included where there is one
	query  url.Values
	body   any
	want   int
	answer any        // decoded into, unless nil
	date   *time.Time // set to the server's clock, unless nil
	landed *string    // set to the path that answered, unless nil: redirects lead away from the one asked for
}

// do sends a request, and once more where the credential has another token than
// one that was refused. That is safe for every method: a 401 had no effect.
func (c *caller) do(ctx context.Context, r request) error {
	op := r.op
	if !r.whole {
		op = fmt.Sprintf("%s of %s", r.op, c.scope)
	}
	token, err := c.credential.Token(ctx)
	if err != nil {
		return fmt.Errorf("%s: %w", op, err)
	}
	got, err := c.send(ctx, r, token)
	if err == nil && got.status == http.StatusUnauthorized {
		at, _ := http.ParseTime(got.header.Get("Date"))
		renewed, again, renewErr := c.credential.Renew(ctx, token, at)
		if renewErr != nil {
			return fmt.Errorf("%s: %w", op, renewErr)
		}
		if again {
			got, err = c.send(ctx, r, renewed)
		}
	}
	if err != nil {
		return fmt.Errorf("%s: %w", op, err)
	}
	return c.accept(op, r, got)
}

// send asks, and asks again where the answer to what only reads breaks off.
func (c *caller) send(ctx context.Context, r request, token secret.Secret) (reply, error) {
	for try := 0; ; try++ {
		got, broken, err := c.once(ctx, r, token)
		if !broken || r.method != http.MethodGet || try == brokenTries || !pause(ctx, try) {
			return got, err
		}
	}
}

// once sends one request. Broken says that the answer came and did not end well.
func (c *caller) once(ctx context.Context, r request, token secret.Secret) (got reply, broken bool, err error) {
	target := c.scope.API() + r.path
	if r.path == "" {
		target += c.scope.path(r.suffix)
	}
	if len(r.query) > 0 {
		target += "?" + r.query.Encode()
	}
	var body io.Reader
	if r.body != nil {
		text, err := json.Marshal(r.body)
		if err != nil {
			return reply{}, false, err
		}
		body = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, r.method, target, body)
	if err != nil {
		return reply{}, false, err
	}
	req.Header.Set("Accept", "application/vnd.github+json")
	req.Header.Set("X-GitHub-Api-Version", apiVersion)
	if !token.Empty() {
		req.Header.Set("Authorization", "Bearer "+token.Reveal())
	}
	if r.body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return reply{}, false, fmt.Errorf("%w: %w", ErrNetwork, bare(err))
	}
	defer resp.Body.Close()
	got, err = read(resp)
	if err != nil {
		return reply{}, true, fmt.Errorf("%w: reading the answer: %w", ErrNetwork, retry.Plain(err))
	}
	return got, false, nil
}

// accept takes an answer apart, or says why it is none.
func (c *caller) accept(op string, r request, got reply) error {
	if got.status != r.want {
		return got.refusal(op, c.scope, time.Now())
	}
	if got.long {
		return fmt.Errorf("%s: %w: it is longer than %d MiB", op, ErrNotGitHub, maxAnswer>>20)
	}
	if r.date != nil {
		*r.date = serverTime(got.header)
	}
	if r.landed != nil {
		*r.landed = got.path
	}
	if r.answer == nil {
		return nil
	}
	if err := json.Unmarshal(got.body, r.answer); err != nil {
		return fmt.Errorf("%s: %w%s", op, ErrNotGitHub, got.page())
	}
	return nil
}

// serverTime is the clock of the server, ours where it does not tell: a host
// that has just booted may not know the time yet.
func serverTime(header http.Header) time.Time {
	if at, err := http.ParseTime(header.Get("Date")); err == nil {
		return at
	}
	return time.Now()
}

// bare takes the URL out of a transport error: the operation is named already,
// and a query has no place in a message.
func bare(err error) error {
	var withURL *url.Error
	if errors.As(err, &withURL) {
		return fmt.Errorf("asking %s: %w", host(withURL.URL), transport.WithoutAddress(withURL.Err))
	}
	return err
}

func host(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return "the server"
	}
	return u.Host
}
