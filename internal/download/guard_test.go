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
		"unknown":                {time.Time{}, current},
		"long ago":               {now.AddDate(-1, 0, 0), ended},
		"at this moment":         {now, ended},
		"in a moment":            {now.Add(time.Nanosecond), ending},
		"in seven days":          {now.Add(soon), ending},
		"in seven days and some": {now.Add(soon + time.Nanosecond), current},
	} {
		if got := judgeDate(now, c.end, "reason"); got.state != c.want || (got.reason == "") != (c.want == current) {
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
		"no registration":       {past, far, verdict{ended, "GitHub registers it until 2026-02-28"}},
		"no jobs":               {far, past, verdict{ended, "GitHub gives it jobs until 2026-02-28"}},
		"soon no jobs":          {time.Time{}, near, verdict{ending, "GitHub gives it jobs until 2026-03-04"}},
		"neither":               {past, past, verdict{ended, "GitHub registers it until 2026-02-28"}},
		"soon no registration":  {near, far, verdict{ending, "GitHub registers it until 2026-03-04"}},
		"jobs end before names": {near, past, verdict{ended, "GitHub gives it jobs until 2026-02-28"}},
	} {
		got := judgeSchedule(github.Schedule{Now: now, Registration: c.registration, Runtime: c.runtime})
		if got != c.want {
			t.Errorf("%s: %+v", name, got)
		}
	}
}
