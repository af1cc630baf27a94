package life

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/download"
	"github.com/runner-bootstrap/runner-bootstrap/internal/githubtest"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
)

const (
	oldVersion = "2.337.0"
	newVersion = "2.338.0"
	// jobAccount runs the jobs when the tests run as root: every system has it.
	jobAccount   = "nobody"
	organization = "octo-org"
	runnerName   = "web-1"

	// atOnce is how many hosts live at a time: most of them wait for something.
	atOnce   = 6
	pollEach = 20 * time.Millisecond
	// patience is for what a host does without waiting for anything; the race detector and a busy host make it long.
	patience = 30 * time.Second
)

// built is what all tests have in common: the program, and the archives that the simulated GitHub offers.
type built struct {
	program  string
	archives map[string]*githubtest.Archive
	err      error
}

var (
	buildOnce sync.Once
	theBuild  built
	buildDir  string
)

func TestMain(m *testing.M) {
	flag.Parse()
	if n, err := strconv.Atoi(flag.Lookup("test.parallel").Value.String()); err == nil && n < atOnce {
		_ = flag.Set("test.parallel", strconv.Itoa(atOnce)) // a number it is
	}
	if code, done := inOwnMounts(); done {
		os.Exit(code)
	}
	code := m.Run()
	if buildDir != "" {
		_ = os.RemoveAll(buildDir)
	}
	os.Exit(code)
}

// build compiles the program and the simulated runner, once for all tests.
func build(t *testing.T) built {
	t.Helper()
	buildOnce.Do(func() { theBuild.err = theBuild.make() })
	if theBuild.err != nil {
		t.Fatal(theBuild.err)
	}
	return theBuild
}

func (b *built) make() error {
	ctx, cancel := context.WithTimeout(context.Background(), 8*time.Minute)
	defer cancel()
	var err error
	if buildDir, err = os.MkdirTemp("", "life-"); err != nil {
		return err
	}
	b.program = filepath.Join(buildDir, "runner-bootstrap")
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-o", b.program,
		"github.com/runner-bootstrap/runner-bootstrap/cmd/runner-bootstrap")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if text, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("compiling the program: %w: %s", err, text)
	}
	listener, err := githubtest.BuildListener(ctx, buildDir, runtime.GOOS, runtime.GOARCH)
	if err != nil {
		return err
	}
	platform, err := download.Host()
	if err != nil {
		return err
	}
	b.archives = map[string]*githubtest.Archive{}
	for _, version := range []string{oldVersion, newVersion} {
		spec := githubtest.ArchiveSpec{Platform: platform.String(), Version: version, Listener: listener}
		if b.archives[version], err = githubtest.NewArchive(spec); err != nil {
			return err
		}
	}
	return nil
}

// host is one host with one runner, and its GitHub.
type host struct {
	t *testing.T
	built
	base, dir string
	theirs    string // a folder of somebody else's, if there is one
	token     string // the file that the credential is in
	server    *githubtest.Server
	store     *instance.Store
	begun     time.Time
}

func newHost(t *testing.T) *host {
	t.Helper()
	h := &host{t: t, built: build(t), base: t.TempDir(), begun: time.Now()}
	// The account must be able to enter the folders above its runner.
	for dir := h.base; os.Geteuid() == 0 && len(dir) > len(os.TempDir()); dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	var err error
	if h.server, err = githubtest.Start(githubtest.Config{Archive: h.archives[oldVersion]}); err != nil {
		t.Fatal(err)
	}
	h.dir, h.token = filepath.Join(h.base, "rb"), filepath.Join(h.base, "token")
	h.store = instance.NewStore(instance.DefaultPaths(h.dir).State)
	if err := os.WriteFile(h.token, []byte(h.server.Token()+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		h.endAll()
		if t.Failed() {
			t.Logf("log:\n%s", h.tail())
		}
		for _, problem := range h.server.Problems() {
			t.Errorf("GitHub: %v", problem)
		}
		if err := h.server.Close(); err != nil {
			t.Error(err)
		}
	})
	return h
}

// root is the folder of the runner.
func (h *host) root() string { return instance.DefaultPaths(h.dir).Root(runnerName) }

// command is one call of the program.
type command struct {
	*exec.Cmd
	over chan struct{}
}

// start calls the program and does not wait for its end. Everything it says goes to the log.
func (h *host) start(args ...string) (*command, error) {
	log, err := os.OpenFile(filepath.Join(h.base, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	fmt.Fprintf(log, "%s $ %s\n", time.Now().UTC().Format(time.RFC3339Nano), strings.Join(args, " "))
	c := &command{Cmd: exec.Command(h.program, append(slices.Clone(args), "--dir", h.dir)...), over: make(chan struct{})}
	c.Env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + filepath.Join(h.base, "home"), "TMPDIR=" + os.TempDir(),
		"RUNNER_BOOTSTRAP_PREEMPTION=off", "RUNNER_BOOTSTRAP_LOG_FORMAT=text",
	}
	if slices.Contains(args, "-") {
		c.Stdin = strings.NewReader(h.server.Token())
	}
	c.Stdout, c.Stderr = log, log
	if err := c.Start(); err != nil {
		return nil, err
	}
	go func() {
		defer close(c.over)
		_ = c.Wait() // how it ended is read from its state
	}()
	return c, nil
}

// code waits for the end of a call: its exit code, -1 for a signal.
func (c *command) code(within time.Duration) (int, error) {
	select {
	case <-c.over:
		return c.ProcessState.ExitCode(), nil
	case <-time.After(within):
		return 0, fmt.Errorf("%q did not end within %v", c.Args[1:], within)
	}
}

// call runs the program to its end and returns its exit code.
func (h *host) call(args ...string) int {
	h.t.Helper()
	c, err := h.start(args...)
	if err != nil {
		h.t.Fatal(err)
	}
	code, err := c.code(patience)
	if err != nil {
		h.t.Fatal(err)
	}
	return code
}

// installWords is how a runner is installed; more are further options.
func (h *host) installWords(more ...string) []string {
	words := []string{"install", "--no-service", "--name", runnerName, "--url", h.server.URL() + "/" + organization}
	if os.Geteuid() == 0 {
		words = append(words, "--user", jobAccount)
	}
	return append(words, more...)
}

func (h *host) install(more ...string) {
	h.t.Helper()
	if code := h.call(h.installWords(more...)...); code != 0 {
		h.t.Fatalf("install %q: exit code %d", more, code)
	}
}

// run starts the supervisor.
func (h *host) run() *command {
	h.t.Helper()
	c, err := h.start("run", "--name", runnerName)
	if err != nil {
		h.t.Fatal(err)
	}
	return c
}

func (h *host) log() string {
	text, err := os.ReadFile(filepath.Join(h.base, "log"))
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// tail is the end of the log.
func (h *host) tail() string {
	lines := strings.Split(h.log(), "\n")
	return strings.Join(lines[max(0, len(lines)-60):], "\n")
}

func (h *host) report() instance.Report {
	report, err := h.store.LoadReport(runnerName)
	if err != nil {
		return instance.Report{Reason: err.Error()}
	}
	return report
}

// atGitHub are the runners at GitHub, all of which are ours, but for the neighbour.
func (h *host) atGitHub() []githubtest.Runner {
	return slices.DeleteFunc(h.server.Runners(""), func(r githubtest.Runner) bool { return r.Name == neighbour })
}

// listed are their ids.
func (h *host) listed() []int64 {
	var ids []int64
	for _, runner := range h.atGitHub() {
		ids = append(ids, runner.ID)
	}
	return ids
}

// eventually polls until what is so; what it returned last is told otherwise.
func (h *host) eventually(within time.Duration, what string, ask func() error) {
	h.t.Helper()
	if err := poll(within, ask); err != nil {
		h.t.Fatalf("%s: %v\nreport: %+v", what, err, h.report())
	}
}

func poll(within time.Duration, ask func() error) error {
	for deadline := time.Now().Add(within); ; time.Sleep(pollEach) {
		err := ask()
		if err == nil || time.Now().After(deadline) {
			return err
		}
	}
}

// comesUp waits until the listener is idle in its nth start, and GitHub sees it.
func (h *host) comesUp(starts int, within time.Duration) {
	h.t.Helper()
	h.eventually(within, fmt.Sprintf("the listener does not come up in start %d", starts), func() error {
		if r := h.report(); r.State != instance.Idle || r.Starts != starts {
			return fmt.Errorf("state %s, starts %d", r.State, r.Starts)
		}
		return nil
	})
	ctx, cancel := context.WithTimeout(h.t.Context(), patience)
	defer cancel()
	if err := h.server.WaitListening(ctx, runnerName); err != nil {
		h.t.Fatal(err)
	}
}

// jobUID is who jobs run as.
func (h *host) jobUser() (uid, gid int) {
	if os.Geteuid() != 0 {
		return os.Geteuid(), os.Getegid()
	}
	account, err := user.Lookup(jobAccount)
	if err != nil {
		h.t.Fatal(err)
	}
	uid, _ = strconv.Atoi(account.Uid)
	gid, _ = strconv.Atoi(account.Gid)
	return uid, gid
}

// put writes a file into the runner's folder that belongs to the account.
func (h *host) put(name, text string) {
	h.t.Helper()
	path := filepath.Join(h.root(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		h.t.Fatal(err)
	}
	uid, gid := h.jobUser()
	if err := os.Chown(path, uid, gid); err != nil {
		h.t.Fatal(err)
	}
}

// process is one that belongs to the host: it was started from its folder, for it, or works in it.
type process struct {
	pid, parent int
	uid         uint32
	argv        []string
}

// inRoom tells whether it runs as one of the accounts that config.sh is given for as long as it runs.
func (p process) inRoom() bool { return p.uid >= 60706 && p.uid <= 61183 }

// holdsLife tells whether a process is the first one of a life.
func holdsLife(pid int) bool {
	name, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
	return err == nil && strings.HasPrefix(string(name), "runner-bootstr")
}

// is tells what program it is and the first word of what it was told.
func (p process) is(program, verb string) bool {
	return len(p.argv) > 1 && filepath.Base(p.argv[0]) == program && p.argv[1] == verb
}

func (p process) String() string { return fmt.Sprintf("%d (parent %d) %q", p.pid, p.parent, p.argv) }

// processes are all of the host's, but those that have ended.
func (h *host) processes() []process {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		h.t.Error(err)
		return nil
	}
	var found []process
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil || pid == os.Getpid() {
			continue
		}
		p, ours := look(pid, h.dir)
		if ours {
			found = append(found, p)
		}
	}
	return found
}

// look reads one process; it may end meanwhile, and is none of ours then.
func look(pid int, dir string) (process, bool) {
	folder := filepath.Join("/proc", strconv.Itoa(pid))
	raw, err := os.ReadFile(filepath.Join(folder, "cmdline"))
	if err != nil {
		return process{}, false
	}
	p := process{pid: pid, argv: strings.Split(strings.TrimRight(string(raw), "\x00"), "\x00")}
	ours := slices.ContainsFunc(p.argv, func(word string) bool { return word == dir || strings.Contains(word, dir+"/") })
	if cwd, err := os.Readlink(filepath.Join(folder, "cwd")); err == nil && (cwd == dir || strings.HasPrefix(cwd, dir+"/")) {
		ours = true
	}
	raw, err = os.ReadFile(filepath.Join(folder, "stat"))
	if err != nil || !ours {
		return process{}, false
	}
	fields := strings.Fields(string(raw[bytes.LastIndexByte(raw, ')')+1:]))
	p.parent, _ = strconv.Atoi(fields[1])
	if info, err := os.Stat(folder); err == nil {
		p.uid = info.Sys().(*syscall.Stat_t).Uid
	}
	return p, fields[0] != "Z" && fields[0] != "X"
}

// that gives the host's processes of a kind.
func (h *host) that(kind func(process) bool) []process {
	var found []process
	for _, p := range h.processes() {
		if kind(p) {
			found = append(found, p)
		}
	}
	return found
}

// startedBy tells whether p was started by that process, be it by way of the first process of a life.
func (p process) startedBy(pid int) bool {
	if p.parent == pid {
		return true
	}
	between, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.parent))
	fields := strings.Fields(string(between[bytes.LastIndexByte(between, ')')+1:]))
	return err == nil && len(fields) > 1 && fields[1] == strconv.Itoa(pid)
}

func isListener(p process) bool   { return p.is("Runner.Listener", "run") }
func isSupervisor(p process) bool { return p.is("runner-bootstrap", "run") }

// noneLeft waits until no process of the host is left.
func (h *host) noneLeft(within time.Duration) error {
	return poll(within, func() error {
		if left := h.processes(); len(left) > 0 {
			return fmt.Errorf("processes are left: %v", left)
		}
		return nil
	})
}

// endAll kills what a failed test has left, each by its number.
func (h *host) endAll() {
	err := poll(10*time.Second, func() error {
		left := h.processes()
		for _, p := range left {
			_ = syscall.Kill(p.pid, syscall.SIGKILL)
		}
		if len(left) > 0 {
			return fmt.Errorf("left: %v", left)
		}
		return nil
	})
	if err != nil {
		h.t.Error(err)
	}
}

// job runs a script and returns how it ended.
func (h *host) job(script string, within time.Duration) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	return h.server.QueueJob(runnerName, githubtest.Job{Script: script}).Wait(ctx)
}

// stops asks the supervisor to end, and checks that it does so in seconds, well, and with all that it has started.
func (h *host) stops(run *command) {
	h.t.Helper()
	h.stopsAndLeaves(run, time.Second)
}

// stopsAndLeaves is stops where something has some time more.
func (h *host) stopsAndLeaves(run *command, left time.Duration) {
	h.t.Helper()
	if err := run.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		h.t.Fatal(err)
	}
	code, err := run.code(4 * time.Second)
	switch {
	case err != nil:
		h.t.Fatal(err)
	case code != 0:
		h.t.Errorf("after SIGTERM the supervisor ended with %d", code)
	}
	if err := h.noneLeft(left); err != nil {
		h.t.Errorf("after the supervisor ended: %v", err)
	}
	if state := h.report().State; state != instance.Ended {
		h.t.Errorf("after the supervisor ended the state is %q", state)
	}
}
