package systemd

import (
	"context"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/svc"
)

const wantsLink = "multi-user.target.wants/a.service"

// cut is how kardianos/service leaves a unit when it fails after creating it.
func cut(path string) error {
	return errors.Join(os.WriteFile(path, nil, 0o600), errors.New("exit status 1"))
}

func TestInstall(t *testing.T) {
	enable := []string{"systemctl daemon-reload", "systemctl enable --force a.service"}
	for _, c := range []struct {
		name   string
		with   fakeInstaller
		before map[string]string
		mode   os.FileMode // of the unit before
		calls  []string
	}{
		{name: "fresh", calls: nil},
		{name: "fresh, cut short", with: fakeInstaller{install: cut}, calls: enable},
		{name: "fresh, refused", with: fakeInstaller{install: func(string) error { return errors.New("no") }}, calls: enable},
		{name: "empty unit", before: map[string]string{"a.service": ""}, calls: enable},
		{name: "other text", before: map[string]string{"a.service": "x"}, calls: enable},
		{name: "secretive mode", before: map[string]string{"a.service": "TEXT", wantsLink: ""}, mode: 0o600, calls: enable},
		{name: "not enabled", before: map[string]string{"a.service": "TEXT"}, calls: enable},
		{name: "link alone", before: map[string]string{wantsLink: ""}, with: fakeInstaller{install: cut}, calls: enable},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFake(t, c.with)
			f.lay(c.before, c.mode)
			change, err := f.Install(t.Context())
			if !change.Made || err != nil {
				t.Fatalf("changed %v, error %v", change.Made, err)
			}
			f.called(c.calls...)
			if want := map[string]string{"a.service": f.Text(), wantsLink: "link"}; !maps.Equal(f.units(), want) {
				t.Errorf("left %q", f.units())
			}
			if info, err := os.Stat(f.disk().path()); err != nil || info.Mode().Perm() != 0o644 {
				t.Errorf("unit is %v, %v", info.Mode(), err)
			}
			if change, err := f.Install(t.Context()); change.Made || err != nil {
				t.Errorf("again: changed %v, error %v", change.Made, err)
			}
			f.called()
		})
	}
}

// lay puts files into the units' folder; wantsLink becomes a link.
func (f *fake) lay(files map[string]string, mode os.FileMode) {
	f.t.Helper()
	for name, content := range files {
		if name != wantsLink {
			f.put("units/"+name, strings.ReplaceAll(content, "TEXT", f.Text()))
			continue
		}
		link := filepath.Join(f.folder, "units", name)
		if err := errors.Join(os.Mkdir(filepath.Dir(link), 0o755), os.Symlink(f.disk().path(), link)); err != nil {
			f.t.Fatal(err)
		}
	}
	if mode != 0 {
		if err := os.Chmod(f.disk().path(), mode); err != nil {
			f.t.Fatal(err)
		}
	}
}

func TestInstallFailure(t *testing.T) {
	broken := fakeInstaller{install: cut}
	// As after a refusal that came once the links were made.
	linked := fakeInstaller{install: func(path string) error {
		return errors.Join(fakeInstaller{path: path, text: "x"}.Install(), errors.New("exit status 1"))
	}}
	for _, c := range []struct {
		name   string
		with   fakeInstaller
		before map[string]string
		fail   string
		op     string
	}{
		{"fresh", broken, nil, "enable", "enabling"},
		{"fresh, links made", linked, nil, "enable", "enabling"},
		{"fresh, reload", broken, nil, "daemon-reload", "reloading systemd for"},
		{"older text", broken, map[string]string{"a.service": "older", wantsLink: "link"}, "enable", "enabling"},
		{"older text, not enabled", broken, map[string]string{"a.service": "older"}, "enable", "enabling"},
		{"empty unit", broken, map[string]string{"a.service": ""}, "enable", "enabling"},
		{"link alone", broken, map[string]string{wantsLink: "link"}, "enable", "enabling"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFake(t, c.with)
			f.lay(c.before, 0)
			before := f.units()
			f.put("fail-"+c.fail, "Access denied\nby policy\n")
			change, err := f.Install(t.Context())
			var refused *svc.Error
			if change.Made || !errors.As(err, &refused) {
				t.Fatalf("changed %v, error %v", change.Made, err)
			}
			if refused.Op != c.op || refused.Unit != "a.service" || refused.Output != "Access denied\nby policy" {
				t.Errorf("error is %+v", refused)
			}
			if want := c.op + ` unit "a.service": exit status 1` + "\n\tAccess denied\n\tby policy"; !strings.HasPrefix(err.Error(), want) {
				t.Errorf("error reads %q", err)
			}
			if !maps.Equal(f.units(), before) {
				t.Errorf("left %q, not %q", f.units(), before)
			}
			if calls := f.calls(); calls[len(calls)-1] != "systemctl daemon-reload" {
				t.Errorf("systemd was not told at last: %q", calls)
			}
		})
	}
}

func TestInstallGivenUp(t *testing.T) {
	f := newFake(t, fakeInstaller{install: cut})
	f.put("hang-enable", "")
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	if _, err := f.Install(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error is %v", err)
	}
	if left := f.units(); len(left) > 0 {
		t.Errorf("left %q", left)
	}
	if calls := f.calls(); calls[len(calls)-1] != "systemctl daemon-reload" {
		t.Errorf("systemd was not told at last: %q", calls)
	}
}

// TestInstallNotTaken has every step succeed and systemd stay unimpressed.
func TestInstallNotTaken(t *testing.T) {
	f := newFake(t, fakeInstaller{install: cut})
	f.put("idle-enable", "")
	_, err := f.Install(t.Context())
	if err == nil || !strings.Contains(err.Error(), "systemd does not take it as installed") {
		t.Errorf("error is %v", err)
	}
	if left := f.units(); len(left) > 0 {
		t.Errorf("left %q", left)
	}
}

func TestInstallBlind(t *testing.T) {
	f := newFake(t, fakeInstaller{install: cut})
	f.put("fail-show", "Failed to connect to bus")
	if _, err := f.Install(t.Context()); err == nil || !strings.Contains(err.Error(), "looking at unit") {
		t.Errorf("error is %v", err)
	}
	if calls := f.calls(); len(calls) > 0 {
		t.Errorf("called %q", calls)
	}
}

func TestInstallByName(t *testing.T) {
	f := newFake(t, fakeInstaller{install: cut})
	named, err := Named("a")
	if err != nil {
		t.Fatal(err)
	}
	named.host = f.host
	if _, err := named.Install(t.Context()); err == nil || !strings.Contains(err.Error(), "only its name is known") {
		t.Errorf("install by name: %v", err)
	}
}

func TestInstallForeign(t *testing.T) {
	for name, lay := range map[string]func(path string) error{
		"masked":             func(path string) error { return os.Symlink("/dev/null", path) },
		"not a regular file": func(path string) error { return os.Mkdir(path, 0o755) },
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t, fakeInstaller{})
			if err := lay(f.disk().path()); err != nil {
				t.Fatal(err)
			}
			if _, err := f.Install(t.Context()); err == nil || !strings.Contains(err.Error(), name) {
				t.Errorf("error is %v", err)
			}
			f.called()
			if _, err := os.Lstat(f.disk().path()); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestUninstall(t *testing.T) {
	useless := fakeInstaller{uninstall: func(string) error { return errors.New("exit status 1") }}
	whole := map[string]string{"a.service": "TEXT", wantsLink: ""}
	for _, c := range []struct {
		name    string
		with    fakeInstaller
		before  map[string]string
		active  string
		changed bool
		calls   []string
	}{
		{"nothing", useless, nil, "", false, nil},
		{"whole", fakeInstaller{}, whole, "", true, []string{"systemctl daemon-reload"}},
		{"running", fakeInstaller{}, whole, "active", true, []string{"systemctl stop a.service", "systemctl daemon-reload"}},
		{"failed", fakeInstaller{}, whole, "failed", true, []string{"systemctl daemon-reload", "systemctl reset-failed a.service"}},
		{"refused", useless, whole, "", true, []string{"systemctl daemon-reload"}},
		{"unit alone", useless, map[string]string{"a.service": ""}, "", true, []string{"systemctl daemon-reload"}},
		{"link alone", useless, map[string]string{wantsLink: ""}, "", true, []string{"systemctl daemon-reload"}},
		{"running alone", useless, nil, "active", true, []string{"systemctl stop a.service", "systemctl daemon-reload"}},
		{"failed alone", useless, nil, "failed", true, []string{"systemctl daemon-reload", "systemctl reset-failed a.service"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFake(t, c.with)
			f.lay(c.before, 0)
			if c.active != "" {
				f.put("active", c.active)
			}
			changed, err := f.Uninstall(t.Context())
			if err != nil || changed != c.changed {
				t.Errorf("changed %v, error %v", changed, err)
			}
			f.called(c.calls...)
			if left := f.units(); len(left) > 0 {
				t.Errorf("left %q", left)
			}
			if changed, err := f.Uninstall(t.Context()); changed || err != nil {
				t.Errorf("again: changed %v, error %v", changed, err)
			}
		})
	}
}

// TestUninstallDisables proves that the installer is asked first: what an installation made beyond its unit and
// links, it knows.
func TestUninstallDisables(t *testing.T) {
	asked := 0
	f := newFake(t, fakeInstaller{uninstall: func(string) error { asked++; return nil }})
	f.lay(map[string]string{"a.service": "TEXT"}, 0)
	if _, err := f.Uninstall(t.Context()); err != nil || asked != 1 {
		t.Errorf("asked %d times, error %v", asked, err)
	}
	if _, err := f.Uninstall(t.Context()); err != nil || asked != 1 {
		t.Errorf("with nothing there, asked %d times, error %v", asked, err)
	}
}

func TestUninstallFailure(t *testing.T) {
	for _, c := range []struct{ verb, active, op string }{
		{"stop", "active", "stopping"},
		{"daemon-reload", "", "reloading systemd for"},
		{"reset-failed", "failed", "resetting the failures of"},
	} {
		t.Run(c.verb, func(t *testing.T) {
			f := newFake(t, fakeInstaller{})
			f.lay(map[string]string{"a.service": "TEXT"}, 0)
			if c.active != "" {
				f.put("active", c.active)
			}
			f.put("fail-"+c.verb, "no")
			_, err := f.Uninstall(t.Context())
			var refused *svc.Error
			if !errors.As(err, &refused) || refused.Op != c.op {
				t.Fatalf("error is %v", err)
			}
			if err := remove(filepath.Join(f.folder, "fail-"+c.verb)); err != nil {
				t.Fatal(err)
			}
			if _, err := f.Uninstall(t.Context()); err != nil || len(f.units()) > 0 {
				t.Errorf("the next try: %v, left %q", err, f.units())
			}
		})
	}
}

func TestUninstallLeavesMask(t *testing.T) {
	f := newFake(t, fakeInstaller{})
	if err := os.Symlink("/dev/null", f.disk().path()); err != nil {
		t.Fatal(err)
	}
	if changed, err := f.Uninstall(t.Context()); changed || err != nil {
		t.Errorf("changed %v, error %v", changed, err)
	}
	f.lay(map[string]string{wantsLink: ""}, 0)
	if changed, err := f.Uninstall(t.Context()); !changed || err != nil {
		t.Errorf("with a link: changed %v, error %v", changed, err)
	}
	if left := f.units(); !maps.Equal(left, map[string]string{"a.service": "link"}) {
		t.Errorf("left %q", left)
	}
}

func TestControl(t *testing.T) {
	type verb = func(*Service, context.Context) error
	reset := "systemctl reset-failed a.service"
	for _, c := range []struct {
		name   string
		do     verb
		active string
		calls  []string
	}{
		{"start stopped", (*Service).Start, "inactive", []string{"systemctl start a.service"}},
		{"start running", (*Service).Start, "active", nil},
		{"start failed", (*Service).Start, "failed", []string{reset, "systemctl start a.service"}},
		{"start waiting", (*Service).Start, "activating", []string{reset, "systemctl start a.service"}},
		{"restart stopped", (*Service).Restart, "inactive", []string{"systemctl restart a.service"}},
		{"restart running", (*Service).Restart, "active", []string{reset, "systemctl restart a.service"}},
		{"stop running", (*Service).stop, "active", []string{"systemctl stop a.service"}},
		{"stop waiting", (*Service).stop, "activating", []string{"systemctl stop a.service"}},
		{"stop stopped", (*Service).stop, "inactive", nil},
		{"stop failed", (*Service).stop, "failed", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFake(t, fakeInstaller{})
			f.lay(map[string]string{"a.service": "TEXT"}, 0)
			f.put("active", c.active)
			if err := c.do(f.Service, t.Context()); err != nil {
				t.Error(err)
			}
			f.called(c.calls...)
		})
	}
}

func TestControlFailure(t *testing.T) {
	type verb = func(*Service, context.Context) error
	for _, c := range []struct {
		name, verb, op string
		do             verb
		active         string
	}{
		{"start", "start", "starting", (*Service).Start, "inactive"},
		{"restart", "restart", "restarting", (*Service).Restart, "inactive"},
		{"stop", "stop", "stopping", (*Service).stop, "active"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFake(t, fakeInstaller{})
			f.lay(map[string]string{"a.service": "TEXT"}, 0)
			f.put("active", c.active)
			f.put("fail-"+c.verb, "Job failed.\n")
			f.put("journal", "one\ntwo\n")
			var refused *svc.Error
			if err := c.do(f.Service, t.Context()); !errors.As(err, &refused) {
				t.Fatalf("error is %v", err)
			}
			if refused.Op != c.op || refused.Output != "Job failed.\none\ntwo" {
				t.Errorf("error is %+v", refused)
			}
			f.called("systemctl "+c.verb+" a.service", "journalctl")
			f.put("fail-journalctl", "No permission.")
			if err := c.do(f.Service, t.Context()); !errors.As(err, &refused) ||
				!strings.Contains(refused.Output, "Job failed.\nreading the log of unit \"a.service\"") ||
				!strings.Contains(refused.Output, "No permission.") {
				t.Errorf("without a log, error is %v", err)
			}
		})
	}
	t.Run("reset", func(t *testing.T) {
		f := newFake(t, fakeInstaller{})
		f.put("active", "failed")
		f.put("fail-reset-failed", "no")
		for _, do := range []verb{(*Service).Start, (*Service).Restart} {
			if err := do(f.Service, t.Context()); err == nil || !strings.Contains(err.Error(), "resetting the failures") {
				t.Errorf("error is %v", err)
			}
		}
	})
}

// TestControlGivenUp has the caller's patience end while systemctl waits for a program that is not ready. Why it is not
// stands in the log.
func TestControlGivenUp(t *testing.T) {
	for verb, do := range map[string]func(*Service, context.Context) error{
		"start": (*Service).Start, "restart": (*Service).Restart, "stop": (*Service).stop,
	} {
		t.Run(verb, func(t *testing.T) {
			f := newFake(t, fakeInstaller{})
			if verb == "stop" {
				f.put("active", "active")
			}
			f.put("hang-"+verb, "")
			f.put("journal", "one\nnot ready yet\n")
			ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
			defer cancel()
			began := time.Now()
			err := do(f.Service, ctx)
			var refused *svc.Error
			if !errors.As(err, &refused) || !errors.Is(err, context.DeadlineExceeded) {
				t.Fatalf("error is %v", err)
			}
			if refused.Op != verbs()[verb] || refused.Output != "one\nnot ready yet" {
				t.Errorf("error is %+v", refused)
			}
			if took := time.Since(began); took > 10*time.Second {
				t.Errorf("given up after %s", took)
			}
			f.called("systemctl "+verb+" a.service", "journalctl")
		})
	}
}

func verbs() map[string]string {
	return map[string]string{"start": "starting", "restart": "restarting", "stop": "stopping"}
}

// A stop that does not wait: systemd is told first, so that it does not start the unit again, and then the program.
func TestStopNow(t *testing.T) {
	f := newFake(t, fakeInstaller{})
	if err := f.Stop(t.Context(), svc.Now); err != nil {
		t.Errorf("a unit at rest: %v", err)
	}
	f.called()
	f.put("active", "active")
	f.put("slow-stop", "xxx")
	if err := f.Stop(t.Context(), svc.Now); err != nil {
		t.Error(err)
	}
	if got, want := f.read("kill-options"), "--kill-who=main --signal=SIGINT"; !strings.HasSuffix(got, want) {
		t.Errorf("options are %q, not %q", got, want)
	}
	f.called("systemctl stop a.service", "systemctl kill a.service", "systemctl stop a.service")
	if got := f.read("stop-options"); !strings.HasPrefix(got, "--no-block") {
		t.Errorf("the first stop has the options %q: it waits", got)
	}
}

func TestStopNowOfWhatCannotBeTold(t *testing.T) {
	f := newFake(t, fakeInstaller{})
	f.put("active", "active")
	f.put("slow-stop", strings.Repeat("x", 3))
	f.put("fail-kill", "No main process to kill")
	if err := f.Stop(t.Context(), svc.Now); err != nil {
		t.Errorf("its program has ended already: %v", err)
	}
	f.put("active", "active")
	f.put("main-pid", "42")
	f.put("slow-stop", strings.Repeat("x", 3))
	f.put("fail-kill", "Access denied")
	var refused *svc.Error
	if err := f.Stop(t.Context(), svc.Now); !errors.As(err, &refused) || refused.Op != "signalling" || refused.Output != "Access denied" {
		t.Errorf("error is %v", err)
	}
}

func TestStopWaits(t *testing.T) {
	f := newFake(t, fakeInstaller{})
	f.put("active", "active")
	f.put("slow-stop", "xxx")
	if err := f.Stop(t.Context(), svc.Gently); err != nil {
		t.Error(err)
	}
	f.put("active", "active")
	f.put("slow-stop", strings.Repeat("x", 1000))
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if err := f.Stop(ctx, svc.Gently); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error is %v", err)
	}
}

func TestLog(t *testing.T) {
	f := newFake(t, fakeInstaller{})
	if lines, err := f.Log(t.Context(), 3); err != nil || lines != nil {
		t.Errorf("empty log: %q, %v", lines, err)
	}
	f.put("journal", "one\n\nthree\n")
	if lines, err := f.Log(t.Context(), 3); err != nil || !slices.Equal(lines, []string{"one", "", "three"}) {
		t.Errorf("log: %q, %v", lines, err)
	}
	if _, err := f.Log(t.Context(), 0); err == nil {
		t.Error("no lines asked for, and no error")
	}
}

func TestUnavailable(t *testing.T) {
	f := newFake(t, fakeInstaller{})
	f.host.available = func() error { return &svc.UnavailableError{Found: "OpenRC"} }
	ctx := t.Context()
	_, install := f.Install(ctx)
	_, uninstall := f.Uninstall(ctx)
	_, state := f.State(ctx)
	for name, err := range map[string]error{
		"install": install, "uninstall": uninstall, "state": state,
		"start": f.Start(ctx), "stop now": f.Stop(ctx, svc.Now), "restart": f.Restart(ctx), "stop": f.Stop(ctx, svc.Gently),
	} {
		if !errors.Is(err, svc.ErrUnavailable) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if calls := f.calls(); len(calls) > 0 {
		t.Errorf("called %q", calls)
	}
}

func TestProgramMissing(t *testing.T) {
	f := newFake(t, fakeInstaller{})
	f.host.find = findProgram
	t.Setenv("PATH", t.TempDir())
	if path, err := findProgram("no-such-program"); err == nil || !strings.Contains(err.Error(), `"no-such-program"`) {
		t.Errorf("found %q, %v", path, err)
	}
	if path, err := findProgram("sh"); err != nil || path != "/usr/bin/sh" && path != "/bin/sh" {
		t.Errorf("without PATH, found %q, %v", path, err)
	}
}

// TestWriteLeavesNothing has the last step of writing fail.
func TestWriteLeavesNothing(t *testing.T) {
	f := newFake(t, fakeInstaller{})
	if err := os.MkdirAll(filepath.Join(f.disk().path(), "in the way"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := f.disk().write([]byte("x")); err == nil || !strings.Contains(err.Error(), "writing unit file") {
		t.Errorf("error is %v", err)
	}
	if left := f.units(); len(left) > 0 {
		t.Errorf("left %q", left)
	}
}

// TestStruck: an interrupt for the whole group may end a program of systemd's before it has left the group. That is no answer
// of systemd's, and what was to be done is done.
func TestStruck(t *testing.T) {
	f := newFake(t, fakeInstaller{})
	f.lay(map[string]string{"a.service": "x"}, 0)
	for _, verb := range []string{"show", "daemon-reload", "enable"} {
		f.put("struck-"+verb, "")
	}
	if change, err := f.Install(t.Context()); !change.Made || err != nil {
		t.Errorf("changed %v, error %v", change.Made, err)
	}
}
