package supervise

import (
	"log/slog"
	"regexp"
	"strings"
	"sync"
	"time"
)

// tracker follows what a listener prints and reports each change of state.
type tracker struct {
	log    *slog.Logger
	report func(Change)

	mu         sync.Mutex
	now        Change
	changed    chan struct{} // something has changed; may be nil
	since      time.Time     // listening since
	done       time.Time     // when the latest job has ended
	worked     bool          // what the latest listener did and said
	gone       bool
	deprecated bool
	cleaned    bool     // it has deleted its own copy of its registration
	troubled   bool     // it has said that it cannot reach GitHub
	said       []string // the end of what it printed
}

// What a listener says (actions/runner 2.336.0).
var (
	versionLine = regexp.MustCompile(`^Current runner version: '([0-9.]+)'`)
	jobLine     = regexp.MustCompile(`Running job: (.*)$`)
	resultLine  = regexp.MustCompile(`Job .* completed with result: (\w+)`)
	errorLine   = regexp.MustCompile(`Runner connect error: (.*?)\.? Retrying until reconnected\.`)
)

// change updates the state and reports it, unless it is what it was.
func (t *tracker) change(update func(*Change)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	before := t.now
	update(&t.now)
	if t.now == before {
		return
	}
	t.report(t.now)
	select {
	case t.changed <- struct{}{}:
	default: // it is known already that there is something
	}
}

// snapshot is the state as it is now.
func (t *tracker) snapshot() Change {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.now
}

// doneAt is when the listener's latest job has ended; zero if it ran none.
func (t *tracker) doneAt() time.Time {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.done
}

// begin forgets what the previous listener said.
func (t *tracker) begin() {
	t.mu.Lock()
	t.worked, t.gone, t.deprecated, t.since, t.done = false, false, false, time.Time{}, time.Time{}
	t.cleaned, t.troubled, t.said = false, false, nil
	t.mu.Unlock()
	t.change(func(now *Change) {
		now.State, now.Reason, now.Job, now.Trouble = Starting, "", "", Trouble{}
		now.Starts++
	})
}

// read takes in one line of the listener's output.
func (t *tracker) read(line string) {
	t.log.Info("listener", "line", line)
	t.rememberLine(line)
	if match := versionLine.FindStringSubmatch(line); match != nil {
		t.change(func(now *Change) { now.Version = match[1] })
		return
	}
	if match := jobLine.FindStringSubmatch(line); match != nil {
		t.note(func() { t.worked = true })
		t.change(func(now *Change) { now.State, now.Job, now.Trouble = Busy, match[1], Trouble{} })
		return
	}
	if match := resultLine.FindStringSubmatch(line); match != nil {
		t.note(func() { t.done = time.Now() })
		t.change(func(now *Change) {
			now.State, now.Job = Idle, ""
			now.Results.count(match[1])
		})
		return
	}
	switch {
	case strings.Contains(line, "Listening for Jobs"):
		t.note(func() {
			if t.since.IsZero() {
				t.since = time.Now()
			}
		})
		t.change(func(now *Change) { now.State, now.Job, now.Trouble = Idle, "", Trouble{} })
	case strings.Contains(line, "Runner reconnected."):
		t.change(func(now *Change) { now.Trouble = Trouble{} })
	case errorLine.MatchString(line):
		t.connectionLost(errorLine.FindStringSubmatch(line)[1])
	case strings.Contains(line, "A session for this runner already exists."):
		t.trouble(Conflict, "another listener holds the session of this runner at GitHub")
	case strings.Contains(line, "registration has been deleted from the server"),
		strings.Contains(line, "no longer exists on the server"):
		t.note(func() { t.gone = true })
	case strings.HasSuffix(line, "Removed .runner"):
		t.note(func() { t.cleaned = true })
	case strings.Contains(line, "is deprecated and cannot receive messages"):
		t.note(func() { t.deprecated = true })
	}
}

// listened is how long the latest listener was connected.
func (t *tracker) listened() time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.since.IsZero() {
		return 0
	}
	return time.Since(t.since)
}

// note takes down something about the listener that is no change of state.
func (t *tracker) note(what func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	what()
}

// tell adds what the listener did and said to its ending.
func (t *tracker) tell(e *ending) {
	t.mu.Lock()
	defer t.mu.Unlock()
	e.worked, e.gone, e.deprecated, e.cleaned = t.worked, t.gone, t.deprecated, t.cleaned
}

// count adds a job's result, as the listener calls it.
func (r *Results) count(result string) {
	switch result {
	case "Succeeded", "SucceededWithIssues":
		r.Succeeded++
	case "Canceled":
		r.Canceled++
	default:
		r.Failed++
	}
}
