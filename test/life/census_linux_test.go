package life

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// ownMountsTest is set for the process of the tests that has its mounts for itself.
const ownMountsTest = "LIFE_TEST_OWN_MOUNTS"

// inOwnMounts runs the tests again in a process whose mounts nobody else sees, and which end with it. It tells whether it
// could.
func inOwnMounts() (code int, done bool) {
	if os.Geteuid() != 0 || os.Getenv(ownMountsTest) != "" {
		return 0, false
	}
	trial := exec.Command("/bin/true")
	trial.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS} // and private, which they are not on most hosts
	if trial.Run() != nil {
		return 0, false // a container that may not: no disk is mounted there
	}
	again := exec.Command(os.Args[0], os.Args[1:]...)
	again.Env = append(os.Environ(), ownMountsTest+"=yes")
	again.Stdin, again.Stdout, again.Stderr = os.Stdin, os.Stdout, os.Stderr
	again.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
	var exit *exec.ExitError
	if err := again.Run(); err != nil && !errors.As(err, &exit) {
		fmt.Fprintln(os.Stderr, "running the tests with mounts of their own:", err)
		return 1, true
	}
	return again.ProcessState.ExitCode(), true
}

// mounts tells whether tests may mount.
func mounts() bool { return os.Getenv(ownMountsTest) != "" }

// What the tests mount is seen by nobody else, also where the host's mounts are shared, as they are with systemd.
func TestOwnMounts(t *testing.T) {
	t.Parallel()
	if !mounts() {
		t.Skip("no disk is mounted")
	}
	table, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(table)) {
		if options, _, _ := strings.Cut(line, " - "); strings.Contains(options, " shared:") {
			t.Errorf("it is shared: %s", line)
		}
	}
}

// sighting is what is noted of a file.
type sighting struct {
	mode     fs.FileMode
	uid, gid uint32
	size     int64
	changed  int64 // its content; of a folder, its names
	holds    string
}

// survey notes all that is below a folder.
func survey(folder string) (map[string]sighting, error) {
	seen := map[string]sighting{}
	err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		status, ok := info.Sys().(*syscall.Stat_t)
		if !ok {
			return errors.New("no status")
		}
		s := sighting{mode: info.Mode(), uid: status.Uid, gid: status.Gid, changed: info.ModTime().UnixNano()}
		switch {
		case info.Mode().IsRegular():
			s.size = info.Size()
			var text []byte
			if text, err = os.ReadFile(path); err == nil {
				s.holds = fmt.Sprintf("%x", sha256.Sum256(text))
			}
		case info.Mode()&fs.ModeSymlink != 0:
			s.holds, err = os.Readlink(path)
		}
		seen[path] = s
		return err
	})
	return seen, err
}

// changes tells what differs between two surveys.
func changes(before, after map[string]sighting) error {
	var found []string
	for path, was := range before {
		if is, there := after[path]; !there {
			found = append(found, path+" is gone")
		} else if is != was {
			found = append(found, fmt.Sprintf("%s was %+v and is %+v", path, was, is))
		}
	}
	for path := range after {
		if _, there := before[path]; !there {
			found = append(found, path+" is new")
		}
	}
	if len(found) == 0 {
		return nil
	}
	slices.Sort(found)
	return fmt.Errorf("of what is somebody else's, %d differ: %s", len(found), strings.Join(found[:min(len(found), 10)], "; "))
}

// neighbour is the other runner of a host, which nobody does anything with.
const neighbour = "db-1"

// others are all on a host that a runner has no business with.
type others struct {
	folders   []string // of which nothing may change
	bystander []*exec.Cmd
	disk      string // where a disk is mounted in the runner's directory; empty: nowhere
	before    map[string]sighting
	mounted   string
	accounts  map[string]sighting
}

// settle puts what is somebody else's on the host, and takes the census: folders of the administrator's with what a runner
// has too, a mounted disk beside the runners, another runner with its registration, and processes of root's and of the
// account's that jobs run as.
func (h *host) settle(withNeighbour bool) (*others, error) {
	o := &others{}
	canary, disk := filepath.Join(h.base, "canary"), filepath.Join(h.base, "disk")
	h.theirs = canary
	if err := plant(canary); err != nil {
		return nil, err
	}
	if err := os.Mkdir(disk, 0o755); err != nil {
		return nil, err
	}
	if mounts() {
		if err := syscall.Mount("life", disk, "tmpfs", 0, "size=1m,mode=755"); err != nil {
			return nil, fmt.Errorf("mounting a disk: %w", err)
		}
		h.t.Cleanup(func() { o.unmount(h.t, disk) })
	}
	if err := plant(filepath.Join(disk, "data")); err != nil {
		return nil, err
	}
	o.folders = []string{canary, disk}
	if withNeighbour {
		words := h.installWords("--token-file", h.token)
		words[slices.Index(words, runnerName)] = neighbour
		if code := h.call(words...); code != 0 {
			return nil, fmt.Errorf("installing the neighbour: exit code %d", code)
		}
		o.folders = append(o.folders, filepath.Join(h.dir, "runners", neighbour), filepath.Join(h.dir, "state", "instances", neighbour))
	}
	if err := o.watch(h); err != nil {
		return nil, err
	}
	var err error
	o.before, o.mounted, o.accounts, err = o.look()
	return o, err
}

// plant makes files with names that a runner has too, and others.
func plant(folder string) error {
	for _, name := range []string{"precious", "_work/repo/precious", "bin/Runner.Listener", ".runner", ".web-1.next/precious", "deep/a/b/c/precious"} {
		path := filepath.Join(folder, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(name), 0o600)); err != nil {
			return err
		}
	}
	return os.Symlink("precious", filepath.Join(folder, "link"))
}

// watch starts processes that have nothing to do with a runner: one of this process's account, and as root one of the jobs'.
func (o *others) watch(h *host) error {
	uid, gid := h.jobUser()
	for _, id := range [][2]int{{os.Geteuid(), os.Getegid()}, {uid, gid}} {
		cmd := exec.Command("sleep", "1000")
		cmd.Dir = "/"
		cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		if os.Geteuid() == 0 {
			cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(id[0]), Gid: uint32(id[1])}
		}
		if err := cmd.Start(); err != nil {
			return err
		}
		o.bystander = append(o.bystander, cmd)
		h.t.Cleanup(func() {
			_ = cmd.Process.Kill()
			_ = cmd.Wait() // it was killed
		})
	}
	return nil
}

// look takes the census.
func (o *others) look() (files map[string]sighting, mounted string, accounts map[string]sighting, err error) {
	files = map[string]sighting{}
	for _, folder := range o.folders {
		found, err := survey(folder)
		if err != nil {
			return nil, "", nil, err
		}
		maps.Copy(files, found)
	}
	accounts = map[string]sighting{}
	noted := []string{"/etc/passwd", "/etc/group"}
	// A host makes units of its own at any time.
	for _, folder := range []string{"/etc/systemd/system", "/run/systemd/system", "/run/systemd/transient"} {
		units, err := filepath.Glob(filepath.Join(folder, "*runner*"))
		if err != nil {
			return nil, "", nil, err
		}
		noted = append(noted, units...)
	}
	for _, path := range noted {
		found, err := survey(path)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, "", nil, err
		}
		maps.Copy(accounts, found)
	}
	return files, mountedBelow(filepath.Dir(o.folders[0])), accounts, nil
}

// mountedBelow is what is mounted in a host's folder, as the kernel tells it.
func mountedBelow(folder string) string {
	table, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return err.Error()
	}
	var lines []string
	for line := range strings.Lines(string(table)) {
		if strings.Contains(line, folder+"/") {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "")
}

// unharmed compares what there is now with the census.
func (o *others) unharmed() error {
	files, mounted, accounts, err := o.look()
	if err != nil {
		return err
	}
	err = errors.Join(changes(o.before, files), changes(o.accounts, accounts))
	if mounted != o.mounted {
		err = errors.Join(err, fmt.Errorf("mounted was %q, and is %q", o.mounted, mounted))
	}
	for _, one := range o.bystander {
		if syscall.Kill(one.Process.Pid, 0) != nil || ended(one.Process.Pid) {
			err = errors.Join(err, fmt.Errorf("%q of somebody else has ended", one.Args))
		}
	}
	return err
}

// ended tells whether a process waits for its parent to take note of its end.
func ended(pid int) bool {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err != nil || strings.Contains(string(raw), ") Z ")
}

// mountInside puts a disk where an administrator may want one: below the work folder of the runner, for tools that are large.
func (o *others) mountInside(h *host) error {
	if !mounts() || o.disk != "" {
		return nil
	}
	work := filepath.Join(h.root(), "_work")
	place := filepath.Join(work, "_tool")
	if err := os.MkdirAll(place, 0o755); err != nil {
		return err
	}
	uid, gid := h.jobUser()
	if err := os.Chown(work, uid, gid); err != nil {
		return err
	}
	if err := syscall.Mount("life", place, "tmpfs", 0, "size=1m,mode=755"); err != nil {
		return fmt.Errorf("mounting a disk in the runner: %w", err)
	}
	o.disk = place
	h.t.Cleanup(func() {
		if o.disk != "" {
			o.unmount(h.t, place)
		}
	})
	if err := plant(filepath.Join(place, "node")); err != nil {
		return err
	}
	o.folders = append(o.folders, place)
	var err error
	o.before, o.mounted, _, err = o.look()
	return err
}

// unmountInside takes the disk away again, as uninstall has asked for.
func (o *others) unmountInside() error {
	if o.disk == "" {
		return nil
	}
	if err := o.unharmed(); err != nil {
		return err
	}
	if err := syscall.Unmount(o.disk, 0); err != nil {
		return fmt.Errorf("unmounting %q: %w", o.disk, err)
	}
	o.folders = slices.DeleteFunc(o.folders, func(folder string) bool { return folder == o.disk })
	o.disk = ""
	var err error
	o.before, o.mounted, _, err = o.look()
	return err
}

func (o *others) unmount(t *testing.T, place string) {
	t.Helper()
	if err := syscall.Unmount(place, syscall.MNT_DETACH); err != nil {
		t.Error(err)
	}
}

// nothingLeft looks for what an uninstall has to have taken away: all that bears the runner's name, and rooms.
func (h *host) nothingLeft() error {
	return filepath.WalkDir(h.dir, func(path string, entry fs.DirEntry, err error) error {
		switch name := strings.TrimPrefix(filepath.Base(path), "."); {
		case errors.Is(err, fs.ErrNotExist):
			return nil
		case err != nil:
			return err
		case name == runnerName, strings.HasPrefix(name, runnerName+"."), name == "register", name == "lives":
			holds, err := survey(path)
			return errors.Join(fmt.Errorf("after uninstall there is %s", slices.Sorted(maps.Keys(holds))), err)
		case entry.IsDir() && name == neighbour:
			return fs.SkipDir
		}
		return nil
	})
}

// A census sees every change.
func TestCensus(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(dir string) error{
		"a file that is gone":     func(dir string) error { return os.Remove(filepath.Join(dir, "precious")) },
		"a file that is new":      func(dir string) error { return os.WriteFile(filepath.Join(dir, "_work/new"), nil, 0o600) },
		"another mode":            func(dir string) error { return os.Chmod(filepath.Join(dir, "deep/a/b/c/precious"), 0o644) },
		"another place of a link": func(dir string) error { return errors.Join(os.Remove(dir+"/link"), os.Symlink("x", dir+"/link")) },
		"another content, with its time": func(dir string) error {
			path := filepath.Join(dir, ".runner")
			info, err := os.Stat(path)
			if err != nil {
				return err
			}
			return errors.Join(os.WriteFile(path, []byte(".hunner"), 0o600), os.Chtimes(path, info.ModTime(), info.ModTime()))
		},
	} {
		dir := filepath.Join(t.TempDir(), "canary")
		if err := plant(dir); err != nil {
			t.Fatal(err)
		}
		before, err := survey(dir)
		if err != nil || len(before) < 12 {
			t.Fatalf("it sees %v, %v", before, err)
		}
		again, err := survey(dir)
		if err := errors.Join(err, changes(before, again)); err != nil {
			t.Errorf("before %s: %v", name, err)
		}
		if err := change(dir); err != nil {
			t.Fatal(err)
		}
		after, err := survey(dir)
		if err != nil || changes(before, after) == nil {
			t.Errorf("it does not see %s, %v", name, err)
		}
	}
}
