//go:build unix

package startup_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/runner-bootstrap/runner-bootstrap/internal/account"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/startup"
	"github.com/runner-bootstrap/runner-bootstrap/internal/svc"
)

const (
	runner  = "web-1"
	service = "actions.runner.octo-org.web-1"
)

// errBroken is what a broken service manager answers, and errRefused what one answers that was asked to start a service.
var (
	errBroken  = errors.New("the service manager is broken")
	errRefused = errors.New("job failed")
)

// scene is a host with one runner, whose service is the scene itself: it does what a test says, and notes what it was asked.
type scene struct {
	t      *testing.T
	store  *instance.Store
	record instance.Record

	mu     sync.Mutex
	calls  []string
	fail   map[string]error
	state  svc.State
	change svc.Change
	lines  []string
	// meanwhile is what happens while the service manager is asked for the state; nil: nothing.
	meanwhile func()
	// restart is what a start does; nil: a listener that listens.
	restart func(ctx context.Context) error
	lock    *instance.Lock // held by a supervisor that is alive
}

// newScene has the runner registered, and its service not installed.
func newScene(t *testing.T) *scene {
	t.Helper()
	base := t.TempDir()
	s := &scene{t: t, store: instance.NewStore(filepath.Join(base, "state")), fail: map[string]error{}}
	lock, err := s.store.LockHost(t.Context())
	s.must(err)
	t.Cleanup(lock.Release)
	t.Cleanup(s.ends)
	s.record = instance.Record{Name: runner, Dir: filepath.Join(base, "runner"), User: "jobs", Service: service, Phase: instance.Installed}
	s.must(os.Mkdir(s.record.Dir, 0o755), s.store.Save(s.record))
	return s
}

func (s *scene) must(all ...error) {
	s.t.Helper()
	if err := errors.Join(all...); err != nil {
		s.t.Fatal(err)
	}
}

func (s *scene) startup() startup.Startup {
	return startup.Startup{Store: s.store, Service: s, Record: s.record, User: account.User{Self: true}}
}

func (s *scene) former(log *slog.Logger) *startup.Former {
	return &startup.Former{Store: s.store, Log: log, Record: s.record, Service: s, Ran: true}
}

// lives has a supervisor hold the runner, and say how its listener is.
func (s *scene) lives(report instance.Report) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lock == nil {
		lock, err := s.store.LockRunner(context.Background(), runner)
		if err != nil {
			s.t.Error(err)
			return
		}
		s.lock = lock
	}
	s.says(report)
}

// says leaves a report.
func (s *scene) says(report instance.Report) {
	report.PID = os.Getpid()
	if err := s.store.SaveReport(runner, report); err != nil {
		s.t.Error(err)
	}
}

// ends lets go of the runner, as a supervisor does that has ended.
func (s *scene) ends() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lock != nil {
		s.lock.Release()
		s.lock = nil
	}
}

// is has the service manager say so.
func (s *scene) is(active svc.Active, exit int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state.Active, s.state.ExitStatus = active, exit
}

func (s *scene) called(what string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = append(s.calls, what)
	return s.fail[what]
}

// asked wants the service manager to have been asked for these, beside its state.
func (s *scene) asked(want ...string) {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	got := slices.DeleteFunc(slices.Clone(s.calls), func(call string) bool { return call == "state" })
	if !slices.Equal(got, want) {
		s.t.Errorf("the service manager was asked to %q, want %q", got, want)
	}
}

// The scene is startup.Service and startup.Services.

func (s *scene) State(context.Context) (svc.State, error) {
	err := s.called("state")
	if s.meanwhile != nil {
		s.meanwhile()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state, err
}

func (s *scene) Install(context.Context) (svc.Change, error) { return s.change, s.called("install") }

func (s *scene) Restart(ctx context.Context) error {
	if err := s.called("restart"); err != nil {
		return err
	}
	if s.restart != nil {
		return s.restart(ctx)
	}
	s.is(svc.Running, 0)
	s.lives(instance.Report{State: instance.Idle})
	return nil
}

func (s *scene) Stop(_ context.Context, how svc.StopMode) error {
	return s.called(map[svc.StopMode]string{svc.Gently: "stop", svc.Now: "stop now"}[how])
}

func (s *scene) Log(context.Context, int) ([]string, error) { return s.lines, s.called("log") }

func (s *scene) Uninstall(context.Context) (bool, error) { return true, s.called("uninstall") }

func (*scene) Available() error { return nil }

func (*scene) JobsApart(context.Context) bool { return false }

func (s *scene) Describe(svc.Unit) (startup.Service, error) { return s, s.called("describe") }

func (s *scene) Named(name string) (startup.Service, error) {
	if name != service {
		s.t.Errorf("the service %q is named", name)
	}
	return s, s.called("named")
}

// expect wants an error for a reason, which says that.
func expect(t *testing.T, err, reason error, words ...string) {
	t.Helper()
	if err == nil || !errors.Is(err, reason) {
		t.Fatalf("error %v, want %v", err, reason)
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("error %q does not say %q", err, word)
		}
	}
}
