package supervise

import (
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/pattern"
)

// tracker follows what a listener prints and reports each change of state.
type tracker struct {
	log    *slog.Logger
	report func(Change)

	mu         sync.Mutex
	now        Change
	changed    chan struct{} // something has changed; may be nil
	since      time.Time     // listening since
	begun      time.Time     // when the latest job has begun
	done       time.Time     // and ended
	worked     bool          // what the latest listener did and said
	gone       bool
	deprecated bool
	cleaned    bool     // it has deleted its own copy of its registration
	troubled   bool     // it has said that it cannot reach GitHub
	said       []string // the end of what it printed
}

// What a listener says (actions/runner 2.336.0).
var (
	versionLine = pattern.New(`^Current runner version: '([0-9.]+)'`)
	jobLine     = pattern.New(`Running job: (.*)$`)
	resultLine  = pattern.New(`Job (.*) completed with result: (\w+)`)
	ownTime     = pattern.New(`^\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ: `)
	errorLine   = pattern.New(`Runner connect error: (.*?)\.? Retrying until reconnected\.`)
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
	t.wake()
}

// wake has the loop look once more at what is to be done.
func (t *tracker) wake() {
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
	t.worked, t.gone, t.deprecated, t.since, t.begun, t.done = false, false, false, time.Time{}, time.Time{}, time.Time{}
	t.cleaned, t.troubled, t.said = false, false, nil
	t.mu.Unlock()
	t.change(func(now *Change) {
		now.State, now.Reason, now.Job, now.Trouble = Starting, "", "", Trouble{}
		now.Starts++
	})
}

// read takes in one line of the listener's output.
func (t *tracker) read(line string) {
	t.rememberLine(line)
	if match := versionLine.FindStringSubmatch(line); match != nil {
		t.change(func(now *Change) { now.Version = match[1] })
		return
	}
	if match := jobLine.FindStringSubmatch(line); match != nil {
		t.jobBegins(match[1])
		return
	}
	if match := resultLine.FindStringSubmatch(line); match != nil {
		t.jobEnds(match[1], match[2])
		return
	}
	switch {
	case strings.HasSuffix(line, "Connected to GitHub"), line == "Exiting...": // told in other words already
		return
	case strings.Contains(line, "Listening for Jobs"):
		t.listens()
		return
	case strings.Contains(line, "Runner reconnected."):
		t.change(func(now *Change) { now.Trouble = Trouble{} })
	case errorLine.MatchString(line):
		t.connectionLost(errorLine.FindStringSubmatch(line)[1])
		return
	case strings.Contains(line, "A session for this runner already exists."):
		t.trouble(Conflict, "another listener holds the session of this runner at GitHub")
		return
	case strings.Contains(line, "registration has been deleted from the server"),
		strings.Contains(line, "no longer exists on the server"):
		t.note(func() { t.gone = true })
	case strings.HasSuffix(line, "Removed .runner"):
		t.note(func() { t.cleaned = true })
	case strings.Contains(line, "is deprecated and cannot receive messages"):
		t.note(func() { t.deprecated = true })
	}
	// What is not told in words of ours. A log has a time of its own.
	t.log.Info("listener", "line", ownTime.ReplaceAllString(line, ""))
}

func (t *tracker) jobBegins(name string) {
	t.log.Info("job started", "job", name)
	t.note(func() { t.worked, t.begun = true, time.Now() })
	t.change(func(now *Change) { now.State, now.Job, now.Trouble = Busy, name, Trouble{} })
}

func (t *tracker) jobEnds(name, result string) {
	now := time.Now()
	attributes := []any{"job", name, "result", strings.ToLower(result)}
	t.note(func() {
		if !t.begun.IsZero() {
			attributes = append(attributes, "took", now.Sub(t.begun).Round(time.Second))
		}
		t.begun, t.done = time.Time{}, now
	})
	t.log.Info("job ended", attributes...)
	t.change(func(now *Change) {
		now.State, now.Job = Idle, ""
		now.Results.count(result)
	})
}

// jobIsLost tells of a job whose listener has ended before it: GitHub will say of it that it has lost the runner.
func (t *tracker) jobIsLost() {
	job := t.snapshot().Job
	if job == "" {
		return
	}
	attributes := []any{"job", job, "result", "unknown"}
	t.note(func() {
		if !t.begun.IsZero() {
			attributes = append(attributes, "took", time.Since(t.begun).Round(time.Second))
		}
		t.begun = time.Time{}
	})
	t.log.Warn("job ended", append(attributes, "reason", "its listener has ended before it")...)
	t.change(func(now *Change) { now.Job = "" })
}

// listens takes in that the listener listens, which it may say again.
func (t *tracker) listens() {
	first := false
	t.note(func() {
		if first = t.since.IsZero(); first {
			t.since = time.Now()
		}
	})
	t.change(func(now *Change) { now.State, now.Job, now.Trouble = Idle, "", Trouble{} })
	if first {
		t.log.Info("listening for jobs", "version", t.snapshot().Version)
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
