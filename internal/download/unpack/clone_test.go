package unpack

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/githubtest"
	"github.com/runner-bootstrap/runner-bootstrap/internal/openat"
)

// small is a runner with a little of everything.
func small(t testing.TB) []byte {
	t.Helper()
	return packed(t, githubtest.ArchiveSpec{Padding: 300_000, Extra: []githubtest.Entry{
		{Name: "./externals/empty/", Type: '5'},
		{Name: "./externals/big", Body: strings.Repeat("0123456789", 500_000)},
		{Name: "./externals/again", Type: '1', Link: "externals/big"},
	}})
}

// wantNothing fails unless there is nothing beside to, nor to itself.
func wantNothing(t testing.TB, to string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(to))
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		t.Errorf("left behind: %s", entry.Name())
	}
}

func TestCloneIsTheSameAndItsOwn(t *testing.T) {
	t.Parallel()
	from, m := unpacked(t, small(t))
	before := stamps(t, from)
	to := filepath.Join(t.TempDir(), "web-1")
	if err := Clone(t.Context(), from, m, to, Owner{Keep: true}); err != nil {
		t.Fatal(err)
	}
	theirs, ours := below(t, from, ""), below(t, to, "")
	for path, content := range theirs {
		copied := filepath.Join(to, strings.TrimPrefix(path, from))
		if got, ok := ours[copied]; !ok || got != content {
			t.Errorf("%s is %.20q, not %.20q", copied, got, content)
		}
		delete(ours, copied)
		one, errOne := os.Lstat(path)
		other, errOther := os.Lstat(copied)
		if err := errors.Join(errOne, errOther); err != nil {
			t.Fatal(err)
		}
		if os.SameFile(one, other) {
			t.Errorf("%s is the same file as %s", copied, path)
		}
		want := one.Mode()
		if copied == to && hasModes() {
			want = fs.ModeDir | 0o750
		}
		if other.Mode() != want {
			t.Errorf("%s is %v, not %v", copied, other.Mode(), want)
		}
	}
	for path := range ours {
		t.Errorf("%s is too much", path)
	}
	big, errBig := os.Stat(filepath.Join(to, "externals", "big"))
	again, errAgain := os.Stat(filepath.Join(to, "externals", "again"))
	if errBig != nil || errAgain != nil || !os.SameFile(big, again) {
		t.Errorf("a hard link has become a file of its own: %v, %v", errBig, errAgain)
	}
	if after := stamps(t, from); !slices.Equal(before, after) {
		t.Error("copying has changed the source")
	}
	// What a job does to the copy stays there.
	for path, info := range ours {
		if err := os.WriteFile(path, []byte("changed"), 0o600); err != nil && info == "" {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(to, "externals", "big"), []byte("changed"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := m.Check(t.Context(), from); err != nil {
		t.Errorf("after a write to the copy: %v", err)
	}
	if entries, err := os.ReadDir(filepath.Dir(to)); err != nil || len(entries) != 1 {
		t.Errorf("beside the copy there are %v, %v", entries, err)
	}
}

// stamps lists names, times and modes.
func stamps(t *testing.T, dir string) []string {
	t.Helper()
	var all []string
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err == nil {
			all = append(all, path+info.Mode().String()+info.ModTime().String())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// damage is something that happens to a tree.
type damage struct {
	name string
	do   func(dir string) error
	says string // the name of what is damaged, and how
	// A file system that shares blocks does not read them.
	content bool
}

func damages() []damage {
	in := func(dir, name string) string { return filepath.Join(dir, filepath.FromSlash(name)) }
	keepTime := func(path string, change func() error) error {
		info, err := os.Stat(path)
		if err != nil {
			return err
		}
		return errors.Join(change(), os.Chtimes(path, info.ModTime(), info.ModTime()))
	}
	return []damage{
		{"a missing file", func(dir string) error { return os.Remove(in(dir, "bin/.version")) }, `"bin/.version" is missing`, false},
		{"a missing folder", func(dir string) error { return os.RemoveAll(in(dir, "externals/node20/lib")) }, `"externals/node20/lib" is missing`, false},
		{"a missing empty folder", func(dir string) error { return os.Remove(in(dir, "externals/empty")) }, `"externals/empty" is missing`, false},
		{"a missing link", func(dir string) error { return os.Remove(in(dir, "externals/node20/bin/npm")) }, `"externals/node20/bin/npm" is missing`, false},
		{"a missing hard link", func(dir string) error { return os.Remove(in(dir, "externals/again")) }, `"externals/again" is missing`, false},
		{"everything gone", os.RemoveAll, `"." is missing`, false},
		{"an added file", func(dir string) error { return os.WriteFile(in(dir, "bin/new"), nil, 0o600) }, `"bin/new" was added`, false},
		{"an added file at the top", func(dir string) error { return os.WriteFile(in(dir, ".env"), nil, 0o600) }, `".env" was added`, false},
		{"an added file in an empty folder", func(dir string) error { return os.WriteFile(in(dir, "externals/empty/x"), nil, 0o600) }, `"externals/empty/x" was added`, false},
		{"an added folder", func(dir string) error { return os.Mkdir(in(dir, "zzz"), 0o700) }, `"zzz" was added`, false},
		{"an added link", func(dir string) error { return os.Symlink("x", in(dir, "aaa")) }, `"aaa" was added`, false},
		{"another size", func(dir string) error {
			return keepTime(in(dir, "config.sh"), func() error { return os.Truncate(in(dir, "config.sh"), 3) })
		}, `"config.sh" has another size, 3`, false},
		{"another time", func(dir string) error {
			return os.Chtimes(in(dir, "run.sh"), time.Unix(1, 0), time.Unix(1, 0))
		}, `"run.sh" was changed at 1970`, false},
		{"a fraction of a second", func(dir string) error {
			info, err := os.Stat(in(dir, "run.sh"))
			if err != nil {
				return err
			}
			return os.Chtimes(in(dir, "run.sh"), time.Time{}, info.ModTime().Add(time.Second/2))
		}, `"run.sh" was changed at 2026`, false},
		{"another mode", func(dir string) error { return os.Chmod(in(dir, "run.sh"), 0o700) }, `"run.sh" has another mode, -rwx------`, false},
		{"setuid", func(dir string) error { return os.Chmod(in(dir, "run.sh"), fs.ModeSetuid|0o755) }, `"run.sh" has another mode, urwxr-xr-x`, false},
		{"another mode of a folder", func(dir string) error { return os.Chmod(in(dir, "bin"), 0o777) }, `directory "bin" has another mode, drwxrwxrwx`, false},
		{"another target", func(dir string) error {
			return errors.Join(os.Remove(in(dir, "bin/Runner.Worker")), os.Symlink("../run.sh", in(dir, "bin/Runner.Worker")))
		}, `link "bin/Runner.Worker" leads to "../run.sh"`, false},
		{"a folder for a file", func(dir string) error {
			return errors.Join(os.Remove(in(dir, "run.sh")), os.Mkdir(in(dir, "run.sh"), 0o700))
		}, `"run.sh" is of another type`, false},
		{"a link for a file", func(dir string) error {
			return errors.Join(os.Rename(in(dir, "run.sh"), dir+".away"), os.Symlink("config.sh", in(dir, "run.sh")))
		}, `"run.sh" is of another type`, false},
		{"a link for a folder", func(dir string) error {
			return errors.Join(os.Rename(in(dir, "bin"), dir+".away"), os.Symlink(dir+".away", in(dir, "bin")))
		}, `"bin" is of another type`, false},
		{"a file for a link", func(dir string) error {
			return errors.Join(os.Remove(in(dir, "bin/Runner.Worker")), os.WriteFile(in(dir, "bin/Runner.Worker"), nil, 0o700))
		}, `"bin/Runner.Worker" is of another type`, false},
		{"a file of its own for a hard link", func(dir string) error {
			text, err := os.ReadFile(in(dir, "externals/big"))
			return errors.Join(err, os.Remove(in(dir, "externals/again")), os.WriteFile(in(dir, "externals/again"), text, 0o600))
		}, `"externals/again" is no second name of "externals/big"`, false},
		{"another byte", func(dir string) error {
			return keepTime(in(dir, "bin/.version"), func() error { return flip(in(dir, "bin/.version"), 2) })
		}, `"bin/.version" has another content`, true},
		{"another byte in a big file", func(dir string) error {
			return keepTime(in(dir, "externals/big"), func() error { return flip(in(dir, "externals/big"), 4_999_999) })
		}, `"externals/big" has another content`, true},
	}
}

func flip(name string, at int64) error {
	file, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	one := make([]byte, 1)
	_, err = file.ReadAt(one, at)
	one[0] ^= 1
	_, errWrite := file.WriteAt(one, at)
	return errors.Join(err, errWrite, file.Close())
}

// shares tells whether the file system of dir shares blocks.
func shares(t *testing.T, dir string) bool {
	t.Helper()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	if err := root.WriteFile("one", []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	here, err := openat.Open(root)
	if err != nil {
		t.Fatal(err)
	}
	defer here.Close()
	one, err := here.OpenFile("one")
	if err != nil {
		t.Fatal(err)
	}
	defer one.Close()
	other, err := here.Create("other", 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	return other.Clone(one) == nil
}

func TestDamageIsFound(t *testing.T) {
	t.Parallel()
	data := small(t)
	sharing := shares(t, t.TempDir())
	for _, c := range damages() {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if !hasModes() && strings.Contains(c.says, "another mode") {
				t.Skip("modes are not kept here")
			}
			from, m := unpacked(t, data)
			if err := m.Check(t.Context(), from); err != nil {
				t.Fatalf("before the damage: %v", err)
			}
			if err := c.do(from); err != nil {
				t.Fatal(err)
			}
			to := filepath.Join(t.TempDir(), "runners", "web-1")
			if err := os.Mkdir(filepath.Dir(to), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := m.Check(t.Context(), from); !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("checking: %v, want %s", err, c.says)
			}
			if c.content && sharing {
				return
			}
			if err := Clone(t.Context(), from, m, to, Owner{Keep: true}); !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("copying: %v, want %s", err, c.says)
			}
			wantNothing(t, to)
		})
	}
}

func TestCloneNeedsAFreePlace(t *testing.T) {
	t.Parallel()
	from, m := unpacked(t, small(t))
	for name, make := range map[string]func(to string) error{
		"an empty folder":       func(to string) error { return os.Mkdir(to, 0o700) },
		"a full folder":         func(to string) error { return os.MkdirAll(filepath.Join(to, "x"), 0o700) },
		"a file":                func(to string) error { return os.WriteFile(to, []byte("mine"), 0o600) },
		"a link to nothing":     func(to string) error { return os.Symlink("none", to) },
		"a link to some folder": func(to string) error { return os.Symlink("..", to) },
	} {
		to := filepath.Join(t.TempDir(), "web-1")
		if err := make(to); err != nil {
			t.Fatal(err)
		}
		before := below(t, filepath.Dir(to), "")
		if err := Clone(t.Context(), from, m, to, Owner{Keep: true}); !errors.Is(err, fs.ErrExist) {
			t.Errorf("over %s: %v", name, err)
		}
		if after := below(t, filepath.Dir(to), ""); len(after) != len(before) || after[to] != before[to] {
			t.Errorf("over %s: there was %v, there is %v", name, before, after)
		}
	}
	nowhere := filepath.Join(t.TempDir(), "none", "web-1")
	if err := Clone(t.Context(), from, m, nowhere, Owner{Keep: true}); !errors.Is(err, fs.ErrNotExist) || errors.Is(err, ErrDamaged) {
		t.Errorf("without a directory for it: %v", err)
	}
}

func TestCloneRemovesWhatAKilledOneLeft(t *testing.T) {
	t.Parallel()
	runners := filepath.Join(t.TempDir(), "runners [1]") // no pattern
	for _, name := range []string{".web-1.new-123/bin", ".web-1.new-9", ".web-2.new-1", "web-2", "x.web-1.new-1", ".web-1.ne"} {
		if err := os.MkdirAll(filepath.Join(runners, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	wantNames := func(want ...string) {
		t.Helper()
		entries, err := os.ReadDir(runners)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, entry := range entries {
			names = append(names, entry.Name())
		}
		if !slices.Equal(names, want) {
			t.Errorf("there are %q, want %q", names, want)
		}
	}
	from, m := unpacked(t, small(t))
	root := filepath.Join(runners, "web-1")
	if err := Clone(t.Context(), from, m, root, Owner{Keep: true}); err != nil {
		t.Fatal(err)
	}
	wantNames(".web-1.ne", ".web-2.new-1", "web-1", "web-2", "x.web-1.new-1")
	if err := os.MkdirAll(filepath.Join(runners, ".web-1.new-5", "x"), 0o700); err != nil {
		t.Fatal(err)
	}
	for range 2 { // it may be repeated
		if err := Remove(root); err != nil {
			t.Fatal(err)
		}
		wantNames(".web-1.ne", ".web-2.new-1", "web-2", "x.web-1.new-1")
	}
	if err := Remove(filepath.Join(runners, "none", "none")); err != nil {
		t.Errorf("removing what never was: %v", err)
	}
}

func TestCloneLeavesNoGoroutine(t *testing.T) {
	t.Parallel()
	from, m := unpacked(t, small(t))
	damaged, _ := unpacked(t, small(t))
	if err := os.Remove(filepath.Join(damaged, "run.sh")); err != nil {
		t.Fatal(err)
	}
	done, cancel := context.WithCancel(t.Context())
	cancel()
	for name, c := range map[string]struct {
		ctx  context.Context
		from string
		want error
	}{
		"whole": {t.Context(), from, nil}, "damaged": {t.Context(), damaged, ErrDamaged}, "cancelled": {done, from, context.Canceled},
	} {
		to := filepath.Join(t.TempDir(), "web-1")
		synctest.Test(t, func(t *testing.T) { // fails if a goroutine is left
			if err := Clone(c.ctx, c.from, m, to, Owner{Keep: true}); !errors.Is(err, c.want) {
				t.Errorf("copying what is %s: %v, want %v", name, err, c.want)
			}
			if err := m.Check(c.ctx, c.from); !errors.Is(err, c.want) {
				t.Errorf("checking what is %s: %v, want %v", name, err, c.want)
			}
		})
		if c.want != nil {
			wantNothing(t, to)
		}
	}
}

// In the middle of a copy, at some moment.
func TestCloneIsCancelledAnyTime(t *testing.T) {
	t.Parallel()
	from, m := unpacked(t, packed(t, githubtest.ArchiveSpec{Padding: 10 << 20}))
	cancelled := 0
	for i := range 10 {
		to := filepath.Join(t.TempDir(), "runners", "web-1")
		if err := os.Mkdir(filepath.Dir(to), 0o700); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i)*500*time.Microsecond)
		err := Clone(ctx, from, m, to, Owner{Keep: true})
		cancel()
		if err == nil {
			continue
		}
		cancelled++
		if !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, ErrDamaged) {
			t.Errorf("%v, want the deadline", err)
		}
		wantNothing(t, to)
	}
	if cancelled == 0 {
		t.Error("nothing was cancelled")
	}
}

// Who may not look is not told that files are damaged.
func TestCheckTellsDamageFromDenial(t *testing.T) {
	t.Parallel()
	if os.Geteuid() == 0 || runtime.GOOS == "windows" {
		t.Skip("root may look everywhere")
	}
	from, m := unpacked(t, small(t))
	if err := os.Chmod(from, 0); err != nil {
		t.Fatal(err)
	}
	defer os.Chmod(from, 0o700)
	if err := m.Check(t.Context(), from); !errors.Is(err, fs.ErrPermission) || errors.Is(err, ErrDamaged) {
		t.Errorf("%v, want a denial", err)
	}
}

func TestSync(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := Sync(dir); err != nil {
		t.Error(err)
	}
	if err := Sync(filepath.Join(dir, "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v, want that there is nothing", err)
	}
}
