//go:build unix

package bootstrap_test

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/runner-bootstrap/runner-bootstrap/internal/control"
	"github.com/runner-bootstrap/runner-bootstrap/internal/download"
	"github.com/runner-bootstrap/runner-bootstrap/internal/githubtest"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/plan"
	"github.com/runner-bootstrap/runner-bootstrap/internal/startup"
)

// newest is another version than the one that a world's runner has.
const newest = "2.338.0"

// archive makes one of a version, and says where it comes from.
func (w *world) archive(version string) download.Source {
	w.t.Helper()
	platform, err := download.Host()
	mustDo(w.t, err)
	dir := filepath.Join(w.base, "archives")
	mustDo(w.t, os.MkdirAll(dir, 0o755))
	archive, err := githubtest.NewArchive(githubtest.ArchiveSpec{Platform: platform.String(), Version: version, Dir: dir})
	mustDo(w.t, err)
	return download.Source{Archive: filepath.Join(dir, archive.Filename), SHA256: archive.SHA256}
}

// teller is an agent that can be told to put another version into place.
type teller struct {
	t     *testing.T
	store *instance.Store
	mu    sync.Mutex
	state instance.State
	told  []control.Command
	// does is what it does when it is told so, beside the answer.
	does  func()
	doing sync.WaitGroup
}

func (a *teller) State() control.State {
	a.mu.Lock()
	defer a.mu.Unlock()
	return control.State{Name: runnerName, PID: os.Getpid(), Report: instance.Report{State: a.state, PID: os.Getpid(), Version: version}}
}

func (a *teller) Do(command control.Command) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.told = append(a.told, command); a.does != nil {
		a.doing.Go(a.does)
	}
}

// becomes is what its listener is from now on.
func (a *teller) becomes(state instance.State) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.state = state
}

// exchanged is the record after the agent has put into place what it wants.
func exchanged(t *testing.T, store *instance.Store) {
	t.Helper()
	_, err := store.Update(context.WithoutCancel(t.Context()), runnerName, func(r *instance.Record) {
		if !r.Wanted.None() {
			r.Becomes(r.Wanted.Version, r.Wanted.SHA256)
		}
	})
	if err != nil {
		t.Error(err)
	}
}

// answers has the agent of the runner answer on a socket.
func (w *world) answers(a *teller) {
	w.t.Helper()
	dir, err := os.MkdirTemp("", "rb-") // the name of a socket is short
	mustDo(w.t, err)
	w.t.Cleanup(func() { mustDo(w.t, os.RemoveAll(dir)) })
	path := filepath.Join(dir, "s")
	server, err := control.Listen(path, a, slog.New(slog.DiscardHandler))
	mustDo(w.t, err)
	w.t.Cleanup(func() { mustDo(w.t, server.Close()) })
	_, err = w.store.Update(w.t.Context(), runnerName, func(r *instance.Record) { r.Control = path })
	mustDo(w.t, err)
}

// Another version is told to the agent, which puts it into place between two jobs. Its service does not notice.
func TestExchange(t *testing.T) {
	t.Parallel()
	problem := func(w *world, _ *teller) {
		_, err := w.store.Update(w.t.Context(), runnerName, func(r *instance.Record) { r.Wanted.Problem = "no space" })
		mustDo(w.t, err)
	}
	starts := func(_ context.Context, s supervisor) error {
		exchanged(s.t, s.store)
		return listens(s.t.Context(), s)
	}
	fails := func(ctx context.Context, s supervisor) error {
		if err := starts(ctx, s); err != nil {
			return err
		}
		if record, err := s.store.Load(runnerName); err == nil && record.Version == newest {
			s.reports(instance.Report{State: instance.Starting, EndedAtOnce: 3, LastWords: "no such library"})
		}
		return nil
	}
	type does = func(w *world, agent *teller)
	for name, c := range map[string]struct {
		state   instance.State // of the listener
		does    does           // when the agent is told; nil: no agent can be told
		change  func(r *plan.Request)
		start   func(ctx context.Context, s supervisor) error
		says    string // what the install says of the version
		calls   []string
		version string
		wanted  string
		refused error
		words   string
	}{
		"while it waits": {
			state: instance.Idle, does: func(w *world, _ *teller) { exchanged(w.t, w.store) }, says: newest + ", listening after ", version: newest,
		},
		"while a job runs": {
			state: instance.Busy, does: func(*world, *teller) {}, says: newest + ", after the current job", version: version, wanted: newest,
		},
		"after a job that ended at once": {
			state: instance.Busy, does: nil, start: starts, says: newest + ", listening after ", calls: []string{"install", "restart"}, version: newest,
		},
		"with another life": {
			state: instance.Idle, does: func(w *world, _ *teller) { w.t.Error("it was told") },
			change: func(r *plan.Request) { r.Life.DrainTimeout = 77 }, start: starts, says: newest + ", when its service starts",
			calls: []string{"install", "restart"}, version: newest,
		},
		"and cannot": {
			state: instance.Idle, does: problem, refused: startup.ErrService, words: "no space", version: version, wanted: newest,
		},
		"and does not come up": {
			state: instance.Idle, does: func(w *world, agent *teller) {
				mustDo(w.t, w.store.SaveReport(runnerName, instance.Report{State: instance.Starting, PID: os.Getpid(), EndedAtOnce: 3, LastWords: "no such library"}))
				agent.becomes(instance.Starting)
				exchanged(w.t, w.store) // last: who has told it looks for this
			}, start: starts, refused: startup.ErrService, words: "no such library", calls: []string{"restart"}, version: version,
		},
		"and does not come up, in a service that starts": {
			state: instance.Idle, start: fails, refused: startup.ErrService, words: "no such library", calls: []string{"install", "restart", "restart"},
			version: version,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.host.Paths.Cache = filepath.Join(w.base, "cache")
			w.host.Fetcher.Cache.Dir = w.host.Paths.Cache
			r := w.brought()
			config := w.jit(runnerName, broughtID, map[string]string{"Ephemeral": "false"})
			r.JIT, r.Source = &config, w.archive(version)
			r.Update = instance.UpdateRunner
			w.install(r)
			mustDo(t, w.store.SaveReport(runnerName, instance.Report{State: c.state, PID: os.Getpid(), Version: version}))
			if c.does != nil {
				agent := &teller{t: t, store: w.store, state: c.state}
				agent.does = func() { c.does(w, agent) }
				defer agent.doing.Wait()
				w.answers(agent)
			}
			w.manager.start = c.start
			w.manager.changes()
			if r.Source = w.archive(newest); c.change != nil {
				c.change(&r)
			}
			if c.refused != nil {
				w.refused(r, c.refused, c.words)
			} else {
				w.install(r)
			}
			if got := w.phases.of(plan.VersionPhase); !strings.HasPrefix(got, c.says) {
				t.Errorf("it says %q, want %q", got, c.says)
			}
			if calls := w.manager.changes(); !slices.Equal(calls, c.calls) {
				t.Errorf("the service manager was asked to %q, want %q", calls, c.calls)
			}
			record := w.record()
			if record.Version != c.version || record.Wanted.Version != c.wanted || record.RunnerID != broughtID || !record.Source.Pinned {
				t.Errorf("the record is %+v", record)
			}
		})
	}
}

// What cannot be had leaves everything as it is, and so does a version that this host lacks something for.
func TestExchangeFails(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.host.Paths.Cache = filepath.Join(w.base, "cache")
	w.host.Fetcher.Cache.Dir = w.host.Paths.Cache
	r := w.brought()
	config := w.jit(runnerName, broughtID, map[string]string{"Ephemeral": "false"})
	r.JIT, r.Source = &config, w.archive(version)
	w.install(r)
	w.manager.changes()
	before := w.record()
	r.Source = w.archive(newest)
	mustDo(t, os.WriteFile(r.Source.Archive, []byte("\x1f\x8bno archive"), 0o644))
	w.refused(r, download.ErrArchive)
	after := w.record()
	if after.Wanted != (instance.Wanted{}) || after.Origin != before.Origin || after.Phase != instance.Installed || len(w.manager.changes()) > 0 {
		t.Errorf("the record is %+v", after)
	}
	if _, err := os.Stat(w.root("bin")); err != nil {
		t.Error(err)
	}

	// Without a service and without an agent it is for the next one.
	r.Service = false
	of := func(version string) plan.Request { r.Source = w.archive(version); return r }
	w.install(of(version))
	w.install(of(newest))
	if got := w.phases.of(plan.VersionPhase); got != newest+", when it starts" || w.record().Wanted.Version != newest {
		t.Errorf("it says %q, the record is %+v", got, w.record())
	}
	w.install(of(version))
	if got := w.phases.of(plan.VersionPhase); got != version+" stays" || !w.record().Wanted.None() {
		t.Errorf("it says %q, the record is %+v", got, w.record())
	}
}
