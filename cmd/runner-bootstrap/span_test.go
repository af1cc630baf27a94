package main

import (
	"testing"
	"time"
)

// Times are taken as people write them, and never guessed.
func TestReadSpan(t *testing.T) {
	t.Parallel()
	for typed, want := range map[string]time.Duration{
		"90s": 90 * time.Second, "1h30m": 90 * time.Minute, "0": 0, "1.5h": 90 * time.Minute, "250ms": 250 * time.Millisecond,
		"5 minutes": 5 * time.Minute, "5min": 5 * time.Minute, "1 Hour": time.Hour, "2hrs": 2 * time.Hour, "10 secs": 10 * time.Second,
		"2d": 48 * time.Hour, "1d12h": 36 * time.Hour, "1 day": 24 * time.Hour, "3 Days 1 hour": 73 * time.Hour, " 5m ": 5 * time.Minute,
	} {
		if got, err := readSpan(typed); err != nil || got != want {
			t.Errorf("%q is %v (%v), want %v", typed, got, err, want)
		}
	}
	for _, typed := range []string{"300", "", "soon", "d", "1d-2h", "1d+2h", "-1d", "5x", "1w", "5 m s", "1d1d", "99999d", "NaNs", "1:30"} {
		if got, err := readSpan(typed); err == nil {
			t.Errorf("%q is taken as %v", typed, got)
		}
	}
}
