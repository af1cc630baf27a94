package reaper

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// The kernel tells the name of a program as it is, between the numbers.
func TestLookAtOddNames(t *testing.T) {
	t.Parallel()
	self, err := Look(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"plain", "a) b", ") Z 1 1 (x", "(((", "))) R 0 0", "line\nend", "a\nUid:\t9\t9", " ", "\xff\xfe)"} {
		t.Run(fmt.Sprintf("%q", name), func(t *testing.T) {
			t.Parallel()
			link := filepath.Join(t.TempDir(), name)
			if err := os.Symlink(testBinary(t), link); err != nil {
				t.Fatal(err)
			}
			cmd := again(t, request{Do: "sit"})
			cmd.Path = link
			p := run(t, cmd)
			e, err := stat(p.PID)
			if err != nil {
				t.Fatal(err)
			}
			if p.PID != cmd.Process.Pid || p.UID != os.Getuid() || e.parent != os.Getpid() || e.group != syscall.Getpgrp() {
				t.Errorf("it is taken for %+v, %+v: want number %d, user %d, parent %d, group %d",
					p.Process, e, cmd.Process.Pid, os.Getuid(), os.Getpid(), syscall.Getpgrp())
			}
			if p.Start < self.Start || p.Start > self.Start+100*60*60 {
				t.Errorf("it started at %d, and this test at %d", p.Start, self.Start)
			}
			if !p.alive() {
				t.Error("it runs, and is not found alive")
			}
			p.end(t)
			if p.alive() {
				t.Error("it has ended, and is found alive")
			}
			if _, err := Look(p.PID); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("looking at it after its end: %v, want fs.ErrNotExist", err)
			}
		})
	}
}

func TestLookAtNothing(t *testing.T) {
	t.Parallel()
	for _, pid := range []int{0, -1, 1 << 30} {
		if p, err := Look(pid); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("process %d is %+v, %v: want fs.ErrNotExist", pid, p, err)
		}
	}
	if (Process{}).alive() {
		t.Error("no process is alive")
	}
}

// Another account's process is told from its own, no matter who owns its folder.
func TestLookTellsUser(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		t.Skip("only root starts processes for others")
	}
	p := start(t, program{script: waits, change: func(a *syscall.SysProcAttr) {
		a.Credential = &syscall.Credential{Uid: 65534, Gid: 65534}
	}})
	if p.UID != 65534 {
		t.Errorf("it belongs to %d, want 65534", p.UID)
	}
}

func TestAlive(t *testing.T) {
	t.Parallel()
	t.Run("number given out again", func(t *testing.T) {
		t.Parallel()
		p := start(t, program{script: waits})
		other := p.Process
		other.Start--
		if other.alive() {
			t.Error("a process that started earlier is taken for the one that has its number now")
		}
		if err := other.Signal(syscall.SIGKILL); !errors.Is(err, os.ErrProcessDone) {
			t.Errorf("a signal to the one that had the number before: %v, want os.ErrProcessDone", err)
		}
		other = p.Process
		other.UID++
		if err := other.Signal(syscall.SIGKILL); !errors.Is(err, os.ErrProcessDone) {
			t.Errorf("a signal to the one before it changed its user: %v, want os.ErrProcessDone", err)
		}
		if err := p.Signal(syscall.Signal(0)); err != nil || !p.alive() {
			t.Errorf("the one that has the number now was hit: %v", err)
		}
	})
	t.Run("zombie", func(t *testing.T) {
		t.Parallel()
		p := start(t, program{script: waits})
		p.cmd.Process.Kill()
		zombie(t, p.PID)
		if p.alive() {
			t.Error("a zombie is found alive")
		}
		if _, err := Look(p.PID); err != nil {
			t.Errorf("a zombie has a number as well: %v", err)
		}
	})
	t.Run("without its first thread", func(t *testing.T) {
		t.Parallel()
		cmd := again(t, request{Do: "headless"})
		if _, err := cmd.StdinPipe(); err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		defer func() {
			cmd.Process.Kill()
			cmd.Wait()
		}()
		become(t, "its first thread has ended", func() bool {
			e, err := stat(cmd.Process.Pid)
			return err == nil && e.state == 'Z'
		})
		p, err := Look(cmd.Process.Pid)
		if err != nil || !p.alive() {
			t.Errorf("its other threads run, and it is not found alive: %v", err)
		}
	})
}

// Processes come and go while they are listed. That is nobody's failure.
func TestWalkWhileProcessesEnd(t *testing.T) {
	t.Parallel()
	start(t, program{script: "echo ready; i=0; while [ $i -lt 50000 ]; do (:); i=$((i+1)); done"})
	for range 50 {
		entries, err := walk()
		if err != nil {
			t.Fatal(err)
		}
		here := false
		for _, e := range entries {
			here = here || e.pid == os.Getpid()
			if _, err := Look(e.pid); err != nil && !errors.Is(err, fs.ErrNotExist) {
				t.Error(err)
			}
		}
		if !here {
			t.Fatal("this process is not among all")
		}
	}
}

// A process may end between the opening of its folder and the reading.
func TestLookWhileItEnds(t *testing.T) {
	t.Parallel()
	p := start(t, program{script: waits})
	folder, err := os.OpenRoot(folderOf(p.PID))
	if err != nil {
		t.Fatal(err)
	}
	defer folder.Close()
	p.end(t)
	if text, err := folder.ReadFile("stat"); !errors.Is(whenGone(err), fs.ErrNotExist) {
		t.Errorf("reading gave %q, %v: want fs.ErrNotExist", text, err)
	}
}

// Field 4 is 40, and so on.
const numbers = " S 40 50 60 70 80 90 100 110 120 130 140 150 160 170 180 190 200 210 220 230 240"

func TestParseStatRefuses(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"empty":           "",
		"no name":         "7 S 1 1",
		"no end of name":  "7 (sleep" + numbers,
		"no fields":       "7 (sleep)",
		"one too few":     "7 (sleep) S 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1",
		"a word":          "7 (sleep)" + strings.Replace(numbers, "40", "forty", 1),
		"a word as start": "7 (sleep)" + strings.Replace(numbers, " 220", " late", 1),
		"negative start":  "7 (sleep)" + strings.Replace(numbers, " 220", " -1", 1),
		"no number":       "x (sleep)" + numbers,
	} {
		if e, err := parseStat([]byte(text)); err == nil {
			t.Errorf("%s: %q is read as %+v", name, text, e)
		}
	}
}

func TestParseUIDRefuses(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "Name:\tx\n", "Uid:\n", "Uid:\tnobody\t1\n"} {
		if uid, err := parseUID([]byte(text)); err == nil {
			t.Errorf("%q is read as user %d", text, uid)
		}
	}
}

// FuzzParseStat: whatever a program is called, it is not taken for another.
func FuzzParseStat(f *testing.F) {
	for _, name := range []string{"sleep", ")", "(", ") R 1 2 3", "\n", ""} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		got, err := parseStat([]byte("7 (" + name + ")" + numbers + "\n"))
		want := entry{pid: 7, parent: 40, group: 50, threads: 200, start: 220, state: 'S'}
		if err != nil || got != want {
			t.Errorf("a program called %q is %+v, %v: want %+v", name, got, err, want)
		}
		parseStat([]byte(name)) // must only not panic
	})
}

// A child is found whether its number is near that of its parent or not, and nothing else is taken for it.
func TestLookInside(t *testing.T) {
	t.Parallel()
	child := start(t, program{script: "echo ready; read nothing"}).PID
	if p, err := LookInside(os.Getpid(), child); err != nil || p.PID != child {
		t.Errorf("the child is %+v, %v", p, err)
	}
	for name, at := range map[string][2]int{"another number": {os.Getpid(), os.Getpid()}, "another parent": {child, child}, "of init": {1, child}} {
		if p, err := LookInside(at[0], at[1]); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %+v, %v", name, p, err)
		}
	}
	// Its number is now far from that of the next one.
	for range nearby + 1 {
		if err := exec.Command("true").Run(); err != nil {
			t.Fatal(err)
		}
	}
	far := start(t, program{script: "echo ready; read nothing"}).PID
	if p, err := LookInside(os.Getpid(), far); err != nil || p.PID != far {
		t.Errorf("the child of a far number is %+v, %v", p, err)
	}
}
