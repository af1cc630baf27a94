// Package retry has what all loops that try again have in common: how long they wait, and how they read what a server
// asks for.
package retry

import (
	"context"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"
)

// Backoff is a wait that doubles from First to Most.
type Backoff struct{ First, Most time.Duration }

// Wait is how long to wait after so many failures in a row, from 1, without any chance in it.
func (b Backoff) Wait(failures int) time.Duration {
	wait := b.First
	for range failures - 1 {
		if wait >= b.Most/2 {
			return b.Most
		}
		wait *= 2
	}
	return min(wait, b.Most)
}

// Jitter is a random wait between half of Wait and the whole of it, so that hosts which failed together do not come back
// together.
func (b Backoff) Jitter(failures int) time.Duration { return Jitter(b.Wait(failures)) }

// Jitter is a random wait between half of one and the whole of it.
func Jitter(wait time.Duration) time.Duration {
	return wait/2 + rand.N(wait-wait/2+1) //nolint:gosec // a wait is no secret
}

// AtLeast is a random wait between one and half as long again, for one that must not be shorter.
func AtLeast(wait time.Duration) time.Duration {
	return wait + rand.N(wait/2+1) //nolint:gosec // a wait is no secret
}

// Sleep waits, or returns the cause for which ctx ended before.
func Sleep(ctx context.Context, wait time.Duration) error {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// After reads the header Retry-After in both of its forms, seconds and a date (RFC 9110, 10.2.3), up to most. It is
// false where there is none that can be understood.
func After(header http.Header, now time.Time, most time.Duration) (wait time.Duration, found bool) {
	value := header.Get("Retry-After")
	if seconds, err := strconv.ParseInt(value, 10, 64); err == nil {
		return Seconds(seconds, most), true
	}
	if at, err := http.ParseTime(value); err == nil {
		return min(max(0, at.Sub(Answered(header, now))), most), true
	}
	return 0, false
}

// Answered is when an answer was given by the clock of who gave it, which moments in it are of; now where that is not said.
func Answered(header http.Header, now time.Time) time.Time {
	if at, err := http.ParseTime(header.Get("Date")); err == nil {
		return at
	}
	return now
}

// Seconds is a number of seconds that was asked for, between none and most; a number that no Duration holds is most.
func Seconds(n int64, most time.Duration) time.Duration {
	if n >= int64(most/time.Second) {
		return most
	}
	return time.Duration(max(0, n)) * time.Second
}

// Plain says in words for people that the time is over, where err says no more than that; it stays [context.DeadlineExceeded].
func Plain(err error) error {
	if err == context.DeadlineExceeded { //nolint:errorlint // what is wrapped says more
		return overError{}
	}
	return err
}

type overError struct{}

func (overError) Error() string { return "the time that it may take is over" }
func (overError) Unwrap() error { return context.DeadlineExceeded }
