//go:build unix

package supervise

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// assigned is a listener that gets a job, and says so only later, as it has to ask GitHub for it first. Interrupted meanwhile, it
// cancels it.
const assigned = `mkdir -p _diag; job=
	log() { echo "[$(date -u '+%Y-%m-%d %H:%M:%SZ') INFO $1] $2" >>_diag/Runner_20261203-100000-utc.log; }
	say() { echo "$1"; log Terminal "WRITE LINE: $1"; }
	trap 'test -z "$job" || say "Job build completed with result: Canceled"; exit 0' INT
	say "Listening for Jobs"
	while ! test -e come; do sleep 0.02; done
	log BrokerMessageListener "Message '7' received from session 'b1'."; job=build; touch came
	while ! test -e acquired; do sleep 0.02; done
	say "Running job: build"
	while ! test -e go; do sleep 0.02; done
	job=; say "Job build completed with result: Succeeded"
	while :; do sleep 0.02; done`

// appears waits for a file.
func appears(t *testing.T, name string) {
	t.Helper()
	for begun := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		if _, err := os.Lstat(name); err == nil {
			return
		}
		if time.Since(begun) > patience {
			t.Fatalf("there is no %s", name)
		}
	}
}

// A job of which the listener has said nothing yet is one that may finish, whatever the runner is to stop for. Who does not wait for
// jobs does not wait for this one.
func TestStopLetsTheJobBegin(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		drain time.Duration
		stop  func(r *run, orders chan<- Order)
		want  Results
	}{
		{"stopped", patience, func(r *run, _ chan<- Order) { r.cancel() }, Results{Succeeded: 1}},
		{"preempted", patience, func(_ *run, orders chan<- Order) { orders <- Order{Kind: Preempt} }, Results{Succeeded: 1}},
		{"drained", patience, func(_ *run, orders chan<- Order) { orders <- Order{Kind: Drain} }, Results{Succeeded: 1}},
		{"held", patience, func(_ *run, orders chan<- Order) { orders <- Order{Kind: Hold, From: "disk", Reason: "it is full"} }, Results{Succeeded: 1}},
		{"refreshed", patience, func(_ *run, orders chan<- Order) { orders <- Order{Kind: Refresh} }, Results{Succeeded: 1}},
		{"no drain timeout", 0, func(_ *run, orders chan<- Order) { orders <- Order{Kind: Drain} }, Results{Canceled: 1}},
		{"stopped now", patience, func(_ *run, orders chan<- Order) { orders <- Order{Kind: StopNow} }, Results{Canceled: 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			root := scripted(t, assigned)
			config := config(root, quiet())
			config.DrainTimeout = c.drain
			config.Refresh = func(context.Context) error { return nil }
			r, orders := ordered(t, config)
			r.listening()
			write(t, filepath.Join(root, "come"), "")
			appears(t, filepath.Join(root, "came"))
			c.stop(r, orders)
			if c.want.Canceled == 0 {
				time.Sleep(2 * takePoll) // which is when an interrupt would come
			}
			write(t, filepath.Join(root, "acquired"), "")
			if c.want.Succeeded > 0 {
				r.until("job", func(c Change) bool { return c.State == Busy })
			}
			write(t, filepath.Join(root, "go"), "")
			r.until("the end of the job", func(now Change) bool { return now.Results == c.want })
		})
	}
}

// What a listener is given that is no job holds nothing up, and nothing does so for long.
func TestOpenMessage(t *testing.T) {
	t.Parallel()
	const (
		got  = "[2026-12-03 10:00:05Z INFO BrokerMessageListener] Message '7' received from session 'b1'.\n"
		open = "2026-12-03 10:00:05"
	)
	for name, c := range map[string]struct{ text, want string }{
		"nothing":           {"", ""},
		"no message":        {"[2026-12-03 10:00:00Z INFO Terminal] WRITE LINE: 2026-12-03 10:00:00Z: Listening for Jobs\n", ""},
		"a message":         {got, open},
		"of the old kind":   {strings.ReplaceAll(got, "Broker", ""), open},
		"it begins":         {got + "[2026-12-03 10:00:06Z INFO Terminal] WRITE LINE: 2026-12-03 10:00:06Z: Running job: build\n", open},
		"it is over":        {got + "[2026-12-03 10:00:09Z INFO Terminal] WRITE LINE: 2026-12-03 10:00:09Z: Job build completed with result: Succeeded\n", ""},
		"another one":       {"x completed with result: Failed\n" + got, open},
		"it is another's":   {got + "[2026-12-03 10:00:06Z INFO Runner] Skipping message Job. The job is assigned to another runner\n", ""},
		"it was not had":    {got + "[2026-12-03 10:00:06Z ERR  Runner] Caught exception from acquiring job message: System.Net\n", ""},
		"an update":         {got + "[2026-12-03 10:00:05Z INFO Runner] Refresh message received, kick-off selfupdate background process.\n", ""},
		"of carriage":       {strings.ReplaceAll(got, "\n", "\r\n"), open},
		"no time":           {strings.Replace(got, "12-03", "99-99", 1), ""},
		"behind other text": {strings.Repeat("0123456789abcde\n", logEnd) + got, open},
		"long ago":          {got + strings.Repeat("0123456789abcde\n", logEnd), ""},
		"within a line":     {"a job says: " + got, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			root := t.TempDir()
			write(t, filepath.Join(root, "_diag", "Runner_20261203-100000-utc.log"), c.text)
			write(t, filepath.Join(root, "_diag", "Worker_20261203-100001-utc.log"), got)
			at := openMessage(root)
			if text := at.Format(time.DateTime); at.IsZero() != (c.want == "") || c.want != "" && text != c.want {
				t.Errorf("it is %v, want %q", at, c.want)
			}
		})
	}
}

// What lies in the place of a log is not waited for, and leads nowhere.
func TestOpenMessageOfNoLog(t *testing.T) {
	t.Parallel()
	got := "[2026-12-03 10:00:05Z INFO BrokerMessageListener] Message '7' received from session 'b1'.\n"
	elsewhere := filepath.Join(t.TempDir(), "Runner_1.log")
	write(t, elsewhere, got)
	for name, lay := range map[string]func(diag string) error{
		"a FIFO":   func(diag string) error { return syscall.Mkfifo(filepath.Join(diag, "Runner_1.log"), 0o600) },
		"a link":   func(diag string) error { return os.Symlink(elsewhere, filepath.Join(diag, "Runner_1.log")) },
		"a folder": func(diag string) error { return os.Mkdir(filepath.Join(diag, "Runner_1.log"), 0o700) },
		"nothing":  os.Remove,
		"a linked folder": func(diag string) error {
			return errors.Join(os.Remove(diag), os.Symlink(filepath.Dir(elsewhere), diag))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			root := t.TempDir()
			diag := filepath.Join(root, "_diag")
			if err := errors.Join(os.Mkdir(diag, 0o755), lay(diag)); err != nil {
				t.Fatal(err)
			}
			if at := openMessage(root); !at.IsZero() {
				t.Errorf("it is %v", at)
			}
		})
	}
}

// A message counts for the listener that got it, and for no longer than a job needs to begin, whatever a job has written.
func TestTakesJob(t *testing.T) {
	t.Parallel()
	now := time.Now().UTC()
	for name, c := range map[string]struct {
		at   time.Duration // from now
		want bool
	}{
		"now": {0, true}, "a moment ago": {-3 * time.Second, true},
		"too long ago": {-takeTime - 2*time.Second, false}, "an earlier listener's": {-12 * time.Second, false}, "not yet": {time.Hour, false},
	} {
		root := t.TempDir()
		line := fmt.Sprintf("[%s INFO BrokerMessageListener] Message '7' received from session 'b1'.\n", now.Add(c.at).Format("2006-01-02 15:04:05Z"))
		write(t, filepath.Join(root, "_diag", "Runner_1.log"), line)
		s := &supervisor{Config: Config{Root: root}, launched: now.Add(-10 * time.Second)}
		if name == "too long ago" {
			s.launched = now.Add(-time.Hour)
		}
		if got := takesJob(s, now); got != c.want {
			t.Errorf("%s: it is %v", name, got)
		}
	}
}

// Somebody who writes messages into the log again and again does not hold it up for ever.
func TestForgedMessages(t *testing.T) {
	t.Parallel()
	root, begun := t.TempDir(), time.Now().UTC()
	s := &supervisor{Config: Config{Root: root}, launched: begun}
	for passed := time.Duration(0); passed < 3*takeTime; passed += time.Second {
		now := begun.Add(passed)
		line := fmt.Sprintf("[%s INFO MessageListener] Message '7' received from session 'b1'.\n", now.Format("2006-01-02 15:04:05Z"))
		write(t, filepath.Join(root, "_diag", "Runner_1.log"), line)
		if got := takesJob(s, now); got != (passed <= takeTime) {
			t.Errorf("after %v it is %v", passed, got)
		}
	}
}
