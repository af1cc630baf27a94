//go:build unix

package instance

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// role makes a copy of the test program play another process: "ROLE DIRECTORY".
const role = "INSTANCE_TEST_ROLE"

func TestMain(m *testing.M) {
	what, dir, _ := strings.Cut(os.Getenv(role), " ")
	if what == "" {
		os.Exit(m.Run())
	}
	if err := play(what, NewStore(dir)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func play(what string, s *Store) error {
	switch what {
	case "save": // for ever
		for n := 0; ; n++ {
			record := aRecord("web-1")
			record.Version, record.SHA256 = strings.Repeat(strconv.Itoa(n%10), 5000), strings.Repeat(strconv.Itoa(n%10), 9000)
			if err := s.Save(record); err != nil {
				return err
			}
			if n == 0 {
				fmt.Println("ready")
			}
		}
	case "host", "runner", "orphan":
		take := s.LockHost
		if what == "runner" {
			take = func(ctx context.Context) (*Lock, error) { return s.LockRunner(ctx, "web-1") }
		}
		lock, err := take(context.Background())
		if err != nil {
			return err
		}
		if what == "orphan" {
			child := exec.Command(os.Args[0])
			child.Env = []string{role + "=wait"}
			child.Stdin = os.Stdin
			child.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
			begin := func(begins func(int) error) (int, error) {
				err := errors.Join(begins(0), child.Start())
				return child.Process.Pid, err
			}
			if _, err := StartUnder(begin, lock); err != nil {
				return err
			}
		}
		fmt.Println("ready")
		fallthrough
	case "wait":
		_, err := io.Copy(io.Discard, os.Stdin)
		return err
	}
	return fmt.Errorf("no role %q", what)
}

// process is a copy of the test program in a role. It, and what it has
// started, ends with its standard input.
type process struct {
	*exec.Cmd
	input io.Closer
}

func start(t *testing.T, what string, s *Store) *process {
	t.Helper()
	return startWith(t, what, s, nil)
}

func startWith(t *testing.T, what string, s *Store, attributes *syscall.SysProcAttr) *process {
	t.Helper()
	p := &process{Cmd: exec.CommandContext(t.Context(), os.Args[0])}
	p.SysProcAttr = attributes
	p.Env = []string{role + "=" + what + " " + s.dir}
	p.Stderr = os.Stderr
	// A pipe of our own: StdinPipe's would be closed by Wait.
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	p.Stdin, p.input = read, write
	output, err := p.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.input.Close()
		p.kill(t)
	})
	if err := read.Close(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(output).ReadString('\n'); line != "ready\n" {
		t.Fatalf("%s said %q, %v", what, line, err)
	}
	return p
}

func (p *process) kill(t *testing.T) {
	t.Helper()
	if p.ProcessState != nil {
		return
	}
	if err := p.Process.Kill(); err != nil {
		t.Error(err)
	}
	_ = p.Wait() // it was killed
}

func TestHostIsLockedForOneProcess(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	other := start(t, "host", s)
	began := time.Now()
	_, err := s.LockHost(t.Context())
	var locked *LockedError
	if !errors.As(err, &locked) || !errors.Is(err, ErrLocked) || locked.Holder.PID != other.Process.Pid {
		t.Fatalf("%v, want process %d named", err, other.Process.Pid)
	}
	if want := fmt.Sprintf("this host is locked: process %d is at work on it", other.Process.Pid); err.Error() != want {
		t.Errorf("%q, want %q", err, want)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("it was waited for: %v", took)
	}
	other.kill(t)
	lock, err := s.LockHost(t.Context())
	if err != nil {
		t.Fatalf("after its end: %v", err)
	}
	if _, err := s.LockHost(t.Context()); !errors.Is(err, ErrLocked) {
		t.Errorf("within one process it can be had twice: %v", err)
	}
	lock.Release()
	if lock, err = s.LockHost(t.Context()); err != nil {
		t.Fatalf("after Release: %v", err)
	}
	lock.Remove()
	if _, err := os.Stat(s.dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("after Remove the store is still there: %v", err)
	}
}

// A killed process's config.sh is waited for, though it does not hold the lock.
func TestChildrenOfAKilledProcessAreWaitedFor(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	parent := start(t, "orphan", s)
	parent.kill(t)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := s.LockHost(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("beyond the context: %v", err)
	}
	type result struct {
		lock *Lock
		err  error
	}
	got := make(chan result, 1)
	go func() {
		lock, err := s.LockHost(t.Context())
		got <- result{lock, err}
	}()
	select {
	case r := <-got:
		t.Fatalf("%v, %v while the child lives", r.lock, r.err)
	case <-time.After(150 * time.Millisecond):
	}
	parent.input.Close() // which is also the child's
	select {
	case r := <-got:
		if r.err != nil {
			t.Fatal(r.err)
		}
		r.lock.Release()
	case <-time.After(30 * time.Second):
		t.Fatal("it still waits after the child's end")
	}
}

func TestRunning(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	want := func(when string, pid int) {
		t.Helper()
		for range 2 { // looking changes nothing
			if got, err := s.Running("web-1"); err != nil || got.PID != pid || got.Elsewhere() {
				t.Errorf("%s: %v, %v, want %d", when, got, err, pid)
			}
		}
	}
	want("without a record", 0)
	if _, err := s.LockRunner(t.Context(), "web-1"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a runner without a record was locked: %v", err)
	}
	if err := s.Save(aRecord("web-1")); err != nil {
		t.Fatal(err)
	}
	want("never started", 0)
	supervisor := start(t, "runner", s)
	want("running", supervisor.Process.Pid)
	if _, err := s.LockRunner(t.Context(), "web-1"); !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), `runner "web-1" is locked`) {
		t.Errorf("a second supervisor: %v", err)
	}
	if lock, err := s.LockHost(t.Context()); err != nil {
		t.Errorf("the host is locked by a supervisor: %v", err)
	} else {
		lock.Release()
	}
	supervisor.kill(t)
	want("killed", 0)
	// Another process that looks at this moment holds the lock as well, while
	// the file still names the dead one.
	file, err := os.Open(filepath.Join(s.home("web-1"), runLock))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if held, err := lockFile(file); err != nil || !held {
		t.Fatal(held, err)
	}
	want("looked at by another", 0)
	// And a process that starts then waits for the short while that this takes.
	time.AfterFunc(150*time.Millisecond, func() { file.Close() })
	lock, err := s.LockRunner(t.Context(), "web-1")
	if err != nil {
		t.Fatal(err)
	}
	want("ourselves", os.Getpid())
	lock.Release()
	want("released", 0)
}

// A process that has opened a lock's file just before its holder removed it must not
// believe to hold the lock.
func TestLockThatIsRemovedAgainAndAgain(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	var all sync.WaitGroup
	var holders atomic.Int32
	for range 6 {
		all.Go(func() {
			for taken, tries := 0, 0; taken < 20 && tries < 20_000; tries++ {
				lock, err := s.LockHost(t.Context())
				if errors.Is(err, ErrLocked) {
					continue
				}
				if err != nil {
					t.Error(err)
					return
				}
				if n := holders.Add(1); n != 1 {
					t.Errorf("%d hold it", n)
				}
				taken++
				holders.Add(-1)
				lock.Remove()
			}
		})
	}
	all.Wait()
}

func TestLockRemovedBetweenOpeningAndTaking(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	for _, again := range []bool{false, true} { // somebody else makes a new one
		lock, err := s.LockHost(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(s.dir, hostLock)
		file, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		lock.Remove()
		if again {
			if lock, err = s.LockHost(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if stale, _, err := claim(t.Context(), file, path, false); !errors.Is(err, errReplaced) {
			t.Errorf("a new one is there, %t: %v, %v", again, stale, err)
		}
		if err := file.Close(); !errors.Is(err, os.ErrClosed) {
			t.Errorf("the file was left open: %v", err)
		}
		lock.Release()
	}
}

// What an earlier holder with a longer number has written must not show.
func TestHolderIsWrittenAgain(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	if err := s.Save(aRecord("web-1")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(s.home("web-1"), runLock), []byte("999999999999\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	lock, err := s.LockRunner(t.Context(), "web-1")
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Release()
	if holder, err := s.Running("web-1"); err != nil || holder.PID != os.Getpid() {
		t.Errorf("the holder is %v, %v, want %d", holder, err, os.Getpid())
	}
}

// A real crash, wherever it strikes, leaves the old record or the new one.
func TestKilledWhileSaving(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	for round := range 5 {
		writer := start(t, "save", s)
		time.Sleep(time.Duration(5+7*round) * time.Millisecond)
		writer.kill(t)
		got, err := s.Load("web-1")
		if err != nil || len(got.Version) != 5000 || len(got.SHA256) != 9000 || got.Version[0] != got.SHA256[0] {
			t.Fatalf("round %d: %d and %d characters, %v", round, len(got.Version), len(got.SHA256), err)
		}
	}
}

// Not parallel: the umask is the whole process's.
func TestStateIsPrivateWhateverTheUmask(t *testing.T) {
	old := syscall.Umask(0)
	defer syscall.Umask(old)
	parent := filepath.Join(t.TempDir(), "var", "lib")
	s := NewStore(filepath.Join(parent, "state"))
	lock, err := s.LockHost(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Release()
	if err := errors.Join(s.Save(aRecord("web-1")), s.SaveReport("web-1", Report{})); err != nil {
		t.Fatal(err)
	}
	run, err := s.LockRunner(t.Context(), "web-1")
	if err != nil {
		t.Fatal(err)
	}
	defer run.Release()
	files := 0
	err = filepath.WalkDir(s.dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		want := fs.ModeDir | 0o700
		if !entry.IsDir() {
			want = 0o600
			files++
		}
		if info.Mode() != want {
			t.Errorf("%s is %v, want %v", path, info.Mode(), want)
		}
		return nil
	})
	if err != nil || files != 4 {
		t.Errorf("%d files, %v", files, err)
	}
	if info, err := os.Stat(parent); err != nil || info.Mode().Perm() != 0o755 {
		t.Errorf("what is above is %v, %v: others must pass through it", info.Mode(), err)
	}
}

// A child that is being started has copies of all descriptors for a moment. They keep no lock that was given up.
func TestLockEndsAtOnce(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	for name, giveUp := range map[string]func(*Lock){"released": (*Lock).Release, "removed": (*Lock).Remove} {
		if err := s.Save(aRecord("web-1")); err != nil {
			t.Fatal(err)
		}
		lock, err := s.LockRunner(t.Context(), "web-1")
		if err != nil {
			t.Fatal(err)
		}
		second, err := syscall.Dup(int(lock.file.Fd()))
		if err != nil {
			t.Fatal(err)
		}
		giveUp(lock)
		free, err := TryLock(t.Context(), lock.Path(), "the same")
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else {
			free.Release()
		}
		if err := syscall.Close(second); err != nil {
			t.Error(err)
		}
	}
}
