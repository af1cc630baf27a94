//go:build unix

package bootstrap_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"reflect"
	"slices"
	"sync"
	"testing"

	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/startup"
	"github.com/runner-bootstrap/runner-bootstrap/internal/svc"
	"github.com/runner-bootstrap/runner-bootstrap/internal/svc/systemd"
)

// fakeServices is a service manager without a system: it holds units as texts, and what it starts is a supervisor that a
// test describes. It does what the real one was seen to do: an absent unit is a state and no error, Install does not
// start, Restart returns when the supervisor is ready or has failed, a stop ends the supervisor.
type fakeServices struct {
	t     *testing.T
	store *instance.Store

	mu    sync.Mutex
	units map[string]*unit
	calls []string
	// fail has a call answer with an error: "install", "restart", "stop", "uninstall", "state", "log", "describe", "undo".
	// It is asked with how often that was called before.
	fail map[string]func(n int) error
	seen map[string]int
	// away is why there is no service manager.
	away error
	// start is what a restart starts; nil: a listener that listens.
	start func(ctx context.Context, s supervisor) error
	// lines are the log.
	lines []string
}

// unit is what the manager knows of one service.
type unit struct {
	text    svc.Unit
	enabled bool
	active  svc.Active
	exit    int
	runner  string
	lock    *instance.Lock
}

func (m *fakeServices) Available() error { return m.away }

func (m *fakeServices) JobsApart(context.Context) bool { return false }

func (m *fakeServices) Describe(u svc.Unit) (startup.Service, error) {
	if err := m.called("describe"); err != nil {
		return nil, err
	}
	if _, err := systemd.New(u); err != nil { // what the real one refuses
		return nil, err
	}
	return &service{fakeServices: m, name: u.Name, text: &u}, nil
}

func (m *fakeServices) Named(name string) (startup.Service, error) {
	if _, err := systemd.Named(name); err != nil {
		return nil, err
	}
	return &service{fakeServices: m, name: name}, nil
}

// called notes a call and tells whether it fails.
func (m *fakeServices) called(what string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.calls = append(m.calls, what)
	if m.seen == nil {
		m.seen = map[string]int{}
	}
	n := m.seen[what]
	m.seen[what]++
	if m.fail[what] == nil {
		return nil
	}
	return m.fail[what](n)
}

// changes are the calls since the last time that change something.
func (m *fakeServices) changes() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	calls := slices.DeleteFunc(m.calls, func(c string) bool { return c == "state" || c == "describe" || c == "log" })
	m.calls = nil
	return calls
}

// breaks has calls of a kind fail from now on.
func (m *fakeServices) breaks(what string, err error) {
	m.breaksAt(what, func(int) error { return err })
}

// breaksAt decides call by call, counted from now on.
func (m *fakeServices) breaksAt(what string, decide func(n int) error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fail == nil {
		m.fail = map[string]func(int) error{}
	}
	m.fail[what] = decide
	delete(m.seen, what)
}

// end ends what runs when the test does.
func (m *fakeServices) end() {
	for _, u := range m.units {
		m.halt(u, svc.Stopped)
	}
}

// halt ends a unit's supervisor.
func (m *fakeServices) halt(u *unit, active svc.Active) {
	m.mu.Lock()
	defer m.mu.Unlock()
	u.active = active
	if u.lock != nil {
		u.lock.Release()
		u.lock = nil
	}
}

// unit is what there is of a service; nil if there is none.
func (m *fakeServices) unit(name string) *unit {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.units[name]
}

// supervisor is the process that a unit starts, as far as others see it.
type supervisor struct {
	*fakeServices
	*unit
}

// holds takes the lock of the runner, as a supervisor does that is alive.
func (s supervisor) holds() {
	lock, err := s.store.LockRunner(s.t.Context(), s.runner)
	if err != nil {
		s.t.Errorf("the supervisor: %v", err)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lock = lock
}

// reports says how its listener is.
func (s supervisor) reports(report instance.Report) {
	report.PID = os.Getpid()
	if err := s.store.SaveReport(s.runner, report); err != nil {
		s.t.Errorf("the supervisor: %v", err)
	}
}

// becomes sets what the manager says of it.
func (s supervisor) becomes(active svc.Active, exit int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.active, s.exit = active, exit
}

// ends gives its lock back.
func (s supervisor) ends(active svc.Active, exit int) {
	s.becomes(active, exit)
	s.halt(s.unit, active)
}

// listens is what a supervisor does when all is well.
func listens(_ context.Context, s supervisor) error {
	s.holds()
	s.becomes(svc.Running, 0)
	s.reports(instance.Report{State: instance.Idle, Version: version})
	return nil
}

// service is one unit of the manager.
type service struct {
	*fakeServices
	name string
	text *svc.Unit // nil: only its name is known
}

func (s *service) State(context.Context) (svc.State, error) {
	if err := s.called("state"); err != nil {
		return svc.State{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.units[s.name]
	if u == nil {
		return svc.State{Active: svc.Absent}, nil
	}
	return svc.State{
		Installed: true, Enabled: u.enabled, Active: u.active, ExitStatus: u.exit, UnitPath: "/units/" + s.name,
		AsDescribed: s.text != nil && reflect.DeepEqual(*s.text, u.text),
	}, nil
}

func (s *service) Install(context.Context) (svc.Change, error) {
	if err := s.called("install"); err != nil {
		return svc.Change{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.units[s.name]
	if u == nil {
		s.units[s.name] = &unit{text: *s.text, enabled: true, active: svc.Stopped, runner: s.text.Args[2]}
		return svc.Change{Made: true}, nil
	}
	before, enabled := u.text, u.enabled
	same := reflect.DeepEqual(before, *s.text)
	u.text, u.enabled = *s.text, true
	if same {
		return svc.Change{Made: !enabled}, nil
	}
	return svc.Change{Made: true, Undo: func(context.Context) error {
		if err := s.called("undo"); err != nil {
			return err
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		u.text, u.enabled = before, enabled
		return nil
	}}, nil
}

func (s *service) Restart(ctx context.Context) error {
	if err := s.called("restart"); err != nil {
		return err
	}
	u := s.unit(s.name)
	if u == nil {
		return errors.New("restarting a unit that is not there")
	}
	s.halt(u, svc.Starting)
	if s.start == nil {
		return listens(ctx, supervisor{s.fakeServices, u})
	}
	return s.start(ctx, supervisor{s.fakeServices, u})
}

func (s *service) Stop(_ context.Context, how svc.StopMode) error {
	if err := s.called(map[svc.StopMode]string{svc.Gently: "stop", svc.Now: "stop now"}[how]); err != nil {
		return err
	}
	if u := s.unit(s.name); u != nil {
		s.halt(u, svc.Stopped)
	}
	return nil
}

func (s *service) Log(_ context.Context, lines int) ([]string, error) {
	if err := s.called("log"); err != nil {
		return nil, err
	}
	return s.lines[max(0, len(s.lines)-lines):], nil
}

func (s *service) Uninstall(context.Context) (bool, error) {
	if err := s.called("uninstall"); err != nil {
		return false, err
	}
	u := s.unit(s.name)
	if u == nil {
		return false, nil
	}
	s.halt(u, svc.Stopped)
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.units, s.name)
	return true, nil
}

// errBroken is what a broken service manager answers.
var errBroken = fmt.Errorf("the service manager is broken")
