package agent

import (
	"testing"
	"time"
)

// An answer does for a day, whatever becomes of the clock: one of tomorrow is asked for again.
func TestUntilOld(t *testing.T) {
	t.Parallel()
	for age, want := range map[time.Duration]time.Duration{
		-366 * 24 * time.Hour: 0, -time.Hour: 0, time.Hour: 23 * time.Hour, 25 * time.Hour: 0,
	} {
		if got := untilOld(time.Now().Add(-age)); (got - want).Abs() > time.Minute {
			t.Errorf("after %s it does for %s", age, got)
		}
	}
	if got := untilOld(time.Time{}); got != 0 {
		t.Errorf("none does for %s", got)
	}
}
