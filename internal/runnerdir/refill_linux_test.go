package runnerdir

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/runner-bootstrap/runner-bootstrap/internal/mounttest"
	"github.com/runner-bootstrap/runner-bootstrap/internal/removal"
)

// TestRefill: a runner is made of new files around what an administrator has mounted in it, which stays where it is.
func TestRefill(t *testing.T) {
	if !mounttest.Own(t) {
		return
	}
	top := t.TempDir()
	dir, next, tools := filepath.Join(top, "web-1"), filepath.Join(top, ".web-1.next"), filepath.Join(top, "tools")
	for file, text := range map[string]string{
		"web-1/bin/Runner.Listener": "the job's", "web-1/.runner": "of before", "web-1/junk/x": "the job's", "web-1/.env": "of before",
		"web-1/_work/repo/x": "the job's", "web-1/_work/_tool/x": "hidden", "web-1/_diag/log": "a log",
		"tools/node": "precious", ".web-1.next/bin/Runner.Listener": "new", ".web-1.next/config.sh": "new", ".web-1.next/.env": "new",
	} {
		write(t, filepath.Join(top, file), text)
	}
	place := filepath.Join(dir, "_work/_tool")
	if err := syscall.Mount(tools, place, "", syscall.MS_BIND, ""); err != nil {
		t.Fatal(err)
	}
	mounted, err := Mounts(dir)
	if err != nil || !slices.Equal(mounted, []string{place}) {
		t.Errorf("mounted are %q, %v", mounted, err)
	}
	if err := Refill(dir, next, []string{"_diag"}); err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string]string{
		"web-1/bin/Runner.Listener": "new", "web-1/config.sh": "new", "web-1/.runner": "", "web-1/junk/x": "", "web-1/_diag/log": "a log",
		"web-1/_work/repo/x": "", "web-1/_work/_tool/node": "precious", "tools/node": "precious",
		"web-1/.env": "new", ".web-1.next/.env": "of before", ".web-1.next/config.sh": "",
	} {
		if got := read(t, filepath.Join(top, file)); got != want {
			t.Errorf("%s is %q, want %q", file, got, want)
		}
	}

	// In the place of the runner's own files there is no going on.
	if err := errors.Join(syscall.Unmount(place, 0), syscall.Mount(tools, filepath.Join(dir, "bin"), "", syscall.MS_BIND, "")); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(next, "bin/Runner.Listener"), "newer")
	if err := Refill(dir, next, nil); !errors.Is(err, removal.ErrMounted) || !strings.Contains(err.Error(), "web-1/bin") {
		t.Errorf("with something mounted on bin: %v", err)
	}
	if got := read(t, filepath.Join(tools, "node")); got != "precious" {
		t.Errorf("what is mounted is %q", got)
	}
	if err := syscall.Unmount(filepath.Join(dir, "bin"), 0); err != nil {
		t.Fatal(err)
	}
	if err := Refill(dir, next, nil); err != nil || read(t, filepath.Join(dir, "bin/Runner.Listener")) != "newer" {
		t.Errorf("done again: %v", err)
	}
}

// overlay mounts one over what was written below lower, and returns where.
func overlay(t *testing.T, lower string) string {
	t.Helper()
	over := t.TempDir()
	at := filepath.Join(over, "m")
	for _, name := range []string{"upper", "work", "m"} {
		if err := os.Mkdir(filepath.Join(over, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	options := "lowerdir=" + lower + ",upperdir=" + filepath.Join(over, "upper") + ",workdir=" + filepath.Join(over, "work")
	if err := syscall.Mount("overlay", at, "overlay", 0, options); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(at, 0); err != nil {
			t.Error(err)
		}
	})
	return at
}

// What a container has from its image can have no other name, and is replaced all the same.
func TestReplaceBelowAnOverlay(t *testing.T) {
	if !mounttest.Own(t) {
		return
	}
	old := map[string]string{
		"web-1/bin/Runner.Listener": "1", "web-1/config.sh": "1", "web-1/gone.sh": "1", "web-1/.env": "kept",
		"web-1/_diag/log": "kept",
	}
	rooted := t.TempDir()
	for file, text := range old {
		write(t, filepath.Join(rooted, file), text)
	}
	for _, name := range []string{".env", "_diag"} {
		if err := os.Chown(filepath.Join(rooted, "web-1", name), 65534, 65534); err != nil {
			t.Fatal(err)
		}
	}
	whole := t.TempDir()
	for file, text := range old {
		write(t, filepath.Join(whole, file), text)
	}
	for what, test := range map[string]struct {
		lower   string
		replace func(dir, next string) error
	}{
		"root's files": {rooted, UpdateRooted},
		"all":          {whole, func(dir, next string) error { return Replace(dir, next, []string{"_diag", "_work"}) }},
	} {
		at := overlay(t, test.lower)
		dir, next := filepath.Join(at, "web-1"), filepath.Join(at, ".web-1.next")
		for file, text := range map[string]string{
			"web-1/_work/repo/x": "kept", ".web-1.next/bin/Runner.Listener": "2", ".web-1.next/config.sh": "2", ".web-1.next/new.sh": "2",
		} {
			write(t, filepath.Join(at, file), text)
		}
		if err := os.Chown(filepath.Join(dir, "_work"), 65534, 65534); err != nil {
			t.Fatal(err)
		}
		if err := test.replace(dir, next); err != nil {
			t.Errorf("%s: %v", what, err)
			continue
		}
		for file, want := range map[string]string{
			"bin/Runner.Listener": "2", "config.sh": "2", "new.sh": "2", "gone.sh": "", "_work/repo/x": "kept", "_diag/log": "kept",
		} {
			if got := read(t, filepath.Join(dir, file)); got != want {
				t.Errorf("%s: %s is %q, want %q", what, file, got, want)
			}
		}
	}
}

// TestSwapRooted: another version takes the place of root's files, and what the account has stays as it is.
func TestSwapRooted(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root has files of root's and of others")
	}
	top := t.TempDir()
	dir, next := filepath.Join(top, "web-1"), filepath.Join(top, ".web-1.next")
	for file, text := range map[string]string{
		"web-1/bin/Runner.Listener": "1", "web-1/config.sh": "1", "web-1/gone.sh": "1", "web-1/.env": "kept", "web-1/.runner": "kept",
		"web-1/_work/repo/x": "kept", ".web-1.next/bin/Runner.Listener": "2", ".web-1.next/config.sh": "2", ".web-1.next/new.sh": "2",
	} {
		write(t, filepath.Join(top, file), text)
	}
	for _, name := range []string{".runner", "_work"} {
		if err := os.Chown(filepath.Join(dir, name), 65534, 65534); err != nil {
			t.Fatal(err)
		}
	}
	if err := UpdateRooted(dir, next); err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string]string{
		"bin/Runner.Listener": "2", "config.sh": "2", "new.sh": "2", "gone.sh": "", ".env": "kept", ".runner": "kept", "_work/repo/x": "kept",
	} {
		if got := read(t, filepath.Join(dir, file)); got != want {
			t.Errorf("%s is %q, want %q", file, got, want)
		}
	}
}

// What cannot be put into its place leaves the version of before, as a whole.
func TestUpdateRootedFails(t *testing.T) {
	if !mounttest.Own(t) {
		return
	}
	top := t.TempDir()
	dir, next := filepath.Join(top, "web-1"), filepath.Join(top, ".web-1.next")
	for file, text := range map[string]string{
		"web-1/bin/Runner.Listener": "1", "web-1/externals/node": "1", "web-1/config.sh": "1", "tools/x": "precious",
		".web-1.next/bin/Runner.Listener": "2", ".web-1.next/externals/node": "2", ".web-1.next/config.sh": "2", ".web-1.next/new.sh": "2",
	} {
		write(t, filepath.Join(top, file), text)
	}
	if err := syscall.Mount(filepath.Join(top, "tools"), filepath.Join(dir, "bin"), "", syscall.MS_BIND, ""); err != nil {
		t.Fatal(err)
	}
	if err := UpdateRooted(dir, next); err == nil || !strings.Contains(err.Error(), `putting "bin" into its place`) {
		t.Errorf("with something mounted on bin: %v", err)
	}
	if err := syscall.Unmount(filepath.Join(dir, "bin"), 0); err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string]string{"bin/Runner.Listener": "1", "externals/node": "1", "config.sh": "1", "new.sh": ""} {
		if got := read(t, filepath.Join(dir, file)); got != want {
			t.Errorf("%s is %q, want %q", file, got, want)
		}
	}
	if err := UpdateRooted(dir, next); err != nil || read(t, filepath.Join(dir, "new.sh")) != "2" || read(t, filepath.Join(top, "tools/x")) != "precious" {
		t.Errorf("done again: %v", err)
	}
}
