//go:build e2e && linux

package hostile_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/githubtest"
	"github.com/runner-bootstrap/runner-bootstrap/test/e2e/machine"
	"github.com/runner-bootstrap/runner-bootstrap/test/e2e/stage"
)

const (
	name    = "web-1"
	account = "runner" // of a host's first runner
	folder  = "/opt/actions-runner/" + name
	// patience is for what takes seconds on an idle host.
	patience = 45 * time.Second
)

// errLeft is what a wait is for, where words would say no more than its name does.
var errLeft = errors.New("not yet")

// attack is one test, in each of the ways in which a runner is kept.
type attack struct {
	name string
	do   func(*scene)
	// alone is for what has nothing to do with how the runner is kept.
	alone bool
}

// attacks are all of them, in order.
func attacks() []attack {
	return []attack{
		{"H1 a user manager that outlives the job", outlives, false},
		{"H1 all that is allowed", outlivesAll, true},
		{"H2 a job mounts in its tree", mountsAsJob, true},
		{"H2 an administrator mounts in a tree", mountsAsAdministrator, false},
		{"H3 a work folder with other things in it", worksElsewhere, true},
		{"H4 a config.sh of the job's", takesTokens, false},
		{"H5 the id of another runner", namesAnother, false},
		{"H6 a listener of the job's", spoilsListener, true},
		{"H7 a hundred thousand folders", nests, false},
		{"H8 processes that fork and exit", buries, false},
		{"H9 folders of a job's account", ownsParents, true},
		{"H10 a link above the work folder", linksWork, false},
		{"H11 a daemon of config.sh", leavesDaemon, false},
		{"H12 pipes", waitsForPipes, false},
		{"H13 folders in the place of files", putsFolders, false},
		{"H14 a token in the environment", readsEnvironment, true},
		{"H15 runners of one host", sharesNothing, false},
		{"H16 a log of many files", floodsLog, true},
		{"H17 a lock from another process namespace", locksElsewhere, true},
		{"H18 links in the place of folders", replacesFolders, false},
		{"H19 what does not end with processes", leavesBehind, false},
		{"H20 a mount that does not answer", mountsWhatHangs, false},
		{"ordinary jobs", worksAsAnywhere, false},
		{"allowed docker", allowsDocker, false},
		{"allowed sudo", allowsSudo, false},
		{"allowed dbus", allowsDBus, false},
	}
}

// TestHostile boots a machine of each generation, and plays all attacks on them: in the service on both, and by hand on one, as it
// does not matter there which systemd the host has. With -short each is played once in each way: in the service on one machine,
// by hand on the other.
func TestHostile(t *testing.T) {
	listener := stage.Listener(t, t.TempDir())
	dotnet := machine.DotNet(t)
	for which, g := range []struct {
		name string
		machine.Options
	}{
		{"debian12", machine.Options{Kind: machine.Debian12Full}},
		{"debian13", machine.Options{Kind: machine.Debian13Full, Cgroup2: true}},
	} {
		t.Run(g.name, func(t *testing.T) {
			t.Parallel()
			g.Layers, g.Keys = []string{dotnet}, true
			st := stage.Set(t, g.Options, githubtest.ArchiveSpec{Version: stage.Version, Listener: listener})
			before := prepare(t, st)
			for i, a := range attacks() {
				mine := i%2 == which
				if a.alone && !mine && testing.Short() {
					continue
				}
				t.Run(a.name, func(t *testing.T) {
					if a.alone {
						play(t, st, before, a, false)
						return
					}
					if mine || !testing.Short() {
						t.Run("service", func(t *testing.T) { play(t, st, before, a, false) })
					}
					if !mine {
						t.Run("by hand", func(t *testing.T) { play(t, st, before, a, true) })
					}
				})
			}
		})
	}
}

// scene is one attack on its way.
type scene struct {
	*stage.Stage

	t      *testing.T
	byHand bool     // without a service of the program's own: run is started by somebody else
	own    []string // what the attack itself has put on the machine for others to find
}

// play does one attack on a clean machine, and leaves a clean one behind. What the attack itself did not judge is compared
// with how the machine was before: nothing but what the README names may be left.
func play(t *testing.T, st *stage.Stage, before census, a attack, byHand bool) {
	t.Helper()
	s := &scene{Stage: st.For(t), t: t, byHand: byHand}
	// Not as a cleanup: commands in the machine end with the test.
	defer func() {
		if t.Failed() {
			t.Logf("the journal's end:\n%s", tail(s.Journal(), 40))
		} else {
			s.Must(append([]string{"rm", "-rf", "--"}, s.own...)...)
			for _, diff := range before.diff(s.census()) {
				t.Errorf("after it, and after uninstall: %s", diff)
			}
		}
		s.clear()
	}()
	a.do(s)
}

// try runs the program, which has a minute.
func (s *scene) try(words ...string) machine.Result {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), time.Minute)
	defer cancel()
	return s.Run(ctx, slices.Concat([]string{stage.Program}, words)...)
}

// must is try for what has to succeed.
func (s *scene) must(words ...string) string {
	s.t.Helper()
	r := s.try(words...)
	if r.Code != 0 {
		s.t.Fatalf("%q: %s", words, r)
	}
	return r.Stdout + r.Stderr
}

// words are how the runner is installed.
func (s *scene) words(more ...string) []string {
	words := []string{
		"install", "--url", s.Server.URL() + "/octo-org", "--token-file", stage.Token, "--preemption", "off", "--metadata", "off",
	}
	if !slices.Contains(more, "--name") {
		words = append(words, "--name", name)
	}
	if s.byHand {
		words = append(words, "--no-service")
	}
	return append(words, more...)
}

// install installs the runner and waits until it listens. It returns what GitHub calls it.
func (s *scene) install(more ...string) int64 {
	s.t.Helper()
	s.must(s.words(more...)...)
	s.start()
	return s.listens(0)
}

// start starts what nobody else does.
func (s *scene) start() {
	s.t.Helper()
	if s.byHand {
		s.Must("systemd-run", "--quiet", "--collect", "--unit=by-hand", stage.Program, "run", "--name", name)
	}
}

// stop is the opposite of start, and of nothing else.
func (s *scene) stop() {
	s.t.Helper()
	if s.byHand {
		s.Run(s.t.Context(), "systemctl", "stop", "by-hand.service") // it may have ended already
	}
}

// unit is what keeps the runner.
func (s *scene) unit() string {
	if s.byHand {
		return "by-hand.service"
	}
	return "actions.runner.octo-org." + name + ".service"
}

// listed are the runners of that name at GitHub.
func (s *scene) listed(name string) []githubtest.Runner {
	return slices.DeleteFunc(s.Server.Runners(""), func(r githubtest.Runner) bool { return r.Name != name })
}

// listens waits until the runner waits for a job under another id than the one given, and returns that.
func (s *scene) listens(other int64) int64 { s.t.Helper(); return s.listensAs(name, other) }

func (s *scene) listensAs(name string, other int64) int64 {
	s.t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		all := s.listed(name)
		if len(all) == 1 && all[0].ID != other && all[0].Status == "online" && !all[0].Busy {
			return all[0].ID
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("it does not listen under another id than %d: GitHub lists %+v\n%s", other, s.Server.Runners(""), tail(s.Journal(), 30))
		}
	}
}

// job runs a script to its end, and returns what it wrote. An ephemeral runner's next registration may have begun then.
func (s *scene) job(script string) string { s.t.Helper(); return s.jobOf(name, script) }

func (s *scene) jobOf(name, script string) string {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), 90*time.Second)
	defer cancel()
	job := s.Server.QueueJob(name, githubtest.Job{Name: "attack", Script: script})
	conclusion, err := job.Wait(ctx)
	if err != nil {
		s.t.Fatalf("the job %s: %v\n%s", conclusion, err, tail(s.Journal(), 30))
	}
	s.t.Logf("the job %s:\n%s", conclusion, tail(job.Output(), 20))
	// GitHub knows of a job's end a moment before the agent does.
	s.eventually("the agent does not notice the end of a job", func() error {
		if r := s.try("status", "--name", name); strings.Contains(r.Stdout, "busy since") {
			return errLeft
		}
		return nil
	})
	return job.Output()
}

// uninstall takes the runner away, which has to succeed, and be whole.
func (s *scene) uninstall() {
	s.t.Helper()
	s.stop()
	if r := s.try("uninstall", "--all", "--token-file", stage.Token); r.Code != 0 {
		s.t.Errorf("uninstall: %s", r)
	}
	if left := slices.DeleteFunc(s.Server.Runners(""), func(r githubtest.Runner) bool { return strings.HasPrefix(r.Name, "foreign") }); len(left) != 0 {
		s.t.Errorf("after uninstall GitHub lists %+v", left)
	}
	if left := s.Must("sh", "-c", "ls -A /opt/actions-runner 2>/dev/null || true"); left != "" {
		s.t.Errorf("after uninstall there is %q", left)
	}
}

// eventually waits until what is asked for is so.
func (s *scene) eventually(what string, ask func() error) {
	s.t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(100 * time.Millisecond) {
		err := ask()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("%s: %v\n%s", what, err, tail(s.Journal(), 30))
		}
	}
}

// mayBecomeRoot is what an administrator does before --allow sudo is of use.
func (s *scene) mayBecomeRoot() {
	s.t.Helper()
	const rule = "/etc/sudoers.d/runner"
	s.own = append(s.own, rule)
	s.Write(rule, account+" ALL=(ALL) NOPASSWD: ALL\n", 0o440)
}

// tail is the end of a long text.
func tail(text string, n int) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}

// canary is a folder with something in it that nobody may touch.
func (s *scene) canary(folder string) (whole func(when string)) {
	s.t.Helper()
	s.own = append(s.own, folder)
	s.Must("sh", "-c", fmt.Sprintf("mkdir -p %[1]s/deep && echo precious >%[1]s/file && echo precious >%[1]s/deep/file", folder))
	return func(when string) {
		s.t.Helper()
		if r := s.Run(s.t.Context(), "cat", folder+"/file", folder+"/deep/file"); r.Stdout != "precious\nprecious\n" {
			s.t.Errorf("%s the files in %s are gone: %s", when, folder, r)
		}
	}
}
