package supervise

import (
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/retry"
)

func TestDecide(t *testing.T) {
	t.Parallel()
	const again = "again"
	for _, c := range []struct {
		name string
		end  ending
		want string // "finished", "update", "conflict", again, or a fatal error's text
	}{
		{"ephemeral after its job", ending{code: 0, ephemeral: true, worked: true}, "finished"},
		{"ephemeral after its job, which GitHub told it too", ending{code: 0, ephemeral: true, worked: true, gone: true}, "finished"},
		{"ephemeral that has deleted its registration", ending{code: 0, ephemeral: true, cleaned: true}, "finished"},
		{"ephemeral that says nothing", ending{code: 0, ephemeral: true}, again},
		{"ephemeral that was deleted before a job, and has deleted its registration", ending{code: 0, ephemeral: true, gone: true, cleaned: true}, ErrRegistrationEnd.Error()},
		{"ephemeral that was deleted before a job", ending{code: 0, ephemeral: true, gone: true}, ErrRegistrationEnd.Error()},
		{"session ended", ending{code: 0}, again},
		{"deleted while it listened", ending{code: 0, gone: true}, ErrRegistrationEnd.Error()},
		{"deleted, by what it has deleted", ending{code: 0, cleaned: true}, ErrRegistrationEnd.Error()},
		{"nothing left of its copy, by no word of it", ending{code: 0}, again},
		{"deleted before it began", ending{code: 1, gone: true}, ErrRegistrationEnd.Error()},
		{"refused", ending{code: 1}, again},
		{"its copy was taken from it", ending{code: 1}, again},
		{"network", ending{code: 2}, again},
		{"network, ephemeral", ending{code: 2, ephemeral: true}, again},
		{"update", ending{code: 3}, "update"},
		{"update of an ephemeral one", ending{code: 4, ephemeral: true}, "update"},
		{"another session", ending{code: 5}, "conflict"},
		{"configuration refreshed", ending{code: 6}, again},
		{"version refused", ending{code: 7}, ErrVersionRefused.Error()},
		{"version refused in words alone", ending{code: 1, deprecated: true}, ErrVersionRefused.Error()},
		{"version refused and gone", ending{code: 0, gone: true, deprecated: true}, ErrVersionRefused.Error()},
		{"killed", ending{code: -1}, again},
		{"killed and gone", ending{code: -1, gone: true}, ErrRegistrationEnd.Error()},
		{"terminated", ending{code: 143}, again},
		{"unheard of", ending{code: 99}, again},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got := decide(c.end)
			want := action{reason: got.reason}
			switch c.want {
			case again:
			case "finished":
				want.finished = true
			case "update":
				want.update = true
			case "conflict":
				want.conflict = true
			default:
				want.fatal = got.fatal
				if got.fatal == nil || got.fatal.Error() != c.want {
					t.Errorf("%+v, want %s", got, c.want)
				}
			}
			if got != want || (got.reason == "") == (c.want == again || want.update || want.conflict) {
				t.Errorf("%+v, want %s", got, c.want)
			}
		})
	}
}

func TestReasonsDiffer(t *testing.T) {
	t.Parallel()
	seen := map[string]int{}
	for _, code := range []int{-1, 0, 1, 2, 99} {
		if before, there := seen[reasons(code)]; there {
			t.Errorf("codes %d and %d have the same reason %q", before, code, reasons(code))
		}
		seen[reasons(code)] = code
	}
	if reasons(codeRefreshed) != reasons(codeRetryable) {
		t.Errorf("a refreshed configuration is %q", reasons(codeRefreshed))
	}
}

func TestBackoff(t *testing.T) {
	t.Parallel()
	b := Backoff{Backoff: retry.Backoff{First: 5 * time.Second, Most: 60 * time.Second}}
	for failures, want := range map[int]time.Duration{
		1: 5 * time.Second, 2: 10 * time.Second, 3: 20 * time.Second, 4: 40 * time.Second, 5: time.Minute, 6: time.Minute, 100_000: time.Minute,
	} {
		if got := b.Wait(failures); got != want {
			t.Errorf("after failure %d: %v, want %v", failures, got, want)
		}
	}
	d := DefaultBackoff()
	if d.First <= 0 || d.Most < 10*d.First || d.Conflict < time.Minute || d.Update < time.Minute || d.Healthy < d.Most {
		t.Errorf("%+v hammers GitHub, or waits for nothing", d)
	}
}

func TestLinesOfAListenerChangeItsState(t *testing.T) {
	t.Parallel()
	var told []Change
	s := &tracker{log: slog.New(slog.DiscardHandler), report: func(c Change) { told = append(told, c) }}
	s.begin()
	for _, c := range []struct {
		line string
		want Change
	}{
		{"√ Connected to GitHub", Change{State: Starting}},
		{"Current runner version: '2.337.0'", Change{State: Starting, Version: "2.337.0"}},
		{"A step says: Current runner version: '6.6.6'", Change{State: Starting, Version: "2.337.0"}},
		{"2026-01-01 00:00:00Z: Listening for Jobs", Change{State: Idle, Version: "2.337.0"}},
		{"2026-01-01 00:00:01Z: Listening for Jobs", Change{State: Idle, Version: "2.337.0"}},
		{"2026-01-01 00:00:00Z: Running job: build / test (1, 2)", Change{State: Busy, Version: "2.337.0", Job: "build / test (1, 2)"}},
		{"2026-01-01 00:00:00Z: Job build / test (1, 2) completed with result: Failed", Change{State: Idle, Version: "2.337.0", Results: Results{Failed: 1}}},
		{"something else", Change{State: Idle, Version: "2.337.0", Results: Results{Failed: 1}}},
	} {
		before := len(told)
		changes := s.now != (Change{State: c.want.State, Version: c.want.Version, Job: c.want.Job, Results: c.want.Results, Starts: 1})
		s.read(c.line)
		c.want.Starts = 1
		if s.now != c.want {
			t.Errorf("after %q: %+v, want %+v", c.line, s.now, c.want)
		}
		if reported := len(told) - before; changes != (reported == 1) || reported > 1 {
			t.Errorf("%q was reported %d times", c.line, reported)
		}
	}
	var end ending
	s.tell(&end)
	if !end.worked || end.gone || end.deprecated {
		t.Errorf("it is known to have done %+v", end)
	}
	s.read("Failed to create a session. The runner registration has been deleted from the server, please re-configure.")
	s.read("Runner version v2.300.0 is deprecated and cannot receive messages.")
	if s.tell(&end); !end.gone || !end.deprecated {
		t.Errorf("it is known to have said %+v", end)
	}
	s.begin()
	end = ending{}
	if s.tell(&end); end != (ending{}) || s.listened() != 0 {
		t.Errorf("the next one is known to have done %+v", end)
	}
	s.read("√ Removed .credentials")
	if s.tell(&end); end.cleaned {
		t.Errorf("it is known to have done %+v", end)
	}
	s.read("The runner no longer exists on the server. Cleaning up local configuration.")
	s.read("√ Removed .runner")
	if s.tell(&end); !end.gone || !end.cleaned {
		t.Errorf("it is known to have said %+v", end)
	}
}

func TestOverlongLines(t *testing.T) {
	t.Parallel()
	var log strings.Builder
	var states []State
	s := &tracker{log: slog.New(slog.NewTextHandler(&log, nil)), report: func(c Change) { states = append(states, c.State) }}
	long := strings.Repeat("x", 20*maxLine)
	s.forward(strings.NewReader("one\n" + long + "Listening for Jobs\n\n  \r\nRunning job: a\r\nthe last"))
	if want := []State{Busy}; !slices.Equal(states, want) {
		t.Errorf("states are %q, want %q", states, want)
	}
	if got := log.String(); strings.Count(got, "msg=listener") != 3 || !strings.Contains(got, `msg="job started" job=a`) || len(got) > 2*maxLine || !strings.Contains(got, `line="the last"`) {
		t.Errorf("%d lines in a log of %d bytes", strings.Count(got, "\n"), len(got))
	}
	if s.now.Job != "a" {
		t.Errorf("the job is %q", s.now.Job)
	}
}

// TestOutcomesAreStableWords: scripts compare them.
func TestOutcomesAreStableWords(t *testing.T) {
	t.Parallel()
	for outcome, want := range map[Outcome][2]string{
		Stopped: {"stopped", "it was asked to stop"}, Preempted: {"preempted", "this machine is about to go"},
		Served: {"jobs", "it has done its jobs"}, Unused: {"idle", "it had nothing to do"}, Aged: {"lifetime", "its lifetime is over"}, "": {},
	} {
		if got := [2]string{string(outcome), outcome.Sentence()}; got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
