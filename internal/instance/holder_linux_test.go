package instance

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// lockOf is the lock of a supervisor that holds it.
func lockOf(t *testing.T) (s *Store, supervisor *process, file string) {
	t.Helper()
	s = newStore(t)
	if err := s.Save(aRecord("web-1")); err != nil {
		t.Fatal(err)
	}
	return s, start(t, "runner", s), filepath.Join(s.home("web-1"), runLock)
}

func TestLockNamesOneProcess(t *testing.T) {
	t.Parallel()
	s, supervisor, file := lockOf(t)
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	pid := fmt.Sprintf("%d\n", supervisor.Process.Pid)
	swap := func(key, value string) string {
		lines := strings.SplitAfter(string(whole), "\n")
		for n, line := range lines {
			if strings.HasPrefix(line, key+" ") {
				lines[n] = key + " " + value + "\n"
			}
		}
		return strings.Join(lines, "")
	}
	here := fmt.Sprintf("process %d", supervisor.Process.Pid)
	for name, c := range map[string]struct{ text, want string }{
		"as it is":                         {string(whole), here},
		"of an earlier version":            {pid, here},
		"its number is given out again":    {swap("started", "12345"), "another process"},
		"in a container":                   {swap("namespace", "pid:[17]"), "a process in another PID namespace"},
		"in a container without /proc":     {swap("namespace", unknown), "a process in another PID namespace"},
		"on another host":                  {swap("boot", "5b0f6bd2-0000-0000-0000-000000000000"), "a process on another host"},
		"an earlier version, in container": {"1\n", "a process in another PID namespace"},
		"an earlier one, number given out": {fmt.Sprintf("%d\n", os.Getppid()), "a process in another PID namespace"},
		"nothing yet":                      {"", "another process"},
		"damaged":                          {"started 1\n", "another process"},
		"a negative number":                {"-1\n", "another process"},
	} {
		if err := os.WriteFile(file, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		holder, err := s.Running("web-1")
		if err != nil || holder.String() != c.want {
			t.Errorf("%s: %v, %v, want %s", name, holder, err, c.want)
		}
		handle, err := holder.Process()
		switch {
		case c.want == here && err == nil:
			if err := handle.Release(); err != nil {
				t.Error(err)
			}
		case c.want == here || err == nil:
			t.Errorf("%s: it can be signalled: %v, %v", name, handle, err)
		case holder.Elsewhere() != errors.Is(err, ErrElsewhere):
			t.Errorf("%s: %v", name, err)
		}
		if c.want == "another process" && c.text != "" {
			continue // it takes a second to say so
		}
		_, err = s.LockRunner(t.Context(), "web-1")
		if want := fmt.Sprintf(`runner "web-1" is locked: %s is at work on it`, c.want); !errors.Is(err, ErrLocked) || err.Error() != want {
			t.Errorf("%s: %v, want %s", name, err, want)
		}
	}
}

// A real PID namespace, as of a container with which the state is shared.
func TestLockOfAnotherNamespace(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	if err := s.Save(aRecord("web-1")); err != nil {
		t.Fatal(err)
	}
	inside := &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID}
	if os.Getuid() != 0 {
		t.Skip("only root makes a PID namespace everywhere")
	}
	startWith(t, "runner", s, inside)
	holder, err := s.Running("web-1")
	if err != nil || !holder.Elsewhere() || holder.PID != 1 {
		t.Errorf("%v, %v, want process 1 of another namespace", holder, err)
	}
	if handle, err := holder.Process(); !errors.Is(err, ErrElsewhere) {
		t.Errorf("%v, %v: this host's process 1", handle, err)
	}
}

// What a killed process has left at work holds nobody up for ever.
func TestGroupIsEndedWhenPatienceIs(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	parent := start(t, "orphan", s)
	path := filepath.Join(s.dir, hostLock)
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	group := readNote(file).group
	if !group.noted || group.pid == parent.Process.Pid || startOf(group.pid) != group.start || group.uid != os.Getuid() {
		t.Fatalf("the lock names the group %+v", group)
	}
	parent.kill(t)
	lock, err := acquireWithin(t.Context(), path, "this host", 300*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Release()
	// Its zombie may be there until process 1 sees to it.
	if text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", group.pid)); err == nil && !strings.Contains(string(text), ") Z ") {
		t.Errorf("its leader is alive: %s", text)
	}
}

func TestWhatIsLeft(t *testing.T) {
	t.Parallel()
	file, err := os.Create(filepath.Join(t.TempDir(), "lock"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	dead := self()
	// Not that of the test: who leads it may have ended.
	leader := exec.CommandContext(t.Context(), "sleep", "600")
	leader.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := leader.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = leader.Process.Kill() // it runs until then
		_ = leader.Wait()         // it says that it was killed
	}()
	ours := groupOf(leader.Process.Pid)
	other, before := dead, dead
	other.Namespace, before.Boot = "pid:[17]", "another"
	for name, c := range map[string]struct {
		note note
		age  time.Duration
		want bool
	}{
		"nothing":                  {note{holder: dead}, 0, false},
		"a group at work":          {note{holder: dead, group: ours}, time.Hour, true},
		"its number given out":     {note{holder: dead, group: group{noted: true, pid: ours.pid, start: ours.start + 1}}, 0, false},
		"process 1":                {note{holder: dead, group: group{noted: true, pid: 1, start: startOf(1)}}, 0, false},
		"about to start":           {note{holder: dead, group: group{noted: true}}, 0, true},
		"about to start, long ago": {note{holder: dead, group: group{noted: true}}, time.Hour, false},
		"before the clock was set": {note{holder: dead, group: group{noted: true}}, -25 * time.Hour, false},
		"in a container":           {note{holder: other, group: ours}, 0, true},
		"in a container, long ago": {note{holder: other, group: ours}, time.Hour, false},
		"before the host started":  {note{holder: before, group: ours}, 0, false},
	} {
		if err := writeNote(file, c.note); err != nil {
			t.Fatal(err)
		}
		then := time.Now().Add(-c.age)
		if err := os.Chtimes(file.Name(), then, then); err != nil {
			t.Fatal(err)
		}
		got := readNote(file)
		if got != c.note {
			t.Errorf("%s: read %+v, want %+v", name, got, c.note)
		}
		if lives := got.lives(file); lives != c.want {
			t.Errorf("%s: it lives: %t", name, lives)
		}
	}
}
