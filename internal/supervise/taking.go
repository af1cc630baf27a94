package supervise

import (
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/folders"
	"github.com/runner-bootstrap/runner-bootstrap/internal/openfile"
	"github.com/runner-bootstrap/runner-bootstrap/internal/pattern"
)

const (
	// takeTime is how long a listener may take from the message that brings a job to what it says of that: it asks GitHub three
	// things in between, which takes a second mostly.
	takeTime = 15 * time.Second
	// takePoll is how often is looked whether it has.
	takePoll = 100 * time.Millisecond
	// logPatience is how long a file system may take for the end of a log.
	logPatience = time.Second
	// logEnd is how much of a log is read: what comes behind a message until its job begins is a small part of it.
	logEnd = 64 << 10
)

// What a listener writes into its own log (actions/runner 2.336.0: MessageListener.cs, BrokerMessageListener.cs, Runner.cs).
var (
	messageLine = pattern.New(`^\[(\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ) .*\] Message '.*' received from session '`)
	// noJobLine is behind a message that brings no job, or one that is over.
	noJobLine = pattern.New(`completed with result: |Skipping message Job|exception from acquiring job message|Refresh message received`)
)

// takesJob tells whether the listener has a message from GitHub of which it has said nothing yet. That may be a job: an interrupt would
// cancel it, or leave it to nobody until GitHub gives it to another runner many minutes later (actions/runner#4461). It is asked
// once more after takePoll.
func takesJob(s *supervisor, now time.Time) bool {
	last, answered := folders.Within(logPatience, func() time.Time { return openMessage(s.Root) }, func(time.Time) {})
	if !answered || last.Before(s.launched.Truncate(time.Second)) || last.After(now) || now.Sub(last) > takeTime {
		return false
	}
	if s.awaited.IsZero() {
		s.awaited = now
	}
	if now.Sub(s.awaited) > takeTime {
		return false // what a job has left running may write into the log again and again
	}
	time.AfterFunc(takePoll, s.wake)
	return true
}

// openMessage is when the latest listener of root got the message that it works on, by its log; zero for none, and for a log that
// cannot be read.
func openMessage(root string) time.Time {
	lines := strings.Split(endOfLog(root), "\n")
	for _, line := range slices.Backward(lines) {
		if noJobLine.MatchString(line) {
			break
		}
		if match := messageLine.FindStringSubmatch(line); match != nil {
			at, err := time.Parse("2006-01-02 15:04:05Z", match[1])
			if err != nil {
				break
			}
			return at
		}
	}
	return time.Time{}
}

// endOfLog is the end of the log that was written last, Runner_*.log; empty where there is none that can be read. Why is told nowhere:
// the listener is stopped then as without this look, and what is wrong with its folder it says itself.
func endOfLog(root string) string {
	tree, err := os.OpenRoot(root)
	if err != nil {
		return ""
	}
	defer tree.Close()
	logs, err := folders.Enter(tree, "_diag")
	if err != nil {
		return ""
	}
	defer logs.Close()
	latest, written := "", time.Time{}
	err = folders.Names(logs, func(name string) bool {
		if strings.HasPrefix(name, "Runner_") && strings.HasSuffix(name, ".log") {
			if info, err := logs.Lstat(name); err == nil && info.Mode().IsRegular() && info.ModTime().After(written) {
				latest, written = name, info.ModTime()
			}
		}
		return true
	})
	if err != nil || latest == "" {
		return ""
	}
	file, err := openfile.In(logs, latest)
	if err != nil {
		return ""
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return ""
	}
	text, err := io.ReadAll(io.NewSectionReader(file, max(0, info.Size()-logEnd), logEnd))
	if err != nil {
		return ""
	}
	return string(text)
}
