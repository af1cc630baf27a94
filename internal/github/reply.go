package github

import (
	"bytes"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode"

	"github.com/runner-bootstrap/runner-bootstrap/internal/pattern"
	"github.com/runner-bootstrap/runner-bootstrap/internal/transport"
)

const (
	// maxAnswer bounds what is read of one answer: a page of 100 runners is
	// below 200 kB.
	maxAnswer = 16 << 20
	// maxWords bounds what is shown of any text that a server sent.
	maxWords = 500
	// maxTitle bounds what is shown, and titleWithin what is searched, of a page
	// that is not GitHub's.
	maxTitle    = 100
	titleWithin = 64 << 10
)

var titlePattern = pattern.New(`(?is)<title[^>]*>(.*?)</title`)

// reply is an answer, read as far as it may go.
type reply struct {
	status int
	header http.Header
	body   []byte
	long   bool     // there was more than maxAnswer
	asked  *url.URL // what answered, after redirects
	path   string
}

func read(resp *http.Response) (reply, error) {
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	got := reply{status: resp.StatusCode, header: resp.Header, body: body}
	if resp.Request != nil && resp.Request.URL != nil {
		got.asked, got.path = resp.Request.URL, resp.Request.URL.Path
	}
	if len(body) > maxAnswer {
		got.body, got.long = body[:maxAnswer], true
	}
	return got, err
}

// refusal is what an answer means that is not the one hoped for.
func (r reply) refusal(op string, scope Scope, now time.Time) error {
	switch {
	case r.status < 300:
		return fmt.Errorf("%s: %w: unexpected status %d%s", op, ErrNotGitHub, r.status, r.page())
	case r.status < 400:
		return fmt.Errorf("%s: %w", op, r.moved())
	case r.foreign(now):
		return fmt.Errorf("%s: %w: status %d%s", op, ErrNotGitHub, r.status, r.page())
	}
	return newError(op, scope, r, now)
}

// foreign tells a refusal by what stands between GitHub and us: a portal or
// proxy answers with a page, and without the id that GitHub gives every
// request. A failing gateway is different: GitHub's own answers like that too.
func (r reply) foreign(now time.Time) bool {
	_, limited := transport.Limited(r.status, r.header, now)
	// 511 is the status by which a portal says that it is one.
	server := r.status >= 500 && r.status != http.StatusNetworkAuthenticationRequired
	return !server && !limited && r.isPage() && r.header.Get("X-GitHub-Request-Id") == ""
}

// moved says where an answer leads that was not followed. Of a place on the same
// host the path is told, of any other one the host: the rest is nobody's business
// and may be long.
func (r reply) moved() error {
	to, err := url.Parse(r.header.Get("Location"))
	if err != nil || r.asked == nil || r.header.Get("Location") == "" {
		return fmt.Errorf("%w: unexpected status %d", ErrNotGitHub, r.status)
	}
	to = r.asked.ResolveReference(to)
	if to.Scheme != r.asked.Scheme || to.Host != r.asked.Host {
		return fmt.Errorf("%w: unexpected status %d, which leads to %q", ErrNotGitHub, r.status, oneLine(to.Host, maxTitle))
	}
	return fmt.Errorf("%w (status %d) to %q", ErrMoved, r.status, oneLine(to.EscapedPath(), maxWords))
}

func (r reply) isPage() bool {
	return strings.HasPrefix(r.header.Get("Content-Type"), "text/html") || bytes.HasPrefix(bytes.TrimSpace(r.body), []byte("<"))
}

// page describes an answer that is a page for people, by its title: that names
// the portal or proxy which wants something. It is empty for what is no page.
func (r reply) page() string {
	if len(bytes.TrimSpace(r.body)) == 0 && r.status != http.StatusNoContent {
		return ": it is empty"
	}
	if !r.isPage() {
		return ""
	}
	if title := r.title(); title != "" {
		return fmt.Sprintf(": a page titled %q", title)
	}
	return ": a page of HTML"
}

func (r reply) title() string {
	found := titlePattern.FindSubmatch(r.body[:min(len(r.body), titleWithin)])
	if found == nil {
		return ""
	}
	return oneLine(html.UnescapeString(string(found[1])), maxTitle)
}

// oneLine makes a server's text fit for a terminal and a log: one line of
// printable characters, cut after so many.
func oneLine(text string, most int) string {
	text = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, text[:min(len(text), 8*most)])
	letters := []rune(strings.Join(strings.Fields(text), " "))
	if len(letters) > most {
		return string(letters[:most]) + "..."
	}
	return string(letters)
}
