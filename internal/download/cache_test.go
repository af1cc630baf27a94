package download

import (
	"testing"
	"time"
)

// When something was seen last is noted, and a note from a time to come is replaced: the clock was wrong then.
func TestSeen(t *testing.T) {
	t.Parallel()
	now := time.Now()
	for name, c := range map[string]struct{ before, at, want time.Time }{
		"later":        {now.Add(-time.Hour), now, now},
		"earlier":      {now.Add(-time.Minute), now.Add(-time.Hour), now.Add(-time.Minute)},
		"to come":      {now.Add(25 * time.Hour), now, now},
		"not on offer": {now.Add(25 * time.Hour), time.Time{}, now.Add(25 * time.Hour)},
	} {
		if got := (Entry{Dir: t.TempDir(), Offered: c.before}).seen(c.at); !got.Offered.Equal(c.want) {
			t.Errorf("%s: noted is %s, want %s", name, got.Offered, c.want)
		}
	}
}
