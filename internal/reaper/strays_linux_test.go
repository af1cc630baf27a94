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
	// This test has started them. What it is called counts where it is root's.
	kept := ask(t, request{Do: "strays", UID: uid, Keeper: programName(os.Getpid())}, nil).Strays
	if left := slices.ContainsFunc(kept, func(s Stray) bool { return s.Process == plain.Process }); left != (os.Getuid() != 0) {
		t.Errorf("one that another of ours keeps is found: %t", left)
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
		found, err := Strays(os.Getuid(), "no-keeper", "no-unit")
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

// Units of a user's own manager are called as an account likes.
func TestSystemUnit(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"0::/system.slice/listener.actions.runner.octo-org.web-1.service\n":                               true,
		"12:pids:/\n1:name=systemd:/system.slice/listener.web-1.service\n0::/\n":                          true,
		"0::/system.slice/listener.web-1.service/sub\n":                                                   true,
		"0::/system.slice/ssh.service\n":                                                                  false,
		"0::/user.slice/user-1000.slice/user@1000.service/app.slice/listener.web-1.service\n":             false,
		"0::/user.slice/user-1000.slice/user@1000.service/system.slice/listener.actions.runner.service\n": false,
		"0::/system.slice\n": false,
		"":                   false,
	} {
		if got := systemUnit(text, "listener."); got != want {
			t.Errorf("%q: %t", text, got)
		}
	}
}
