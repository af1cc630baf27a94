package retry

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"testing"
	"time"
)

func TestWait(t *testing.T) {
	t.Parallel()
	b := Backoff{First: 5 * time.Second, Most: time.Minute}
	for failures, want := range map[int]time.Duration{
		0: 5 * time.Second, 1: 5 * time.Second, 2: 10 * time.Second, 3: 20 * time.Second, 4: 40 * time.Second,
		5: time.Minute, 6: time.Minute, 1 << 30: time.Minute,
	} {
		if got := b.Wait(failures); got != want {
			t.Errorf("after %d failures %s, want %s", failures, got, want)
		}
	}
	for _, odd := range []Backoff{{}, {First: time.Hour, Most: time.Second}, {First: 1, Most: 1<<63 - 1}} {
		if got := odd.Wait(100); got < 0 || got > odd.Most {
			t.Errorf("%+v: %s", odd, got)
		}
	}
}

func TestJitter(t *testing.T) {
	t.Parallel()
	const wait = 100 * time.Millisecond
	least, most := time.Duration(1<<62), time.Duration(0)
	for range 2000 {
		got := Backoff{First: wait, Most: wait}.Jitter(3)
		least, most = min(least, got), max(most, got)
	}
	if least < wait/2 || least > wait*55/100 || most > wait || most < wait*95/100 {
		t.Errorf("between %s and %s", least, most)
	}
	if got := Jitter(0); got != 0 {
		t.Errorf("of nothing: %s", got)
	}
}

func TestAtLeast(t *testing.T) {
	t.Parallel()
	const wait = 100 * time.Millisecond
	least, most := time.Duration(1<<62), time.Duration(0)
	for range 2000 {
		got := AtLeast(wait)
		least, most = min(least, got), max(most, got)
	}
	if least < wait || least > wait*105/100 || most > wait*3/2 || most < wait*145/100 {
		t.Errorf("between %s and %s", least, most)
	}
	if got := AtLeast(0); got != 0 {
		t.Errorf("of nothing: %s", got)
	}
}

func TestSleep(t *testing.T) {
	t.Parallel()
	if err := Sleep(t.Context(), time.Millisecond); err != nil {
		t.Error(err)
	}
	why := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(why)
	if err := Sleep(ctx, time.Hour); !errors.Is(err, why) {
		t.Error(err)
	}
}

func TestAfter(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	for value, want := range map[string]struct {
		wait  time.Duration
		found bool
	}{
		"":                              {0, false},
		"soon":                          {0, false},
		"1.5":                           {0, false},
		"30":                            {30 * time.Second, true},
		"0":                             {0, true},
		"-5":                            {0, true},
		"99999999999":                   {time.Hour, true},
		"99999999999999999999":          {0, false},
		"Mon, 30 Nov 2026 12:00:40 GMT": {40 * time.Second, true},
		"Mon, 30 Nov 2026 11:00:00 GMT": {0, true},
		"Tue, 30 Nov 2027 12:00:00 GMT": {time.Hour, true},
	} {
		wait, found := After(http.Header{"Retry-After": {value}}, now, time.Hour)
		if wait != want.wait || found != want.found {
			t.Errorf("%q: %s, %v, want %v", value, wait, found, want)
		}
	}
}

// A moment is one of the clock of who names it, wherever that of this host stands.
func TestAfterByTheClockOfTheAnswer(t *testing.T) {
	t.Parallel()
	header := http.Header{"Retry-After": {"Mon, 30 Nov 2026 12:00:40 GMT"}, "Date": {"Mon, 30 Nov 2026 12:00:00 GMT"}}
	for _, off := range []time.Duration{-25 * time.Hour, 0, 25 * time.Hour} {
		now := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC).Add(off)
		if wait, found := After(header, now, time.Hour); wait != 40*time.Second || !found {
			t.Errorf("with a clock that is off by %s the wait is %s, %t", off, wait, found)
		}
	}
}

// FuzzAfter: whatever Retry-After says, nobody waits for less than nothing or longer than the most, and what is understood is
// a number of seconds or a date.
func FuzzAfter(f *testing.F) {
	for _, value := range []string{
		"", "0", "60", "-5", "+5", "060", "1e3", "9223372036854775807", "-9223372036854775808", "99999999999999999999", "soon", " 60", "60, 70",
		"Sat, 01 Jan 2000 00:02:00 GMT", "Saturday, 01-Jan-00 00:02:00 GMT", "Sat Jan  1 00:02:00 2000", "Fri, 31 Dec 9999 23:59:59 GMT",
		"Mon, 01 Jan 0001 00:00:00 GMT", "Sat, 01 Jan 2000 00:02:00 CET",
	} {
		f.Add(value, int64(time.Hour))
	}
	f.Add("60", int64(time.Second))
	now := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, value string, most int64) {
		longest := time.Duration(most)
		if longest < time.Second {
			return // nobody asks so: seconds are what it is told in
		}
		wait, found := After(http.Header{"Retry-After": {value}}, now, longest)
		number, numberErr := strconv.ParseInt(value, 10, 64)
		date, dateErr := http.ParseTime(value)
		switch {
		case wait < 0 || wait > longest:
			t.Errorf("%q: %v, of %v", value, wait, longest)
		case found != (numberErr == nil || dateErr == nil):
			t.Errorf("%q: found %t", value, found)
		case !found && wait != 0:
			t.Errorf("%q: %v of nothing", value, wait)
		case numberErr == nil && number <= 0 && wait != 0:
			t.Errorf("%q: %v", value, wait)
		case numberErr == nil && number > 0 && number < int64(longest/time.Second) && wait != time.Duration(number)*time.Second:
			t.Errorf("%q: %v", value, wait)
		case numberErr != nil && dateErr == nil && date.Before(now) && wait != 0:
			t.Errorf("%q: %v for what is past", value, wait)
		}
	})
}
