package transport

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// answer is what a scripted server says; with err the connection breaks.
type answer struct {
	status int
	header map[string]string
	body   string // empty: "the answer"
	err    error
}

// script stands in for the network: it gives one answer after the other, the
// last one for ever.
type script struct {
	answers []answer
	bodies  []string
	at      []time.Time
	closed  int
}

func (s *script) RoundTrip(req *http.Request) (*http.Response, error) {
	now := s.answers[min(len(s.at), len(s.answers)-1)]
	s.at = append(s.at, time.Now())
	body := ""
	if req.Body != nil {
		text, err := io.ReadAll(req.Body)
		if err != nil {
			return nil, err
		}
		body = string(text)
	}
	s.bodies = append(s.bodies, body)
	if errors.Is(now.err, errHangs) {
		<-req.Context().Done()
		return nil, req.Context().Err()
	}
	if now.err != nil {
		return nil, now.err
	}
	header := http.Header{}
	for name, value := range now.header {
		header.Set(name, value)
	}
	answerBody := &watched{Reader: strings.NewReader(cmp.Or(now.body, "the answer")), closed: &s.closed}
	return &http.Response{StatusCode: now.status, Header: header, Body: answerBody, Request: req}, nil
}

type watched struct {
	io.Reader
	closed *int
}

func (w *watched) Close() error { *w.closed++; return nil }

// scripted is a client whose network is the script.
func scripted(s *script) *Client {
	c := NewAPI(Config{UserAgent: "test"})
	c.retry.HTTPClient.Transport = s
	return c
}

func request(ctx context.Context, t *testing.T, method, body string) *http.Request {
	t.Helper()
	var reader io.Reader
	if body != "" {
		reader = strings.NewReader(body)
	}
	req, err := http.NewRequestWithContext(ctx, method, "https://github.test/runners", reader)
	if err != nil {
		t.Fatal(err)
	}
	return req
}

var errBroken = errors.New("connection reset")

func TestWhatIsSentAgain(t *testing.T) {
	t.Parallel()
	status := func(codes ...int) (all []answer) {
		for _, code := range codes {
			all = append(all, answer{status: code})
		}
		return all
	}
	limit := func(code int, header map[string]string) []answer {
		return []answer{{status: code, header: header}, {status: 200}}
	}
	const jitter = -1 // the wait is ours, not asked for
	epoch := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
	cases := []struct {
		name       string
		method     string
		repeatable bool
		deadline   time.Duration
		answers    []answer
		tries      int
		status     int // 0: an error
		wait       time.Duration
	}{
		{name: "success", method: "GET", answers: status(200), tries: 1, status: 200},
		{name: "GET after a 500", method: "GET", answers: status(500, 200), tries: 2, status: 200, wait: jitter},
		{name: "HEAD after a 502", method: "HEAD", answers: status(502, 200), tries: 2, status: 200, wait: jitter},
		{name: "PUT after a 503", method: "PUT", answers: status(503, 200), tries: 2, status: 200, wait: jitter},
		{name: "DELETE after a 504", method: "DELETE", answers: status(504, 204), tries: 2, status: 204, wait: jitter},
		{name: "GET after a broken connection", method: "GET", answers: []answer{{err: errBroken}, {status: 200}}, tries: 2, status: 200, wait: jitter},
		{name: "GET gives up with the last answer", method: "GET", answers: status(503), tries: 1 + retries, status: 503, wait: jitter},
		{name: "GET gives up with the last error", method: "GET", answers: []answer{{err: errBroken}}, tries: 1 + retries, wait: jitter},
		{name: "GET 501 cannot get better", method: "GET", answers: status(501), tries: 1, status: 501},
		{name: "GET 404 is an answer", method: "GET", answers: status(404), tries: 1, status: 404},
		{name: "DELETE 422 is an answer", method: "DELETE", answers: status(422), tries: 1, status: 422},
		{name: "GET 401 is an answer", method: "GET", answers: status(401), tries: 1, status: 401},

		{name: "POST may have taken effect before a 502", method: "POST", answers: status(502, 201), tries: 1, status: 502},
		{name: "POST may have taken effect before the connection broke", method: "POST", answers: []answer{{err: errBroken}}, tries: 1},
		{name: "PATCH likewise", method: "PATCH", answers: status(502, 200), tries: 1, status: 502},
		{name: "repeatable POST after a 502", method: "POST", repeatable: true, answers: status(502, 201), tries: 2, status: 201, wait: jitter},
		{name: "repeatable POST after a broken connection", method: "POST", repeatable: true, answers: []answer{{err: errBroken}, {status: 201}}, tries: 2, status: 201, wait: jitter},
		{name: "repeatable POST 409 is an answer", method: "POST", repeatable: true, answers: status(409), tries: 1, status: 409},

		{name: "POST 429 had no effect", method: "POST", answers: limit(429, map[string]string{"Retry-After": "30"}), tries: 2, status: 200, wait: 30 * time.Second},
		{name: "Retry-After as a date", method: "GET", answers: limit(429, map[string]string{"Retry-After": "Sat, 01 Jan 2000 00:02:00 GMT"}), tries: 2, status: 200, wait: 2 * time.Minute},
		{name: "Retry-After in the past", method: "GET", answers: limit(429, map[string]string{"Retry-After": "Fri, 31 Dec 1999 00:00:00 GMT"}), tries: 2, status: 200},
		{name: "Retry-After of nothing", method: "GET", answers: limit(429, map[string]string{"Retry-After": "0"}), tries: 2, status: 200},
		{name: "Retry-After below nothing", method: "GET", answers: limit(429, map[string]string{"Retry-After": "-5"}), tries: 2, status: 200},
		{name: "Retry-After that is none", method: "GET", answers: limit(429, map[string]string{"Retry-After": "soon"}), tries: 2, status: 200, wait: time.Minute},
		{name: "429 without a word", method: "GET", answers: limit(429, nil), tries: 2, status: 200, wait: time.Minute},
		{name: "403 for the secondary limit", method: "POST", answers: limit(403, map[string]string{"Retry-After": "5"}), tries: 2, status: 200, wait: 5 * time.Second},
		{name: "403 for the primary limit", method: "POST", answers: limit(403, map[string]string{"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "946684890"}), tries: 2, status: 200, wait: 91 * time.Second},
		{name: "primary limit without its reset", method: "GET", answers: limit(403, map[string]string{"X-RateLimit-Remaining": "0"}), tries: 2, status: 200, wait: time.Minute},
		{name: "403 with some of the limit left", method: "GET", answers: limit(403, map[string]string{"X-RateLimit-Remaining": "10", "X-RateLimit-Reset": "946684890"}), tries: 1, status: 403},
		{name: "403 alone", method: "GET", answers: status(403), tries: 1, status: 403},
		{name: "403 that tells the limit in words", method: "POST", answers: []answer{
			{status: 403, body: `{"message":"You have exceeded a secondary rate limit. Please wait a few minutes before you try again."}`}, {status: 200},
		}, tries: 2, status: 200, wait: time.Minute},
		{name: "403 that tells the limit by its old name", method: "POST", answers: []answer{
			{status: 403, body: `{"message":"You have triggered an abuse detection mechanism. Please wait a few minutes before you try again."}`}, {status: 200},
		}, tries: 2, status: 200, wait: time.Minute},
		{name: "403 for another reason", method: "GET", answers: []answer{{status: 403}, {status: 200}}, tries: 1, status: 403},
		{name: "404 with rate limit headers", method: "GET", answers: limit(404, map[string]string{"Retry-After": "5"}), tries: 1, status: 404},

		{name: "wait beyond the deadline", method: "GET", deadline: 10 * time.Second, answers: limit(429, map[string]string{"Retry-After": "30"}), tries: 1, status: 429},
		{name: "wait before the deadline", method: "GET", deadline: 31 * time.Second, answers: limit(429, map[string]string{"Retry-After": "30"}), tries: 2, status: 200, wait: 30 * time.Second},
		{name: "an hour without a deadline", method: "GET", answers: limit(429, map[string]string{"Retry-After": "3600"}), tries: 2, status: 200, wait: time.Hour},
		{name: "more than an hour without a deadline", method: "GET", answers: limit(429, map[string]string{"Retry-After": "3601"}), tries: 1, status: 429},
		{name: "Retry-After beyond what a Duration holds", method: "GET", answers: limit(429, map[string]string{"Retry-After": "9223372036854775807"}), tries: 1, status: 429},
		{name: "Retry-After beyond what a number holds", method: "GET", deadline: time.Second, answers: limit(429, map[string]string{"Retry-After": "99999999999999999999"}), tries: 1, status: 429},
		{name: "reset beyond what a Duration holds", method: "GET", answers: limit(429, map[string]string{"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "9223372036854775807"}), tries: 1, status: 429},
		{name: "reset below what a Duration holds", method: "GET", answers: limit(429, map[string]string{"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "-9223372036854775808"}), tries: 2, status: 200, wait: time.Second},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				if !time.Now().Equal(epoch) {
					t.Fatalf("the fake clock begins at %v", time.Now())
				}
				ctx := t.Context()
				if c.repeatable {
					ctx = Repeatable(ctx)
				}
				if c.deadline > 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, c.deadline)
					defer cancel()
				}
				s := &script{answers: c.answers}
				resp, err := scripted(s).Do(request(ctx, t, c.method, ""))
				switch {
				case (err != nil) != (c.status == 0):
					t.Fatalf("err = %v, want status %d", err, c.status)
				case err != nil && !errors.Is(err, errBroken):
					t.Errorf("err = %v, which hides what broke", err)
				case err == nil && resp.StatusCode != c.status:
					t.Errorf("status %d, want %d", resp.StatusCode, c.status)
				}
				if err == nil {
					if text, err := io.ReadAll(resp.Body); string(text) != "the answer" {
						t.Errorf("the last answer reads %q, %v: it was read before", text, err)
					}
				}
				if len(s.at) != c.tries {
					t.Errorf("%d tries, want %d", len(s.at), c.tries)
				}
				waited := s.at[len(s.at)-1].Sub(s.at[0])
				if c.wait == jitter {
					if least := time.Duration(c.tries-1) * waitMin / 2; waited < least || waited > time.Minute {
						t.Errorf("waited %v in all, want %v to a minute", waited, least)
					}
				} else if most := c.wait + max(c.wait, time.Second)/alone; waited < c.wait || c.tries > 1 && waited >= most {
					t.Errorf("waited %v, want %v to %v", waited, c.wait, most)
				}
			})
		})
	}
}

// Who is refused again and again stays away longer, comes back some time, and
// keeps on only within reason.
func TestLimitByTheServersClock(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	header := http.Header{
		"X-Ratelimit-Remaining": {"0"}, "X-Ratelimit-Reset": {strconv.FormatInt(at.Add(time.Minute).Unix(), 10)}, "Date": {at.Format(http.TimeFormat)},
	}
	for _, off := range []time.Duration{-25 * time.Hour, 0, 25 * time.Hour} {
		if wait, limited := Limited(http.StatusForbidden, header, at.Add(off)); !limited || wait != 61*time.Second {
			t.Errorf("with a clock that is off by %s the wait is %s, %t", off, wait, limited)
		}
	}
}

func TestLimitsInARow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &script{answers: []answer{{status: 403, header: map[string]string{"Retry-After": "60"}}}}
		resp, err := scripted(s).Do(request(t.Context(), t, "POST", "{}"))
		if err != nil || resp.StatusCode != 403 {
			t.Fatalf("%v, %v", resp, err)
		}
		if len(s.at) != mostLimits+1 {
			t.Errorf("%d tries", len(s.at))
		}
		var longest time.Duration
		for i := 1; i < len(s.at); i++ {
			wait, most := s.at[i].Sub(s.at[i-1]), time.Minute+mostSpread<<min(i-1, spreadDouble)
			if wait < time.Minute || wait >= most {
				t.Errorf("wait %d took %v, want a minute to %v", i, wait, most)
			}
			longest = max(longest, wait)
		}
		if longest < 16*time.Minute {
			t.Errorf("the longest of %d waits was %v", mostLimits, longest)
		}
		if text, err := io.ReadAll(resp.Body); string(text) != "the answer" {
			t.Errorf("the last answer reads %q, %v", text, err)
		}
	})
}

// A look at the words of an answer takes nothing away from it.
func TestAnswerThatWasLookedAtIsWhole(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 3*maxPeek)
	s := &script{answers: []answer{{status: 403, body: long}}}
	resp, err := scripted(s).Do(request(t.Context(), t, "GET", ""))
	if err != nil {
		t.Fatal(err)
	}
	if text, err := io.ReadAll(resp.Body); string(text) != long || err != nil {
		t.Errorf("%d of %d bytes, %v", len(text), len(long), err)
	}
	if err := resp.Body.Close(); err != nil || s.closed != 1 {
		t.Errorf("closed %d times, %v", s.closed, err)
	}
	cut := &http.Response{StatusCode: http.StatusForbidden, Header: http.Header{}, Body: io.NopCloser(io.MultiReader(strings.NewReader("secondary rate"), failing{errBroken}))}
	readWords(cut)
	if text, err := io.ReadAll(cut.Body); string(text) != "secondary rate" || !errors.Is(err, errBroken) || cut.Header.Get("Retry-After") != "" {
		t.Errorf("%q, %v, %v", text, err, cut.Header)
	}
}

func TestBodyOfRepeatedPOSTIsWhole(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &script{answers: []answer{{status: 502}, {status: 429}, {status: 201}}}
		const body = `{"name":"web-1","labels":["a","b"]}`
		resp, err := scripted(s).Do(request(Repeatable(t.Context()), t, "POST", body))
		if err != nil || resp.StatusCode != 201 {
			t.Fatalf("%v, %v", resp, err)
		}
		if len(s.bodies) != 3 {
			t.Fatalf("%d tries, want 3", len(s.bodies))
		}
		for i, got := range s.bodies {
			if got != body {
				t.Errorf("try %d had the body %q, want %q", i+1, got, body)
			}
		}
	})
}

func TestEndOfContextEndsAWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(3*time.Second, cancel)
		s := &script{answers: []answer{{status: 429, header: map[string]string{"Retry-After": "600"}}}}
		began := time.Now()
		_, err := scripted(s).Do(request(ctx, t, "GET", ""))
		if !errors.Is(err, context.Canceled) {
			t.Errorf("err = %v, want the context's", err)
		}
		if took := time.Since(began); took != 3*time.Second {
			t.Errorf("it took %v after a cancel at 3s", took)
		}
	})
}

// An answer and the end of the context can meet; then nobody else closes it.
func TestAnswerAfterTheContextIsClosed(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	s := &script{answers: []answer{{status: 200}}}
	c := scripted(s)
	c.retry.HTTPClient.Transport = roundTrip(func(req *http.Request) (*http.Response, error) {
		defer cancel()
		return s.RoundTrip(req)
	})
	resp, err := c.Do(request(ctx, t, "GET", ""))
	if !errors.Is(err, context.Canceled) || resp != nil {
		t.Errorf("%v, %v", resp, err)
	}
	if s.closed != 1 {
		t.Errorf("the answer was closed %d times", s.closed)
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

func TestBackoffIsSpreadAndBounded(t *testing.T) {
	t.Parallel()
	const least, most = waitMin, waitMax
	for attempt := range 64 {
		ceiling := most
		if attempt < 6 {
			ceiling = min(most, least<<attempt)
		}
		seen := map[time.Duration]bool{}
		for range 200 {
			wait := backoff(least, most, attempt, &http.Response{StatusCode: 503})
			if wait < least/2 || wait >= least/2+ceiling {
				t.Fatalf("wait %d is %v, want %v to %v", attempt, wait, least/2, least/2+ceiling)
			}
			seen[wait] = true
		}
		if len(seen) < 100 {
			t.Errorf("wait %d has %d values in 200: hosts that failed together come back together", attempt, len(seen))
		}
	}
}

func TestSendingAgainIsLoggedWithoutTheQuery(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		c := NewAPI(Config{UserAgent: "test", Log: slog.New(slog.NewTextHandler(&out, nil))})
		c.retry.HTTPClient.Transport = &script{answers: []answer{{status: 500}, {status: 200}}}
		req := request(t.Context(), t, "GET", "")
		req.URL.RawQuery = "sig=s3cr3t"
		if _, err := c.Do(req); err != nil {
			t.Fatal(err)
		}
		if got := out.String(); strings.Count(got, "sending again") != 1 || !strings.Contains(got, "path=/runners") || strings.Contains(got, "s3cr3t") {
			t.Errorf("log is %q", got)
		}
	})
}

// A server that is busy is asked again when it says, as long as that is not later than is waited anyway.
func TestBusyServerSaysWhen(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		first       answer
		least, most time.Duration
		tries       int
	}{
		"unavailable":           {answer{status: 503, header: map[string]string{"Retry-After": "7"}}, 7 * time.Second, 11 * time.Second, 2},
		"unavailable, long":     {answer{status: 503, header: map[string]string{"Retry-After": "3600"}}, 20 * time.Second, 31 * time.Second, 2},
		"unavailable, no words": {answer{status: 503, header: map[string]string{"Retry-After": "soon"}}, 0, time.Second, 2},
		"timeout of a request":  {answer{status: 408}, 0, time.Second, 2},
		"too early":             {answer{status: 425}, 0, time.Second, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := &script{answers: []answer{c.first, {status: 200}}}
				began := time.Now()
				resp, err := scripted(s).Do(request(t.Context(), t, "GET", ""))
				if err != nil || resp.StatusCode != http.StatusOK || len(s.at) != c.tries {
					t.Fatalf("%v, %v after %d tries", resp, err, len(s.at))
				}
				if took := time.Since(began); took < c.least || took > c.most {
					t.Errorf("it took %v, want %v to %v", took, c.least, c.most)
				}
			})
		})
	}
}
