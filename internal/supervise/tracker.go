package supervise

import (
	"regexp"
	"strings"
	"sync"
	"time"
)

// tracker follows what a listener prints and reports each change of state.
type tracker struct {
	mu         sync.Mutex
	now        Change
	changed    chan struct{} // something has changed; may be nil
	since      time.Time     // listening since
	done       time.Time     // when the latest job has ended
	worked     bool          // what the latest listener did and said
	gone       bool
	deprecated bool
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
func (s *supervisor) change(update func(*Change)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	before := s.now
	update(&s.now)
	if s.now == before {
		return
	}
	s.Report(s.now)
	select {
	case s.changed <- struct{}{}:
	default: // it is known already that there is something
	}
}

// snapshot is the state as it is now.
func (s *supervisor) snapshot() Change {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now
}

// doneAt is when the listener's latest job has ended; zero if it ran none.
func (s *supervisor) doneAt() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.done
}

// begin forgets what the previous listener said.
func (s *supervisor) begin() {
	s.mu.Lock()
	s.worked, s.gone, s.deprecated, s.since, s.done = false, false, false, time.Time{}, time.Time{}
	s.troubled, s.said = false, nil
	s.mu.Unlock()
	s.change(func(now *Change) {
		now.State, now.Reason, now.Job, now.Trouble = Starting, "", "", Trouble{}
		now.Starts++
	})
}

// read takes in one line of the listener's output.
func (s *supervisor) read(line string) {
	s.Log.Info("listener", "line", line)
	s.rememberLine(line)
	if match := versionLine.FindStringSubmatch(line); match != nil {
		s.change(func(now *Change) { now.Version = match[1] })
		return
	}
	if match := jobLine.FindStringSubmatch(line); match != nil {
		s.note(func() { s.worked = true })
		s.change(func(now *Change) { now.State, now.Job, now.Trouble = Busy, match[1], Trouble{} })
		return
	}
	if match := resultLine.FindStringSubmatch(line); match != nil {
		s.note(func() { s.done = time.Now() })
		s.change(func(now *Change) {
			now.State, now.Job = Idle, ""
			now.Results.count(match[1])
		})
		return
	}
	switch {
	case strings.Contains(line, "Listening for Jobs"):
		s.note(func() {
			if s.since.IsZero() {
				s.since = time.Now()
			}
		})
		s.change(func(now *Change) { now.State, now.Job, now.Trouble = Idle, "", Trouble{} })
	case strings.Contains(line, "Runner reconnected."):
		s.change(func(now *Change) { now.Trouble = Trouble{} })
	case errorLine.MatchString(line):
		s.connectionLost(errorLine.FindStringSubmatch(line)[1])
	case strings.Contains(line, "A session for this runner already exists."):
		s.trouble(Conflict, "another listener holds the session of this runner at GitHub")
	case strings.Contains(line, "registration has been deleted from the server"),
		strings.Contains(line, "no longer exists on the server"):
		s.note(func() { s.gone = true })
	case strings.Contains(line, "is deprecated and cannot receive messages"):
		s.note(func() { s.deprecated = true })
	}
}

// listened is how long the latest listener was connected.
func (s *supervisor) listened() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.since.IsZero() {
		return 0
	}
	return time.Since(s.since)
}

// note takes down something about the listener that is no change of state.
func (s *supervisor) note(what func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	what()
}

// tell adds what the listener did and said to its ending.
func (s *supervisor) tell(e *ending) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e.worked, e.gone, e.deprecated = s.worked, s.gone, s.deprecated
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
