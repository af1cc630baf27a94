package status

import (
	"strings"
	"testing"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
)

// What a supervisor reports of its listener, and what is wrong with that.
func TestJudgeListener(t *testing.T) {
	t.Parallel()
	since := time.Date(2026, 11, 30, 5, 10, 11, 0, time.UTC)
	for name, c := range map[string]struct {
		report instance.Report
		want   string
	}{
		"idle":            {instance.Report{State: instance.Idle}, ""},
		"busy":            {instance.Report{State: instance.Busy, LastWords: "exit code 0: long ago"}, ""},
		"starting":        {instance.Report{State: instance.Starting, Since: time.Now()}, ""},
		"starting long":   {instance.Report{State: instance.Starting, Since: since}, "its listener was started at 2026-11-30T05:10:11Z and does not listen yet"},
		"starting again":  {instance.Report{State: instance.Starting, Since: time.Now(), EndedAtOnce: 2, LastWords: "exit code 1: no"}, "its listener has ended at once 2 times, and is started again (exit code 1: no)"},
		"connecting":      {instance.Report{State: instance.Connecting, Connection: instance.Connection{Trouble: instance.Connecting, TroubleSince: &since, TroubleWords: "no route"}}, "its listener cannot connect to GitHub since 2026-11-30T05:10:11Z: no route"},
		"reconnecting":    {instance.Report{State: instance.Reconnecting, Connection: instance.Connection{Trouble: instance.Reconnecting, TroubleSince: &since, TroubleWords: "no route"}}, "its listener has lost GitHub since 2026-11-30T05:10:11Z: no route"},
		"busy without it": {instance.Report{State: instance.Busy, Connection: instance.Connection{Trouble: instance.Reconnecting, TroubleSince: &since, TroubleWords: "no route"}}, "its listener has lost GitHub since 2026-11-30T05:10:11Z: no route"},
		"conflict":        {instance.Report{State: instance.Conflict, Connection: instance.Connection{Trouble: instance.Conflict, TroubleSince: &since, TroubleWords: "another one"}}, "its session is held elsewhere since 2026-11-30T05:10:11Z: another one"},
		"failing":         {instance.Report{State: instance.Failing, Reason: "it ended", LastWords: "exit code 1: no"}, "its listener keeps ending: it ended (exit code 1: no)"},
		"failing early":   {instance.Report{State: instance.Failing, Reason: "cannot register"}, "its listener keeps ending: cannot register"},
	} {
		var s Runner
		s.judgeListener(c.report)
		if got := strings.Join(s.Problems, "; "); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// TestCompareGitHub: what GitHub says is held against what the host says.
func TestCompareGitHub(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		github   string
		listener instance.State
		id       int64
		finished bool
		copied   bool
		once     bool
		ago      time.Duration // since when the listener is so
		problem  string
	}{
		"listening, online":     {github: "online", listener: instance.Idle, id: 1},
		"stopped, offline":      {github: "offline", listener: stopped, id: 1},
		"starting, offline":     {github: "offline", listener: instance.Starting, id: 1},
		"working, offline":      {github: "offline", listener: instance.Busy, id: 1, problem: "GitHub calls it offline"},
		"listening, absent":     {github: Absent, listener: instance.Idle, id: 1, problem: "does not list it"},
		"between two jobs":      {github: Absent, listener: instance.Reregistering, id: 1, once: true},
		"refreshed in between":  {github: Absent, listener: instance.Updating, id: 1, once: true},
		"hangs in between":      {github: Absent, listener: instance.Reregistering, id: 1, once: true, ago: instance.ComeUp, problem: "does not list it"},
		"updates for ever":      {github: Absent, listener: instance.Updating, id: 1, once: true, ago: time.Hour, problem: "does not list it"},
		"updating, and gone":    {github: Absent, listener: instance.Updating, id: 1, problem: "does not list it"},
		"fails in between":      {github: Absent, listener: instance.Failing, id: 1, once: true, problem: "does not list it"},
		"never registered":      {github: Absent, listener: stopped},
		"stopped and yet up":    {github: "online", listener: stopped, id: 1, problem: "another host may hold"},
		"listening, not asked":  {github: Unchecked, listener: instance.Idle, id: 1},
		"updating while online": {github: "online", listener: instance.Updating, id: 1},
		"a copy, at work there": {github: "online", listener: stopped, id: 1, copied: true},
		"finished, absent":      {github: Absent, listener: Finished, id: 1, finished: true},
		"finished and left":     {github: Absent, listener: Finished, finished: true},
		"finished, listed":      {github: "offline", listener: Finished, id: 1, finished: true, problem: "GitHub still lists it (id 1, offline)"},
		"finished and yet up":   {github: "online", listener: Finished, id: 1, finished: true, problem: "GitHub still lists it (id 1, online)"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			since := time.Now().Add(-c.ago)
			s := Runner{Listener: Listener{State: c.listener, Since: &since}, GitHub: GitHub{State: c.github}, finished: c.finished, Copied: c.copied}
			s.compareGitHub(instance.Record{Registration: instance.Registration{RunnerID: c.id}, Identity: instance.Identity{Ephemeral: c.once}})
			got := strings.Join(s.Problems, "; ")
			if (c.problem == "") != (got == "") || !strings.Contains(got, c.problem) {
				t.Errorf("problems %q, want %q", got, c.problem)
			}
		})
	}
}
