//go:build e2e && linux

package e2e_test

import (
	"context"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/githubtest"
	"github.com/runner-bootstrap/runner-bootstrap/test/e2e/machine"
	"github.com/runner-bootstrap/runner-bootstrap/test/e2e/stage"
)

const (
	program = stage.Program
	tests   = "/opt/tests/runner-bootstrap.test"
	token   = stage.Token
	name    = "web-1"
	unit    = "actions.runner.octo-org.web-1.service"
)

// TestScriptsUnderSystemd runs the program's own scripts in the machine.
func TestScriptsUnderSystemd(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	compiled := compileTests(t, dir)
	listener := stage.Listener(t, dir)
	copies := map[string]string{
		compiled: tests, listener: "/opt/tests/listener", machine.Build(t, "cmd/runner-bootstrap"): program,
	}
	scripts, err := filepath.Glob("../../cmd/runner-bootstrap/testdata/systemd/*.txtar")
	if err != nil || len(scripts) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for _, script := range scripts {
		copies[script] = "/opt/tests/testdata/systemd/" + filepath.Base(script)
	}
	m := machine.Boot(t, machine.Options{Kind: machine.Debian13, Copy: copies})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Minute) // other machines are at work beside it
	defer cancel()
	result := m.Run(ctx, "/bin/sh", "-c", "cd /opt/tests && RUNNER_BOOTSTRAP_TEST_LISTENER=/opt/tests/listener "+
		"RUNNER_BOOTSTRAP_TEST_PROGRAM="+program+" exec "+tests+" -test.run '^TestSystemdScripts$' -test.v -test.parallel 1")
	if result.Code != 0 || !strings.Contains(result.Stdout, "--- PASS: TestSystemdScripts/install_service") {
		t.Fatalf("the scripts failed:\n%s\n%s", result.Stdout, result.Stderr)
	}
}

// systems are both: with the hierarchy of control groups that each had when it came. -short leaves one, for what
// does not depend on systemd's version; which one is each test's choice, so that neither is left out.
func systems(short string) []machine.Options {
	both := []machine.Options{{Kind: machine.Debian12}, {Kind: machine.Debian13, Cgroup2: true}}
	if testing.Short() {
		return slices.DeleteFunc(both, func(o machine.Options) bool { return o.Kind != short })
	}
	return both
}

// TestHost takes a whole machine from nothing to a runner and back, and
// compares what is on it before and after.
func TestHost(t *testing.T) {
	t.Parallel()
	listener := stage.Listener(t, t.TempDir())
	built := machine.Build(t, "cmd/runner-bootstrap")
	for _, o := range systems(machine.Debian12) {
		t.Run(o.Kind, func(t *testing.T) {
			t.Parallel()
			o.Copy = map[string]string{built: program}
			m := machine.Boot(t, o)
			// A second boot has no first-boot services.
			m.Reboot()
			m.Must("systemctl", "start", "network-online.target")
			h := &host{Machine: m, server: serve(t, m, listener)}
			m.Write(token, h.server.Token()+"\n", 0o600)
			before := h.look()
			h.install(t)
			h.work(t)
			h.survives(t)
			h.noSecret(t)
			h.uninstall(t, before)
		})
	}
}

// host is a machine and its GitHub.
type host struct {
	*machine.Machine
	server *githubtest.Server
}

// sight is everything that an install could change.
type sight struct{ files, users, units map[string]string }

func (h *host) look() sight {
	return sight{
		files: h.Files("/etc", "/usr", "/opt", "/home", "/root", "/srv", "/var/lib", "/var/cache", "/var/spool"),
		users: h.Users(), units: h.Units(),
	}
}

func (h *host) install(t *testing.T) {
	t.Helper()
	output := h.Must(program, "install", "--url", h.server.URL()+"/octo-org", "--name", name, "--token-file", token)
	t.Log(output)
	for _, want := range []string{"active", "enabled"} {
		if got := strings.TrimSpace(h.Must("systemctl", "is-"+want, unit)); got != want {
			t.Errorf("the unit is %s, want %s", got, want)
		}
	}
	requests := len(h.server.Requests())
	h.Must(program, "install", "--url", h.server.URL()+"/octo-org", "--name", name, "--token-file", token)
	for _, r := range h.server.Requests()[requests:] {
		if r.Method != http.MethodGet && r.Root != "runner" {
			t.Errorf("a second install sent %s %s", r.Method, r.Path)
		}
	}
}

// work runs a job, as the account runner and with nothing of ours.
func (h *host) work(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	job := h.server.QueueJob(name, githubtest.Job{Name: "look", Script: `id -un; id -Gn; cat /var/lib/runner-bootstrap/* /root/token; env; umask`})
	conclusion, err := job.Wait(ctx)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("the job %s:\n%s", conclusion, job.Output())
	if !strings.HasPrefix(job.Output(), "runner\nrunner\n") {
		t.Errorf("the job ran as %q", job.Output())
	}
	if !strings.Contains(job.Output(), "Permission denied") || !strings.Contains(job.Output(), "HOME=/home/runner\n") {
		t.Errorf("the job saw\n%s", job.Output())
	}
	uid := strings.TrimSpace(h.Must("id", "-u", "runner"))
	listener := strings.Fields(h.Must("pgrep", "-u", uid, "-f", "Runner.Listener run"))
	if len(listener) != 1 {
		t.Errorf("%d listeners run as the account runner, want one", len(listener))
	}
}

// survives a killed supervisor, a killed listener and a reboot, each time with
// one listener.
func (h *host) survives(t *testing.T) {
	t.Helper()
	for _, step := range []struct {
		name string
		do   func()
	}{
		{"the supervisor killed", func() { h.Must("systemctl", "kill", "--kill-whom=main", "--signal=KILL", unit) }},
		{"the listener killed", func() { h.Must("pkill", "-KILL", "-f", "Runner.Listener run") }},
		{"a reboot", h.Reboot},
		{"a power cut", func() {
			h.Crash()
			// The machine is up when its services are, and GitHub frees the session before long.
			h.server.DropSessions(name)
			h.PowerOn()
		}},
	} {
		witnesses := len(h.server.Witnesses())
		step.do()
		h.server.DropSessions(name) // GitHub does, some time after it lost sight of a listener
		h.listensAgain(t, step.name, witnesses)
	}
}

func (h *host) listensAgain(t *testing.T, after string, witnesses int) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for {
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		result := h.Run(ctx, program, "status", "--token-file", token)
		cancel()
		if result.Code == 0 && strings.Contains(result.Stdout, "idle since") && len(h.server.Witnesses()) > witnesses {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("after %s:\n%s\n%s", after, result, h.Journal())
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// noSecret looks for every secret in play in the whole machine: its files, the
// arguments and environments of its processes, its journal.
func (h *host) noSecret(t *testing.T) {
	t.Helper()
	// Not among arguments: the search would find itself.
	const secrets = "/root/secrets"
	h.Write(secrets, strings.Join(h.server.Secrets(), "\n")+"\n", 0o600)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	found := h.Run(ctx, "sh", "-c", "grep -rlsFf "+secrets+" /etc /opt /home /root /run /tmp /var/lib /var/log /var/tmp; "+
		"grep -lsFf "+secrets+" /proc/[0-9]*/cmdline /proc/[0-9]*/environ")
	for _, file := range strings.Fields(found.Stdout) {
		switch {
		case file == token, file == secrets:
		case strings.HasPrefix(file, "/var/lib/runner-bootstrap/token-"):
			// A registration token is kept for the next runner of the host, for root alone.
			if owner := h.Must("stat", "-c", "%U %a", file); owner != "root 600" {
				t.Errorf("%s is %s", file, owner)
			}
		default:
			t.Errorf("a secret is in %s", file)
		}
	}
	h.Must("rm", secrets)
	journal := h.Journal()
	for _, secret := range h.server.Secrets() {
		if strings.Contains(journal, secret) {
			t.Error("a secret is in the journal")
		}
	}
	for _, w := range h.server.Witnesses() {
		for _, secret := range h.server.Secrets() {
			if strings.Contains(strings.Join(append(w.Argv, w.ParentArgv...), " "), secret) {
				t.Errorf("a secret is among the arguments of %s", w.Command)
			}
		}
	}
}

// uninstall leaves the account and the cache, as the README says, and nothing
// else.
func (h *host) uninstall(t *testing.T, before sight) {
	t.Helper()
	t.Log(h.Must(program, "uninstall", "--token-file", token))
	if left := h.server.Runners(""); len(left) != 0 {
		t.Errorf("GitHub lists %v", left)
	}
	after := h.look()
	for _, diff := range machine.Diff(before.files, after.files) {
		if !expected(diff) {
			t.Errorf("a file differs: %s", diff)
		}
	}
	for _, diff := range machine.Diff(before.units, after.units) {
		t.Errorf("a unit differs: %s", diff)
	}
	for _, diff := range machine.Diff(before.users, after.users) {
		if !strings.Contains(diff, "runner") {
			t.Errorf("an account differs: %s", diff)
		}
	}
}

// expected tells whether a difference is the account, the cache, or the
// machine's own doing.
func expected(diff string) bool {
	for _, path := range []string{
		"/home/runner", "/home", "/var/cache/runner-bootstrap", "/var/cache",
		"/etc/passwd", "/etc/group", "/etc/shadow", "/etc/gshadow", "/etc/subuid", "/etc/subgid", "/etc/.pwd.lock",
		"/etc", "/var/lib/systemd", "/var/cache/ldconfig",
	} {
		word := strings.Trim(strings.Fields(diff)[1], `":`)
		if word == path || strings.HasPrefix(word, path+"/") && path != "/etc" && path != "/home" && path != "/var/cache" ||
			word == path+"-" {
			return true
		}
	}
	return false
}

func serve(t *testing.T, m *machine.Machine, listener string) *githubtest.Server {
	t.Helper()
	return stage.Serve(t, m, githubtest.ArchiveSpec{Version: stage.Version, Listener: listener})
}

func compileTests(t *testing.T, dir string) string {
	t.Helper()
	compiled := filepath.Join(dir, "runner-bootstrap.test")
	cmd := exec.CommandContext(t.Context(), "go", "test", "-c", "-tags", "e2e", "-o", compiled, "../../cmd/runner-bootstrap")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if output, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("compiling the program's tests: %v\n%s", err, output)
	}
	return compiled
}
