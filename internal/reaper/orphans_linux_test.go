package reaper

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A played process asks for the children of the test, which are not its own.

func listener(root string) string { return filepath.Join(root, "bin", "Runner.Listener") }

func contains(found []Process, p Process) bool { return slices.Contains(found, p) }

func TestInTree(t *testing.T) {
	t.Parallel()
	base, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	root, link := filepath.Join(base, "runner"), filepath.Join(base, "link")
	for _, err := range []error{os.Mkdir(root, 0o755), os.Symlink(root, link)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	names := map[string]bool{ // whether it belongs to root
		root + "/bin/Runner.Listener":             true,
		root + "/bin.2.334.0/Runner.Worker":       true,
		root + "/externals/node24/bin/node":       true,
		root + "/externals.2.334.0/node24/node":   true,
		root + "//bin/./Runner.PluginHost":        true,
		root + "/_work/../bin/Runner.Worker":      true,
		root + "/binary/Runner.Listener":          false,
		root + "/bin":                             false,
		root + "/bin/":                            false,
		root + "/_work/bin/tool":                  false,
		root + "/bin/../_work/tool":               false,
		root + "2/bin/Runner.Listener":            false,
		"runner/bin/Runner.Listener":              false,
		"bin/Runner.Listener":                     false,
		"/bin/sh":                                 false,
		"sh":                                      false,
		"x" + root + "/bin/Runner.Listener":       false,
		root + "/xbin/bin/Runner.Listener":        false,
		root + "/bin/Runner Listener\n(odd) name": true,
	}
	programs := map[string]*started{}
	for name := range names {
		programs[name] = start(t, program{name: name, script: waits})
	}
	linked := start(t, program{name: listener(link), script: waits})
	for _, given := range []string{root, link, root + "/", link + "/"} {
		found := ask(t, request{Do: "tree", Root: given, UID: os.Getuid()}, nil).Found
		for name, want := range names {
			if got := contains(found, programs[name].Process); got != want {
				t.Errorf("root %q: %q is found: %t", given, name, got)
			}
		}
		if got, want := contains(found, linked.Process), filepath.Clean(given) == link; got != want {
			t.Errorf("root %q: the one started through the link is found: %t", given, got)
		}
	}
	for what, r := range map[string]request{
		"of another account": {Root: root, UID: os.Getuid() + 1},
		"in another folder":  {Root: base, UID: os.Getuid()},
		"without a folder":   {UID: os.Getuid()},
		"by a short name":    {Root: "runner", UID: os.Getuid()},
	} {
		r.Do = "tree"
		if found := ask(t, r, func(cmd *exec.Cmd) { cmd.Dir = base }).Found; len(found) > 0 {
			t.Errorf("%s are found: %v", what, found)
		}
	}
	for _, p := range inTree(root, os.Getuid()) {
		t.Errorf("a descendant is found: %v", p)
	}
}

// The bin of the whole system is no runner's.
func TestInTreeOfTheFileSystem(t *testing.T) {
	t.Parallel()
	system := start(t, program{name: "/bin/sh", script: waits})
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink("/", link); err != nil {
		t.Fatal(err)
	}
	for _, root := range []string{"/", "//", "/.", link} {
		if found := ask(t, request{Do: "tree", Root: root, UID: os.Getuid()}, nil).Found; contains(found, system.Process) {
			t.Errorf("root %q holds the system's shell", root)
		}
	}
}

// status is how a program ended. One that runs is a failure.
func (s *started) status(t *testing.T) syscall.WaitStatus {
	t.Helper()
	if s.alive() {
		t.Fatalf("%q lives", s.cmd.Args[0])
	}
	var exit *exec.ExitError
	if err := s.cmd.Wait(); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return s.cmd.ProcessState.Sys().(syscall.WaitStatus)
}

func TestEndOrphansInTree(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	polite := start(t, program{name: listener(root), script: "trap 'exit 3' INT; " + waits})
	worker := start(t, program{name: root + "/bin.2.1/Runner.Worker", script: waits})
	stranger := start(t, program{name: listener(root + "2"), script: waits})
	got := ask(t, request{Do: "orphans", Root: root, UID: os.Getuid(), Grace: time.Minute}, nil)
	if got.Ended != 2 || got.Err != "" || got.Took > patience {
		t.Errorf("%+v: want 2 ended, long before the grace is over", got)
	}
	if status := polite.status(t); status.ExitStatus() != 3 {
		t.Errorf("the listener could not end in its own way: %v", polite.cmd.ProcessState)
	}
	if status := worker.status(t); status.Signal() != syscall.SIGINT {
		t.Errorf("the worker was not interrupted: %v", worker.cmd.ProcessState)
	}
	if !stranger.alive() {
		t.Error("the listener of another root was ended")
	}
	again := ask(t, request{Do: "orphans", Root: root, UID: os.Getuid(), Grace: time.Minute}, nil)
	if again.Ended != 0 || again.Err != "" || again.Took > patience {
		t.Errorf("once more: %+v: want nothing to do", again)
	}
}

func TestEndOrphansKillsTheDeaf(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	deaf := start(t, program{name: listener(root), script: "trap '' INT TERM; " + waits})
	const grace = 300 * time.Millisecond
	got := ask(t, request{Do: "orphans", Root: root, UID: os.Getuid(), Grace: grace}, nil)
	if got.Ended != 1 || got.Err != "" || got.Took < grace || got.Took > grace+killing {
		t.Errorf("%+v: want 1 ended, after %v", got, grace)
	}
	if status := deaf.status(t); status.Signal() != syscall.SIGKILL {
		t.Errorf("it was not killed: %v", deaf.cmd.ProcessState)
	}
}

// A second interrupt makes a listener end without its goodbyes.
func TestEndOrphansAsksOnce(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	note := filepath.Join(root, "note")
	start(t, program{name: listener(root), script: "trap 'echo asked >>" + note + "' INT; echo ready; read x; read x; read x"})
	got := ask(t, request{Do: "orphans", Root: root, UID: os.Getuid(), Grace: 300 * time.Millisecond}, nil)
	if text, err := os.ReadFile(note); string(text) != "asked\n" || got.Ended != 1 || got.Err != "" {
		t.Errorf("it noted %q, %v, %+v: want to be asked once, and killed", text, err, got)
	}
}

func TestEndOrphansWhenTheContextEnds(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	deaf := start(t, program{name: listener(root), script: "trap '' INT; " + waits})
	got := ask(t, request{Do: "orphans", Root: root, UID: os.Getuid(), Grace: time.Hour, Cancel: 200 * time.Millisecond}, nil)
	if !got.Canceled || got.Left || got.Ended != 0 || got.Took > patience {
		t.Errorf("%+v: want that the context was canceled, and soon", got)
	}
	if !deaf.alive() {
		t.Error("it was killed although its time was not over")
	}
}

// inGroup starts a program with the process group of another.
func inGroup(t *testing.T, leader *started, script string) *started {
	t.Helper()
	return start(t, program{script: script, change: func(a *syscall.SysProcAttr) { a.Pgid = leader.PID }})
}

func TestEndOrphansInGroup(t *testing.T) {
	t.Parallel()
	uid := os.Getuid()
	for name, test := range map[string]struct {
		leads bool                                 // the leader lives
		as    func(leader, member Process) request // what is known of it
		ended int
	}{
		"whose leader lives": {true, func(l, _ Process) request { return request{Group: l, UID: uid} }, 2},
		"whose leader ended": {false, func(l, _ Process) request { return request{Group: l, UID: uid} }, 1},
		"whose number was given out again": {true, func(l, _ Process) request {
			l.Start--
			return request{Group: l, UID: uid}
		}, 0},
		"that is older": {false, func(l, m Process) request {
			l.Start = m.Start + 1
			return request{Group: l, UID: uid}
		}, 0},
		"as old as the member": {false, func(l, m Process) request {
			l.Start = m.Start
			return request{Group: l, UID: uid}
		}, 1},
		"of another account":        {true, func(l, _ Process) request { return request{Group: l, UID: uid + 1} }, 0},
		"that is not known":         {true, func(_, _ Process) request { return request{UID: uid} }, 0},
		"without a start":           {false, func(l, _ Process) request { return request{Group: Process{PID: l.PID}, UID: uid} }, 0},
		"of process 1":              {true, func(_, _ Process) request { return request{Group: mustLook(t, 1), UID: uid} }, 0},
		"with the number 0":         {true, func(_, _ Process) request { return request{Group: Process{Start: 1}, UID: uid} }, 0},
		"with a number that is odd": {true, func(l, _ Process) request { return request{Group: Process{PID: -l.PID, Start: 1}, UID: uid} }, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			leader := start(t, program{script: waits})
			member := inGroup(t, leader, waits)
			if !test.leads {
				leader.end(t)
			}
			r := test.as(leader.Process, member.Process)
			r.Do, r.Root, r.Grace = "orphans", t.TempDir(), time.Minute
			got := ask(t, r, nil)
			if got.Ended != test.ended || got.Err != "" || got.Took > patience {
				t.Errorf("%+v: want %d ended", got, test.ended)
			}
			if member.alive() != (test.ended == 0) {
				t.Errorf("the member lives: %t", member.alive())
			}
			if leader.alive() != (test.leads && test.ended == 0) {
				t.Errorf("the leader lives: %t", leader.alive())
			}
		})
	}
}

func mustLook(t *testing.T, pid int) Process {
	t.Helper()
	p, err := Look(pid)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// Another account's process may be in the group, or named as one of the tree.
func TestEndOrphansSparesOtherAccounts(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		t.Skip("only root starts processes for others")
	}
	root := t.TempDir()
	leader := start(t, program{script: waits})
	as := func(a *syscall.SysProcAttr) {
		a.Pgid, a.Credential = leader.PID, &syscall.Credential{Uid: 65534, Gid: 65534}
	}
	other := start(t, program{name: listener(root), script: waits, change: as})
	got := ask(t, request{Do: "orphans", Root: root, Group: leader.Process, Grace: time.Minute}, nil)
	if got.Ended != 1 || got.Err != "" || leader.alive() || !other.alive() {
		t.Errorf("%+v, root's process lives: %t, the other's: %t", got, leader.alive(), other.alive())
	}
	got = ask(t, request{Do: "orphans", Root: root, UID: 65534, Grace: time.Minute}, nil)
	if got.Ended != 1 || got.Err != "" || other.alive() {
		t.Errorf("%+v, for the other account it lives: %t", got, other.alive())
	}
}

// Its own process group is that of the terminal or of the service.
func TestEndOrphansSparesItsOwnGroup(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	leader := start(t, program{script: waits})
	member := start(t, program{name: listener(root), script: waits, change: func(a *syscall.SysProcAttr) { a.Pgid = leader.PID }})
	r := request{Do: "orphans", Root: root, UID: os.Getuid(), Group: leader.Process, Grace: time.Minute}
	got := ask(t, r, func(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pgid: leader.PID} })
	if got.Ended != 0 || got.Err != "" || !leader.alive() || !member.alive() {
		t.Errorf("%+v, the leader lives: %t, the member: %t", got, leader.alive(), member.alive())
	}
}

// What is below this process is for EndDescendants, and may be a new listener.
func TestEndOrphansSparesDescendants(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	leader := start(t, program{name: listener(root), script: waits})
	member := inGroup(t, leader, waits)
	ended, err := EndOrphans(t.Context(), root, os.Getuid(), leader.Process, time.Minute)
	if ended != 0 || err != nil || !leader.alive() || !member.alive() {
		t.Errorf("%d ended, %v, the leader lives: %t, the member: %t", ended, err, leader.alive(), member.alive())
	}
}

// Those in the tree are ended whatever is known of the group, and counted once.
func TestEndOrphansInTreeAndGroup(t *testing.T) {
	t.Parallel()
	for name, known := range map[string]func(Process) Process{
		"known":                  func(p Process) Process { return p },
		"number given out again": func(p Process) Process { p.Start--; return p },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			root := t.TempDir()
			leader := start(t, program{name: listener(root), script: "trap 'exit 0' INT; " + waits})
			got := ask(t, request{Do: "orphans", Root: root, UID: os.Getuid(), Group: known(leader.Process), Grace: time.Minute}, nil)
			if got.Ended != 1 || got.Err != "" || leader.alive() {
				t.Errorf("%+v, lives: %t: want 1 ended", got, leader.alive())
			}
		})
	}
}

// A listener that is interrupted starts something else before it ends.
func TestEndOrphansThatStartMore(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	script := filepath.Join(root, "more")
	if err := os.WriteFile(script, []byte("trap '' INT; echo $$ >"+root+"/said; read x <&3\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	leader := start(t, program{script: "trap 'sh " + script + " & exit' INT; " + waits})
	got := ask(t, request{Do: "orphans", Root: root, UID: os.Getuid(), Group: leader.Process, Grace: time.Second}, nil)
	if got.Err != "" || got.Ended != 2 {
		t.Errorf("%+v: want 2 ended", got)
	}
	text, err := os.ReadFile(root + "/said")
	if err != nil {
		t.Fatal(err)
	}
	if found, err := os.ReadFile("/proc/" + strings.TrimSpace(string(text)) + "/cmdline"); err == nil && strings.Contains(string(found), script) {
		t.Error("what the leader started in its last moment lives")
	}
}

func TestScripted(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	script := filepath.Join(dir, "_update.sh")
	if err := os.WriteFile(script, []byte("read wait\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "sh", script)
	input, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	become(t, "run the script", func() bool { return Scripted(script, os.Geteuid()) })
	if Scripted(script, os.Geteuid()+1) {
		t.Error("it is said to be another account's")
	}
	if Scripted(filepath.Join(dir, "update.sh"), os.Geteuid()) {
		t.Error("another script is said to run")
	}
	_ = input.Close()
	_ = cmd.Wait() // read says that there was nothing
	if Scripted(script, os.Geteuid()) {
		t.Error("it is said to run on")
	}
}
