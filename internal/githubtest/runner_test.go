//go:build unix

package githubtest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/githubtest"
)

const (
	nobody  = 65534
	version = "2.337.0"
	patient = 60 * time.Second // longer than anything here takes on a busy machine
)

// theArchive is built once: compiling the listener takes longer than all else.
var theArchive = sync.OnceValues(func() (*githubtest.Archive, error) {
	dir, err := os.MkdirTemp("", "githubtest")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	listener, err := githubtest.BuildListener(context.Background(), dir, runtime.GOOS, runtime.GOARCH)
	if err != nil {
		return nil, err
	}
	return githubtest.NewArchive(githubtest.ArchiveSpec{Platform: "linux-x64", Version: version, Listener: listener})
})

// host is a folder with an unpacked runner, and the user who may run it.
type host struct {
	t   *testing.T
	s   *githubtest.Server
	dir string
	env []string
}

// newHost serves the archive, downloads it from there and unpacks it with tar, for nobody if this is root.
func newHost(t *testing.T) *host {
	t.Helper()
	archive, err := theArchive()
	if err != nil {
		t.Fatal(err)
	}
	s := start(t, githubtest.Config{Archive: archive, SessionTTL: time.Second})
	return &host{t: t, s: s, dir: unpack(t, s, archive), env: []string{
		"PATH=" + os.Getenv("PATH"), "LANG=C.UTF-8", "SIMULATED_RUNNER_CONFLICT_INTERVAL=20ms",
	}}
}

func unpack(t *testing.T, s *githubtest.Server, archive *githubtest.Archive) string {
	t.Helper()
	outer := t.TempDir()
	root := filepath.Join(outer, "actions-runner")
	for _, d := range []string{filepath.Dir(outer), outer, root} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			t.Fatal(err)
		}
		// A temporary folder is closed to the user the runner runs as.
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	resp, err := http.Get(s.ArchiveURL() + "/" + archive.Filename)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	cmd := exec.CommandContext(t.Context(), "tar", "-xzf", "-", "-C", root)
	cmd.Stdin = resp.Body
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("tar: %v: %s", err, out)
	}
	if os.Getuid() == 0 {
		err := filepath.WalkDir(root, func(p string, _ fs.DirEntry, err error) error {
			return errors.Join(err, os.Lchown(p, nobody, nobody))
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// started is a program on its way.
type started struct {
	t      *testing.T
	cmd    *exec.Cmd
	mu     sync.Mutex
	stdout bytes.Buffer
	stderr bytes.Buffer
	ended  chan struct{}
}

// lockedWriter lets a test read what a program has written so far.
type lockedWriter struct {
	mu  *sync.Mutex
	buf *bytes.Buffer
}

func (w lockedWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.buf.Write(p)
}

func (h *host) start(env []string, name string, args ...string) *started {
	h.t.Helper()
	p := &started{t: h.t, ended: make(chan struct{})}
	p.cmd = exec.Command(filepath.Join(h.dir, name), args...)
	p.cmd.Dir, p.cmd.Env = h.dir, append(slices.Clone(h.env), env...)
	p.cmd.Stdout, p.cmd.Stderr = lockedWriter{&p.mu, &p.stdout}, lockedWriter{&p.mu, &p.stderr}
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	p.cmd.WaitDelay = 5 * time.Second
	if os.Getuid() == 0 {
		p.cmd.SysProcAttr.Credential = &syscall.Credential{Uid: nobody, Gid: nobody}
	}
	if err := p.cmd.Start(); err != nil {
		h.t.Fatal(err)
	}
	go func() {
		defer close(p.ended)
		// The code is read from the state.
		_ = p.cmd.Wait()
	}()
	h.t.Cleanup(func() {
		// The whole group: run.sh leaves its children behind.
		_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
		<-p.ended
	})
	return p
}

func (p *started) output() (stdout, stderr string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stdout.String(), p.stderr.String()
}

// end waits for the end and checks the code. A program ended by a signal has the code the shell gives it.
func (p *started) end(code int) (stdout, stderr string) {
	p.t.Helper()
	select {
	case <-p.ended:
	case <-time.After(patient):
		stdout, stderr = p.output()
		p.t.Fatalf("%s does not end:\n%s%s", p.cmd.Path, stdout, stderr)
	}
	stdout, stderr = p.output()
	got := p.cmd.ProcessState.ExitCode()
	if ws, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		got = 128 + int(ws.Signal())
	}
	if got != code {
		p.t.Errorf("%s ended with %d instead of %d:\n%s%s", p.cmd.Path, got, code, stdout, stderr)
	}
	return stdout, stderr
}

func (p *started) signal(s syscall.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Error(err)
	}
}

func (h *host) configure(extra ...string) {
	h.t.Helper()
	args := append([]string{
		"--unattended", "--url", h.s.URL() + "/octo-org/hello", "--name", "one", "--token",
		h.s.RegistrationToken("octo-org/hello"),
	}, extra...)
	h.start(nil, "config.sh", args...).end(0)
}

// listen starts the listener and waits until it listens.
func (h *host) listen(env ...string) *started {
	h.t.Helper()
	p := h.start(env, "bin/Runner.Listener", "run", "--startuptype", "service")
	h.waitListening(p)
	return p
}

func (h *host) waitListening(p *started) {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(h.t.Context(), patient)
	defer cancel()
	if err := h.s.WaitListening(ctx, "one"); err != nil {
		stdout, stderr := p.output()
		h.t.Fatalf("waiting for the listener: %v:\n%s%s", err, stdout, stderr)
	}
}

func (h *host) has(name string) bool {
	_, err := os.Lstat(filepath.Join(h.dir, name))
	return err == nil
}

func (h *host) write(name, content string) {
	h.t.Helper()
	file := filepath.Join(h.dir, name)
	if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
		h.t.Fatal(err)
	}
	if os.Getuid() == 0 {
		if err := os.Chown(file, nobody, nobody); err != nil {
			h.t.Fatal(err)
		}
	}
}

func (h *host) read(name string) string {
	h.t.Helper()
	raw, err := os.ReadFile(filepath.Join(h.dir, name))
	if err != nil {
		h.t.Fatal(err)
	}
	return string(raw)
}

// eventually waits for what a program on its way will do.
func (h *host) eventually(what string, done func() bool) {
	h.t.Helper()
	for end := time.Now().Add(patient); !done(); {
		if time.Now().After(end) {
			h.t.Fatalf("never: %s", what)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func (h *host) wait(j *githubtest.JobRun) string {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(h.t.Context(), patient)
	defer cancel()
	conclusion, err := j.Wait(ctx)
	if err != nil {
		h.t.Fatal(err)
	}
	return conclusion
}

func (h *host) waitStarted(j *githubtest.JobRun) {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(h.t.Context(), patient)
	defer cancel()
	if runner, err := j.WaitStarted(ctx); err != nil || runner != "one" {
		h.t.Fatalf("started by %q: %v", runner, err)
	}
}

func contains(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, p := range parts {
		if !strings.Contains(text, p) {
			t.Errorf("no %q in:\n%s", p, text)
		}
	}
}

func TestLifeOfARunner(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	h.write(".env", "KEPT=1\n")
	token := h.s.RegistrationToken("octo-org/hello")
	stdout, stderr := h.start([]string{"ACTIONS_RUNNER_INPUT_TOKEN=" + token, "JAVA_HOME=/java"}, "config.sh",
		"--unattended", "--url", h.s.URL()+"/octo-org/hello", "--name", "one", "--labels", "gpu, ,big", "--frobnicate",
	).end(0)
	at := 0
	for _, line := range []string{"√ Connected to GitHub", "√ Runner successfully added", "√ Settings Saved."} {
		next := strings.Index(stdout[at:], line)
		if next < 0 {
			t.Errorf("no %q in its place in:\n%s", line, stdout)
			continue
		}
		at += next
	}
	contains(t, stderr, "Unrecognized command-line input arguments: 'frobnicate'")
	checkFiles(t, h)
	checkRegistered(t, h)

	p := h.listen()
	if got := h.s.Runners("octo-org/hello")[0]; got.Status != "online" || got.Busy || got.Version != version {
		t.Errorf("listening as %+v", got)
	}
	checkJobs(t, h)
	p.signal(syscall.SIGINT)
	stdout, _ = p.end(0)
	contains(t, stdout, "√ Connected to GitHub", "Current runner version: '2.337.0'", "Z: Listening for Jobs",
		"Running job: good", "Job good completed with result: Succeeded", "Job bad completed with result: Failed",
		"Exiting...")
	if got := h.s.Runners("octo-org/hello")[0]; got.Status != "offline" {
		t.Errorf("stopped as %+v", got)
	}

	remove := h.s.RemoveToken("octo-org/hello")
	stdout, _ = h.start([]string{"ACTIONS_RUNNER_INPUT_TOKEN=" + remove}, "config.sh", "remove").end(0)
	contains(t, stdout, "√ Runner removed successfully", "√ Removed .credentials", "√ Removed .runner")
	if left := h.s.Runners(""); len(left) != 0 || h.has(".runner") || h.has(".credentials") || !h.has("svc.sh") {
		t.Errorf("left %v", left)
	}
	checkWitnesses(t, h, token, remove)
}

func checkFiles(t *testing.T, h *host) {
	t.Helper()
	for name, mode := range map[string]fs.FileMode{
		".runner": 0o644, ".credentials": 0o644, ".credentials_rsaparams": 0o600, "svc.sh": 0o755,
	} {
		info, err := os.Stat(filepath.Join(h.dir, name))
		if err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s: %v, %v", name, info, err)
		}
		if body := h.read(name); name != "svc.sh" && !strings.HasPrefix(body, "\xef\xbb\xbf{") {
			t.Errorf("%s has no byte order mark: %q", name, body)
		}
	}
	var settings map[string]any
	if err := json.Unmarshal([]byte(strings.TrimPrefix(h.read(".runner"), "\xef\xbb\xbf")), &settings); err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]any{
		"agentName": "one", "poolName": "Default", "workFolder": "_work", "useV2Flow": true, "isHostedServer": false,
		"gitHubUrl": h.s.URL() + "/octo-org/hello",
	} {
		if settings[key] != want {
			t.Errorf("%s is %v instead of %v", key, settings[key], want)
		}
	}
	if got := h.read(".env"); !strings.HasPrefix(got, "KEPT=1\n") || !strings.Contains(got, "JAVA_HOME=/java\n") {
		t.Errorf(".env %q", got)
	}
	if got := h.read(".path"); got != os.Getenv("PATH")+"\n" {
		t.Errorf(".path %q", got)
	}
}

func checkRegistered(t *testing.T, h *host) {
	t.Helper()
	all := h.s.Runners("octo-org/hello")
	if len(all) != 1 {
		t.Fatalf("runners %+v", all)
	}
	var labels []string
	for _, l := range all[0].Labels {
		labels = append(labels, l.Type+" "+l.Name)
	}
	if !slices.Contains(labels, "read-only self-hosted") || !slices.Contains(labels, "custom gpu") || len(labels) != 5 {
		t.Errorf("labels %q", labels)
	}
	if all[0].Status != "offline" || all[0].Version != "" {
		t.Errorf("registered as %+v", all[0])
	}
}

func checkJobs(t *testing.T, h *host) {
	t.Helper()
	good := h.s.QueueJob("one", githubtest.Job{Name: "good", Script: "pwd; echo $RUNNER_NAME $KEPT; echo oops >&2"})
	if got := h.wait(good); got != "succeeded" {
		t.Errorf("the good job %s:\n%s", got, good.Output())
	}
	contains(t, good.Output(), "/_work/hello\n", "one 1\n", "oops\n")
	bad := h.s.QueueJob("", githubtest.Job{Name: "bad", Script: "exit 3"})
	if got := h.wait(bad); got != "failed" {
		t.Errorf("the bad job %s:\n%s", got, bad.Output())
	}
}

func checkWitnesses(t *testing.T, h *host, secrets ...string) {
	t.Helper()
	var commands []string
	for _, w := range h.s.Witnesses() {
		commands = append(commands, w.Command)
		if os.Getuid() == 0 && (w.UID != nobody || w.GID != nobody) {
			t.Errorf("%s ran as %d:%d", w.Command, w.UID, w.GID)
		}
		if w.PID == 0 || w.Dir == "" || len(w.Environ) == 0 || w.Version != version {
			t.Errorf("witness %+v", w)
		}
		if w.Command == "worker" {
			if runtime.GOOS == "linux" && !strings.HasSuffix(w.ParentArgv[0], "bin/Runner.Listener") {
				t.Errorf("the worker's parent is %q", w.ParentArgv)
			}
			if !strings.HasSuffix(w.Argv[0], "bin/Runner.Worker") {
				t.Errorf("the worker is %q", w.Argv)
			}
		}
		for _, secret := range secrets {
			inArgs := strings.Contains(strings.Join(append(w.Argv, w.ParentArgv...), " "), secret)
			if inArgs {
				t.Errorf("%s has a secret among %q", w.Command, w.Argv)
			}
		}
	}
	if want := []string{"configure", "run", "worker", "worker", "remove"}; !slices.Equal(commands, want) {
		t.Errorf("witnesses %q", commands)
	}
}

func TestSelfUpdate(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	h.configure()
	// run.sh restarts the listener, as a service does.
	p := h.start(nil, "run.sh")
	h.waitListening(p)
	for i, next := range []string{"2.338.0", "2.339.0"} {
		h.write("config.sh", "#!/bin/sh\n# edited\n")
		running := h.s.QueueJob("one", githubtest.Job{Script: "sleep 0.2"})
		h.waitStarted(running)
		if err := h.s.Tell("one", githubtest.SelfUpdate{Version: next}); err != nil {
			t.Fatal(err)
		}
		if got := h.wait(running); got != "succeeded" {
			t.Errorf("the update did not wait for the job: %s", got)
		}
		h.eventually("update to "+next, func() bool {
			all := h.s.Runners("")
			return len(all) == 1 && all[0].Version == next && all[0].Status == "online"
		})
		target, err := os.Readlink(filepath.Join(h.dir, "bin"))
		if err != nil || target != filepath.Join(h.dir, "bin."+next) {
			t.Errorf("bin links to %q: %v", target, err)
		}
		if strings.Contains(h.read("config.sh"), "edited") {
			t.Error("config.sh was not replaced")
		}
		stdout, _ := h.start(nil, "bin/Runner.Listener", "--version").end(0)
		if strings.TrimSpace(stdout) != next {
			t.Errorf("--version says %q", stdout)
		}
		h.eventually("the log of the update", func() bool {
			logs, err := filepath.Glob(filepath.Join(h.dir, "_diag", "SelfUpdate-*.log.succeed"))
			return err == nil && len(logs) > 0
		})
		if i == 1 && (h.has("bin."+version) || !h.has("bin.2.338.0")) {
			t.Error("only the version just left is kept")
		}
	}
	if err := h.s.Tell("one", githubtest.ForgetRegistration{}); err != nil {
		t.Fatal(err)
	}
	stdout, _ := p.end(0)
	contains(t, stdout, "because of updating", "The runner no longer exists on the server", "Exiting runner...")
}

func TestUpdateExitCodes(t *testing.T) {
	for _, tc := range []struct {
		name  string
		extra []string
		code  int
	}{{"persistent", nil, 3}, {"ephemeral", []string{"--ephemeral"}, 4}} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			h := newHost(t)
			h.configure(tc.extra...)
			p := h.listen()
			if err := h.s.Tell("one", githubtest.SelfUpdate{Version: "2.338.0"}); err != nil {
				t.Fatal(err)
			}
			p.end(tc.code)
			h.eventually("the end of the update", func() bool { return h.has("update.finished") })
		})
	}
}

func TestConfigureFailures(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	h.s.AddRunner("octo-org/hello", githubtest.Runner{Name: "taken"})
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	good := h.s.RegistrationToken("octo-org/hello")
	url, dead := h.s.URL()+"/octo-org/hello", "http://"+closed.Addr().String()+"/octo-org/hello"
	for _, tc := range []struct {
		name           string
		args           []string
		stdout, stderr string
		leavesKey      bool
	}{
		{"no url", []string{"--unattended", "--token", good}, "", "Invalid configuration provided for url. Terminating unattended configuration.", false},
		{"no token", []string{"--unattended", "--url", url}, "", "Invalid configuration provided for token. Terminating unattended configuration.", false},
		{"nobody answers", []string{"--token", good}, "What is the URL", "no answer for url: EOF", false},
		{"bad token", []string{"--unattended", "--url", url, "--token", "bad"}, "", "Http response code: NotFound from 'POST " + h.s.URL() + "/api/v3/actions/runner-registration' (Request Id: ", false},
		{"bad token, last line", []string{"--unattended", "--url", url, "--token", "bad"}, "", "Response status code does not indicate success: 404 (Not Found).", false},
		{"token of another scope", []string{"--unattended", "--url", url, "--token", h.s.RegistrationToken("octo-org")}, "", "404 (Not Found)", false},
		{"remove token", []string{"--unattended", "--url", url, "--token", h.s.RemoveToken("octo-org/hello")}, "", "404 (Not Found)", false},
		{"refused connection", []string{"--unattended", "--url", dead, "--token", good}, "", "Connection refused (" + closed.Addr().String() + ")", false},
		{"unknown group", []string{"--unattended", "--url", url, "--token", good, "--runnergroup", "x"}, "", `Could not find any self-hosted runner group named "x".`, true},
		{"name taken", []string{"--unattended", "--url", url, "--token", good, "--name", "taken"}, "A runner exists with the same name\n", "A runner exists with the same name taken.", true},
		{"no labels at all", []string{"--unattended", "--url", url, "--token", good, "--name", "n", "--no-default-labels"}, "", "without specifying --labels is not supported", true},
		{"remove not first", []string{"--unattended", "remove"}, "", "Invalid configuration provided for url", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for _, name := range []string{".env", ".path", ".credentials_rsaparams"} {
				if err := os.RemoveAll(filepath.Join(h.dir, name)); err != nil {
					t.Fatal(err)
				}
			}
			stdout, stderr := h.start(nil, "config.sh", tc.args...).end(1)
			contains(t, stdout, tc.stdout)
			contains(t, stderr, tc.stderr)
			if h.has(".credentials_rsaparams") != tc.leavesKey || !h.has(".env") || !h.has(".path") || h.has(".runner") {
				t.Errorf("left .credentials_rsaparams: %v", h.has(".credentials_rsaparams"))
			}
		})
	}
	if got := h.s.Runners(""); len(got) != 1 {
		t.Errorf("runners %v", got)
	}
}

func TestConfigureRetries(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	args := func() []string {
		return []string{
			"--unattended", "--url", h.s.URL() + "/octo-org", "--name", "one", "--token", h.s.RegistrationToken("octo-org"),
		}
	}
	h.s.Fault(githubtest.Fault{Path: "/actions/runner-registration", Status: 503, Times: 3})
	_, stderr := h.start(nil, "config.sh", args()...).end(1)
	if n := strings.Count(stderr, "Http response code: ServiceUnavailable"); n != 3 {
		t.Errorf("%d tries:\n%s", n, stderr)
	}
	// The server registers and its answer is lost: the runner is there, nothing local is.
	h.s.ClearFaults()
	h.s.Fault(githubtest.Fault{Path: "/actions/runners/register", Times: 1, AfterEffect: true, CloseConnection: true})
	h.start(nil, "config.sh", args()...).end(1)
	if len(h.s.Runners("octo-org")) != 1 || h.has(".runner") {
		t.Error("there should be a registration, and nothing local")
	}
	key, id := h.read(".credentials_rsaparams"), h.s.Runners("octo-org")[0].ID
	stdout, _ := h.start(nil, "config.sh", append(args(), "--replace")...).end(0)
	contains(t, stdout, "√ Successfully replaced the runner")
	if got := h.s.Runners("octo-org"); len(got) != 1 || got[0].ID != id || h.read(".credentials_rsaparams") != key {
		t.Errorf("replaced %+v", got)
	}
	for _, name := range []string{".runner", ".runner_migrated"} {
		if name != ".runner" {
			if err := os.Rename(filepath.Join(h.dir, ".runner"), filepath.Join(h.dir, name)); err != nil {
				t.Fatal(err)
			}
		}
		_, stderr = h.start(nil, "config.sh", append(args(), "--replace")...).end(1)
		contains(t, stderr, "Cannot configure the runner because it is already configured.")
	}
}

func TestConfigureRefusesOldVersions(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	h.s.SetMinimumVersion("2.400.0")
	_, stderr := h.start(nil, "config.sh", "--unattended", "--url", h.s.URL()+"/octo-org", "--token",
		h.s.RegistrationToken("octo-org")).end(1)
	contains(t, stderr, "ERROR: Your runner version is out of date and can no longer register", "2.400.0")
}

func TestExpiredTokenIsRefused(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	token := h.s.RegistrationToken("octo-org")
	h.s.Advance(61 * time.Minute)
	_, stderr := h.start(nil, "config.sh", "--unattended", "--url", h.s.URL()+"/octo-org", "--token", token).end(1)
	contains(t, stderr, "404 (Not Found)")
}

func TestPATIsExchanged(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	env := []string{"ACTIONS_RUNNER_INPUT_PAT=" + h.s.Token(), "ACTIONS_RUNNER_INPUT_UNATTENDED=True"}
	h.start(env, "config.sh", "--url", h.s.URL()+"/enterprises/octo", "--name", "one").end(0)
	if got := h.s.Runners("enterprises/octo"); len(got) != 1 {
		t.Errorf("runners %v", got)
	}
	h.start(env, "config.sh", "remove").end(0)
	if got := h.s.Runners(""); len(got) != 0 {
		t.Errorf("runners %v", got)
	}
}

// TestRootIsRefused shows one side of the rule, by the account that runs it: root is refused, others are not.
func TestRootIsRefused(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	asMyself := func(env ...string) string {
		cmd := exec.CommandContext(t.Context(), filepath.Join(h.dir, "config.sh"), "--unattended")
		cmd.Env = append(slices.Clone(h.env), env...)
		out, err := cmd.CombinedOutput()
		if cmd.ProcessState.ExitCode() != 1 {
			t.Errorf("config.sh: %v: %s", err, out)
		}
		return string(out)
	}
	const past = "Invalid configuration provided for url"
	refused := asMyself()
	if os.Getuid() != 0 {
		contains(t, refused, past)
		return
	}
	if refused != "Must not run with sudo\n" || h.has(".path") {
		t.Errorf("refused with %q", refused)
	}
	contains(t, asMyself("RUNNER_ALLOW_RUNASROOT=1"), past)
}

func TestRemoveFailures(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	stdout, _ := h.start(nil, "config.sh", "remove").end(0)
	contains(t, stdout, "Skipping removing runner from the server.")
	h.configure()

	_, stderr := h.start(nil, "config.sh", "remove", "--token", h.s.RegistrationToken("octo-org/hello")).end(1)
	contains(t, stderr, "404 (Not Found)")
	_, stderr = h.start(nil, "config.sh", "remove").end(1)
	contains(t, stderr, "Invalid configuration provided for token")
	h.write(".service", "actions.runner.x.service\n")
	_, stderr = h.start(nil, "config.sh", "remove", "--token", h.s.RemoveToken("octo-org/hello")).end(1)
	contains(t, stderr, "Uninstall service first")
	if err := os.Remove(filepath.Join(h.dir, ".service")); err != nil {
		t.Fatal(err)
	}
	if !h.has(".runner") || len(h.s.Runners("")) != 1 {
		t.Error("a refused removal changed something")
	}
	h.s.DeleteRunner(h.s.Runners("")[0].ID)
	_, stderr = h.start(nil, "config.sh", "REMOVE", "--token", h.s.RemoveToken("octo-org/hello")).end(1)
	contains(t, stderr, "404 (Not Found)")
	if !h.has(".runner") {
		t.Error("the files stay when the server does not know the runner")
	}
	before := len(h.s.Requests())
	_, stderr = h.start(nil, "config.sh", "remove", "--local", "--unattended").end(0)
	contains(t, stderr, "'unattended'")
	if h.has(".runner") || h.has(".credentials") || len(h.s.Requests()) != before {
		t.Error("--local deletes the files and asks nobody")
	}
}

func TestListenerEndings(t *testing.T) {
	tell := func(d githubtest.Directive) func(*host, *started) {
		return func(h *host, _ *started) {
			if err := h.s.Tell("one", d); err != nil {
				h.t.Error(err)
			}
		}
	}
	for _, tc := range []struct {
		name       string
		env        []string
		act        func(h *host, p *started)
		code       int
		text       string
		configured bool
	}{
		{"INT", nil, func(_ *host, p *started) { p.signal(syscall.SIGINT) }, 0, "Exiting...", true},
		{"TERM", nil, func(_ *host, p *started) { p.signal(syscall.SIGTERM) }, 143, "Exiting...", true},
		{"told to exit", nil, tell(githubtest.Exit{Code: 42}), 42, "", true},
		{"deprecated", nil, tell(githubtest.Deprecate{}), 1, "Runner version v2.337.0 is deprecated and cannot receive messages.", true},
		{"deprecated with a code", []string{"ACTIONS_RUNNER_RETURN_VERSION_DEPRECATED_EXIT_CODE=1"}, tell(githubtest.Deprecate{}), 7, "deprecated", true},
		{"deleted on the server", nil, tell(githubtest.ForgetRegistration{}), 0, "The runner no longer exists on the server. Cleaning up local configuration.", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			h := newHost(t)
			h.configure()
			p := h.listen(tc.env...)
			tc.act(h, p)
			stdout, stderr := p.end(tc.code)
			contains(t, stdout+stderr, tc.text)
			if h.has(".runner") != tc.configured {
				t.Errorf(".runner is there: %v", h.has(".runner"))
			}
			logs, err := filepath.Glob(filepath.Join(h.dir, "_diag", "Runner_*.log"))
			if err != nil || len(logs) != 1 {
				t.Errorf("logs %v: %v", logs, err)
			}
		})
	}
}

func TestListenerStarts(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	_, stderr := h.start(nil, "bin/Runner.Listener", "run").end(1)
	contains(t, stderr, "Not configured")
	stdout, _ := h.start(nil, "run.sh").end(0)
	contains(t, stdout, "Exiting runner...")

	h.configure()
	h.write(".simulated-exit", "2\n5\n")
	for _, code := range []int{2, 5} {
		stdout, _ = h.start(nil, "bin/Runner.Listener", "run").end(code)
		contains(t, stdout, "Current runner version: '2.337.0'")
	}

	first := h.listen()
	_, stderr = h.start(nil, "bin/Runner.Listener", "run").end(5)
	contains(t, stderr, "A session for this runner already exists.")
	// A killed listener leaves its session behind, for as long as the server believes in it.
	first.signal(syscall.SIGKILL)
	first.end(137)
	h.start(nil, "bin/Runner.Listener", "run").end(5)
	h.s.DropSessions("one")
	second := h.listen()
	// A lost session alone is made good.
	h.s.DropSessions("one")
	h.waitListening(second)
	second.signal(syscall.SIGTERM)
	second.end(143)

	h.s.DeleteRunner(h.s.Runners("")[0].ID)
	_, stderr = h.start(nil, "bin/Runner.Listener", "run").end(1)
	contains(t, stderr, "Failed to create a session. The runner registration has been deleted from the server")
	if !h.has(".runner") {
		t.Error("the files stay")
	}
}

// .NET takes whom to trust from the environment that it starts with, and the runner loads .env after that.
func TestTrustIsReadAtTheStart(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	h.configure()
	h.write(".env", "SSL_CERT_FILE=/in/the/file\nCOLOUR=green\n")
	h.listen("SSL_CERT_FILE=/at/the/start")
	job := h.s.QueueJob("one", githubtest.Job{Script: "echo $SSL_CERT_FILE $COLOUR"})
	h.wait(job)
	contains(t, job.Output(), "/in/the/file green") // jobs have what .env says
}

// A listener says once that it has lost GitHub, and that it has it back.
func TestLostConnection(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	h.configure()
	p := h.listen()
	h.s.Fault(githubtest.Fault{Method: "GET", Path: "/_runner/broker/message", Status: 503, Times: 5})
	said := func() string {
		stdout, stderr := p.output()
		return stdout + stderr
	}
	h.eventually("it is connected again", func() bool { return strings.Contains(said(), "Z: Runner reconnected.\n") })
	p.signal(syscall.SIGINT)
	p.end(0)
	line := regexp.MustCompile(`(?m)^\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ: Runner connect error: .*503.*\. Retrying until reconnected\.$`)
	if n := len(line.FindAllString(said(), -1)); n != 1 {
		t.Errorf("it says %d times that it lost the connection:\n%s", n, said())
	}
}

// A session that is held elsewhere is named at each try, and what it is to the listener once.
func TestConflictThatPasses(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	h.configure()
	h.s.Fault(githubtest.Fault{Method: "POST", Path: "/_runner/broker/session", Status: 409, Times: 3})
	p := h.listen()
	p.signal(syscall.SIGINT)
	stdout, stderr := p.end(0)
	if n := strings.Count(stderr, "A session for this runner already exists.\n"); n != 3 {
		t.Errorf("it names the conflict %d times:\n%s", n, stderr)
	}
	if n := strings.Count(stderr, "Runner connect error: Error: Conflict. Retrying until reconnected.\n"); n != 1 {
		t.Errorf("it says %d times that it cannot connect:\n%s", n, stderr)
	}
	contains(t, stdout, "Runner reconnected.", "Listening for Jobs")
}

func TestListenerThatDiesAtOnce(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	h.configure()
	for text, want := range map[string]string{"137 No such thing": "No such thing\n", "137": ""} {
		stdout, stderr := h.start([]string{"SIMULATED_RUNNER_DEATH=" + text}, "bin/Runner.Listener", "run").end(137)
		if stdout != "" || stderr != want {
			t.Errorf("it said %q and %q, want %q alone", stdout, stderr, want)
		}
	}
}

func TestJobsAreCanceled(t *testing.T) {
	for _, tc := range []struct {
		name string
		act  func(h *host, p *started, j *githubtest.JobRun)
		code int
	}{
		{"by TERM", func(_ *host, p *started, _ *githubtest.JobRun) { p.signal(syscall.SIGTERM) }, 143},
		{"by INT", func(_ *host, p *started, _ *githubtest.JobRun) { p.signal(syscall.SIGINT) }, 0},
		{"by GitHub", func(h *host, p *started, j *githubtest.JobRun) {
			j.Cancel()
			h.wait(j)
			p.signal(syscall.SIGINT)
		}, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			h := newHost(t)
			h.configure()
			p := h.listen()
			j := h.s.QueueJob("one", githubtest.Job{Name: "long", Script: "echo begun >../begun; sleep 100"})
			h.eventually("the job begins", func() bool { return h.has("_work/begun") })
			if got := h.s.Runners("")[0]; !got.Busy {
				t.Errorf("working as %+v", got)
			}
			api{t: t, root: h.s.APIURL(), token: h.s.Token()}.want(422, "DELETE",
				fmt.Sprintf("/repos/octo-org/hello/actions/runners/%d", h.s.Runners("")[0].ID), nil)
			tc.act(h, p, j)
			stdout, _ := p.end(tc.code)
			contains(t, stdout, "Job long completed with result: Canceled")
			if got := h.wait(j); got != "canceled" {
				t.Errorf("the job %s", got)
			}
		})
	}
}

func TestJobOfAKilledListenerIsLost(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	h.configure()
	p := h.listen()
	j := h.s.QueueJob("one", githubtest.Job{Script: "echo $$ >../pid; sleep 100"})
	h.eventually("the job begins", func() bool { return h.has("_work/pid") && h.read("_work/pid") != "" })
	p.signal(syscall.SIGKILL)
	if got := h.wait(j); got != "lost" {
		t.Errorf("the job %s", got)
	}
	var pid int
	if _, err := fmt.Sscan(h.read("_work/pid"), &pid); err != nil {
		t.Fatal(err)
	}
	// The worker sees that its listener is gone and ends the script.
	h.eventually("the script ends", func() bool { return errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) })
}

func TestEphemeral(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	h.configure("--ephemeral")
	p := h.listen()
	if got := h.wait(h.s.QueueJob("one", githubtest.Job{Script: "true"})); got != "succeeded" {
		t.Errorf("the job %s", got)
	}
	p.end(0)
	if h.has(".runner") || h.has(".credentials") || h.has(".credentials_rsaparams") || len(h.s.Runners("")) != 0 {
		t.Error("an ephemeral runner leaves nothing")
	}
}

func TestJIT(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	made := api{t: t, root: h.s.URL() + "/api/v3", token: h.s.Token()}.want(201, "POST",
		"/orgs/octo-org/actions/runners/generate-jitconfig",
		map[string]any{"name": "one", "runner_group_id": 1, "labels": []string{"self-hosted"}})
	blob := fmt.Sprint(made.body["encoded_jit_config"])
	p := h.start([]string{"ACTIONS_RUNNER_INPUT_JITCONFIG=" + blob}, "run.sh")
	h.waitListening(p)
	if body := h.read(".runner"); !strings.HasPrefix(body, "{") || !strings.Contains(body, `"Ephemeral":"True"`) {
		t.Errorf(".runner %q", body)
	}
	job := h.s.QueueJob("one", githubtest.Job{Script: `echo "input=$ACTIONS_RUNNER_INPUT_JITCONFIG."`})
	if got := h.wait(job); got != "succeeded" || job.Output() != "input=.\n" {
		t.Errorf("the job %s: %s", got, job.Output())
	}
	p.end(0)
	if h.has(".runner") || len(h.s.Runners("")) != 0 {
		t.Error("a JIT runner leaves nothing")
	}
}

func TestHooks(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	h.configure()
	h.write("before", "echo before\n")
	h.write("after", "echo after; exit 1\n")
	h.write(".env", "ACTIONS_RUNNER_HOOK_JOB_STARTED="+h.dir+"/before\nACTIONS_RUNNER_HOOK_JOB_COMPLETED="+h.dir+"/after\n")
	p := h.listen()
	job := h.s.QueueJob("one", githubtest.Job{Script: "echo job"})
	if got := h.wait(job); got != "failed" || !strings.HasPrefix(job.Output(), "before\njob\nafter\n") {
		t.Errorf("the job %s: %s", got, job.Output())
	}
	p.signal(syscall.SIGINT)
	p.end(0)
}

func TestSignalsReachTheListenerThroughRunSh(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	h.configure()
	p := h.start([]string{"RUNNER_MANUALLY_TRAP_SIG=1"}, "run.sh")
	h.waitListening(p)
	p.signal(syscall.SIGTERM)
	stdout, _ := p.end(143)
	contains(t, stdout, "Exiting...")
	if got := h.s.Runners("")[0]; got.Status != "offline" {
		t.Errorf("the listener lives on as %+v", got)
	}
}

func TestServicesOnAllAddressesAreReachable(t *testing.T) {
	all, err := net.Listen("tcp4", "0.0.0.0:0")
	if err != nil {
		t.Fatal(err)
	}
	s := start(t, githubtest.Config{API: all, Archive: small(t, "linux-x64", version)})
	if !strings.HasPrefix(s.URL(), "http://127.0.0.1:") {
		t.Errorf("address %s", s.URL())
	}
	api{t: t, root: s.URL() + "/api/v3"}.want(200, "GET", "/meta", nil)
}
