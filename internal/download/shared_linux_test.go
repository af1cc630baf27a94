package download

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/mounttest"
)

// sharing is a host whose runners are root's.
type sharing struct {
	fetcher *Fetcher
	asset   Asset
	runners string
}

func newSharing(t *testing.T) *sharing {
	t.Helper()
	return newSharingIn(t, t.TempDir())
}

func newSharingIn(t *testing.T, dir string) *sharing {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root shares files with runners")
	}
	archive := runner(t, "linux-x64", 100_000)
	file := filepath.Join(dir, "actions-runner-linux-x64-2.337.0.tar.gz")
	if err := os.WriteFile(file, content(t, archive), 0o600); err != nil {
		t.Fatal(err)
	}
	platform, version, _ := ParseFilename(filepath.Base(file))
	s := &sharing{
		fetcher: &Fetcher{Cache: Cache{Dir: filepath.Join(dir, "cache"), Volatile: true}}, runners: filepath.Join(dir, "runners"),
		asset: Asset{Platform: platform, Version: version, Filename: filepath.Base(file), SHA256: archive.SHA256, File: file},
	}
	s.place(t, "web-1")
	return s
}

func (s *sharing) root(name string) string { return filepath.Join(s.runners, name) }

func (s *sharing) place(t *testing.T, name string) (cached bool) {
	t.Helper()
	cached, err := s.fetcher.Place(t.Context(), s.asset, s.root(name), Owner{Sticky: true, GID: 65534}, func(int64, int64) {})
	if err != nil {
		t.Fatal(err)
	}
	return cached
}

func (s *sharing) entry(t *testing.T) Entry {
	t.Helper()
	entry, found := s.fetcher.Cache.Find(s.asset)
	if !found {
		t.Fatal("the cache has no entry")
	}
	return entry
}

// wantFit fails unless what is in the cache is known to be right without reading it.
func (s *sharing) wantFit(t *testing.T, want bool) {
	t.Helper()
	entry := s.entry(t)
	manifest, err := entry.manifest()
	if err != nil {
		t.Fatal(err)
	}
	now, err := manifest.Mark(t.Context(), entry.tree())
	if err != nil {
		t.Fatal(err)
	}
	if fits := entry.stamp().Fits(now); fits != want {
		t.Errorf("the stamp fits: %v, want %v", fits, want)
	}
}

// wantSame fails unless a runner has the files of the cache.
func (s *sharing) wantSame(t *testing.T, name string, want bool) {
	t.Helper()
	one, errOne := os.Stat(filepath.Join(s.entry(t).tree(), "bin/Runner.Listener"))
	other, errOther := os.Stat(filepath.Join(s.root(name), "bin/Runner.Listener"))
	if err := errors.Join(errOne, errOther); err != nil {
		t.Fatal(err)
	}
	if same := os.SameFile(one, other); same != want {
		t.Errorf("%s has the cache's files: %v, want %v", name, same, want)
	}
}

// TestSharedStaysKnown: runners come and go, and nothing needs to be read for the next one.
func TestSharedStaysKnown(t *testing.T) {
	t.Parallel()
	s := newSharing(t)
	s.wantFit(t, true)
	if !s.place(t, "web-2") {
		t.Error("the cache was not used")
	}
	s.wantSame(t, "web-2", true)
	s.wantFit(t, true)
	for _, name := range []string{"web-1", "web-1", "missing"} {
		if err := s.fetcher.Discard(t.Context(), s.root(name)); err != nil {
			t.Fatal(err)
		}
		s.wantFit(t, true)
	}
	if _, err := os.Lstat(s.root("web-1")); !os.IsNotExist(err) {
		t.Errorf("web-1 is still there: %v", err)
	}

	// Removed behind our back, everything is read once.
	if err := os.RemoveAll(s.root("web-2")); err != nil {
		t.Fatal(err)
	}
	s.wantFit(t, false)
	if !s.place(t, "web-2") {
		t.Error("the cache was not used")
	}
	s.wantFit(t, true)
	if err := os.Remove(filepath.Join(s.entry(t).Dir, stampFile)); err != nil {
		t.Fatal(err)
	}
	s.place(t, "web-3")
	s.wantFit(t, true)
}

// TestNewOneElsewhere: the first runner of a new version is on another file system, so its files are copies; what is in the cache
// is known all the same.
func TestNewOneElsewhere(t *testing.T) {
	t.Parallel()
	s := newSharing(t)
	if err := errors.Join(s.fetcher.Discard(t.Context(), s.root("web-1")), s.fetcher.Cache.Remove(s.entry(t))); err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("/dev/shm", "elsewhere") //nolint:usetesting // it is another file system
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	s.runners = dir
	if s.place(t, "web-1") {
		t.Error("it was in the cache")
	}
	s.wantSame(t, "web-1", false)
	s.wantFit(t, true)
	if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
		t.Errorf("beside the runner is %v, %v", left, err)
	}
}

// TestAdoptedIsStamped: a run that was killed before it had shared what it had fetched costs one look at all files, not one
// for each runner.
func TestAdoptedIsStamped(t *testing.T) {
	t.Parallel()
	s := newSharing(t)
	entry := s.entry(t)
	if err := s.fetcher.Discard(t.Context(), s.root("web-1")); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(entry.Dir, stampFile)); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(entry.Dir, filepath.Join(s.fetcher.Cache.Dir, "."+s.fetcher.Cache.name(s.asset)+stagingMark+"1")); err != nil {
		t.Fatal(err)
	}
	if _, cached, err := s.fetcher.Fetch(t.Context(), s.asset, func(int64, int64) {}); err != nil || cached {
		t.Fatalf("it is taken for one of the cache's: %v, %v", cached, err)
	}
	s.wantFit(t, true)
}

// TestPlaceBare: what config.sh is run from comes and goes without the externals, and what is known of all files stays true:
// what it was right about, and that something of the externals has changed.
func TestPlaceBare(t *testing.T) {
	t.Parallel()
	s := newSharing(t)
	bare := func() {
		t.Helper()
		root := s.root("room")
		if err := s.fetcher.PlaceBare(t.Context(), s.asset, root); err != nil {
			t.Fatal(err)
		}
		s.wantSame(t, "room", true)
		if names, err := os.ReadDir(filepath.Join(root, "externals")); err != nil || len(names) > 0 {
			t.Errorf("its externals have %v, %v", names, err)
		}
		for _, name := range []string{"config.sh", "env.sh", "bin/Runner.Listener", "bin/Runner.Worker"} {
			if _, err := os.Stat(filepath.Join(root, name)); err != nil {
				t.Error(err)
			}
		}
	}
	discard := func() {
		t.Helper()
		if err := s.fetcher.Discard(t.Context(), s.root("room")); err != nil {
			t.Fatal(err)
		}
	}
	bare()
	s.wantFit(t, true)
	s.place(t, "web-2") // between the two
	s.wantFit(t, true)
	discard()
	s.wantFit(t, true)

	// Who makes a whole runner next has to see what has changed meanwhile.
	node := filepath.Join(s.entry(t).tree(), "externals/node20/bin/node")
	if err := errors.Join(os.Chmod(node, 0o700), os.Chmod(node, 0o755)); err != nil {
		t.Fatal(err)
	}
	bare()
	s.wantFit(t, false)
	discard()
	s.wantFit(t, false)
	if !s.place(t, "web-3") {
		t.Error("the cache was not used")
	}
	s.wantFit(t, true)

	// A script that has changed is nothing to register with, whatever was noted.
	if err := os.WriteFile(filepath.Join(s.entry(t).tree(), "config.sh"), []byte("evil"), 0o755); err != nil {
		t.Fatal(err)
	}
	bare()
	if text, err := os.ReadFile(filepath.Join(s.root("room"), "config.sh")); err != nil || string(text) == "evil" {
		t.Errorf("it is registered by %q, %v", text, err)
	}
}

// TestSharedByManyAtOnce: agents make and remove their runners at the same time.
func TestSharedByManyAtOnce(t *testing.T) {
	t.Parallel()
	s := newSharing(t)
	var all sync.WaitGroup
	for i := range 6 {
		all.Go(func() {
			for range 5 {
				name := fmt.Sprint("busy-", i)
				_, err := s.fetcher.Place(t.Context(), s.asset, s.root(name), Owner{Sticky: true, GID: 65534}, func(int64, int64) {})
				if err := errors.Join(err, s.fetcher.Discard(t.Context(), s.root(name))); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	s.wantFit(t, true)
}

// TestSharedDamage: a byte that changes in the cache, or in any runner, with its time kept, reaches no other runner: the
// archive is unpacked again. So it is after an administrator has given a runner's files to an account.
func TestSharedDamage(t *testing.T) {
	t.Parallel()
	for name, damage := range map[string]func(t *testing.T, s *sharing) error{
		"a byte": func(t *testing.T, s *sharing) error {
			file := filepath.Join(s.root("web-1"), "bin/Runner.Listener")
			info, err := os.Stat(file)
			if err != nil {
				return err
			}
			text, err := os.ReadFile(file)
			if err != nil {
				return err
			}
			text[len(text)/2] ^= 1
			in, err := os.OpenFile(file, os.O_WRONLY, 0)
			if err != nil {
				return err
			}
			_, err = in.WriteAt(text, 0)
			return errors.Join(err, in.Close(), os.Chtimes(file, time.Time{}, info.ModTime()))
		},
		"chown -R": func(t *testing.T, s *sharing) error {
			return exec.CommandContext(t.Context(), "chown", "-R", "65534:65534", s.root("web-1")).Run()
		},
		"chmod": func(t *testing.T, s *sharing) error {
			return os.Chmod(filepath.Join(s.root("web-1"), "config.sh"), 0o777)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSharing(t)
			if err := damage(t, s); err != nil {
				t.Fatal(err)
			}
			if s.place(t, "web-2") {
				t.Error("the cache was used")
			}
			s.wantFit(t, true)
			s.wantSame(t, "web-2", true)
			s.wantSame(t, "web-1", false)
			var st syscall.Stat_t
			if err := syscall.Stat(filepath.Join(s.root("web-2"), "config.sh"), &st); err != nil || st.Uid != 0 || st.Mode&0o777 != 0o755 {
				t.Errorf("config.sh belongs to %d with mode %o, %v", st.Uid, st.Mode, err)
			}
			manifest, err := s.entry(t).manifest()
			if err == nil {
				err = manifest.Check(t.Context(), s.root("web-2"))
			}
			if err != nil {
				t.Error(err)
			}

			// Without an archive there is nothing to make a runner of.
			if err := os.WriteFile(filepath.Join(s.entry(t).tree(), "config.sh"), []byte("evil"), 0o755); err != nil {
				t.Fatal(err)
			}
			kept := Asset{Platform: s.asset.Platform, Version: s.asset.Version, Filename: s.asset.Filename, SHA256: s.asset.SHA256}
			_, err = s.fetcher.Place(t.Context(), kept, s.root("web-3"), Owner{Sticky: true, GID: 65534}, func(int64, int64) {})
			if !errors.Is(err, ErrDamaged) {
				t.Errorf("without an archive: %v, want %v", err, ErrDamaged)
			}
		})
	}
}

// TestSharedWithTooManyNames: a file has 65,000 names on ext4 at most, and none on another file system.
func TestSharedWithTooManyNames(t *testing.T) {
	t.Parallel()
	s := newSharing(t)
	file, names := filepath.Join(s.entry(t).tree(), "config.sh"), t.TempDir()
	for i := 0; ; i++ {
		err := os.Link(file, filepath.Join(names, fmt.Sprint(i)))
		if errors.Is(err, syscall.EMLINK) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if i > 70_000 {
			t.Skip("this file system knows no end")
		}
	}
	for range 2 {
		s.place(t, "web-2")
		s.wantSame(t, "web-2", false)
		s.wantFit(t, true)
		if err := s.fetcher.Discard(t.Context(), s.root("web-2")); err != nil {
			t.Fatal(err)
		}
	}
	s.runners = filepath.Join("/dev/shm", filepath.Base(filepath.Dir(names))+"-runners")
	t.Cleanup(func() { os.RemoveAll(s.runners) })
	s.place(t, "web-2")
	s.wantSame(t, "web-2", false)
}

// TestSharedOnAFullDisk: where the file system can hold no more names, it is said so, nothing half-made stays, the others
// are what they were, and it works when there is room again.
func TestSharedOnAFullDisk(t *testing.T) {
	if !mounttest.Own(t) {
		return
	}
	dir := t.TempDir()
	if err := syscall.Mount("full", dir, "tmpfs", 0, "nr_inodes=1000,mode=755"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	s := newSharingIn(t, dir)
	names := filepath.Join(dir, "names")
	if err := os.Mkdir(names, 0o755); err != nil {
		t.Fatal(err)
	}
	var err error
	for i := 0; err == nil; i++ {
		err = os.WriteFile(filepath.Join(names, fmt.Sprint(i)), nil, 0o600)
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
	for i := range 8 { // it begins, and does not come to its end
		if err := os.Remove(filepath.Join(names, fmt.Sprint(i))); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		_, err := s.fetcher.Place(t.Context(), s.asset, s.root("web-2"), Owner{Sticky: true, GID: 65534}, func(int64, int64) {})
		if !errors.Is(err, ErrSpace) || !errors.Is(err, syscall.ENOSPC) || errors.Is(err, ErrDamaged) {
			t.Errorf("%v, want %v", err, ErrSpace)
		}
		if left, err := os.ReadDir(s.runners); err != nil || len(left) != 1 || left[0].Name() != "web-1" {
			t.Errorf("left are %v, %v", left, err)
		}
	}
	if err := os.RemoveAll(names); err != nil {
		t.Fatal(err)
	}
	if !s.place(t, "web-2") {
		t.Error("the cache was not used")
	}
	for _, name := range []string{"web-1", "web-2"} {
		s.wantSame(t, name, true)
		if err := s.entry(t).Compare(t.Context(), s.root(name)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	s.wantFit(t, true)
}

// TestRenew: what a job has added goes, and the runner is what it was, without a file made again. Whatever root has changed
// in it, or in the cache, shows.
func TestRenew(t *testing.T) {
	t.Parallel()
	for _, where := range []string{"", "/dev/shm"} {
		t.Run("in "+where, func(t *testing.T) {
			t.Parallel()
			s := newSharing(t)
			if where != "" { // on another file system they are copies
				dir, err := os.MkdirTemp(where, "renew") //nolint:usetesting // see above
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { os.RemoveAll(dir) })
				s.runners = dir
				s.place(t, "web-1")
			}
			testRenew(t, s)
		})
	}
}

func testRenew(t *testing.T, s *sharing) {
	t.Helper()
	root := s.root("web-1")
	renew := func() bool {
		t.Helper()
		whole, err := s.fetcher.Renew(s.asset, root, "_diag")
		if err != nil {
			t.Fatal(err)
		}
		if whole == nil {
			return false
		}
		right, err := whole(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return right
	}
	for _, name := range []string{"_work/repo/x", "_diag/log", ".runner", "junk/deep/x"} {
		if err := errors.Join(os.MkdirAll(filepath.Dir(filepath.Join(root, name)), 0o755), os.WriteFile(filepath.Join(root, name), nil, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	before, err := os.Lstat(filepath.Join(root, "bin"))
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if !renew() {
			t.Error("it is not whole")
		}
	}
	after, err := os.Lstat(filepath.Join(root, "bin"))
	if err != nil || !os.SameFile(before, after) {
		t.Errorf("bin was made again: %v", err)
	}
	for name, there := range map[string]bool{"_diag/log": true, "_work": false, ".runner": false, "junk": false, "config.sh": true} {
		if _, err := os.Lstat(filepath.Join(root, name)); (err == nil) != there {
			t.Errorf("%s: %v", name, err)
		}
	}
	s.wantFit(t, true)
	if err := os.RemoveAll(s.root("web-1")); err != nil {
		t.Fatal(err)
	}
	if renew() {
		t.Error("what is not there is whole")
	}
	for name, change := range map[string]func() error{
		"a file in bin": func() error { return os.WriteFile(filepath.Join(root, "bin/new"), nil, 0o600) },
		"another file": func() error {
			return errors.Join(os.Remove(filepath.Join(root, "run.sh")), os.WriteFile(filepath.Join(root, "run.sh"), nil, 0o755))
		},
		"a missing file":  func() error { return os.Remove(filepath.Join(root, "run.sh")) },
		"another owner":   func() error { return os.Chown(root, 65534, 65534) },
		"not sticky":      func() error { return os.Chmod(root, 0o770) },
		"an owner of bin": func() error { return os.Chown(filepath.Join(root, "bin"), 65534, 0) },
		"a stamp of a job's": func() error {
			return errors.Join(os.Remove(filepath.Join(root, "run.sh")), os.RemoveAll(filepath.Join(root, ownStamp)), os.WriteFile(filepath.Join(root, ownStamp), nil, 0o600))
		},
		"a changed script": func() error { return os.WriteFile(filepath.Join(root, "run.sh"), []byte("evil"), 0o755) },
	} {
		s.place(t, "web-1")
		if !renew() {
			t.Errorf("before %s: it is not whole", name)
		}
		if err := change(); err != nil {
			t.Fatal(err)
		}
		if renew() {
			t.Errorf("with %s it is whole", name)
		}
		if err := s.fetcher.Discard(t.Context(), root); err != nil {
			t.Fatal(err)
		}
	}
}
