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

	"github.com/runner-bootstrap/runner-bootstrap/internal/account"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/secret"
	"github.com/runner-bootstrap/runner-bootstrap/internal/startup"
	"github.com/runner-bootstrap/runner-bootstrap/internal/svc"
)

var errFailed = errors.New("the install has failed")

// self is who these tests run as.
func self() account.User { return account.User{Self: true} }

// left is what an error says was left; it fails where that is not after the cause.
func left(t *testing.T, err error) string {
	t.Helper()
	if !errors.Is(err, errFailed) {
		t.Errorf("error %v has lost its cause", err)
	}
	var words *startup.LeftError
	if !errors.As(err, &words) {
		return ""
	}
	return words.Left
}

// registered keeps a registration of the runner.
func (s *scene) registered() {
	s.must(instance.KeptRegistration(s.store, runner).Keep(map[string][]byte{
		".runner": []byte(`{"agentId": 7, "agentName": "web-1"}`), ".credentials": []byte("{}"),
	}))
}

// A service that ran before a failed install runs again, where there is still a registration for it.
func TestRunAgain(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		set   func(s *scene, f *startup.Former)
		left  string
		asked []string
	}{
		"it was stopped":    {nil, "the runner goes on as before", []string{"restart"}},
		"it never ran":      {func(_ *scene, f *startup.Former) { f.Ran = false }, "", nil},
		"it is still up":    {func(s *scene, _ *startup.Former) { s.is(svc.Starting, 0) }, "", nil},
		"it has left":       {func(s *scene, _ *startup.Former) { s.must(instance.KeptRegistration(s.store, runner).Drop()) }, "the runner has left GitHub, and is stopped until install is run again", nil},
		"it does not start": {func(s *scene, _ *startup.Former) { s.fail["restart"] = errBroken }, "and its service " + service + " is stopped: " + errBroken.Error(), []string{"restart"}},
		"it is slow": {func(s *scene, _ *startup.Former) {
			s.restart = func(context.Context) error { s.is(svc.Starting, 0); return context.DeadlineExceeded }
		}, "the runner goes on as before as soon as its service has come up", []string{"restart"}},
		"nobody knows how it is": {func(s *scene, _ *startup.Former) { s.fail["restart"], s.fail["state"] = errRefused, errBroken }, "and its service " + service + " is stopped: " + errRefused.Error() + "\n" + errBroken.Error(), []string{"restart"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t)
			s.registered()
			s.is(svc.Stopped, 0)
			f := s.former(slog.New(slog.DiscardHandler))
			if c.set != nil {
				c.set(s, f)
			}
			if got := left(t, f.RunAgain(t.Context(), self(), errFailed)); got != c.left {
				t.Errorf("it says %q, want %q", got, c.left)
			}
			s.asked(c.asked...)
		})
	}
}

// It runs again also when the install was interrupted, with the name that GitHub's scripts know; a name that has no place is only
// said.
func TestRunAgainAfterAnInterrupt(t *testing.T) {
	t.Parallel()
	for name, lost := range map[string]bool{"its name is gone": false, "its name has no place": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t)
			s.registered()
			s.is(svc.Stopped, 0)
			if lost {
				s.must(os.Remove(s.record.Dir))
			}
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			s.restart = func(ctx context.Context) error { return ctx.Err() }
			var said bytes.Buffer
			err := s.former(slog.New(slog.NewTextHandler(&said, nil))).RunAgain(ctx, self(), errFailed)
			if got := left(t, err); got != "the runner goes on as before" {
				t.Errorf("error %v", err)
			}
			text, err := os.ReadFile(filepath.Join(s.record.Dir, ".service"))
			if !lost && string(text) != svc.StockName(service)+"\n" || lost != strings.Contains(said.String(), "cannot write the service's name") {
				t.Errorf("the name is %q, %v; said %q", text, err, said.String())
			}
		})
	}
}

// An error that carries a log says before it what is left.
func TestLeftComesBeforeTheLog(t *testing.T) {
	t.Parallel()
	err := &startup.LeftError{Left: "all is well", Cause: &startup.StartError{Service: "x", Log: []string{"one"}}}
	if got, want := err.Error(), "starting service \"x\": the listener did not come up; all is well\n  one"; got != want {
		t.Errorf("it says %q, want %q", got, want)
	}
}

// What there was before has its place again, and runs if it did.
func TestPutBack(t *testing.T) {
	t.Parallel()
	undo := func(err error) func(context.Context) error { return func(context.Context) error { return err } }
	for name, c := range map[string]struct {
		set   func(s *scene, f *startup.Former)
		up    bool
		undo  func(context.Context) error
		left  string
		asked []string
	}{
		"it ran":                 {nil, true, undo(nil), "its " + svc.Noun + " is as before, and runs", []string{"restart"}},
		"it was at rest":         {nil, false, undo(nil), "its " + svc.Noun + " is as before", nil},
		"it was the same":        {nil, true, nil, "", nil},
		"the unit stays":         {nil, true, undo(errBroken), "and its " + svc.Noun + " before could not be put back: " + errBroken.Error(), nil},
		"it does not start":      {func(s *scene, _ *startup.Former) { s.fail["restart"] = errBroken }, true, undo(nil), "its " + svc.Noun + " is as before, and does not start either: " + errBroken.Error(), []string{"restart"}},
		"only what it ran with":  {func(_ *scene, f *startup.Former) { f.Remember(func() error { return nil }) }, true, nil, "its " + svc.Noun + " is as before, and runs", []string{"restart"}},
		"what it ran with stays": {func(_ *scene, f *startup.Former) { f.Remember(func() error { return errBroken }) }, true, undo(nil), "its " + svc.Noun + " is as before, and what it runs with could not be: " + errBroken.Error(), nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t)
			f := s.former(slog.New(slog.DiscardHandler))
			if c.set != nil {
				c.set(s, f)
			}
			if got := left(t, f.PutBack(t.Context(), s, c.up, c.undo, errFailed)); got != c.left {
				t.Errorf("it says %q, want %q", got, c.left)
			}
			s.asked(c.asked...)
			if f.Ran {
				t.Error("it would be run again, which was said already")
			}
		})
	}
}

// The variables, the credential and the life that a service ran with are there again.
func TestPutBackWhatItRanWith(t *testing.T) {
	t.Parallel()
	for name, kept := range map[string]string{"with a credential": "ghp_kept", "without one": ""} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t)
			env := filepath.Join(s.record.Dir, ".env")
			s.must(os.WriteFile(env, []byte("COLOR=blue\n"), 0o600), s.store.KeepVariables(runner, []string{"COLOR=blue"}))
			if kept != "" {
				s.must(s.store.KeepCredential(runner, secret.New(kept)))
			}
			f := s.former(slog.New(slog.DiscardHandler))
			s.must(f.RememberVariables(self()), f.RememberCredential())

			// The install goes on, and fails.
			s.must(os.WriteFile(env, []byte("COLOR=red\n"), 0o600), s.store.KeepVariables(runner, []string{"COLOR=red"}))
			s.must(s.store.KeepCredential(runner, secret.New("ghp_later")))
			_, err := s.store.Update(t.Context(), runner, func(r *instance.Record) {
				r.MaxJobs, r.Credential.TokenFile, r.Phase, r.RunnerID = 3, "/token", instance.Registered, 99
			})
			s.must(err)
			left(t, f.PutBack(t.Context(), s, true, nil, errFailed))

			text, err := os.ReadFile(env)
			variables, variablesErr := s.store.KeptVariables(runner)
			if string(text) != "COLOR=blue\n" || len(variables) != 1 || variables[0] != "COLOR=blue" {
				t.Errorf(".env is %q, %v; kept are %q, %v", text, err, variables, variablesErr)
			}
			if now, err := s.store.KeptCredential(runner); now != kept || kept == "" && !errors.Is(err, os.ErrNotExist) {
				t.Errorf("the credential is %q, %v", now, err)
			}
			record, err := s.store.Load(runner)
			if err != nil || record.MaxJobs != 0 || record.Credential.TokenFile != "" || record.Phase != instance.Installed || record.RunnerID != 99 {
				t.Errorf("the record is %+v, %v", record, err)
			}
		})
	}
}

// What cannot be read is not remembered wrongly.
func TestRememberFails(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		file     string // that is a link to itself
		remember func(f *startup.Former) error
	}{
		".env":          {"../../../runner/.env", func(f *startup.Former) error { return f.RememberVariables(self()) }},
		"its variables": {"environment.json", func(f *startup.Former) error { return f.RememberVariables(self()) }},
		"credential":    {"credential", (*startup.Former).RememberCredential},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t)
			path := filepath.Join(filepath.Dir(s.record.Dir), "state", "instances", runner, c.file)
			s.must(os.Symlink(filepath.Base(path), path))
			f := s.former(slog.New(slog.DiscardHandler))
			expect(t, c.remember(f), syscall.ELOOP)
			if got := left(t, f.PutBack(t.Context(), s, true, nil, errFailed)); got != "" {
				t.Errorf("something is put back: %q", got)
			}
		})
	}
}

// Of a runner that had no service nothing is remembered: nothing ran.
func TestNothingIsRememberedWithoutAService(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.record.Service = ""
	f := s.former(slog.New(slog.DiscardHandler))
	s.must(f.RememberVariables(self()), f.RememberCredential())
	f.Remember(func() error { t.Error("it is undone"); return nil })
	if got := left(t, f.PutBack(t.Context(), s, true, nil, errFailed)); got != "" {
		t.Errorf("something is put back: %q", got)
	}
}
