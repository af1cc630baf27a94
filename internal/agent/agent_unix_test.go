//go:build unix

package agent

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/departure"
	"github.com/runner-bootstrap/runner-bootstrap/internal/health"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/supervise"
)

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// Which change of a listener is an event, and which one.
func TestEventOf(t *testing.T) {
	t.Parallel()
	idle := supervise.Change{State: supervise.Idle}
	lost := supervise.Change{State: supervise.Idle, Trouble: supervise.Trouble{State: supervise.Reconnecting}}
	for name, c := range map[string]struct {
		before, now supervise.Change
		want        string
	}{
		"nothing new":       {idle, idle, ""},
		"a job":             {idle, supervise.Change{State: supervise.Busy, Job: "a"}, health.EventBusy},
		"the next job":      {supervise.Change{State: supervise.Busy, Job: "a"}, supervise.Change{State: supervise.Busy, Job: "b"}, health.EventBusy},
		"joined again":      {idle, supervise.Change{State: supervise.Idle, Registrations: 1}, health.EventRegistered},
		"told to drain":     {idle, supervise.Change{State: supervise.Idle, Draining: true}, health.EventDraining},
		"lost GitHub":       {idle, lost, health.EventDisconnected},
		"found it again":    {lost, idle, health.EventIdle},
		"ended":             {idle, supervise.Change{State: supervise.Ended, Outcome: supervise.Stopped}, health.EventStopped},
		"the machine goes":  {idle, supervise.Change{State: supervise.Ended, Outcome: supervise.Preempted}, health.EventPreempted},
		"starting is quiet": {supervise.Change{}, supervise.Change{State: supervise.Starting}, ""},
	} {
		if got := eventOf(c.before, c.now); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		return ""
	}
	return string(text)
}

// A record that comes late is waited for; an agent that is told to stop does not wait.
func TestLoadLate(t *testing.T) {
	t.Parallel()
	store := instance.NewStore(t.TempDir())
	stopped, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := LoadLate(stopped, store, "web-1"); !errors.Is(err, context.Canceled) {
		t.Errorf("stopped: %v", err)
	}
	saved := make(chan error, 1)
	time.AfterFunc(lateEach, func() { saved <- store.Save(instance.Record{Name: "web-1"}) })
	record, err := LoadLate(t.Context(), store, "web-1")
	if err := errors.Join(err, <-saved); err != nil || record.Name != "web-1" {
		t.Errorf("%q, %v", record.Name, err)
	}
}

// What the owner of the host asks for sees which runner has ended, and its failure is told with its words.
func TestOnExit(t *testing.T) {
	t.Parallel()
	k := &keeper{log: quiet(), name: "web-1"}
	record := instance.Record{Name: "web-1", Dir: "/opt/web-1"}
	out := filepath.Join(t.TempDir(), "out")
	record.OnExit = `printf '%s' "$RUNNER_NAME $RUNNER_DIR $RUNNER_END" > ` + out
	if err := k.onExit(t.Context(), record, supervise.Served); err != nil {
		t.Fatal(err)
	}
	if got, want := read(t, out), "web-1 /opt/web-1 "+string(supervise.Served); got != want {
		t.Errorf("it saw %q, want %q", got, want)
	}
	record.OnExit = "echo no power >&2; exit 3"
	if err := k.onExit(t.Context(), record, supervise.Served); !errors.Is(err, ErrOnExit) || err.Error() != ErrOnExit.Error()+": exit status 3: no power" {
		t.Errorf("%v", err)
	}
}

// When the machine is taken away, the last of its runners runs what was asked for, and only where it was.
func TestPreemptedExit(t *testing.T) {
	t.Parallel()
	life := instance.Life{OnExitPreempted: true, Preemption: departure.Auto}
	for name, c := range map[string]struct {
		asked  bool
		other  string // the outcome of another runner whose agent runs; "-" for none
		heeds  string
		wanted bool
	}{
		"asked for":              {true, "-", departure.Auto, true},
		"not asked for":          {false, "-", departure.Auto, false},
		"another works":          {true, "", departure.Auto, false},
		"another has ended, too": {true, string(supervise.Preempted), departure.Auto, true},
		"another does not heed":  {true, "", departure.Off, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store, dir := instance.NewStore(t.TempDir()), t.TempDir()
			k := &keeper{log: quiet(), name: "web-1", store: store}
			record := instance.Record{Name: "web-1", Dir: dir, Life: life}
			record.OnExitPreempted = c.asked
			out := filepath.Join(dir, "out")
			record.OnExit = `printf '%s' "$RUNNER_END" > ` + out
			err := store.Save(record)
			if c.other != "-" {
				err = errors.Join(err, store.Save(instance.Record{Name: "web-2", Life: instance.Life{Preemption: c.heeds}}))
				lock, lockErr := store.LockRunner(t.Context(), "web-2")
				err = errors.Join(err, lockErr, store.SaveReport("web-2", instance.Report{Outcome: instance.Outcome(c.other)}))
				t.Cleanup(lock.Release)
			}
			watcher := &departure.Watcher{Log: quiet()}
			if err := errors.Join(err, k.finish(t.Context(), record, supervise.Preempted, nil, nil, watcher)); err != nil {
				t.Fatal(err)
			}
			if got := read(t, out); (got == "preempted") != c.wanted || !c.wanted && got != "" {
				t.Errorf("it ran with %q", got)
			}
		})
	}
}
