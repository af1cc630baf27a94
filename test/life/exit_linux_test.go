package life

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/githubtest"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
)

// mode is how a runner was installed.
type mode struct {
	name                  string
	credential, ephemeral bool
	more                  []string // words of its install
}

func modes() []mode {
	return []mode{{name: "persistent"}, {name: "credential", credential: true}, {name: "ephemeral", credential: true, ephemeral: true}}
}

func (m mode) install(h *host, more ...string) {
	h.t.Helper()
	words := []string{"--token-file", "-"}
	if m.credential {
		words = []string{"--token-file", h.token}
	}
	if m.ephemeral {
		words = append(words, "--ephemeral")
	}
	h.install(slices.Concat(words, m.more, more)...)
}

// killed stands for a listener that was ended by SIGKILL.
const killed = -1

// ending is what one exit code must lead to.
type ending struct {
	code   int
	state  instance.State
	reason string
	wait   string // empty: no pause
}

func endings() []ending {
	const passing, odd = "the listener met an error that may pass", "the listener ended unexpectedly"
	return []ending{
		{0, instance.Failing, "the listener ended its session", "5s"},
		{1, instance.Failing, "the listener gave up", "5s"},
		{2, instance.Failing, passing, "5s"},
		{3, instance.Updating, "the runner is updating itself", ""},
		{4, instance.Updating, "the runner is updating itself", ""},
		{5, instance.Failing, "another session of this runner exists", "4m0s"},
		{6, instance.Failing, passing, "5s"},
		{7, instance.Failing, "GitHub no longer accepts this runner version: there is no newer version", "5s"},
		{9, instance.Failing, odd, "5s"},
		{143, instance.Failing, odd, "5s"},
		{killed, instance.Failing, "the listener was killed", "5s"},
	}
}

// Every exit code of a listener that GitHub still knows has one consequence, whatever the mode. None costs the
// registration, and the pause after it does not keep anybody from stopping the runner.
func TestExitCodes(t *testing.T) {
	t.Parallel()
	for _, e := range endings() {
		for _, m := range modes() {
			t.Run(fmt.Sprintf("%d/%s", e.code, m.name), func(t *testing.T) {
				t.Parallel()
				e.check(t, m)
			})
		}
	}
}

func (e ending) check(t *testing.T, m mode) {
	t.Helper()
	h := newHost(t)
	m.install(h)
	before := h.listed()
	switch {
	case e.state == instance.Updating: // as the script of an update stays: without it nothing is waited for
		h.put(".simulated-exit", strconv.Itoa(e.code)+"+30")
	case e.code != killed:
		h.put(".simulated-exit", strconv.Itoa(e.code))
	}
	run := h.run()
	if e.code == killed {
		h.comesUp(1, patience)
		h.killListener()
	}
	h.eventually(patience, "the listener's end is not reported", func() error {
		r := h.report()
		if r.State != e.state || r.Reason != e.reason || r.ExitCode == nil || *r.ExitCode != e.code {
			return fmt.Errorf("want state %s, reason %q, exit code %d", e.state, e.reason, e.code)
		}
		return nil
	})
	if r := h.report(); r.Starts != 1 || r.Registrations != 0 {
		t.Errorf("starts %d, registrations %d; want 1 and 0", r.Starts, r.Registrations)
	}
	again := fmt.Sprintf(`msg="restarting the listener" runner=%s reason=%q in=%s failures=1`, runnerName, e.reason, e.wait)
	if e.wait != "" {
		h.eventually(time.Second, "the log", func() error {
			if !strings.Contains(h.log(), again) {
				return fmt.Errorf("no line %s", again)
			}
			return nil
		})
	}
	switch {
	case e.state == instance.Updating:
		h.put("update.finished", "")
		h.comesUp(2, patience)
	case comesBack(e.code):
		h.comesUp(2, patience)
		if passed := time.Since(h.report().Since); passed < 0 {
			t.Errorf("listening since %v from now", -passed)
		}
	}
	h.stops(run)
	if now := h.listed(); !slices.Equal(now, before) || len(now) != 1 {
		t.Errorf("GitHub lists %v, and before %v", now, before)
	}
	if strings.Contains(h.log(), "level=ERROR") {
		t.Error("the log has an error")
	}
}

// comesBack picks the codes after which the pause is waited for: one is enough for those that share a consequence.
// The others are stopped in the middle of it.
func comesBack(code int) bool { return code == 1 || code == 7 || code == killed }

func (h *host) killListener() {
	h.t.Helper()
	listeners := h.that(isListener)
	if len(listeners) != 1 {
		h.t.Fatalf("listeners: %v", listeners)
	}
	if err := syscall.Kill(listeners[0].pid, syscall.SIGKILL); err != nil {
		h.t.Fatal(err)
	}
	h.server.DropSessions(runnerName)
}

// The wait for an update can be stopped as well.
func TestStopWhileUpdating(t *testing.T) {
	t.Parallel()
	for _, m := range modes() {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			h := newHost(t)
			m.install(h)
			h.put(".simulated-exit", "3+6") // what an update leaves has its time without us
			run := h.run()
			h.eventually(patience, "not updating", func() error { return h.inState(instance.Updating) })
			h.stopsAndLeaves(run, patience)
		})
	}
}

func (h *host) inState(want instance.State) error {
	if state := h.report().State; state != want {
		return fmt.Errorf("state %s, want %s", state, want)
	}
	return nil
}

// A version that GitHub refuses is replaced by the one that is on offer, and the registration stays; it is what the
// exit code says, or only the listener's words.
func TestReplacesRefusedVersion(t *testing.T) {
	t.Parallel()
	own := []string{"--update", "runner"}
	itself := []mode{{name: "itself", credential: true, more: own}, {name: "ephemeral, itself", credential: true, ephemeral: true, more: own}}
	for _, m := range append(modes(), itself...) {
		for _, how := range []string{"code", "words"} {
			t.Run(m.name+"/"+how, func(t *testing.T) {
				t.Parallel()
				h := newHost(t)
				m.install(h)
				before := h.listed()
				registration, err := os.ReadFile(filepath.Join(h.kept(), ".runner"))
				if err != nil {
					t.Fatal(err)
				}
				if how == "code" {
					h.put(".simulated-exit", "7")
				}
				h.server.AddArchive(h.archives[newVersion])
				run := h.run()
				if how == "words" {
					h.comesUp(1, patience)
					if err := h.server.Tell(runnerName, githubtest.Deprecate{}); err != nil {
						t.Fatal(err)
					}
				}
				h.comesUp(2, patience)
				h.hasNew(m)
				if now, err := os.ReadFile(filepath.Join(h.kept(), ".runner")); err != nil || string(now) != string(registration) {
					t.Errorf(".runner has changed: %v", err)
				}
				if r := h.report(); r.Version != newVersion || r.Registrations != 0 {
					t.Errorf("version %s, registrations %d; want %s and 0", r.Version, r.Registrations, newVersion)
				}
				// The log says which version it was, and which one it has become.
				if want := "version=" + oldVersion + " by=" + newVersion; !strings.Contains(h.log(), want) {
					t.Errorf("the log does not say %q:\n%s", want, h.tail())
				}
				if got, err := h.job("true", patience); err != nil || got != "succeeded" {
					t.Errorf("a job afterwards: %s, %v", got, err)
				}
				if runners := h.server.Runners(""); !m.ephemeral && (!slices.Equal(h.listed(), before) || runners[0].Version != newVersion) {
					t.Errorf("GitHub lists %+v, before %v", runners, before)
				}
				h.stops(run)
			})
		}
	}
}

// hasNew looks at where the new version's folders are: as the runner's own update leaves them, or where they are root's, in
// the place of those before.
func (h *host) hasNew(m mode) {
	h.t.Helper()
	rooted := os.Geteuid() == 0 && m.credential && m.more == nil
	for _, name := range []string{"bin", "externals"} {
		path := filepath.Join(h.root(), name)
		to, err := os.Readlink(path)
		if want := path + "." + newVersion; !rooted && (err != nil || to != want) {
			h.t.Errorf("%s leads to %q, want %q (%v)", name, to, want, err)
		}
		info, err := os.Lstat(path)
		if err != nil {
			h.t.Fatal(err)
		}
		if stat, ok := info.Sys().(*syscall.Stat_t); rooted && (!info.IsDir() || !ok || stat.Uid != 0) {
			h.t.Errorf("%s is %v, want a folder of root's", name, info.Mode())
		}
		if others, err := filepath.Glob(path + ".*"); rooted && (err != nil || len(others) > 0) {
			h.t.Errorf("beside %s there are %q (%v)", name, others, err)
		}
	}
}

// A version that was asked for by name is not replaced: the run ends with 7.
func TestPinnedVersionRefused(t *testing.T) {
	t.Parallel()
	for _, m := range modes() {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			h := newHost(t)
			m.install(h, "--runner-version", oldVersion)
			h.server.AddArchive(h.archives[newVersion])
			h.put(".simulated-exit", "7")
			h.ends(h.run(), 7, "GitHub no longer accepts this runner version")
			if ids := h.listed(); len(ids) != 1 {
				t.Errorf("GitHub lists %v", ids)
			}
		})
	}
}

// ends waits for the end of a supervisor that has no reason to go on.
func (h *host) ends(run *command, want int, reason string) {
	h.t.Helper()
	code, err := run.code(patience)
	if err != nil || code != want {
		h.t.Fatalf("the supervisor ended with %d (%v), want %d", code, err, want)
	}
	if r := h.report(); r.State != instance.Ended || !strings.Contains(r.Reason, reason) {
		h.t.Errorf("state %s, reason %q; want %s, %q", r.State, r.Reason, instance.Ended, reason)
	}
	if err := h.noneLeft(time.Second); err != nil {
		h.t.Error(err)
	}
}

// GitHub has deleted the runner: the listener finds out when it starts (exit code 1) or while it listens (0). With a
// credential it is registered again, without the run ends with 7.
func TestRegistrationGone(t *testing.T) {
	t.Parallel()
	for _, m := range modes() {
		for _, when := range []string{"before", "listening"} {
			t.Run(m.name+"/"+when, func(t *testing.T) {
				t.Parallel()
				h := newHost(t)
				m.install(h)
				old, code := h.listed()[0], 1
				if when == "before" {
					h.server.DeleteRunner(old)
				}
				run := h.run()
				if when == "listening" {
					h.comesUp(1, patience)
					code = 0
					if err := h.server.Tell(runnerName, githubtest.ForgetRegistration{}); err != nil {
						t.Fatal(err)
					}
				}
				if !m.credential {
					h.ends(run, 7, "GitHub no longer knows this runner")
					if ids := h.listed(); len(ids) != 0 {
						t.Errorf("GitHub lists %v", ids)
					}
				} else {
					h.comesUp(2, patience)
					if ids := h.listed(); len(ids) != 1 || ids[0] == old {
						t.Errorf("GitHub lists %v, want one that is not %d", ids, old)
					}
					if record, err := h.store.Load(runnerName); err != nil || !slices.Equal(h.listed(), []int64{record.RunnerID}) {
						t.Errorf("the record has id %d, GitHub lists %v (%v)", record.RunnerID, h.listed(), err)
					}
					if r := h.report(); r.Registrations != 1 {
						t.Errorf("registrations %d, want 1", r.Registrations)
					}
					h.stops(run)
				}
				if r := h.report(); r.ExitCode == nil || !m.credential && *r.ExitCode != code {
					t.Errorf("exit code %v, want %d", r.ExitCode, code)
				}
			})
		}
	}
}

// An ephemeral runner comes back after its job, as another one.
func TestEphemeralComesBack(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	m := modes()[2]
	m.install(h)
	run := h.run()
	h.comesUp(1, patience)
	seen := h.listed()
	for lives := range 2 {
		if got, err := h.job("true", patience); err != nil || got != "succeeded" {
			t.Fatalf("the job: %s, %v", got, err)
		}
		h.comesUp(lives+2, patience)
		ids := h.listed()
		if len(ids) != 1 || slices.Contains(seen, ids[0]) {
			t.Errorf("GitHub lists %v, after %v", ids, seen)
		}
		seen = append(seen, ids...)
		if r := h.report(); r.Registrations != lives+1 || r.Succeeded != lives+1 || r.ExitCode == nil || *r.ExitCode != 0 {
			t.Errorf("registrations %d, succeeded %d, exit code %v", r.Registrations, r.Succeeded, r.ExitCode)
		}
	}
	h.stops(run)
}

// A listener that nobody supervises holds the session. It is found and ended, when the supervisor starts and when the
// listener was refused for it, and nobody waits for minutes.
func TestOrphanHoldsSession(t *testing.T) {
	t.Parallel()
	for _, m := range modes() {
		for _, when := range []string{"before", "meanwhile"} {
			t.Run(m.name+"/"+when, func(t *testing.T) {
				t.Parallel()
				h := newHost(t)
				m.install(h)
				starts := 1
				var run *command
				if when == "meanwhile" {
					h.put(".simulated-exit", "2")
					run = h.run()
					h.eventually(patience, "not failing", func() error { return h.inState(instance.Failing) })
					starts = 3
				}
				orphan := h.orphan()
				if run == nil {
					run = h.run()
				}
				h.comesUp(starts, patience+15*time.Second)
				select {
				case <-orphan:
				case <-time.After(time.Second):
					t.Error("the orphan lives")
				}
				if ended := "ended what an earlier supervisor has left running"; !strings.Contains(h.log(), ended) {
					t.Errorf("the log does not say %q", ended)
				}
				h.stops(run)
			})
		}
	}
}

// orphan starts a listener that nobody supervises, and waits until it has the session. The channel is closed at its end.
func (h *host) orphan() <-chan struct{} {
	h.t.Helper()
	// As a supervisor gives it.
	for _, name := range []string{".credentials", ".credentials_rsaparams", ".runner"} {
		text, err := os.ReadFile(filepath.Join(h.kept(), name))
		if err != nil {
			h.t.Fatal(err)
		}
		h.put(name, string(text))
	}
	cmd := exec.Command(filepath.Join(h.root(), "bin", "Runner.Listener"), "run")
	cmd.Dir = h.root()
	cmd.Env = []string{"PATH=" + os.Getenv("PATH")}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if os.Geteuid() == 0 {
		uid, gid := h.jobUser()
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	}
	if err := cmd.Start(); err != nil {
		h.t.Fatal(err)
	}
	over := make(chan struct{})
	go func() {
		defer close(over)
		_ = cmd.Wait()
	}()
	h.eventually(patience, "the orphan does not listen", func() error {
		if runners := h.server.Runners(""); len(runners) != 1 || runners[0].Status != "online" {
			return fmt.Errorf("GitHub lists %+v", runners)
		}
		return nil
	})
	return over
}

// What a job has left behind is buried when it has ended, and the runner goes on.
func TestBuriesWhatJobsLeave(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	modes()[0].install(h)
	run := h.run()
	h.comesUp(1, patience)
	if said, err := h.job("setsid sh -c 'exec -a "+filepath.Join(h.root(), "left")+" sleep 0.5' >/dev/null 2>&1 </dev/null & true", patience); err != nil || said != "succeeded" {
		t.Fatalf("the job %s: %v", said, err)
	}
	h.eventually(patience, "not buried", func() error {
		left, err := h.zombies()
		if n := len(h.processes()); err == nil && n != 2 {
			err = fmt.Errorf("%d processes are there", n)
		}
		if err == nil && len(left) > 0 {
			err = fmt.Errorf("zombies are there: %q", left)
		}
		return err
	})
	if report := h.report(); report.Starts != 1 || report.State != instance.Idle {
		t.Errorf("it is %+v", report)
	}
	h.stops(run)
}

// zombies are the account's that descend from this host's supervisor.
func (h *host) zombies() ([]string, error) {
	files, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return nil, err
	}
	var parents []int
	for _, p := range h.processes() {
		parents = append(parents, p.pid, p.parent)
	}
	var found []string
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // it is gone
		}
		fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
		if parent, err := strconv.Atoi(fields[1]); err == nil && fields[0] == "Z" && parent > 1 && slices.Contains(parents, parent) {
			found = append(found, string(text))
		}
	}
	return found, nil
}
