package volume

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/runner-bootstrap/runner-bootstrap/internal/mounttest"
)

func isEmpty(t *testing.T, dir string) {
	t.Helper()
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left in %s: %v, %v", dir, left, err)
	}
}

// TestTrial: a file system that can do everything is found to, and nothing is left there.
func TestTrial(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, try := range map[string]func(string) (*Trial, error){"as it comes": Try, "with names": named} {
		trial, err := try(dir)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for step, run := range map[string]func() error{
			"links": trial.Links, "modes": trial.Modes, "names": trial.Names, "locks": trial.Locks, "syncs": trial.Syncs,
			"replaces": trial.Replaces, "executes": func() error { return trial.Execute(-1, -1) },
			"executes for another": func() error { return trial.Execute(12345, 12345) },
		} {
			if err := run(); err != nil {
				t.Errorf("%s, %s: %v", name, step, err)
			}
		}
		if trial.Folds() {
			t.Errorf("%s: it is said to fold names", name)
		}
		if err := trial.Close(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		isEmpty(t, dir)
	}
	if !Executes(filepath.Join(dir, "not", "there")) {
		t.Error("programs do not start")
	}
}

// TestTrialOfMounts is about what mount options take away, and about who may mend it where.
func TestTrialOfMounts(t *testing.T) {
	if !mounttest.Own(t) {
		return
	}
	base := t.TempDir()
	for name, c := range map[string]struct {
		kind, data string
		flags      uintptr
		bind       bool
		try        error
		execute    error
		sized      bool
	}{
		"tmpfs":                  {kind: "tmpfs", sized: true},
		"nosuid, nodev":          {kind: "tmpfs", flags: unix.MS_NOSUID | unix.MS_NODEV, sized: true},
		"noexec":                 {kind: "tmpfs", flags: unix.MS_NOEXEC, execute: unix.EACCES, sized: true},
		"read-only":              {kind: "tmpfs", flags: unix.MS_RDONLY, try: unix.EROFS, sized: true},
		"without a size":         {kind: "ramfs"},
		"no inodes":              {kind: "tmpfs", data: "nr_inodes=1", try: unix.ENOSPC, sized: true},
		"a blank in its name":    {kind: "tmpfs", sized: true},
		"a folder, with noexec":  {bind: true, flags: unix.MS_NOEXEC, execute: unix.EACCES, sized: true},
		"a folder that is fixed": {bind: true, flags: unix.MS_RDONLY, try: unix.EROFS, sized: true},
	} {
		point := filepath.Join(base, name)
		if err := os.MkdirAll(point, 0o755); err != nil {
			t.Fatal(err)
		}
		var err error
		if c.bind {
			err = errors.Join(unix.Mount(point, point, "", unix.MS_BIND, ""), unix.Mount("", point, "", unix.MS_BIND|unix.MS_REMOUNT|c.flags, ""))
		} else {
			err = unix.Mount(name, point, c.kind, c.flags, c.data)
		}
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		v, err := Of(point)
		if err != nil || v.Point != point || c.kind != "" && v.Kind != c.kind || v.Sized != c.sized || !strings.Contains(v.String(), point) {
			t.Errorf("%s: it is %+v (%v), %v", name, v, v, err)
		}
		if v.NoExec != (c.flags&unix.MS_NOEXEC != 0) || v.ReadOnly != (c.flags&unix.MS_RDONLY != 0) || v.NoSetuid != (c.flags&unix.MS_NOSUID != 0) {
			t.Errorf("%s: it is mounted with %+v", name, v)
		}
		trial, err := Try(point)
		if !errors.Is(err, c.try) {
			t.Errorf("%s: trying it: %v, want %v", name, err, c.try)
		}
		if err == nil {
			if err := trial.Execute(-1, -1); !errors.Is(err, c.execute) {
				t.Errorf("%s: a program there: %v, want %v", name, err, c.execute)
			}
			if err := trial.Close(); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			isEmpty(t, point)
		}
		if err := unix.Unmount(point, 0); err != nil {
			t.Errorf("%s: something is open there: %v", name, err)
		}
	}
}

// TestMountOverAMount: the mount that counts is the one that is seen, not one below it with a longer name.
func TestMountOverAMount(t *testing.T) {
	if !mounttest.Own(t) {
		return
	}
	base := t.TempDir()
	below := filepath.Join(base, "a")
	for _, step := range []func() error{
		func() error { return os.Mkdir(below, 0o755) },
		func() error { return unix.Mount("x", below, "ramfs", 0, "") },
		func() error { return unix.Mount("x", base, "tmpfs", 0, "") },
		func() error { return os.Mkdir(below, 0o755) },
	} {
		if err := step(); err != nil {
			t.Fatal(err)
		}
	}
	if v, err := Of(below); err != nil || v.Kind != "tmpfs" || v.Point != base {
		t.Errorf("%q is on %v, %v", below, v, err)
	}
	if err := errors.Join(unix.Unmount(base, unix.MNT_DETACH), unix.Unmount(below, 0)); err != nil {
		t.Error(err)
	}
}

// TestKilledTrial: what a killed trial leaves is gone with the next one, a minute later, and nothing else is.
func TestKilledTrial(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	killed, err := named(dir)
	if err == nil {
		err = errors.Join(killed.Links(), killed.Names(), killed.Replaces(), killed.file.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
	young := prefix + "young"
	others := []string{young, prefix + "strangers", prefix + "file", prefix + "link", "precious"}
	for _, err := range []error{
		os.Mkdir(filepath.Join(dir, young), 0o700),
		os.Mkdir(filepath.Join(dir, prefix+"strangers"), 0o700),
		os.WriteFile(filepath.Join(dir, prefix+"strangers", "precious"), nil, 0o600),
		os.WriteFile(filepath.Join(dir, prefix+"file"), nil, 0o600),
		os.Mkdir(filepath.Join(dir, "precious"), 0o700),
		os.WriteFile(filepath.Join(dir, "precious", triedFile), nil, 0o600),
		os.Symlink("precious", filepath.Join(dir, prefix+"link")),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	ago := time.Now().Add(-2 * old)
	for _, name := range append(others[1:], killed.name) {
		if err := os.Chtimes(filepath.Join(dir, name), ago, ago); err != nil {
			t.Fatal(err)
		}
	}
	trial, err := named(dir)
	if err == nil {
		err = trial.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	var left []string
	entries, err := os.ReadDir(dir)
	for _, entry := range entries {
		left = append(left, entry.Name())
	}
	slices.Sort(others)
	if err != nil || !slices.Equal(left, others) {
		t.Errorf("%q is there, want %q, %v", left, others, err)
	}
	for _, name := range []string{prefix + "strangers/precious", "precious/" + triedFile} {
		if _, err := os.Lstat(filepath.Join(dir, name)); err != nil {
			t.Error(err)
		}
	}
}

func BenchmarkTrial(b *testing.B) {
	dir := b.TempDir()
	for b.Loop() {
		trial, err := Try(dir)
		if err == nil {
			err = errors.Join(trial.Execute(-1, -1), trial.Close())
		}
		if err != nil {
			b.Fatal(err)
		}
	}
}
