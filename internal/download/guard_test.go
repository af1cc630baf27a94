package download

import (
	"testing"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/github"
)

func TestJudgeDate(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		end  time.Time
		want standing
	}{
		"unknown":                {time.Time{}, accepted},
		"long ago":               {now.AddDate(-1, 0, 0), expired},
		"at this moment":         {now, expired},
		"in a moment":            {now.Add(time.Nanosecond), expiring},
		"in seven days":          {now.Add(soon), expiring},
		"in seven days and some": {now.Add(soon + time.Nanosecond), accepted},
	} {
		if got := judgeDate(now, c.end, "reason"); got.state != c.want || (got.reason == "") != (c.want == accepted) {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestJudgeScheduleTakesTheWorse(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	past, near, far := now.AddDate(0, 0, -1), now.AddDate(0, 0, 3), now.AddDate(0, 1, 0)
	for name, c := range map[string]struct {
		registration, runtime time.Time
		want                  verdict
	}{
		"nothing is said":       {time.Time{}, time.Time{}, verdict{}},
		"both far":              {far, far, verdict{}},
		"no registration":       {past, far, verdict{expired, "GitHub registers it until 2026-02-28"}},
		"no jobs":               {far, past, verdict{expired, "GitHub gives it jobs until 2026-02-28"}},
		"soon no jobs":          {time.Time{}, near, verdict{expiring, "GitHub gives it jobs until 2026-03-04"}},
		"neither":               {past, past, verdict{expired, "GitHub registers it until 2026-02-28"}},
		"soon no registration":  {near, far, verdict{expiring, "GitHub registers it until 2026-03-04"}},
		"jobs end before names": {near, past, verdict{expired, "GitHub gives it jobs until 2026-02-28"}},
	} {
		got := judgeSchedule(github.Schedule{Now: now, Registration: c.registration, Runtime: c.runtime})
		if got != c.want {
			t.Errorf("%s: %+v", name, got)
		}
	}
}
