package githubtest_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/githubtest"
)

const (
	listed = "/orgs/octo-org/actions/runners"
	minted = "/orgs/octo-org/actions/runners/registration-token"
	joined = "/actions/runners/register"
)

// narrow is a server with limits, in memory, on the clock of a bubble.
type narrow struct {
	*githubtest.Server
	wire *http.Transport
}

func within(t *testing.T, limits *githubtest.Limits, test func(*testing.T, narrow)) {
	t.Helper()
	held, err := theContract()
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		pipes := githubtest.NewPipes("github.test")
		n := narrow{wire: &http.Transport{DialContext: pipes.Dial}}
		n.Server, err = githubtest.Start(githubtest.Config{
			API: pipes, Archives: githubtest.NewPipes("archives.test"), Limits: limits,
			Wrap: func(next http.Handler) http.Handler { return held.Wrap(next, func(err error) { n.Report(err) }) },
		})
		if err != nil {
			t.Fatal(err)
		}
		test(t, n)
		n.wire.CloseIdleConnections()
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
}

// say sends one request, and returns the answer with GitHub's words in it.
func (n narrow) say(ctx context.Context, caller, method, path string) (reply, string, error) {
	req, err := http.NewRequestWithContext(ctx, method, n.APIURL()+path, nil)
	if err != nil {
		return reply{}, "", err
	}
	for name, value := range map[string]string{
		"User-Agent": caller, "Authorization": "Bearer " + n.Token(), "Accept": "application/vnd.github+json",
		"X-GitHub-Api-Version": "2022-11-28",
	} {
		req.Header.Set(name, value)
	}
	resp, err := n.wire.RoundTrip(req)
	if err != nil {
		return reply{}, "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	var words struct {
		Message string `json:"message"`
	}
	if resp.StatusCode >= http.StatusBadRequest && err == nil {
		err = json.Unmarshal(text, &words)
	}
	return reply{status: resp.StatusCode, header: resp.Header}, words.Message, err
}

// wait moves the clock.
func wait(d time.Duration) { <-time.After(d) }

func TestLimits(t *testing.T) {
	t.Parallel()
	const primary, secondary, registration = "API rate limit exceeded", "You have exceeded a secondary rate limit", "Too many runners"
	type step struct {
		after        time.Duration
		caller       string
		method, path string
		status       int
		header       string // "Name: value" that it has, or "Name" that it has not
		words        string
	}
	for _, c := range []struct {
		name   string
		limits *githubtest.Limits
		steps  []step
		early  int // requests that came too early
	}{
		{name: "none", steps: []step{
			{0, "a", "GET", listed, 200, "X-RateLimit-Remaining: 4999", ""},
			{0, "a", "POST", minted, 201, "X-RateLimit-Remaining: 4998", ""},
		}},
		{name: "all zero", limits: &githubtest.Limits{}, steps: []step{
			{0, "a", "GET", listed, 200, "X-RateLimit-Remaining: 4999", ""},
			{0, "a", "POST", minted, 201, "Retry-After", ""},
			{0, "a", "POST", joined, 404, "Retry-After", "Not Found"},
		}},
		{name: "primary counts down", limits: &githubtest.Limits{Requests: 2}, steps: []step{
			{0, "a", "GET", listed, 200, "X-RateLimit-Remaining: 1", ""},
			{0, "b", "POST", minted, 201, "X-RateLimit-Remaining: 0", ""},
			{0, "b", "GET", listed, 403, "X-RateLimit-Remaining: 0", primary},
			{0, "c", "GET", listed, 403, "Retry-After", primary},
			{0, "d", "GET", listed, 403, "X-RateLimit-Reset: 946688400", primary}, // an hour after midnight of 2000-01-01
			{0, "e", "GET", listed, 403, "X-RateLimit-Used: 2", primary},
			{0, "f", "GET", listed, 403, "X-RateLimit-Limit: 2", primary},
			{0, "g", "GET", listed, 403, "X-RateLimit-Resource: core", primary},
			{time.Hour - 1, "h", "GET", listed, 403, "X-RateLimit-Remaining: 0", primary},
			{1, "b", "GET", listed, 200, "X-RateLimit-Remaining: 1", ""},
		}},
		{name: "an hour ends with a whole second", limits: &githubtest.Limits{Requests: 1}, steps: []step{
			{time.Second / 2, "a", "GET", listed, 200, "X-RateLimit-Reset: 946688401", ""},
			{time.Hour, "b", "GET", listed, 403, "X-RateLimit-Reset: 946688401", primary},
			{time.Second / 2, "b", "GET", listed, 200, "X-RateLimit-Reset: 946692001", ""},
		}},
		{name: "an hour begins with the first request", limits: &githubtest.Limits{Requests: 1}, steps: []step{
			{90 * time.Minute, "a", "GET", listed, 200, "X-RateLimit-Reset: 946693800", ""},
			{90 * time.Minute, "a", "GET", listed, 200, "X-RateLimit-Reset: 946699200", ""},
		}},
		{name: "what the creation limit refuses counts as a request", limits: &githubtest.Limits{Requests: 4, Creating: 1}, steps: []step{
			{0, "a", "POST", minted, 201, "X-RateLimit-Remaining: 3", ""},
			{0, "a", "POST", minted, 403, "X-RateLimit-Remaining: 2", secondary},
			{0, "b", "POST", minted, 403, "X-RateLimit-Remaining: 1", secondary},
		}},
		{name: "creation within any minute", limits: &githubtest.Limits{Creating: 2}, steps: []step{
			{0, "a", "POST", minted, 201, "Retry-After", ""},
			{40 * time.Second, "b", "POST", minted, 201, "Retry-After", ""},
			{20*time.Second - 1, "c", "POST", minted, 403, "Retry-After: 60", secondary},
			{0, "c", "GET", listed, 200, "Retry-After", ""}, // to read is not to create
			{1, "d", "POST", minted, 201, "Retry-After", ""},
			{0, "e", "POST", minted, 403, "Retry-After: 60", secondary},
			{40 * time.Second, "f", "POST", minted, 201, "Retry-After", ""},
		}},
		{name: "a refused creation is none", limits: &githubtest.Limits{Creating: 1}, steps: []step{
			{0, "a", "POST", minted, 201, "Retry-After", ""},
			{59 * time.Second, "b", "POST", minted, 403, "Retry-After: 60", secondary},
			{time.Second, "c", "POST", minted, 201, "Retry-After", ""},
		}},
		{name: "every second refusal has words alone", limits: &githubtest.Limits{Creating: 1, WordsOnly: true}, steps: []step{
			{0, "a", "POST", minted, 201, "Retry-After", ""},
			{0, "b", "POST", minted, 403, "Retry-After: 60", secondary},
			{0, "c", "POST", minted, 403, "Retry-After", secondary},
			{0, "d", "DELETE", listed + "/1", 403, "Retry-After: 60", secondary},
			{0, "e", "POST", minted, 403, "Retry-After", secondary},
		}},
		{name: "registrations within five minutes", limits: &githubtest.Limits{Registrations: 2}, steps: []step{
			{0, "a", "POST", joined, 404, "Retry-After", "Not Found"},
			{100 * time.Second, "b", "POST", joined, 404, "Retry-After", "Not Found"},
			{time.Second / 2, "c", "POST", joined, 429, "Retry-After: 200", registration}, // 199.5, and never too little
			{0, "c", "POST", minted, 201, "Retry-After", ""},
			{200 * time.Second, "c", "POST", joined, 404, "Retry-After", "Not Found"},
		}},
		{name: "what asks for the limit is free", limits: &githubtest.Limits{Requests: 1, Concurrent: 1}, steps: []step{
			{0, "a", "GET", "/rate_limit", 200, "Retry-After", ""},
			{0, "a", "POST", joined, 404, "Retry-After", "Not Found"},
			{0, "a", "GET", listed, 200, "X-RateLimit-Remaining: 0", ""},
		}},
		{name: "too early for creation", limits: &githubtest.Limits{Creating: 1}, early: 2, steps: []step{
			{0, "a", "POST", minted, 201, "Retry-After", ""},
			{30 * time.Second, "a", "POST", minted, 403, "Retry-After: 60", secondary},
			{60*time.Second - 1, "a", "POST", minted, 201, "Retry-After", ""}, // too early, though it is free again
			{0, "b", "POST", minted, 403, "Retry-After: 60", secondary},
			{0, "a", "GET", listed, 200, "Retry-After", ""},
			{60*time.Second - 1, "b", "POST", minted, 403, "Retry-After: 60", secondary}, // and told again
			{60 * time.Second, "b", "POST", minted, 201, "Retry-After", ""},
		}},
		{name: "too early after words alone", limits: &githubtest.Limits{Creating: 1, WordsOnly: true}, early: 1, steps: []step{
			{0, "a", "POST", minted, 201, "Retry-After", ""},
			{0, "b", "POST", minted, 403, "Retry-After: 60", secondary},
			{30 * time.Second, "c", "POST", minted, 403, "Retry-After", secondary},
			{30 * time.Second, "c", "POST", minted, 201, "Retry-After", ""},
			{30 * time.Second, "b", "GET", listed, 200, "Retry-After", ""},
		}},
		{name: "too early for the primary limit", limits: &githubtest.Limits{Requests: 1}, early: 1, steps: []step{
			{0, "a", "GET", listed, 200, "Retry-After", ""},
			{0, "b", "GET", listed, 403, "Retry-After", primary},
			{time.Hour - 1, "b", "POST", minted, 403, "Retry-After", primary},
			{1, "b", "GET", listed, 200, "Retry-After", ""},
		}},
		{name: "too early for a registration", limits: &githubtest.Limits{Registrations: 1}, early: 1, steps: []step{
			{0, "a", "POST", joined, 404, "Retry-After", "Not Found"},
			{0, "b", "POST", joined, 429, "Retry-After: 300", registration},
			{0, "b", "GET", listed, 200, "Retry-After", ""},
			{299 * time.Second, "b", "POST", joined, 429, "Retry-After: 1", registration},
			{time.Second, "b", "POST", joined, 404, "Retry-After", "Not Found"},
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			within(t, c.limits, func(t *testing.T, n narrow) {
				for i, s := range c.steps {
					wait(s.after)
					got, words, err := n.say(t.Context(), s.caller, s.method, s.path)
					if err != nil {
						t.Fatal(err)
					}
					name, value, _ := strings.Cut(s.header, ": ")
					if got.status != s.status || got.header.Get(name) != value || !strings.HasPrefix(words, s.words) {
						t.Errorf("step %d: %d, %s %q, %q; want %d, %q, %q",
							i, got.status, name, got.header.Get(name), words, s.status, value, s.words)
					}
				}
				n.wantEarly(t, c.early)
			})
		})
	}
}

// wantEarly fails unless so many requests were too early, and nothing else was wrong.
func (n narrow) wantEarly(t *testing.T, want int) {
	t.Helper()
	early := 0
	for _, problem := range n.Problems() {
		if errors.Is(problem, githubtest.ErrTooEarly) {
			early++
			t.Log(problem)
			continue
		}
		t.Errorf("problem: %v", problem)
	}
	if early != want {
		t.Errorf("%d requests were told to be too early, want %d", early, want)
	}
}

// So many are answered at a time as the limit says, those of the runner's own protocol aside.
func TestConcurrencyLimit(t *testing.T) {
	t.Parallel()
	within(t, &githubtest.Limits{Requests: 10, Concurrent: 2}, func(t *testing.T, n narrow) {
		n.Fault(githubtest.Fault{Path: listed, Delay: time.Minute})
		n.Fault(githubtest.Fault{Path: joined, Delay: time.Hour})
		answers := make(chan int, 3)
		for i, path := range []string{joined, listed, listed} {
			method := map[string]string{joined: http.MethodPost, listed: http.MethodGet}[path]
			go func() {
				got, _, err := n.say(t.Context(), strconv.Itoa(i), method, path)
				if err != nil {
					t.Error(err)
				}
				answers <- got.status
			}()
			synctest.Wait()
		}
		ask := func(caller string, want int, retry, left string) {
			t.Helper()
			got, _, err := n.say(t.Context(), caller, http.MethodPost, minted)
			if err != nil || got.status != want || got.header.Get("Retry-After") != retry || got.header.Get("X-RateLimit-Remaining") != left {
				t.Errorf("%s: %d, %v, %v; want %d, Retry-After %q, %s requests left", caller, got.status, got.header, err, want, retry, left)
			}
		}
		ask("first", http.StatusForbidden, "60", "7") // the refused one counts
		wait(time.Minute)
		if one, two := <-answers, <-answers; one != http.StatusOK || two != http.StatusOK {
			t.Errorf("the two that were answered got %d and %d", one, two)
		}
		ask("first", http.StatusCreated, "", "6")
		ask("second", http.StatusCreated, "", "5")
		if registered := <-answers; registered != http.StatusNotFound {
			t.Errorf("the registration got %d", registered)
		}
		n.wantEarly(t, 0)
	})
}

// GitHub's own limits are a matter of record.
func TestGitHubLimits(t *testing.T) {
	t.Parallel()
	want := githubtest.Limits{Requests: 5000, Creating: 80, Concurrent: 100, Registrations: 1500, WordsOnly: true}
	if got := githubtest.GitHubLimits(); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}
