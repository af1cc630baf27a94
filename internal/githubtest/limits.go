package githubtest

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

const (
	limitsURL = "https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api"

	primaryLimit = "primary"

	primaryWindow      = time.Hour
	creatingWindow     = time.Minute
	registrationWindow = 5 * time.Minute
	// secondaryWait is what GitHub asks for after a secondary limit, and what its documentation asks for where the
	// answer names no time.
	secondaryWait = time.Minute
)

// ErrTooEarly is among the problems when a caller asks again before the time until which a limit told it to wait.
var ErrTooEarly = errors.New("a caller did not wait as it was told")

// Limits are rate limits as GitHub has them. They hold for everybody together, as if all came with one credential. A
// zero field limits nothing. Callers are told apart by their User-Agent: one that asks again before it was told to is
// a problem, see [ErrTooEarly].
type Limits struct {
	// Requests is how many requests the REST API takes in an hour that begins with the first one. A refused one counts
	// as well: GitHub does not say, and this is the harsher reading. GET /rate_limit is free, and knows nothing of this.
	Requests int
	// Creating is how many requests within any minute may do more than read.
	Creating int
	// Concurrent is how many requests the REST API answers at a time.
	Concurrent int
	// Registrations is how many runners may register within any five minutes, through their own protocol.
	Registrations int
	// WordsOnly leaves Retry-After out of every second refusal for Creating or Concurrent, as GitHub does: the words
	// alone tell it then, and mean a minute.
	WordsOnly bool
}

// GitHubLimits are those that GitHub documents for an ordinary credential. Not among them are the 900 points a minute to
// one endpoint, the 500 creations an hour, and the time of its processors.
func GitHubLimits() Limits {
	return Limits{Requests: 5000, Creating: 80, Concurrent: 100, Registrations: 1500, WordsOnly: true}
}

// limiter holds a server to its limits. It is guarded by the server's lock.
type limiter struct {
	Limits
	used          int
	ends          time.Time // of the hour in which used were used
	creating      window
	registrations window
	answering     int
	wordless      bool // the next secondary refusal has no Retry-After
	told          map[promise]time.Time
}

// promise is what a caller owes after a refusal: to stay away from one limit.
type promise struct{ caller, limit string }

// refusal is an answer, and until when it tells its caller to wait.
type refusal struct {
	answer
	until time.Time
}

// window counts what happened within a span of time.
type window []time.Time

// take notes one more, unless there were so many within the span already.
func (w *window) take(now time.Time, span time.Duration, most int) bool {
	for len(*w) > 0 && now.Sub((*w)[0]) >= span {
		*w = (*w)[1:]
	}
	if len(*w) >= most {
		return false
	}
	*w = append(*w, now)
	return true
}

func newLimiter(limits *Limits) *limiter {
	if limits == nil {
		return nil
	}
	return &limiter{Limits: *limits, told: map[promise]time.Time{}}
}

// tells is whether the limiter writes the headers of the primary limit; they have fixed values otherwise.
func (l *limiter) tells() bool { return l != nil && l.Requests > 0 }

// limited lets a request through to next while the limits allow it. It is below the contract, to which refusals are
// answers like others.
func (s *Server) limited(next http.Handler) http.Handler {
	if s.limits == nil {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		refused := s.admit(w.Header(), r)
		s.mu.Unlock()
		if refused != nil {
			writeAnswer(w, refused.answer)
			return
		}
		if counted(r) {
			defer func() {
				s.mu.Lock()
				defer s.mu.Unlock()
				s.limits.answering--
			}()
		}
		next.ServeHTTP(w, r)
	})
}

// admit puts every limit to a request that it falls under, until one refuses it. A request that is admitted is being
// answered from then on. The caller holds the lock.
func (s *Server) admit(header http.Header, r *http.Request) *refusal {
	l, now := s.limits, s.now()
	over := l.over(r)
	for _, one := range over {
		owed := promise{caller: r.UserAgent(), limit: one.name}
		if early := l.told[owed].Sub(now); early > 0 {
			s.problems = append(s.problems, fmt.Errorf("%w: %s %s of %q came %v too early for the %s limit",
				ErrTooEarly, r.Method, r.URL.Path, owed.caller, early, owed.limit))
		}
	}
	for _, one := range over {
		refused := one.allow(now)
		if one.name == primaryLimit {
			l.describe(header)
		}
		if refused != nil {
			l.told[promise{caller: r.UserAgent(), limit: one.name}] = refused.until
			return refused
		}
	}
	if counted(r) {
		l.answering++
	}
	return nil
}

// counted tells the requests of the REST API that cost something from the runner's own protocol, which has long polls.
func counted(r *http.Request) bool {
	return !isRunnerProtocol(r.URL.Path, r.Header.Get("Authorization")) && r.URL.Path != "/rate_limit"
}

// limit is one of the limits, in the order in which they are asked.
type limit struct {
	name  string
	allow func(now time.Time) *refusal
}

// over lists the limits that a request falls under. The runner's own protocol has one of its own.
func (l *limiter) over(r *http.Request) []limit {
	if r.URL.Path == registerPath {
		return []limit{{"registration", l.register}}
	}
	if !counted(r) {
		return nil
	}
	all := []limit{{primaryLimit, l.primary}, {"concurrency", l.concurrent}}
	if r.Method != http.MethodGet {
		all = append(all, limit{"creation", l.create})
	}
	return all
}

func (l *limiter) primary(now time.Time) *refusal {
	if !now.Before(l.ends) {
		// The header has whole seconds, so an hour ends with one.
		l.used, l.ends = 0, time.Unix(now.Add(primaryWindow+time.Second-1).Unix(), 0)
	}
	l.used++
	if l.Requests == 0 || l.used <= l.Requests {
		return nil
	}
	a := tooMuch(http.StatusForbidden, "API rate limit exceeded for user ID 1. If you reach out to GitHub Support for help, "+
		"please include the request ID.", 0)
	return &refusal{a, l.ends}
}

// describe writes the headers that every answer of the REST API has.
func (l *limiter) describe(header http.Header) {
	if !l.tells() {
		return
	}
	for name, n := range map[string]int64{
		"X-RateLimit-Limit": int64(l.Requests), "X-RateLimit-Used": int64(min(l.used, l.Requests)),
		"X-RateLimit-Remaining": int64(max(l.Requests-l.used, 0)), "X-RateLimit-Reset": l.ends.Unix(),
	} {
		header.Set(name, strconv.FormatInt(n, 10))
	}
	header.Set("X-RateLimit-Resource", "core")
}

func (l *limiter) concurrent(now time.Time) *refusal {
	if l.Concurrent == 0 || l.answering < l.Concurrent {
		return nil
	}
	return l.secondary(now)
}

func (l *limiter) create(now time.Time) *refusal {
	if l.Creating == 0 || l.creating.take(now, creatingWindow, l.Creating) {
		return nil
	}
	return l.secondary(now)
}

func (l *limiter) secondary(now time.Time) *refusal {
	wait := secondaryWait
	if l.wordless {
		wait = 0
	}
	l.wordless = l.WordsOnly && !l.wordless
	return &refusal{
		tooMuch(http.StatusForbidden, "You have exceeded a secondary rate limit. Please wait a few minutes before you try again.", wait),
		now.Add(secondaryWait),
	}
}

func (l *limiter) register(now time.Time) *refusal {
	if l.Registrations == 0 || l.registrations.take(now, registrationWindow, l.Registrations) {
		return nil
	}
	wait := (l.registrations[0].Add(registrationWindow).Sub(now) + time.Second - 1).Truncate(time.Second)
	return &refusal{tooMuch(http.StatusTooManyRequests, "Too many runners were registered.", wait), now.Add(wait)}
}

// tooMuch refuses for a limit, with Retry-After unless the wait is zero.
func tooMuch(status int, message string, wait time.Duration) answer {
	a := answer{status: status, body: map[string]string{"message": message, "documentation_url": limitsURL}}
	if wait > 0 {
		a.header = http.Header{"Retry-After": {strconv.Itoa(int(wait / time.Second))}}
	}
	return a
}
