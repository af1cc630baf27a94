package scm

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/windows"
	winsvc "golang.org/x/sys/windows/svc"

	"github.com/runner-bootstrap/runner-bootstrap/internal/svc"
)

// install installs a service of this program with one for its jobs, which go with the test.
func installed(t *testing.T, how string) *Service {
	t.Helper()
	name := "scm-test-" + strings.ToLower(strings.NewReplacer("/", "-", " ", "-").Replace(t.Name()))
	service, err := New(svc.Unit{
		Name: name, Description: "a test", Executable: os.Args[0], Args: []string{aService, filepath.Join(t.TempDir(), "notes"), how},
		StopTimeout: time.Second, LogFile: filepath.Join(t.TempDir(), "log"),
		Life: svc.Life{Name: svc.LifeOf(name), Account: `NT SERVICE\` + svc.LifeOf(name), Args: []string{svc.HostWord, svc.LifeOf(name)}},
	})
	if err != nil {
		t.Fatal(err)
	}
	change, err := service.Install(t.Context())
	if errors.Is(err, windows.ERROR_ACCESS_DENIED) {
		t.Skip("only an administrator makes services")
	}
	if err != nil || !change.Made || change.Undo != nil {
		t.Fatalf("installed %+v, %v", change, err)
	}
	t.Cleanup(func() {
		ctx := context.WithoutCancel(t.Context())
		if _, err := service.Uninstall(ctx); err != nil {
			t.Error(err)
		}
	})
	asDescribed(t, service)
	return service
}

// asDescribed is for a service about which nothing is to be changed.
func asDescribed(t *testing.T, service *Service) {
	t.Helper()
	state, err := service.State(t.Context())
	if err != nil || !state.AsDescribed || !state.Enabled || !state.Installed {
		t.Errorf("it is %+v, %v", state, err)
	}
	if change, err := service.Install(t.Context()); change.Made || err != nil {
		t.Errorf("installed again: %+v, %v", change, err)
	}
}

// What Windows would take for something else is refused, before anything is made; where the program alone is to blame that is known.
func TestUnfit(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change  func(u *svc.Unit)
		fit     bool
		program bool
	}{
		"one percent sign":        {change: func(u *svc.Unit) { u.Executable = `C:\100% a\x.exe` }, fit: true},
		"a variable":              {change: func(u *svc.Unit) { u.Executable = `C:\%TEMP%\x.exe` }, program: true},
		"no path":                 {change: func(u *svc.Unit) { u.Executable = "x.exe" }, program: true},
		"a variable in arguments": {change: func(u *svc.Unit) { u.Args = []string{"--dir", `C:\%TEMP%`} }},
		"a line break":            {change: func(u *svc.Unit) { u.Args = []string{"a\nb"} }},
	} {
		u := svc.Unit{Name: "a", Executable: `C:\x.exe`}
		c.change(&u)
		_, err := New(u)
		var unfit *svc.UnfitError
		if errors.As(err, &unfit) == c.fit || !c.fit && (unfit.Program != "") != c.program {
			t.Errorf("%s: %v, %+v", name, err, unfit)
		}
	}
}

// Who gives a restart up is told that the service stays stopped; the next restart starts it.
func TestRestartGivenUp(t *testing.T) {
	service := installed(t, "stays")
	if err := service.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	short, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	err := service.Restart(short)
	if !errors.Is(err, context.DeadlineExceeded) || !strings.HasSuffix(err.Error(), "it goes on stopping, and is not started after that") {
		t.Errorf("given up: %v", err)
	}
	if err := service.Restart(t.Context()); err != nil {
		t.Error(err)
	}
	if state, err := service.State(t.Context()); err != nil || state.Active != svc.Running {
		t.Errorf("it is %+v, %v", state, err)
	}
	if err := service.Stop(t.Context(), svc.Now); err != nil {
		t.Error(err)
	}
}

// What somebody has changed by hand is put right by the next install, and taken back by its undoing.
func TestChangedByHand(t *testing.T) {
	service := installed(t, "stays")
	name := service.unit.Name
	life := svc.LifeOf(name)
	own, err := Describe(name)
	lifes, lifeErr := Describe(life)
	if err := errors.Join(err, lifeErr); err != nil {
		t.Fatal(err)
	}
	for what, change := range map[string]func() error{
		"the program":                           func() error { return Change(name, `C:\other.exe run`, Automatic, "", "") },
		"disabled":                              func() error { return Change(name, own.Command, Disabled, "", "") },
		"by hand":                               func() error { return Change(name, own.Command, Manual, "", "") },
		"another account":                       func() error { return Change(name, own.Command, Automatic, `NT AUTHORITY\LocalService`, "") },
		"the jobs' service is disabled":         func() error { return Change(life, lifes.Command, Disabled, "", "") },
		"the jobs' service has another account": func() error { return Change(life, lifes.Command, Manual, "LocalSystem", "") },
	} {
		if err := change(); err != nil {
			t.Errorf("%s: %v", what, err)
		}
		done, err := service.Install(t.Context())
		if err != nil || !done.Made || done.Undo == nil {
			t.Errorf("%s: installed %+v, %v", what, done, err)
			continue
		}
		asDescribed(t, service)
		if now, err := Describe(name); err != nil || now != own {
			t.Errorf("%s: it is %+v, %v, and was %+v", what, now, err, own)
		}
		if now, err := Describe(life); err != nil || now != lifes {
			t.Errorf("%s: the jobs' is %+v, %v, and was %+v", what, now, err, lifes)
		}
	}
	if err := Change(name, own.Command, Disabled, "", ""); err != nil {
		t.Fatal(err)
	}
	done, err := service.Install(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := done.Undo(t.Context()); err != nil {
		t.Error(err)
	}
	if now, err := Describe(name); err != nil || now.Start != Disabled {
		t.Errorf("after the undoing it is %+v, %v", now, err)
	}
}

// An install of another program, which may take longer to stop, is undone: the service is as the one before wants it.
func TestUndo(t *testing.T) {
	service := installed(t, "stays")
	other := service.unit
	other.StopTimeout, other.LogFile, other.Args = time.Hour, other.LogFile+".2", []string{"run"}
	next, err := New(other)
	if err != nil {
		t.Fatal(err)
	}
	change, err := next.Install(t.Context())
	if err != nil || change.Undo == nil {
		t.Fatalf("installed %+v, %v", change, err)
	}
	asDescribed(t, next)
	if err := change.Undo(t.Context()); err != nil {
		t.Error(err)
	}
	asDescribed(t, service)
}

// One that somebody has deleted while it runs, or while somebody has it open, is made again when it has gone.
func TestMarkedForDeletion(t *testing.T) {
	service := installed(t, "stays")
	name := service.unit.Name
	if err := service.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	held, release, err := open(name, windows.DELETE)
	if err != nil {
		t.Fatal(err)
	}
	if err := held.Delete(); err != nil {
		t.Error(err)
	}
	time.AfterFunc(lesson+2*time.Second, release)
	if marked, err := Marked(name); !marked || err != nil {
		t.Errorf("it is marked: %v, %v", marked, err)
	}
	change, err := service.Install(t.Context())
	if err != nil || !change.Made {
		t.Fatalf("installed %+v, %v", change, err)
	}
	asDescribed(t, service)
}

// Where somebody keeps it open that is said, instead of waiting for ever, by an install and by an uninstall.
func TestMarkedForEver(t *testing.T) {
	service := installed(t, "stays")
	held, release, err := open(service.unit.Name, windows.DELETE)
	if err != nil {
		t.Fatal(err)
	}
	if err := held.Delete(); err != nil {
		t.Error(err)
	}
	if _, err := service.Install(t.Context()); !errors.Is(err, ErrMarked) || !errors.Is(err, windows.ERROR_SERVICE_MARKED_FOR_DELETE) {
		t.Errorf("installed: %v", err)
	}
	if _, err := service.Uninstall(t.Context()); !errors.Is(err, ErrMarked) {
		t.Errorf("uninstalled: %v", err)
	}
	release()
}

// A service that does not stop within its time is killed, and the manager is told what it is to do after the next end.
func TestStopHasAnEnd(t *testing.T) {
	service := installed(t, "hangs")
	if err := service.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if err := service.Stop(t.Context(), svc.Gently); err != nil {
		t.Error(err)
	}
	if took := time.Since(began); took < settle || took > settle+patience {
		t.Errorf("it took %s", took)
	}
	if now, err := Look(service.unit.Name); err != nil || now.State != winsvc.Stopped {
		t.Errorf("it is %+v, %v", now, err)
	}
	if err := service.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	short, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if err := service.Stop(short, svc.Gently); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("one who gives up: %v", err)
	}
	if err := service.Stop(t.Context(), svc.Now); err != nil { // it is stopping, and takes no control
		t.Error(err)
	}
}
