package supervise

import (
	"log/slog"
	"testing"
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
