package systemd

import (
	"log/slog"
	"testing"
)

// TestPriorities: what begins a line is what the journal is given where that has to be reached in another way.
func TestPriorities(t *testing.T) {
	t.Parallel()
	for level, want := range map[slog.Level]string{
		slog.LevelDebug: "7", slog.LevelInfo: "6", slog.LevelWarn: "4", slog.LevelWarn + 1: "4", slog.LevelError: "3",
	} {
		priority, text := cutPriority(PriorityPrefix(level) + "<1>words")
		if priority != want || text != "<1>words" {
			t.Errorf("%v: %s, %q", level, priority, text)
		}
	}
	for _, line := range []string{"", "words", "<x>words", "<9>words", "<6", "<10>words"} {
		if priority, text := cutPriority(line); priority != "6" || text != line {
			t.Errorf("%q: %s, %q", line, priority, text)
		}
	}
	want := "PRIORITY=4\nSYSLOG_IDENTIFIER=runner-bootstrap\nMESSAGE=restarting\n"
	if got := journalMessage("<4>restarting"); got != want {
		t.Errorf("the journal is told %q", got)
	}
}
