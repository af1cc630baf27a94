package metadata

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// asking is a cloud that answers its n-th question with an error, until it has no more.
type asking struct {
	begin  time.Time
	errors []func(context.Context) error
	asked  []int // after how many milliseconds
}

func (a *asking) ask(ctx context.Context) (Facts, error) {
	a.asked = append(a.asked, int(time.Since(a.begin)/time.Millisecond))
	if len(a.asked) <= len(a.errors) {
		return Facts{Cloud: "wrong"}, a.errors[len(a.asked)-1](ctx)
	}
	return Facts{Cloud: AWS, InstanceID: "i-1"}, nil
}

func fail(context.Context) error { return errScript }

// hang is a question that has no answer before ctx ends.
func hang(ctx context.Context) error {
	<-ctx.Done()
	return errors.New("question cut short")
}

func TestPersist(t *testing.T) {
	t.Parallel()
	slow := func(context.Context) error { time.Sleep(5 * time.Second); return errScript }
	for name, c := range map[string]struct {
		errors []func(context.Context) error
		want   []int
	}{
		"at once":                      {nil, []int{0}},
		"back-off":                     {slices.Repeat([]func(context.Context) error{fail}, 8), []int{0, 100, 300, 700, 1500, 3100, 5100, 7100, 9100}},
		"errors that take their time":  {[]func(context.Context) error{slow, slow}, []int{0, 5100, 10300}},
		"until just before ctx's end ": {slices.Repeat([]func(context.Context) error{fail}, 30), []int{0, 100, 300, 700, 1500, 3100, 5100, 7100, 9100, 11100, 13100, 15100, 17100, 19100, 21100, 23100, 25100, 27100, 29100, 31100, 33100, 35100, 37100, 39100, 41100, 43100, 45100, 47100, 49100, 51100, 53100}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				a := &asking{begin: time.Now(), errors: c.errors}
				facts, err := persist(ctx, a.ask)
				if err != nil || facts != (Facts{Cloud: AWS, InstanceID: "i-1"}) {
					t.Errorf("got %+v and %v", facts, err)
				}
				if !slices.Equal(a.asked, c.want) {
					t.Errorf("asked after %v ms, want %v", a.asked, c.want)
				}
			})
		})
	}
}

// TestPersistIsNotForWhatIsClosed holds that a service which says so is asked once more, and not waited for.
func TestPersistIsNotForWhatIsClosed(t *testing.T) {
	t.Parallel()
	closed := func(context.Context) error { return fmt.Errorf("asking: %w", ErrClosed) }
	for name, c := range map[string]struct {
		errors []func(context.Context) error
		asked  []int
		found  bool
	}{
		"closed":           {slices.Repeat([]func(context.Context) error{closed}, 9), []int{0, 100}, false},
		"closed later":     {[]func(context.Context) error{fail, closed, fail, closed, closed, closed}, []int{0, 100, 300, 700, 1500}, false},
		"once, and opened": {[]func(context.Context) error{closed, fail, closed}, []int{0, 100, 300, 700}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				a := &asking{begin: time.Now(), errors: c.errors}
				_, err := persist(ctx, a.ask)
				if c.found != (err == nil) || !c.found && (!errors.Is(err, ErrClosed) || errors.Is(err, ErrNoAnswer)) {
					t.Errorf("got %v", err)
				}
				if !slices.Equal(a.asked, c.asked) {
					t.Errorf("asked after %v ms, want %v", a.asked, c.asked)
				}
			})
		})
	}
}

func TestPersistUntilTheEnd(t *testing.T) {
	t.Parallel()
	other := func(context.Context) error { return errors.New("another thing failed") }
	for name, c := range map[string]struct {
		errors []func(context.Context) error
		asked  int
		want   string
	}{
		"in a pause":           {[]func(context.Context) error{fail, other, other}, 2, "another thing failed"},
		"in the first":         {[]func(context.Context) error{hang}, 1, "question cut short"},
		"in another":           {[]func(context.Context) error{other, fail, hang}, 3, "question cut short, after script failed"},
		"ended before, failed": {[]func(context.Context) error{func(context.Context) error { time.Sleep(time.Second); return errScript }}, 1, "script failed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				begin := time.Now()
				end := 700 * time.Millisecond
				if c.asked == 2 {
					end = 200 * time.Millisecond
				}
				ctx, cancel := context.WithTimeout(t.Context(), end)
				defer cancel()
				a := &asking{begin: begin, errors: c.errors}
				facts, err := persist(ctx, a.ask)
				if !errors.Is(err, ErrNoAnswer) || !errors.Is(err, context.DeadlineExceeded) || facts != (Facts{}) {
					t.Fatalf("got %+v and %v, want no facts, and both ErrNoAnswer and the error of the context", facts, err)
				}
				if want := "no clear answer in time (context deadline exceeded): " + c.want; err.Error() != want {
					t.Errorf("got %q, want %q", err, want)
				}
				if len(a.asked) != c.asked {
					t.Errorf("asked %d times, want %d", len(a.asked), c.asked)
				}
				if took := time.Since(begin); took != end && name != "ended before, failed" {
					t.Errorf("ended after %s, want %s", took, end)
				}
			})
		})
	}
}

func TestIsFact(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]bool{
		"": true, "us-west-2": true, "Zürich 1": true, "機房": true, strings.Repeat("x", 256): true,
		strings.Repeat("x", 257): false, strings.Repeat("ü", 129): false, "us\nwest": false, "us-west\n": false, "\x1b[31mred": false,
		"nul\x00": false, "\x7f": false, "\u009b31m": false, "right\u202eleft": false, "no\u200bwidth": false, "\xff": false, "\ufffd": false,
		"line\u2028": false, "tab\t": false,
	} {
		if got := isFact(value); got != want {
			t.Errorf("%q: got %t, want %t", value, got, want)
		}
	}
}

func TestFactsOfUnknownCloud(t *testing.T) {
	t.Parallel()
	if facts, err := factsOf(t.Context(), "auto", newService()); err == nil || facts != (Facts{}) || err.Error() != fmt.Sprintf("unknown cloud %q", "auto") {
		t.Errorf("got %+v and %v", facts, err)
	}
}
