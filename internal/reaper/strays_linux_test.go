package reaper

import (
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// What runs as an account is found by whom it was started for, whatever it calls itself.
func TestStrays(t *testing.T) {
	t.Parallel()
	uid := os.Getuid()
	as := func(*syscall.SysProcAttr) {}
	if uid == 0 {
		uid = 64321 // nobody has it
		as = func(a *syscall.SysProcAttr) {
			a.Credential = &syscall.Credential{Uid: 64321, Gid: 64321, NoSetGroups: true}
		}
	}
	plain := start(t, program{script: waits, change: as})
	session := start(t, program{script: waits, change: func(a *syscall.SysProcAttr) {
		as(a)
		a.Setpgid, a.Setsid = false, true
	}})
	renamed := start(t, program{script: "printf 'a\\033[31mb' >/proc/$$/comm; " + waits, change: as})
	ended := start(t, program{script: "echo ready", change: as})
	zombie(t, ended.PID)
	found := ask(t, request{Do: "strays", UID: uid}, nil).Strays
	at := func(p Process) int { return slices.IndexFunc(found, func(s Stray) bool { return s.Process == p }) }
	for what, p := range map[string]Process{"a process": plain.Process, "the leader of a session": session.Process, "one with another name": renamed.Process} {
		if at(p) < 0 {
			t.Errorf("%s is not found: %+v in %+v", what, p, found)
		}
	}
	if i := at(plain.Process); i >= 0 && !strings.HasSuffix(found[i].Name, "sh") {
		t.Errorf("it is called %q", found[i].Name)
	}
	if i := at(renamed.Process); i >= 0 && found[i].Name != "a[31mb" {
		t.Errorf("the one with another name is called %q", found[i].Name)
	}
	if at(ended.Process) >= 0 {
		t.Error("one that has ended is found")
	}
	if others := ask(t, request{Do: "strays", UID: 64322}, nil).Strays; len(others) > 0 {
		t.Errorf("of another account: %+v", others)
	}
}

// What this process has started is no stray, and neither is it itself.
func TestStraysButOurOwn(t *testing.T) {
	alone(t, func(t *testing.T) {
		child := start(t, program{script: "(read y <&3) & echo $!; read x"})
		grandchild := saidProcess(t, child)
		found, err := Strays(os.Getuid())
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range found {
			if s.PID == os.Getpid() || s.PID == child.PID || s.PID == grandchild.PID {
				t.Errorf("found %+v", s)
			}
		}
		if os.Getppid() > 1 && !slices.ContainsFunc(found, func(s Stray) bool { return s.PID == os.Getppid() }) {
			t.Errorf("the parent is not among %+v", found)
		}
	})
}
