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

	"github.com/runner-bootstrap/runner-bootstrap/internal/transport"
)

const (
	// apiVersion is the REST API version whose description our operations were
	// checked against; GitHub supports it until 2028 at least.
	apiVersion = "2022-11-28"
	// maxAnswer bounds what is read of one answer: a page of 100 runners is
	// below 200 kB.
	maxAnswer = 16 << 20
)

// Client performs operations on the runners of one scope with one credential.
type Client struct {
	http  *transport.Client
	scope Scope
	token Secret
}

// NewClient returns a client. The token is sent to the scope's API root and
// nowhere else; with an empty one only what is public can be asked for.
func NewClient(http *transport.Client, scope Scope, token Secret) *Client {
	return &Client{http: http, scope: scope, token: token}
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
	public bool   // what is asked for is the same for everybody, not the scope's
	query  url.Values
	body   any
	want   int
	answer any        // decoded into, unless nil
	date   *time.Time // set to the server's clock, unless nil
}

func (c *Client) do(ctx context.Context, r request) error {
	op := r.op
	if !r.public {
		op = fmt.Sprintf("%s of %s", r.op, c.scope)
	}
	req, err := c.newRequest(ctx, r)
	if err != nil {
		return fmt.Errorf("%s: %w", op, err)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return fmt.Errorf("%s: %w: %w", op, ErrNetwork, bare(err))
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return fmt.Errorf("%s: %w: reading the answer: %w", op, ErrNetwork, err)
	}
	if resp.StatusCode != r.want {
		if resp.StatusCode < 400 {
			return fmt.Errorf("%s: %w: unexpected status %d", op, ErrNotGitHub, resp.StatusCode)
		}
		return newError(op, c.scope, resp, body, time.Now())
	}
	if r.date != nil {
		*r.date = serverTime(resp.Header)
	}
	if r.answer == nil {
		return nil
	}
	if err := json.Unmarshal(body, r.answer); err != nil {
		return fmt.Errorf("%s: %w", op, ErrNotGitHub)
	}
	return nil
}

func (c *Client) newRequest(ctx context.Context, r request) (*http.Request, error) {
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
			return nil, err
		}
		body = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, r.method, target, body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/vnd.github+json")
	req.Header.Set("X-GitHub-Api-Version", apiVersion)
	if !c.token.Empty() {
		req.Header.Set("Authorization", "Bearer "+c.token.Reveal())
	}
	if r.body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	return req, nil
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
		return fmt.Errorf("asking %s: %w", host(withURL.URL), withURL.Err)
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
