package supervise

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestWordsThatEndTrouble: whatever a listener says that it can only say with GitHub at hand, it has GitHub again. It need not
// say so in other words before.
func TestWordsThatEndTrouble(t *testing.T) {
	t.Parallel()
	for _, trouble := range []string{
		"2026-11-30 05:10:11Z: Runner connect error: Name or service not known. Retrying until reconnected.",
		"A session for this runner already exists.",
	} {
		for line, want := range map[string]State{
			"2026-11-30 05:10:12Z: Listening for Jobs":  Idle,
			"2026-11-30 05:10:12Z: Running job: build":  Busy,
			"2026-11-30 05:10:12Z: Runner reconnected.": Starting,
		} {
			s := &tracker{log: slog.New(slog.DiscardHandler), report: func(Change) {}}
			s.begin()
			s.read(trouble)
			if now := s.snapshot(); now.Trouble == (Trouble{}) || now.Shown() == Starting {
				t.Errorf("after %q it is %s with %+v", trouble, now.Shown(), now.Trouble)
			}
			s.read(line)
			if now := s.snapshot(); now.Trouble != (Trouble{}) || now.Shown() != want {
				t.Errorf("after %q and %q it is %s with %+v", trouble, line, now.Shown(), now.Trouble)
			}
		}
	}
}

// TestLogTellsWhatHappened: the lines of the real listener, and what a log has of them: one line for a job's start, one for
// its end, and none twice.
func TestLogTellsWhatHappened(t *testing.T) {
	synctest.Test(t, logTellsWhatHappened)
}

func logTellsWhatHappened(t *testing.T) {
	var log bytes.Buffer
	withoutTime := func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}
	s := &tracker{log: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{ReplaceAttr: withoutTime})), report: func(Change) {}}
	s.begin()
	for _, c := range []struct{ says, want string }{
		{"√ Connected to GitHub", ""},
		{"Current runner version: '2.336.0'", ""},
		{"2026-11-30 05:10:11Z: Listening for Jobs", `level=INFO msg="listening for jobs" version=2.336.0`},
		{"2026-11-30 05:10:12Z: Running job: build (ubuntu, 1)", `level=INFO msg="job started" job="build (ubuntu, 1)"`},
		{
			"2026-11-30 05:11:42Z: Job build (ubuntu, 1) completed with result: Succeeded",
			`level=INFO msg="job ended" job="build (ubuntu, 1)" result=succeeded took=1m30s`,
		},
		{"2026-11-30 05:11:42Z: Listening for Jobs", ""},
		{
			"2026-11-30 05:12:11Z: Runner connect error: Name or service not known. Retrying until reconnected.",
			`level=WARN msg="the listener has lost GitHub and goes on trying" reason="Name or service not known"`,
		},
		{"2026-11-30 05:12:12Z: Runner connect error: Connection refused. Retrying until reconnected.", ""},
		{"2026-11-30 05:12:21Z: Runner reconnected.", `level=INFO msg=listener line="Runner reconnected."`},
		{"Exiting...", ""},
		{"Something that nobody knows", `level=INFO msg=listener line="Something that nobody knows"`},
	} {
		if strings.Contains(c.says, "completed with result") {
			time.Sleep(90 * time.Second)
		}
		log.Reset()
		if s.read(c.says); strings.TrimSpace(log.String()) != c.want {
			t.Errorf("of %q it tells %q, want %q", c.says, log.String(), c.want)
		}
	}
	s.read("Running job: build (ubuntu, 2)")
	time.Sleep(5 * time.Second)
	log.Reset()
	for range 2 { // once is enough
		s.jobIsLost()
	}
	const lost = `level=WARN msg="job ended" job="build (ubuntu, 2)" result=unknown took=5s reason="its listener has ended before it"`
	if strings.TrimSpace(log.String()) != lost || s.now.Job != "" {
		t.Errorf("of a listener that ends within a job it tells %q, want %q", log.String(), lost)
	}
}
