//go:build unix

package startup_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/startup"
	"github.com/runner-bootstrap/runner-bootstrap/internal/supervise"
	"github.com/runner-bootstrap/runner-bootstrap/internal/svc"
)

// A service is up when its listener listens, waits for its machine, or has done its only job; not when its unit is active.
func TestBringUp(t *testing.T) {
	for name, c := range map[string]struct {
		last  instance.Report
		ended bool
		took  time.Duration
	}{
		"it listens":      {instance.Report{State: instance.Idle}, false, 7 * time.Second},
		"it runs a job":   {instance.Report{State: instance.Busy}, false, 7 * time.Second},
		"it waits":        {instance.Report{State: instance.Drained, Reason: "not in service"}, false, 7 * time.Second},
		"it has done all": {instance.Report{State: instance.Ended}, true, 7 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newScene(t)
				undone := false
				s.change.Undo = func(context.Context) error { undone = true; return nil }
				s.restart = func(context.Context) error {
					s.is(svc.Running, 0)
					s.lives(instance.Report{State: instance.Starting})
					go func() {
						time.Sleep(c.took)
						if s.lives(c.last); c.ended {
							s.is(svc.Stopped, 0)
							s.ends()
						}
					}()
					return nil
				}
				took, undo, err := s.startup().BringUp(t.Context())
				if err != nil || took < c.took || took > c.took+time.Second || undo == nil || undone {
					t.Errorf("it took %v, undone %v, %v", took, undone, err)
				}
				s.asked("install", "restart")
				if text, err := os.ReadFile(filepath.Join(s.record.Dir, ".service")); err != nil || string(text) != svc.StockName(service)+"\n" {
					t.Errorf("GitHub's scripts are told %q, %v", text, err)
				}
			})
		})
	}
}

// What a supervisor has reported that was there before says nothing of the one to come.
func TestAnEarlierReportIsNotBelieved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t)
		s.lives(instance.Report{State: instance.Starting, EndedAtOnce: 5})
		s.restart = func(context.Context) error {
			time.Sleep(time.Minute) // the earlier one has a job to finish
			s.is(svc.Running, 0)
			s.lives(instance.Report{State: instance.Idle})
			return nil
		}
		if _, _, err := s.startup().BringUp(t.Context()); err != nil {
			t.Errorf("error %v", err)
		}
	})
}

// What keeps a service from coming up, and how long it takes until that is plain.
func TestBringUpFails(t *testing.T) {
	up := func(report instance.Report) func(s *scene) {
		return func(s *scene) {
			s.restart = func(context.Context) error { s.is(svc.Running, 0); s.lives(report); return nil }
		}
	}
	refusedWith := func(report instance.Report) func(s *scene) {
		return func(s *scene) {
			s.restart = func(context.Context) error { s.is(svc.Failed, 1); s.says(report); return errRefused }
		}
	}
	for name, c := range map[string]struct {
		set    func(s *scene)
		reason error
		words  []string
		within time.Duration
	}{
		"it is not installed":   {func(s *scene) { s.fail["install"] = errBroken }, errBroken, nil, 0},
		"its name has no place": {func(s *scene) { s.must(os.Remove(s.record.Dir)) }, os.ErrNotExist, []string{"writing the service's name"}, 0},
		"nobody knows who runs": {func(s *scene) {
			lock := filepath.Join(filepath.Dir(s.record.Dir), "state", "instances", runner, "run.lock")
			s.must(os.Symlink(lock, lock))
		}, syscall.ELOOP, nil, 0},
		"it is refused":          {refusedWith(instance.Report{Reason: "the version is refused", LastWords: "code 7"}), errRefused, []string{"starting service \"" + service + "\"", "the version is refused: code 7", "job failed"}, 0},
		"it cannot connect":      {refusedWith(instance.Report{Connection: instance.Connection{Trouble: instance.Connecting, TroubleWords: "no route"}}), startup.ErrNotListening, []string{"it cannot connect to GitHub: no route"}, 0},
		"it has another session": {refusedWith(instance.Report{Connection: instance.Connection{Trouble: instance.Conflict, TroubleWords: "a session exists"}}), startup.ErrNotListening, []string{"did not come up: a session exists: job"}, 0},
		"GitHub has deleted it":  {refusedWith(instance.Report{Reason: supervise.ErrRegistrationEnd.Error()}), supervise.ErrRegistrationEnd, nil, 0},
		"it was only stopped":    {refusedWith(instance.Report{Reason: supervise.Stopped.Sentence()}), startup.ErrNotListening, []string{"did not come up: job failed"}, 0},
		"its sandbox is not to be": {func(s *scene) {
			s.fail["restart"] = &svc.SandboxError{Op: "starting", Unit: "x", Step: "226/NAMESPACE"}
		}, svc.ErrSandbox, []string{"starting unit \"x\"", "226/NAMESPACE"}, 0},
		"it ends at once, again and again": {func(s *scene) {
			s.restart = func(ctx context.Context) error {
				for n := range 5 {
					time.Sleep(2 * time.Second)
					s.lives(instance.Report{State: instance.Starting, EndedAtOnce: n, LastWords: "code 1"})
				}
				<-ctx.Done()
				return ctx.Err()
			}
			s.says(instance.Report{}) // of a process that has ended
		}, startup.ErrNotListening, []string{"it ended at once, 3 times in a row: code 1"}, 10 * time.Second},
		"it ends at once after its start": {up(instance.Report{State: instance.Starting, EndedAtOnce: 3, LastWords: "code 1"}), startup.ErrNotListening, []string{"it ended at once"}, 0},
		"it is never up": {func(s *scene) {
			s.restart = func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
		}, context.DeadlineExceeded, nil, 10 * time.Minute},
		"it never listens":         {func(s *scene) { up(instance.Report{State: instance.Starting})(s); s.lines = []string{"one", "two"} }, startup.ErrNotListening, []string{"\n  one\n  two"}, 91 * time.Second},
		"its log is not to be had": {func(s *scene) { up(instance.Report{State: instance.Starting})(s); s.fail["log"] = errBroken }, errBroken, []string{"did not come up"}, 91 * time.Second},
		"its words do without a log": {func(s *scene) {
			s.restart = func(context.Context) error {
				s.is(svc.Failed, 1)
				s.says(instance.Report{LastWords: "code 1", Reason: "gone"})
				return nil
			}
			s.lines = []string{"one"}
		}, startup.ErrNotListening, []string{"gone: code 1"}, 0},
		"it fails while it is looked at": {func(s *scene) {
			s.restart = func(context.Context) error { s.is(svc.Running, 0); return nil }
			s.meanwhile = func() { s.says(instance.Report{Reason: "gone", LastWords: "code 1"}); s.is(svc.Failed, 1) }
		}, startup.ErrNotListening, []string{"gone: code 1"}, 0},
		"its report is damaged while it is looked at": {func(s *scene) {
			s.restart = func(context.Context) error { s.is(svc.Running, 0); return nil }
			s.meanwhile = func() { s.must(s.damage()); s.is(svc.Failed, 1) }
		}, nil, []string{"reading report"}, 0},
		"its state is not to be had": {func(s *scene) { s.restart = func(context.Context) error { s.fail["state"] = errBroken; return nil } }, errBroken, nil, 0},
		"its report is damaged": {func(s *scene) {
			s.restart = func(context.Context) error { return s.damage() }
		}, nil, []string{"reading report"}, 0},
		"its report is damaged, and it is refused": {func(s *scene) {
			s.restart = func(context.Context) error { return errors.Join(s.damage(), errRefused) }
		}, errRefused, []string{"reading report"}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newScene(t)
				c.set(s)
				begin := time.Now()
				_, _, err := s.startup().BringUp(t.Context())
				if c.reason == nil {
					c.reason = err
				}
				expect(t, err, c.reason, c.words...)
				if took := time.Since(begin); took > c.within {
					t.Errorf("it took %v, want at most %v", took, c.within)
				}
				if name == "its sandbox is not to be" && errors.Is(err, startup.ErrNotListening) {
					t.Errorf("its listener was not even tried: %v", err)
				}
				if name == "its words do without a log" && strings.Contains(err.Error(), "\n") {
					t.Errorf("error %v", err)
				}
			})
		})
	}
}

// damage leaves a report that is none.
func (s *scene) damage() error {
	return os.WriteFile(filepath.Join(filepath.Dir(s.record.Dir), "state", "instances", runner, "listener.json"), []byte("{"), 0o600)
}

// Who has had enough of waiting is told that, and not that the service is bad.
func TestBringUpIsInterrupted(t *testing.T) {
	for name, start := range map[string]func(s *scene) func(ctx context.Context) error{
		"while it starts": func(*scene) func(context.Context) error {
			return func(ctx context.Context) error { <-ctx.Done(); return context.Cause(ctx) }
		},
		"while it is waited for": func(s *scene) func(context.Context) error {
			return func(context.Context) error { s.is(svc.Running, 0); return nil }
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newScene(t)
				s.restart = start(s)
				ctx, cancel := context.WithCancel(t.Context())
				time.AfterFunc(5*time.Second, cancel)
				_, _, err := s.startup().BringUp(ctx)
				expect(t, err, context.Canceled)
				if errors.Is(err, startup.ErrNotListening) {
					t.Errorf("error %v", err)
				}
			})
		})
	}
}

// Status says why an install has failed; what a supervisor says that is alive stays.
func TestReportFailure(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		failed error
		alive  bool
		want   string
	}{
		"by its reason":      {&startup.StartError{Service: service, Reason: "no route"}, false, "install has failed: no route"},
		"by the first line":  {errors.New("first\nsecond"), false, "install has failed: first"},
		"not over the alive": {errBroken, true, "its own"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t)
			if c.alive {
				s.lives(instance.Report{State: instance.Idle, Reason: "its own"})
			}
			s.must(s.startup().ReportFailure(c.failed))
			if report, err := s.store.LoadReport(runner); err != nil || report.Reason != c.want || !c.alive && report.State != instance.Ended {
				t.Errorf("status is to say %+v, %v", report, err)
			}
		})
	}
}

// A weaker confinement is said, and none is not.
func TestWarnOfConfinement(t *testing.T) {
	t.Parallel()
	for weaker, want := range map[string]string{"this systemd is too old": `by=descendants reason="this systemd is too old"`, "": ""} {
		s := newScene(t)
		s.says(instance.Report{Confinement: instance.Confinement{ConfinedBy: "descendants", Weaker: weaker}})
		var said bytes.Buffer
		s.startup().WarnOfConfinement(slog.New(slog.NewTextHandler(&said, nil)))
		if !strings.Contains(said.String(), want) || want == "" && said.Len() > 0 {
			t.Errorf("it says %q, want %q", said.String(), want)
		}
	}
}

// A service goes whole; what stands in the way is said, and nothing more is done.
func TestDrop(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		broken string
		how    svc.StopMode
		asked  []string
	}{
		"gently":            {"", svc.Gently, []string{"named", "stop", "uninstall"}},
		"now":               {"", svc.Now, []string{"named", "stop now", "uninstall"}},
		"it has no name":    {"named", svc.Gently, []string{"named"}},
		"it does not stop":  {"stop", svc.Gently, []string{"named", "stop"}},
		"it does not go":    {"uninstall", svc.Gently, []string{"named", "stop", "uninstall"}},
		"its name does not": {"name", svc.Gently, []string{"named", "stop", "uninstall"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t)
			path := filepath.Join(s.record.Dir, ".service")
			s.must(os.WriteFile(path, nil, 0o644))
			s.fail[c.broken] = errBroken
			if c.broken == "name" {
				s.must(os.RemoveAll(s.record.Dir), os.Symlink(s.record.Dir, s.record.Dir))
			}
			err := startup.Drop(t.Context(), s, s.record, c.how)
			s.asked(c.asked...)
			switch c.broken {
			case "":
				if _, gone := os.Lstat(path); err != nil || !errors.Is(gone, os.ErrNotExist) {
					t.Errorf("error %v, its name: %v", err, gone)
				}
			case "name":
				expect(t, err, syscall.ELOOP, "removing the service's name")
			default:
				expect(t, err, errBroken)
				if _, err := os.Lstat(path); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// Plans see a service by its description.
func TestDescribed(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.is(svc.Running, 0)
	if state, err := (startup.Described{Services: s}).State(t.Context(), svc.Unit{}); err != nil || state.Active != svc.Running {
		t.Errorf("it is %+v, %v", state, err)
	}
	s.fail["describe"] = errBroken
	_, err := startup.Described{Services: s}.State(t.Context(), svc.Unit{})
	expect(t, err, errBroken)
}

// A runner that is held, as nothing can be written on its host, is not up: who installs it is told why at once.
func TestHeldByItsHost(t *testing.T) {
	for name, state := range map[string]instance.State{"drained already": instance.Drained, "about to be": instance.Idle} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newScene(t)
				s.restart = func(context.Context) error {
					s.is(svc.Running, 0)
					s.lives(instance.Report{State: state, Draining: true, Faulty: true, Reason: "nothing can be written"})
					return nil
				}
				_, _, err := s.startup().BringUp(t.Context())
				if !errors.Is(err, syscall.EROFS) || err.Error() != `starting service "`+service+`": its runner takes no jobs: nothing can be written` {
					t.Errorf("error %v", err)
				}
			})
		})
	}
}
