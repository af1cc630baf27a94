package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestAllProcesses(t *testing.T) {
	t.Parallel()
	all, err := allProcesses()
	if err != nil {
		t.Fatal(err)
	}
	found := keepersAmong(all, os.Getpid(), 0)
	if len(found) == 0 {
		t.Fatalf("this process is not among %d", len(all))
	}
	self := found[0]
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if self.Name != filepath.Base(program) || self.parent != os.Getppid() || self.Threads < 2 ||
		self.RSS < 1<<20 || self.Anon <= 0 || self.File <= 0 || self.Anon+self.File > self.RSS {
		t.Errorf("this process is %+v, want the program %q", self, program)
	}
}

// scriptedSide is a side whose supervisor is a shell with these words.
func scriptedSide(t *testing.T, words string) (*stage, side) {
	t.Helper()
	s := &stage{dir: t.TempDir()}
	k := side{name: "scripted", root: filepath.Join(s.dir, "root"), command: []string{"sh", "-c", words}}
	if err := errors.Join(os.Mkdir(k.root, 0o755), makePipe(filepath.Join(k.root, startedPipe))); err != nil {
		t.Fatal(err)
	}
	return s, k
}

func TestKeep(t *testing.T) {
	t.Parallel()
	s, k := scriptedSide(t, `sleep 0.2; trap 'echo asked; exit 0' TERM; sleep 30 & echo "$! 9000000000000000000" >started; wait`)
	up, err := s.keep(t.Context(), k)
	if err != nil {
		t.Fatal(err)
	}
	if up.took < time.Hour {
		t.Errorf("it took %s until a listener was started in the far future", up.took)
	}
	if err := up.listens(); err == nil || !strings.Contains(err.Error(), "not heard of") {
		t.Errorf("a listener that said nothing was heard of (%v)", err)
	}
	if err := up.stop(); err != nil {
		t.Error(err)
	}
	if got := up.printed(); got != "asked" {
		t.Errorf("what was stopped has printed %q, want that it was asked to end", got)
	}
	awaitEnd(t, up.listener)
}

// awaitEnd waits until there is no such process, but for one that nobody waits for.
func awaitEnd(t *testing.T, pid int) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		all, err := allProcesses()
		if err != nil {
			t.Fatal(err)
		}
		if len(keepersAmong(all, pid, 0)) == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("process %d lives on", pid)
		}
	}
}

func TestKeepTellsWhatFailed(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ words, want string }{
		"ends before its listener": {"echo the reason; exit 3", "the reason"},
		"tells no time":            {"echo soon >started; exec sleep 30", `reading "soon\n"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, k := scriptedSide(t, c.words)
			began := time.Now()
			up, err := s.keep(t.Context(), k)
			if err == nil {
				t.Fatalf("a listener was started: %+v", up)
			}
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("the error is %q, want %q in it", err, c.want)
			}
			if took := time.Since(began); took > 10*time.Second {
				t.Errorf("it was waited for %s", took)
			}
		})
	}
	t.Run("ends badly", func(t *testing.T) {
		t.Parallel()
		s, k := scriptedSide(t, `trap 'exit 4' TERM; echo "1 1" >started; while :; do sleep 0.05; done`)
		up, err := s.keep(t.Context(), k)
		if err != nil {
			t.Fatal(err)
		}
		if err := up.stop(); err == nil || !strings.Contains(err.Error(), "exit status 4") {
			t.Errorf("what ended with 4 ended with %v", err)
		}
	})
}

// TestStockShell starts the listener of the benchmark as the stock service does,
// with a shell in the place of Node.js.
func TestStockShell(t *testing.T) {
	t.Parallel()
	s := &stage{dir: t.TempDir()}
	k := side{name: "stock", root: filepath.Join(s.dir, "root"), command: []string{"./runsvc.sh", "node20"}}
	node := filepath.Join(k.root, "externals", "node20", "bin")
	if err := errors.Join(os.MkdirAll(node, 0o755), os.MkdirAll(filepath.Join(k.root, "bin"), 0o755)); err != nil {
		t.Fatal(err)
	}
	listener := filepath.Join(s.dir, "listener")
	build := exec.CommandContext(t.Context(), "go", "build", "-buildvcs=false", "-o", listener, listenerSource)
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if text, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	err := errors.Join(
		os.WriteFile(filepath.Join(k.root, "runsvc.sh"), stockShell, 0o755),
		os.WriteFile(filepath.Join(k.root, ".path"), []byte("/the/path:"+os.Getenv("PATH")), 0o600),
		os.WriteFile(filepath.Join(node, "node"), []byte("#!/bin/sh\necho \"$PATH $1\"\nexec ./bin/Runner.Listener\n"), 0o755),
		exchangeListener(listener, k.root),
	)
	if err != nil {
		t.Fatal(err)
	}
	before := monotonic()
	up, err := s.keep(t.Context(), k)
	if err != nil {
		t.Fatal(err)
	}
	if most := monotonic() - before; up.took <= 0 || up.took > most {
		t.Errorf("the listener was started after %s of %s", up.took, most)
	}
	all, err := allProcesses()
	if err != nil {
		t.Fatal(err)
	}
	if found := keepersAmong(all, up.command.Process.Pid, up.listener); len(found) != 1 || found[0].Name != "bash" {
		t.Errorf("the listener is kept running by %+v, want the shell", found)
	}
	if err := errors.Join(up.listens(), up.stop()); err != nil {
		t.Error(err)
	}
	for _, want := range []string{"/the/path:", " ./bin/service.js\n", "\nEnded by interrupt"} {
		if got := up.printed(); !strings.Contains(got, want) {
			t.Errorf("%q was printed, want %q in it", got, want)
		}
	}
	awaitEnd(t, up.listener)
}

func TestExchangeListenerLeavesTheCache(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	program, cached := filepath.Join(root, "program"), filepath.Join(root, "cached")
	err := errors.Join(
		os.WriteFile(program, []byte("new"), 0o600),
		os.WriteFile(cached, []byte("old"), 0o600),
		os.Mkdir(filepath.Join(root, "bin"), 0o755),
		os.Link(cached, filepath.Join(root, "bin", "Runner.Listener")),
		exchangeListener(program, root),
	)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(filepath.Join(root, "bin", "Runner.Listener")); string(got) != "new" || err != nil {
		t.Errorf("the listener is %q (%v)", got, err)
	}
	if got, err := os.ReadFile(cached); string(got) != "old" || err != nil {
		t.Errorf("what it was linked to is %q (%v)", got, err)
	}
	var info unix.Stat_t
	if err := unix.Stat(filepath.Join(root, startedPipe), &info); err != nil || info.Mode != unix.S_IFIFO|0o622 {
		t.Errorf("the pipe has mode %o (%v), want one that all may write to", info.Mode, err)
	}
}

// TestWorkOutside has a directory that the others may enter, and a killed
// benchmark's.
func TestWorkOutside(t *testing.T) {
	t.Parallel()
	o := options{fixture: t.TempDir(), tmpfs: true}
	w, err := openWork(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	dir, err := w.goOutside()
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(dir); err != nil || info.Mode() != os.ModeDir|0o755 {
		t.Errorf("it is %v (%v)", info.Mode(), err)
	}
	// As if it was killed: the kernel lets go of the lock, and nothing else; once no
	// child that another test has forked holds the file until it is a program.
	syscall.ForkLock.Lock()
	err = w.lock.Close()
	syscall.ForkLock.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	if w, err = openWork(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%q of a killed benchmark is left: %v", dir, err)
	}
	if dir, err = w.goOutside(); err != nil {
		t.Fatal(err)
	}
	if err := w.close(); err != nil {
		t.Error(err)
	}
	if left, err := filepath.Glob(o.fixture + "/*outside*"); len(left) > 0 || err != nil {
		t.Errorf("left are %q (%v)", left, err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%q is left: %v", dir, err)
	}
}
