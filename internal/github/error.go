package github

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/transport"
)

// maxDetails bounds how many details of one refusal are kept.
const maxDetails = 10

// What an [Error] can be matched against with errors.Is.
var (
	ErrUnauthorized = errors.New("the credential was not accepted")
	ErrForbidden    = errors.New("the credential is too weak")
	// ErrSSO means that the credential may be strong enough and has to be
	// authorized for an organization with single sign-on, at the URL in
	// [Error.SSO]. Such an error is ErrForbidden or ErrNotFound as well.
	ErrSSO      = errors.New("the credential is not authorized for single sign-on")
	ErrNotFound = errors.New("not found, or hidden from this credential")
	ErrConflict = errors.New("it exists already")
	ErrBusy     = errors.New("the runner is running a job")
	// ErrUnprocessable means that GitHub understood and does not take it;
	// [Error.Details] say what is wrong with which field.
	ErrUnprocessable = errors.New("GitHub does not take what it was sent")
	// ErrRefused means that GitHub refuses a request in another way than those above: 400, 405, 413 and so on.
	ErrRefused     = errors.New("GitHub refuses the request")
	ErrRateLimited = errors.New("the rate limit is used up")
	ErrServer      = errors.New("the server failed")
	// ErrNetwork means that no answer came.
	ErrNetwork = errors.New("GitHub could not be reached")
)

// ErrNotGitHub means that something answered which does not speak GitHub's
// API: a proxy's login page, a wrong host.
var ErrNotGitHub = errors.New("the answer is not GitHub's JSON")

// ErrMoved means that the scope has another address by now, as after a rename,
// and that the operation cannot follow there by itself.
var ErrMoved = errors.New("it has moved")

// Error is an answer of GitHub's that refuses an operation. Its texts are
// GitHub's, made one printable line each and cut where they are too long.
type Error struct {
	Op            string // what was being done, "listing runners of organization octo-org"
	Status        int
	Message       string   // GitHub's own words
	Details       []string // what is wrong with single fields, "labels: is invalid"
	Documentation string   // where GitHub says it is explained
	RequestID     string   // what GitHub's support asks for
	Scope         Scope
	Reset         time.Time // when to ask again after ErrRateLimited; zero otherwise
	SSO           string    // the URL to authorize the credential at after ErrSSO; may be empty
	// Has are the scopes of a classic token. Nil means that the credential is of
	// another kind, empty that it has none.
	Has []string
	// Needs are the permissions each of which would do: scopes of a classic
	// token ("admin:org"), or else those of an App or a fine-grained token
	// ("organization_self_hosted_runners=write"). Nil where GitHub does not tell.
	Needs   []string
	limited bool
	sso     bool
	cause   error // one of those of cause.go, nil if the sentence does not tell
}

// Said are GitHub's own words; empty without any.
func (e *Error) Said() string {
	if len(e.Details) == 0 {
		return e.Message
	}
	return strings.TrimPrefix(e.Message+": "+strings.Join(e.Details, "; "), ": ")
}

func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: GitHub answered %d", e.Op, e.Status)
	if said := e.Said(); said != "" {
		fmt.Fprintf(&b, ": %s", said)
	}
	if e.Status == http.StatusNotFound {
		b.WriteString(" (or hidden: that is how GitHub answers a credential without the permission)")
	}
	b.WriteString(e.permissions())
	if e.SSO != "" {
		fmt.Fprintf(&b, " (authorize it at %s)", e.SSO)
	}
	if e.RequestID != "" {
		fmt.Fprintf(&b, " (request id %s)", e.RequestID)
	}
	return b.String()
}

// permissions says what the credential lacks, where GitHub tells.
func (e *Error) permissions() string {
	if e.Status != http.StatusForbidden && e.Status != http.StatusNotFound || e.limited || e.sso || len(e.Needs) == 0 {
		return ""
	}
	if e.Has != nil && e.MissingScope() == "" {
		return "" // it is not the scopes that it lacks
	}
	needs := strings.Join(e.Needs, " or ")
	switch {
	case e.Has == nil:
		return " (it needs the permission " + needs + ")"
	case len(e.Has) == 0:
		return " (the token has no scope; it needs " + needs + ")"
	}
	return " (the token has " + strings.Join(e.Has, ", ") + "; it needs " + needs + ")"
}

// Is matches the sentinels above by status, headers and GitHub's message.
func (e *Error) Is(target error) bool {
	if e.cause != nil && target == e.cause {
		return true
	}
	switch target {
	case ErrRateLimited:
		return e.limited
	case ErrUnauthorized:
		return e.Status == http.StatusUnauthorized
	case ErrForbidden:
		return e.Status == http.StatusForbidden && !e.limited
	case ErrSSO:
		return e.sso
	case ErrNotFound:
		return e.Status == http.StatusNotFound
	case ErrConflict:
		return e.Status == http.StatusConflict
	case ErrBusy:
		return e.Status == http.StatusUnprocessableEntity && e.busy()
	case ErrUnprocessable:
		return e.Status == http.StatusUnprocessableEntity && !e.busy()
	case ErrServer:
		return e.Status >= http.StatusInternalServerError
	case ErrRefused:
		return e.unusual()
	}
	return false
}

// unusual tells a refusal that none of the other sentinels is for.
func (e *Error) unusual() bool {
	usual := []int{
		http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusConflict, http.StatusUnprocessableEntity,
	}
	return e.Status >= http.StatusBadRequest && e.Status < http.StatusInternalServerError &&
		e.cause == nil && !e.limited && !slices.Contains(usual, e.Status)
}

func (e *Error) busy() bool { return strings.Contains(e.Message, "running a job") }

// newError reads a refusal. A body that is not JSON does not hide the status.
func newError(op string, scope Scope, r reply, now time.Time) *Error {
	e := &Error{Op: op, Scope: scope, Status: r.status, RequestID: oneLine(r.header.Get("X-GitHub-Request-Id"), maxTitle)}
	var answer struct {
		Message       string          `json:"message"`
		Documentation string          `json:"documentation_url"`
		Errors        json.RawMessage `json:"errors"`
	}
	if json.Unmarshal(r.body, &answer) == nil {
		e.Message, e.Documentation = oneLine(answer.Message, maxWords), oneLine(answer.Documentation, maxWords)
		e.Details = details(answer.Errors)
	} else if e.Message = r.title(); e.Message == "" {
		e.Message = http.StatusText(r.status)
	}
	e.cause = causeOf(r.status, e.Said())
	e.readPermissions(r.header)
	e.sso = e.sso || errors.Is(e.cause, ErrSSO)
	e.limited = errors.Is(e.cause, ErrRateLimited)
	if wait, limited := transport.Limited(r.status, r.header, now); limited {
		e.limited, e.Reset = true, now.Add(wait)
	}
	return e
}

// Refusal is an answer of GitHub's that somebody else has got.
func Refusal(op string, scope Scope, status int, body []byte) *Error {
	return newError(op, scope, reply{status: status, body: body}, time.Now())
}

// details reads what GitHub says of single fields: a list of sentences, or of
// objects with some of a field, a code and a message; or a sentence alone.
func details(raw json.RawMessage) []string {
	var list []json.RawMessage
	var sentence string
	if json.Unmarshal(raw, &sentence) == nil && oneLine(sentence, maxWords) != "" {
		return []string{oneLine(sentence, maxWords)}
	}
	if len(raw) == 0 || json.Unmarshal(raw, &list) != nil {
		return nil
	}
	var all []string
	for _, item := range list[:min(len(list), maxDetails)] {
		var one struct {
			Field, Code, Message string
		}
		var text string
		switch {
		case json.Unmarshal(item, &text) == nil:
		case json.Unmarshal(item, &one) == nil:
			if text = one.Message; text == "" {
				text = strings.ReplaceAll(one.Code, "_", " ")
			}
			if one.Field != "" && !strings.Contains(text, one.Field) {
				text = one.Field + ": " + text
			}
		}
		if text = oneLine(text, maxWords); text != "" {
			all = append(all, text)
		}
	}
	return all
}

// readPermissions reads the headers in which GitHub says what a credential may
// do, what would do, and where single sign-on is in the way.
func (e *Error) readPermissions(header http.Header) {
	if scopes, classic := header[http.CanonicalHeaderKey("X-OAuth-Scopes")]; classic {
		e.Has, e.Needs = split(strings.Join(scopes, ","), ","), split(header.Get("X-Accepted-OAuth-Scopes"), ",")
		if e.Has == nil {
			e.Has = []string{}
		}
	} else {
		e.Needs = split(header.Get("X-Accepted-GitHub-Permissions"), ";")
	}
	parts := split(header.Get("X-GitHub-SSO"), ";")
	e.sso = slices.Contains(parts, "required")
	for _, part := range parts {
		raw, isURL := strings.CutPrefix(part, "url=")
		if u, err := url.Parse(raw); isURL && err == nil && (u.Scheme == "https" || u.Scheme == "http" && loopback(u.Hostname())) {
			e.SSO = u.String()
		}
	}
}

func split(list, separator string) []string {
	var all []string
	for word := range strings.SplitSeq(list, separator) {
		if word = oneLine(word, maxWords); word != "" {
			all = append(all, word)
		}
	}
	return all
}
