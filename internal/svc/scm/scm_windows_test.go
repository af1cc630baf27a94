package scm

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/svc"
	"golang.org/x/sys/windows/svc/mgr"
)

const (
	// aService is the first argument of this program as a service; the next are the file that it writes to, and how it ends.
	aService = "as-a-service"
	patience = 30 * time.Second
	// lesson is how long it takes to stop.
	lesson = 7 * time.Second
)

var errEnds = errors.New("it ends as it was told")

func TestMain(m *testing.M) {
	if len(os.Args) == 4 && os.Args[1] == aService {
		os.Exit(serve(os.Args[2], os.Args[3]))
	}
	os.Exit(m.Run())
}

// serve is the service: it notes what it is told.
func serve(file, how string) int {
	note := func(text string) {
		f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
		if err != nil {
			os.Exit(99)
		}
		fmt.Fprintln(f, text)
		_ = f.Close() // the test misses what is not there
	}
	note(fmt.Sprintf("started by the service manager: %v", Started()))
	err := Run("", Body{
		Events: true,
		Final:  func(error) (int, bool) { return 42, how == "final" },
		Run: func(ctx context.Context, arguments []string, controls <-chan uint32) error {
			note("arguments " + strings.Join(arguments, ","))
			if how != "stays" && how != "hangs" {
				time.Sleep(time.Second) //nolint:forbidigo // it is to have started before that
				return errEnds
			}
			for how == "hangs" {
				time.Sleep(time.Second) //nolint:forbidigo // until it is killed
			}
			for {
				select {
				case control := <-controls:
					note(fmt.Sprintf("control %d", control))
					if control == Now {
						return nil
					}
				case <-ctx.Done():
					select {
					case control := <-controls:
						note(fmt.Sprintf("control %d", control))
					case <-time.After(lesson):
						note("stopped")
					}
					return nil
				}
			}
		},
	})
	if err != nil {
		return 43
	}
	return 0
}

// create makes a service of this program, which goes with the test.
func create(t *testing.T, how string) (name, file string) {
	t.Helper()
	name, file = "scm-test-"+how, filepath.Join(t.TempDir(), "notes")
	manager, err := mgr.Connect()
	if errors.Is(err, windows.ERROR_ACCESS_DENIED) {
		t.Skip("only an administrator makes services")
	}
	if err != nil {
		t.Fatal(err)
	}
	defer manager.Disconnect() //nolint:errcheck // what was done is done
	service, err := manager.CreateService(name, os.Args[0], mgr.Config{StartType: mgr.StartManual}, aService, file, how)
	if err != nil {
		t.Fatal(err)
	}
	if err := service.Close(); err != nil {
		t.Error(err)
	}
	t.Cleanup(func() {
		ctx := context.WithoutCancel(t.Context())
		if err := Kill(name); err != nil {
			t.Error(err)
		}
		if err := Stop(ctx, name); err != nil {
			t.Error(err)
		}
		if _, err := Delete(ctx, name); err != nil {
			t.Error(err)
		}
		if _, err := Look(name); !errors.Is(err, ErrAbsent) {
			t.Errorf("deleted, and %v", err)
		}
	})
	return name, file
}

func notes(t *testing.T, file string) []string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSpace(string(text)), "\n")
}

func noted(t *testing.T, file, want string) {
	t.Helper()
	for deadline := time.Now().Add(patience); !slices.Contains(notes(t, file), want); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("it has noted %q, and not %q", notes(t, file), want)
		}
	}
}

// A service hears its own controls while it runs, and is waited for when it stops.
func TestControls(t *testing.T) {
	name, file := create(t, "stays")
	for range 2 {
		if err := Start(t.Context(), name, "one", "two words"); err != nil {
			t.Fatal(err)
		}
	}
	noted(t, file, "started by the service manager: true")
	noted(t, file, "arguments one,two words")
	for _, control := range []uint32{Drain, Resume} {
		if err := Tell(name, control); err != nil {
			t.Fatal(err)
		}
		noted(t, file, fmt.Sprintf("control %d", control))
	}
	if now, err := Look(name); err != nil || now.State != svc.Running || now.PID == 0 {
		t.Errorf("it is %+v, %v", now, err)
	}
	short, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if err := Stop(short, name); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a stop that takes longer: %v", err)
	}
	if err := Stop(t.Context(), name); err != nil {
		t.Error(err)
	}
	noted(t, file, "stopped")
	if now, err := Look(name); err != nil || now.State != svc.Stopped || now.Exit != 0 {
		t.Errorf("it is %+v, %v", now, err)
	}
	if err := Stop(t.Context(), name); err != nil {
		t.Errorf("stopped already: %v", err)
	}
}

// The control to end now is a stop, too.
func TestNow(t *testing.T) {
	name, file := create(t, "stays")
	if err := Start(t.Context(), name); err != nil {
		t.Fatal(err)
	}
	if err := Finish(t.Context(), name, Now); err != nil {
		t.Fatal(err)
	}
	if got := notes(t, file); !slices.Contains(got, fmt.Sprintf("control %d", Now)) || slices.Contains(got, "stopped") {
		t.Errorf("it has noted %q", got)
	}
}

// An end that no restart mends leaves its code; every other looks like a crash.
func TestEnds(t *testing.T) {
	for how, want := range map[string]Status{
		"final": {State: svc.Stopped, Exit: windows.ERROR_SERVICE_SPECIFIC_ERROR, Code: 42},
		"crash": {State: svc.Stopped, Exit: windows.ERROR_PROCESS_ABORTED},
	} {
		name, _ := create(t, how)
		if err := Start(t.Context(), name); err != nil {
			var ended *EndError
			if !errors.As(err, &ended) {
				t.Errorf("%s: starting it: %v", how, err)
			}
		}
		var now Status
		var err error
		for deadline := time.Now().Add(patience); time.Now().Before(deadline) && now.State != svc.Stopped; time.Sleep(50 * time.Millisecond) {
			if now, err = Look(name); err != nil {
				t.Fatal(err)
			}
		}
		if now != want {
			t.Errorf("%s: it is %+v, want %+v", how, now, want)
		}
	}
}

// What a manager does for a service is taken by it, or said not to be known.
func TestKeep(t *testing.T) {
	name, _ := create(t, "stays")
	unknown, err := Keep(name, Upkeep{
		Restart: []time.Duration{time.Second, time.Minute}, Shutdown: time.Hour, OwnSID: true, Describe: "a test",
	})
	if err != nil {
		t.Error(err)
	}
	if slices.Contains(unknown, "description") || slices.Contains(unknown, "time at a shutdown") {
		t.Errorf("it does not know %q", unknown)
	}
	held, err := Describe(name)
	if err != nil || !strings.Contains(held.Command, aService) || held.Start != Manual {
		t.Errorf("it holds %+v, %v", held, err)
	}
}

func TestNoService(t *testing.T) {
	const name = "scm-test-none"
	if _, err := Look(name); !errors.Is(err, ErrAbsent) {
		t.Errorf("looking: %v", err)
	}
	if err := Start(t.Context(), name); !errors.Is(err, ErrAbsent) {
		t.Errorf("starting: %v", err)
	}
	if was, err := Delete(t.Context(), name); was || err != nil {
		t.Errorf("deleting: %v, %v", was, err)
	}
	if err := errors.Join(Stop(t.Context(), name), Kill(name), Renounce(name)); err != nil {
		t.Error(err)
	}
	if Started() {
		t.Error("a service manager has started this test")
	}
}
