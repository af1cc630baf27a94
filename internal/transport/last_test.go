package transport

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// errHangs is that of an answer which does not come in time.
var errHangs = errors.New("it hangs")

// A request that runs out of time says what kept it: the latest answer, or why none came.
func TestTimeoutNamesTheLastAnswer(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		answers []answer
		method  string
		want    string
	}{
		"an answer":             {answers: []answer{{status: 503}}, want: "the time that it may take is over; the last answer was 503 Service Unavailable"},
		"no answer":             {answers: []answer{{err: errBroken}}, want: "the time that it may take is over; the last try failed: connection reset"},
		"one, and then none":    {answers: []answer{{status: 502}, {err: errBroken}}, want: "the last try failed: connection reset"},
		"none, and then one":    {answers: []answer{{err: errBroken}, {status: 504}}, want: "the last answer was 504 Gateway Timeout"},
		"a status without name": {answers: []answer{{status: 599}}, want: "the last answer was 599"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
				defer cancel()
				began := time.Now()
				_, err := scripted(&script{answers: c.answers}).Do(request(ctx, t, "GET", ""))
				if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), c.want) {
					t.Errorf("err = %v, want %q", err, c.want)
				}
				if took := time.Since(began); took != 1500*time.Millisecond {
					t.Errorf("it took %v", took)
				}
			})
		})
	}
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		_, err := scripted(&script{answers: []answer{{status: 500}}}).Do(request(ctx, t, "GET", ""))
		if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "the last answer was 500") {
			t.Errorf("err = %v", err)
		}
	})
	// One that hangs after another was answered.
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		_, err := scripted(&script{answers: []answer{{status: 500}, {err: errHangs}}}).Do(request(ctx, t, "GET", ""))
		if !errors.Is(err, context.DeadlineExceeded) || !strings.HasSuffix(err.Error(), "; the last answer was 500 Internal Server Error") {
			t.Errorf("err = %v", err)
		}
	})
	// Without a try there is nothing to say, and an answer in time is returned as it is.
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := scripted(&script{answers: []answer{{status: 200}}}).Do(request(ctx, t, "GET", "")); !errors.Is(err, context.Canceled) || strings.Contains(err.Error(), "; the last") {
		t.Errorf("err = %v", err)
	}
}
