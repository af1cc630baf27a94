package github

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/transport"
)

// What an [Error] can be matched against with errors.Is.
var (
	ErrUnauthorized = errors.New("the credential was not accepted")
	ErrForbidden    = errors.New("the credential is too weak")
	ErrNotFound     = errors.New("not found, or hidden from this credential")
	ErrConflict     = errors.New("it exists already")
	ErrBusy         = errors.New("the runner is running a job")
	ErrRateLimited  = errors.New("the rate limit is used up")
	ErrServer       = errors.New("the server failed")
	// ErrNetwork means that no answer came.
	ErrNetwork = errors.New("GitHub could not be reached")
)

// ErrNotGitHub means that something answered which does not speak GitHub's
// API: a proxy's login page, a wrong host.
var ErrNotGitHub = errors.New("the answer is not GitHub's JSON")

// Error is an answer of GitHub's that refuses an operation.
type Error struct {
	Op            string // what was being done, "listing runners of organization octo-org"
	Status        int
	Message       string // GitHub's own words
	Documentation string // where GitHub says it is explained
	RequestID     string // what GitHub's support asks for
	Scope         Scope
	Reset         time.Time // when to ask again after ErrRateLimited; zero otherwise
	limited       bool
}

func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: GitHub answered %d", e.Op, e.Status)
	if e.Message != "" {
		fmt.Fprintf(&b, ": %s", e.Message)
	}
	if e.Status == http.StatusNotFound {
		b.WriteString(" (or hidden: that is how GitHub answers a credential without the permission)")
	}
	if e.RequestID != "" {
		fmt.Fprintf(&b, " (request id %s)", e.RequestID)
	}
	return b.String()
}

// Is matches the sentinels above by status and GitHub's message.
func (e *Error) Is(target error) bool {
	switch target {
	case ErrRateLimited:
		return e.limited
	case ErrUnauthorized:
		return e.Status == http.StatusUnauthorized
	case ErrForbidden:
		return e.Status == http.StatusForbidden && !e.limited
	case ErrNotFound:
		return e.Status == http.StatusNotFound
	case ErrConflict:
		return e.Status == http.StatusConflict
	case ErrBusy:
		return e.Status == http.StatusUnprocessableEntity && strings.Contains(e.Message, "running a job")
	case ErrServer:
		return e.Status >= http.StatusInternalServerError
	}
	return false
}

// newError reads a refusal. A body that is not JSON does not hide the status.
func newError(op string, scope Scope, resp *http.Response, body []byte, now time.Time) *Error {
	e := &Error{Op: op, Scope: scope, Status: resp.StatusCode, RequestID: resp.Header.Get("X-GitHub-Request-Id")}
	var answer struct {
		Message       string `json:"message"`
		Documentation string `json:"documentation_url"`
	}
	if json.Unmarshal(body, &answer) == nil {
		e.Message, e.Documentation = answer.Message, answer.Documentation
	} else {
		e.Message = http.StatusText(resp.StatusCode)
	}
	if wait, limited := transport.Limited(resp.StatusCode, resp.Header, now); limited {
		e.limited, e.Reset = true, now.Add(wait)
	}
	return e
}
