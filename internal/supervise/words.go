package supervise

import (
	"fmt"
	"strings"
	"syscall"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/jail"
)

const (
	// atOnce is how soon a listener ends that cannot start: one that was refused by
	// GitHub, or waited for it, has lived longer or said so.
	atOnce = 10 * time.Second
	// wordsKept and wordLength bound what is remembered of a listener's output: the
	// cause of an end stands in its last lines.
	wordsKept  = 3
	wordLength = 300
)

// rememberLine remembers a line for the case that it is among the last. What every start
// prints tells nothing of an end.
func (t *tracker) rememberLine(line string) {
	if strings.HasSuffix(line, "Connected to GitHub") || versionLine.MatchString(line) || strings.HasSuffix(line, ": Listening for Jobs") {
		return
	}
	t.note(func() {
		t.said = append(t.said, shorten(line))
		t.said = t.said[max(0, len(t.said)-wordsKept):]
	})
}

// shorten cuts a text that is too long for a sentence.
func shorten(text string) string {
	if runes := []rune(text); len(runes) > wordLength {
		return string(runes[:wordLength]) + "..."
	}
	return text
}

// lastWords says how a listener ended, and what it printed last.
func (t *tracker) lastWords(exit jail.Exit) string {
	how := fmt.Sprintf("exit code %d", exit.Code)
	switch {
	case exit.Signal != 0:
		how = "signal: " + syscall.Signal(exit.Signal).String()
	case exit.Code < 0:
		how = "ended by somebody else"
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.said) == 0 {
		return how + ", and it printed nothing"
	}
	return how + ": " + strings.Join(t.said, "; ")
}

// connectionLost takes in that the listener cannot reach GitHub. It says so of a session
// conflict as well, which it has named before.
func (t *tracker) connectionLost(words string) {
	t.mu.Lock()
	state, known := Connecting, t.now.Trouble.State == Conflict
	if !t.since.IsZero() {
		state = Reconnecting
	}
	t.mu.Unlock()
	if !known {
		t.trouble(state, words)
	}
}

// trouble notes what is wrong with the connection; since when is that of the first
// word of it.
func (t *tracker) trouble(state State, words string) {
	t.note(func() { t.troubled = true })
	first := false
	t.change(func(now *Change) {
		if first = now.Trouble.State != state; first {
			now.Trouble = Trouble{State: state, Since: time.Now().UTC().Truncate(time.Second)}
		}
		now.Trouble.Words = shorten(strings.TrimRight(words, "."))
	})
	if first {
		t.log.Warn(troubleText(state), "reason", words) //nolint:sloglint // one of three constants
	}
}

func troubleText(state State) string {
	switch state {
	case Conflict:
		return "the listener waits for its session"
	case Connecting:
		return "the listener cannot connect to GitHub and goes on trying"
	default:
		return "the listener has lost GitHub and goes on trying"
	}
}

// countEnd counts how often in a row the listener has ended at once, for a reason
// that is neither GitHub's nor the network's.
func (s *supervisor) countEnd(next action, started time.Time) {
	s.mu.Lock()
	connected := !s.since.IsZero() || s.worked || s.gone || s.deprecated || s.troubled
	s.mu.Unlock()
	hopeless := !connected && !next.update && !next.conflict && !next.finished && !s.stopping() && time.Since(started) < atOnce
	s.change(func(now *Change) {
		now.EndedAtOnce++
		if !hopeless {
			now.EndedAtOnce = 0
		}
	})
}
