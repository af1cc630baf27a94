package reaper

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// daemon, in a script, starts another that has left: it is in a session of its
// own, and its parent has ended. It says its number.
const daemon = `(setsid sh -c 'echo $$; read x <&3' &) ; read y`

// saidProcess is the process whose number a program said.
func saidProcess(t *testing.T, s *started) Process {
	t.Helper()
	pid, err := strconv.Atoi(s.line)
	if err != nil {
		t.Fatal(err)
	}
	p, err := Look(pid)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Signal(syscall.SIGKILL) })
	return p
}

func subreaper(t *testing.T) {
	t.Helper()
	if err := Subreaper(); err != nil {
		t.Fatal(err)
	}
}

// childless tells of children that were not reaped or not ended.
func childless(t *testing.T) {
	t.Helper()
	if pid, err := unix.Wait4(-1, nil, unix.WNOHANG, nil); !errors.Is(err, unix.ECHILD) {
		t.Errorf("a child is left: %d, %v", pid, err)
	}
}

func endAll(t *testing.T, grace time.Duration, want int) {
	t.Helper()
	began := time.Now()
	ended, err := EndDescendants(t.Context(), grace)
	if took := time.Since(began); err != nil || ended != want {
		t.Errorf("%d ended in %v, %v: want %d", ended, took, err, want)
	}
	childless(t)
}

func TestEndDescendantsWithoutAnySucceeds(t *testing.T) {
	alone(t, func(t *testing.T) {
		began := time.Now()
		endAll(t, time.Minute, 0)
		if took := time.Since(began); took > time.Second {
			t.Errorf("it took %v to find nothing", took)
		}
	})
}

func TestEndDescendantsFindsDaemons(t *testing.T) {
	alone(t, func(t *testing.T) {
		subreaper(t)
		parent := start(t, program{script: daemon})
		p := saidProcess(t, parent)
		become(t, "the daemon is an orphan and so ours", func() bool {
			e, err := stat(p.PID)
			return err == nil && e.parent == os.Getpid() && e.group != parent.PID
		})
		began := time.Now()
		endAll(t, time.Minute, 2)
		if took := time.Since(began); took > patience {
			t.Errorf("they ended at once, and were waited for for %v", took)
		}
		if p.alive() || parent.alive() {
			t.Error("the daemon or its parent lives on")
		}
	})
}

func TestEndDescendantsAsksFirst(t *testing.T) {
	alone(t, func(t *testing.T) {
		note := filepath.Join(t.TempDir(), "note")
		// Its child ends only because it is asked as well. A fork that is still this
		// shell would lose the signal, so the child is the one to say that it is ready.
		start(t, program{script: "trap 'echo bye >" + note + "; exit' TERM; sh -c 'echo ready; read x <&3' & wait"})
		endAll(t, time.Minute, 2)
		if text, err := os.ReadFile(note); string(text) != "bye\n" {
			t.Errorf("it was not let end in its own way: %q, %v", text, err)
		}
	})
}

func TestEndDescendantsKillsTheDeaf(t *testing.T) {
	alone(t, func(t *testing.T) {
		start(t, program{script: "trap '' TERM; " + waits})
		const grace = 300 * time.Millisecond
		began := time.Now()
		endAll(t, grace, 1)
		if took := time.Since(began); took < grace || took > grace+killing {
			t.Errorf("it was killed after %v, the grace was %v", took, grace)
		}
	})
}

// A shutdown that is in a hurry still leaves nobody behind.
func TestEndDescendantsWhenTheContextEnds(t *testing.T) {
	alone(t, func(t *testing.T) {
		start(t, program{script: "trap '' TERM; " + waits})
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		began := time.Now()
		ended, err := EndDescendants(ctx, time.Hour)
		if took := time.Since(began); err != nil || ended != 1 || took > patience {
			t.Errorf("%d ended after %v, %v: want 1 soon after 100ms", ended, took, err)
		}
		childless(t)
	})
}

// Some start another when they are to end.
func TestEndDescendantsThatComeBack(t *testing.T) {
	alone(t, func(t *testing.T) {
		subreaper(t)
		script := filepath.Join(t.TempDir(), "phoenix")
		if err := os.WriteFile(script, []byte("trap 'setsid sh \"$0\" & exit' TERM; echo ready; read x <&3\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		start(t, program{script: "exec sh " + script})
		ended, err := EndDescendants(t.Context(), 300*time.Millisecond)
		if err != nil || ended < 2 {
			t.Errorf("%d ended, %v: want it and the one that came after it", ended, err)
		}
		childless(t)
	})
}

// A parent that reaps nobody hides a zombie, which is no reason to wait.
func TestEndDescendantsReapsZombies(t *testing.T) {
	alone(t, func(t *testing.T) {
		subreaper(t)
		p := start(t, program{script: "echo ready; exit 3"})
		zombie(t, p.PID)
		endAll(t, time.Minute, 0)
	})
}

func TestEndDescendantsSparesStrangers(t *testing.T) {
	const group = "PROCESS_TEST_GROUP"
	body := func(t *testing.T) {
		pgid, err := strconv.Atoi(os.Getenv(group))
		if err != nil {
			t.Fatal(err)
		}
		start(t, program{script: waits, change: func(a *syscall.SysProcAttr) { a.Pgid = pgid }})
		endAll(t, time.Minute, 1)
	}
	if os.Getenv(aloneTest) != "" {
		body(t)
		return
	}
	t.Parallel()
	stranger := start(t, program{script: waits})
	alone(t, body, group+"="+strconv.Itoa(stranger.PID))
	if !stranger.alive() {
		t.Error("a process that is no descendant, but in the group of one, was ended")
	}
}

// What may not be signalled is not waited for without end, and told.
func TestEndDescendantsThatAreNotOurs(t *testing.T) {
	if os.Getuid() != 0 && os.Getenv(aloneTest) == "" {
		t.Skip("only root has children that it loses the power over")
	}
	alone(t, func(t *testing.T) {
		p := start(t, program{script: waits})
		if err := syscall.Setresuid(65534, 65534, 0); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		ended, err := EndDescendants(t.Context(), 0)
		took := time.Since(began)
		if back := syscall.Setresuid(0, 0, 0); back != nil {
			t.Fatal(back)
		}
		if !errors.Is(err, errLeft) || !errors.Is(err, syscall.EPERM) || ended != 0 {
			t.Errorf("%d ended, %v: want none, errLeft and that it is not permitted", ended, err)
		} else if !strings.Contains(err.Error(), strconv.Itoa(p.PID)) {
			t.Errorf("%q does not name process %d", err, p.PID)
		}
		if took < killing || took > killing+patience {
			t.Errorf("it gave up after %v, the bound is %v", took, killing)
		}
	})
}

// With the /proc of another PID namespace every number would be another's.
func TestForeignProc(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		t.Skip("only root makes PID namespaces everywhere")
	}
	got := ask(t, request{Do: "descendants"}, func(cmd *exec.Cmd) {
		cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID}
	})
	if !got.Unsupported {
		t.Errorf("%+v: want errors.ErrUnsupported", got)
	}
}

// A walk that caught a number between two holders names a stranger.
func TestDescendsFollowsTheRealParents(t *testing.T) {
	t.Parallel()
	child := start(t, program{script: "sh -c 'echo $$; read x <&3; read y' & wait"})
	grandchild := saidProcess(t, child)
	for name, test := range map[string]struct {
		e    entry
		want bool
	}{
		"a child":                    {entry{pid: child.PID, start: child.Start}, true},
		"a grandchild":               {entry{pid: grandchild.PID, start: grandchild.Start}, true},
		"a child's number before it": {entry{pid: child.PID, start: child.Start - 1, parent: os.Getpid()}, false},
		"a parent":                   {mustStat(t, os.Getppid()), false},
		"process 1":                  {mustStat(t, 1), false},
		"nobody":                     {entry{pid: 1 << 30, parent: os.Getpid()}, false},
	} {
		if got := descends(test.e); got != test.want {
			t.Errorf("%s descends from this process: %t", name, got)
		}
	}
}

func mustStat(t *testing.T, pid int) entry {
	t.Helper()
	e, err := stat(pid)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// The numbers of a walk may even form a circle.
func TestDescendantsOfOneWalk(t *testing.T) {
	t.Parallel()
	self := os.Getpid()
	got := descendants([]entry{
		{pid: 900001, parent: self},
		{pid: 900003, parent: 900002},
		{pid: 900002, parent: 900001},
		{pid: 900002, parent: 900003},
		{pid: 900004, parent: 1},
		{pid: self, parent: 900003},
	})
	delete(got, self)
	if text := fmt.Sprint(got); text != "map[900001:true 900002:true 900003:true]" {
		t.Errorf("descendants are %s, want 900001 to 900003", text)
	}
}
