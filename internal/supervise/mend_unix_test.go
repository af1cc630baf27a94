//go:build unix

package supervise

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
)

// mends counts how often a runner's files were replaced, and does so.
func mends(t *testing.T, c *Config, replace func()) *atomic.Int32 {
	t.Helper()
	var times atomic.Int32
	c.Mend = func(context.Context) error {
		times.Add(1)
		replace()
		return nil
	}
	return &times
}

// install puts a script in the place of the listener.
func install(t *testing.T, root, script string) {
	t.Helper()
	listener := filepath.Join(root, "bin", listenerName)
	write(t, listener+".new", "#!/bin/sh\n"+script+"\n")
	if err := errors.Join(os.Chmod(listener+".new", 0o755), os.Rename(listener+".new", listener)); err != nil {
		t.Fatal(err)
	}
}

// A listener that cannot be started, since a job has removed it, is put there again; one that cannot be started then
// either is no reason to go on.
func TestMissingListenerIsMended(t *testing.T) {
	t.Parallel()
	for name, damage := range map[string]func(root string) error{
		"bin is gone":    func(root string) error { return os.RemoveAll(filepath.Join(root, "bin")) },
		"it may not run": func(root string) error { return os.Chmod(filepath.Join(root, "bin", listenerName), 0o644) },
		"it is a folder": func(root string) error {
			listener := filepath.Join(root, "bin", listenerName)
			return errors.Join(os.Remove(listener), os.Mkdir(listener, 0o755))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			root := scripted(t, listening)
			if err := damage(root); err != nil {
				t.Fatal(err)
			}
			c := config(root, quiet())
			times := mends(t, &c, func() {
				if err := os.RemoveAll(filepath.Join(root, "bin")); err != nil {
					t.Error(err)
				}
				install(t, root, listening)
			})
			r := supervise(t, c)
			r.listening()
			if times.Load() != 1 {
				t.Errorf("it was mended %d times", times.Load())
			}
		})
	}
	root := scripted(t, listening)
	if err := os.RemoveAll(filepath.Join(root, "bin")); err != nil {
		t.Fatal(err)
	}
	c := config(root, quiet())
	times := mends(t, &c, func() {})
	if err := supervise(t, c).wait(); !errors.Is(err, ErrNoListener) || times.Load() != 1 {
		t.Errorf("%v, mended %d times", err, times.Load())
	}
	c.Mend = func(context.Context) error {
		if times.Add(1) < 4 {
			return errors.New("GitHub is not well")
		}
		install(t, root, listening)
		return nil
	}
	r := supervise(t, c)
	r.listening()
	if got := r.reasons(Failing); !slices.Contains(got, "GitHub is not well") {
		t.Errorf("it waited for %q", got)
	}
}

// What a job of an ephemeral runner has put in the place of its listener, before it killed that, is never started.
func TestReplacedListenerIsNotStarted(t *testing.T) {
	t.Parallel()
	attack := `echo "Listening for Jobs"; echo "Running job: a"
		printf '#!/bin/sh\ntouch fake; echo "Listening for Jobs"; while :; do sleep 0.02; done\n' >evil && chmod 755 evil && mv evil bin/` + listenerName + `
		kill -KILL $$`
	for name, c := range map[string]struct{ renews, used bool }{
		"registered again": {true, false}, "started again": {false, false}, "under a supervisor that was killed": {false, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			root := scripted(t, attack)
			registration(t, root, "true")
			config := config(root, quiet())
			config.Used = c.used
			times := mends(t, &config, func() { install(t, root, listening) })
			var renewals atomic.Int32
			if c.renews {
				config.Renew = func(context.Context) error {
					renewals.Add(1)
					install(t, root, listening)
					registration(t, root, "true")
					return nil
				}
			}
			r := supervise(t, config)
			starts := 2
			if c.used {
				starts = 1
			}
			r.until("start of a good one", func(now Change) bool { return now.State == Idle && now.Starts == starts })
			if _, err := os.Lstat(filepath.Join(root, "fake")); err == nil {
				t.Error("the job's program was started")
			}
			if c.renews != (renewals.Load() == 1) || c.renews == (times.Load() == 1) {
				t.Errorf("it was registered again %d times and mended %d times", renewals.Load(), times.Load())
			}
		})
	}
}
