//go:build unix

package supervise

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/account"
	"github.com/runner-bootstrap/runner-bootstrap/internal/githubtest"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/jail"
	"github.com/runner-bootstrap/runner-bootstrap/internal/register"
	"github.com/runner-bootstrap/runner-bootstrap/internal/removal"
	"github.com/runner-bootstrap/runner-bootstrap/internal/retry"
	"github.com/runner-bootstrap/runner-bootstrap/internal/secret"
)

// archive is a simulated runner, made once.
var archive string

const (
	// ours is a secret of this process's that no child may have.
	ours = "s3cr3t-of-ours"
	// superviseRoot makes a copy of the test program supervise that runner.
	superviseRoot = "SUPERVISE_TEST_ROOT"
	patience      = 40 * time.Second
	slug          = "octo-org"
)

func TestMain(m *testing.M) {
	if code, first := jail.First(os.Args); first {
		os.Exit(code)
	}
	if root := os.Getenv(superviseRoot); root != "" {
		if _, err := Run(context.Background(), config(root, quiet())); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	oneLifeAtATime()
	os.Exit(withArchive(m))
}

// oneLifeAtATime keeps tests from each other without root: the end of a life there is that of all descendants of its
// process, which has one life in the program, and many in a test.
func oneLifeAtATime() {
	flag.Parse()
	if os.Geteuid() != 0 {
		_ = flag.Set("test.parallel", "1") // a number it is
	}
}

func withArchive(m *testing.M) int {
	dir, err := os.MkdirTemp("", "supervise")
	if err == nil {
		defer os.RemoveAll(dir)
		err = makeArchive(dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

func makeArchive(dir string) error {
	if err := os.Setenv("RUNNER_BOOTSTRAP_TOKEN", ours); err != nil {
		return err
	}
	var err error
	archive, err = githubtest.BuildRunner(context.Background(), dir, "2.337.0")
	return err
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// user is whom runners belong to: nobody, where root runs the tests.
func user() account.User {
	if os.Geteuid() == 0 {
		return account.User{Name: "nobody", UID: 65534, GID: 65534, Groups: []int{65534}, Home: "/nonexistent"}
	}
	us, err := account.Lookup("")
	if err != nil {
		panic(err)
	}
	return us
}

func config(root string, log *slog.Logger) Config {
	lives := filepath.Join(filepath.Dir(root), "lives")
	maker, err := jail.Choose(context.Background(), jail.Options{Folder: lives, Log: log})
	if err != nil {
		panic(err)
	}
	return Config{
		Jail: maker, Life: jail.Spec{Name: "listener.web-1", View: jail.View{Confined: true, Writable: []string{root}, HostTemp: true}},
		Root: root, User: user(), Kept: kept(root), StopTimeout: patience, Log: log, Report: func(Change) {},
		Backoff: Backoff{Backoff: retry.Backoff{First: 5 * time.Millisecond, Most: 20 * time.Millisecond}, Healthy: time.Hour, Conflict: 50 * time.Millisecond, Update: patience},
	}
}

// kept is the registration of the runner in root, as it is kept beside it.
func kept(root string) register.Kept {
	return register.KeptOf(stateOf(root), instance.Record{Name: "web-1", Dir: root})
}

func stateOf(root string) *instance.Store {
	return instance.NewStore(filepath.Join(filepath.Dir(root), "state"))
}

// keep keeps a registration of the runner in root.
func keep(t *testing.T, root, settings string) {
	t.Helper()
	files := map[string][]byte{".runner": []byte(settings), ".credentials": []byte("{}")}
	if err := instance.KeptRegistration(stateOf(root), "web-1").Keep(files); err != nil {
		t.Fatal(err)
	}
}

// place is a directory that every account reaches.
func place(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, d := range []string{dir, filepath.Dir(dir)} {
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// own gives everything below root to the runner's account.
func own(t *testing.T, root string) {
	t.Helper()
	owner := user()
	err := filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error { return errors.Join(err, owner.Own(path)) })
	if err != nil {
		t.Fatal(err)
	}
}

// world is a runner that is registered at a simulated GitHub.
type world struct {
	*githubtest.Server
	root string
	id   int64
}

func newWorld(t *testing.T, ephemeral bool) *world {
	t.Helper()
	return newWorldAt(t, githubtest.Config{}, nil, ephemeral)
}

func newWorldAt(t *testing.T, at githubtest.Config, environment []string, ephemeral bool) *world {
	t.Helper()
	root := filepath.Join(place(t), "web-1")
	if err := os.Mkdir(root, 0o755); err != nil {
		t.Fatal(err)
	}
	if text, err := exec.CommandContext(t.Context(), "tar", "--no-same-owner", "-xzf", archive, "-C", root).CombinedOutput(); err != nil {
		t.Fatalf("tar: %v: %s", err, text)
	}
	own(t, root)
	server, err := githubtest.Start(at)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, problem := range server.Problems() {
			t.Errorf("problem: %v", problem)
		}
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	record := instance.Record{Name: "web-1", Dir: root, ScopeURL: server.URL() + "/" + slug, APIURL: server.APIURL()}
	copies := register.Copies{Folders: []string{filepath.Join(filepath.Dir(root), "rooms")}, Discard: func(_ context.Context, dir string) error { return removal.Path(dir) }, Place: func(ctx context.Context, dir string) error {
		return errors.Join(os.Mkdir(dir, 0o755), exec.CommandContext(ctx, "tar", "--no-same-owner", "-xzf", archive, "-C", dir).Run())
	}}
	room := register.NewRoom(stateOf(root), record, copies, environment, quiet())
	settings, err := room.Join(t.Context(), register.KeptOf(stateOf(root), record), instance.Identity{Ephemeral: ephemeral}, false,
		secret.New(server.RegistrationToken(slug)), nil)
	if err != nil {
		t.Fatal(err)
	}
	return &world{Server: server, root: root, id: settings.ID}
}

// run is one Run, and what it has reported so far.
type run struct {
	t      *testing.T
	cancel context.CancelFunc
	ended  chan error
	err    error
	done   bool

	mu   sync.Mutex
	all  []Change
	more chan struct{}
}

// supervise starts Run. It is stopped at the end of the test.
func supervise(t *testing.T, c Config) *run {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	r := &run{t: t, cancel: cancel, ended: make(chan error, 1), more: make(chan struct{}, 1)}
	c.Report = func(now Change) {
		r.mu.Lock()
		r.all = append(r.all, now)
		r.mu.Unlock()
		select {
		case r.more <- struct{}{}:
		default:
		}
	}
	go func() {
		_, err := Run(ctx, c)
		r.ended <- err
	}()
	t.Cleanup(func() { r.stop() })
	return r
}

// wait returns what Run returned, once it has.
func (r *run) wait() error {
	r.t.Helper()
	if !r.done {
		select {
		case r.err = <-r.ended:
			r.done = true
		case <-time.After(patience):
			r.t.Fatalf("it goes on: %+v", r.changes())
		}
	}
	return r.err
}

func (r *run) stop() error {
	r.t.Helper()
	r.cancel()
	return r.wait()
}

func (r *run) changes() []Change {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.all)
}

// until waits for a change that fits.
func (r *run) until(what string, fits func(Change) bool) Change {
	r.t.Helper()
	limit := time.After(patience)
	for {
		all := r.changes()
		if at := slices.IndexFunc(all, fits); at >= 0 {
			return all[at]
		}
		select {
		case <-r.more:
		case err := <-r.ended:
			r.ended <- err
			r.t.Fatalf("it ended before %s: %v, %+v", what, err, all)
		case <-limit:
			r.t.Fatalf("no %s in %+v", what, all)
		}
	}
}

func (r *run) listening() Change {
	r.t.Helper()
	return r.until("listening", func(c Change) bool { return c.State == Idle })
}

// states are the states in their order, once each in a row.
func (r *run) states() []State {
	var all []State
	for _, c := range r.changes() {
		all = append(all, c.State)
	}
	return slices.Compact(all)
}

// reasons are why it waited, in their order.
func (r *run) reasons(state State) []string {
	var all []string
	for _, c := range r.changes() {
		if c.State == state {
			all = append(all, c.Reason)
		}
	}
	return all
}

func (r *run) last() Change {
	all := r.changes()
	return all[len(all)-1]
}

// gone fails unless a process has ended; one that is being buried has.
func gone(t *testing.T, pid int) {
	t.Helper()
	if pid <= 1 {
		t.Fatalf("process %d?", pid)
	}
	for begun := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		if err := syscall.Kill(pid, 0); errors.Is(err, syscall.ESRCH) {
			return
		}
		stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
		if _, after, _ := strings.Cut(string(stat), ") "); err == nil && strings.HasPrefix(after, "Z") {
			return
		}
		if time.Since(begun) > patience {
			_ = syscall.Kill(pid, syscall.SIGKILL)
			t.Fatalf("process %d lives", pid)
		}
	}
}

// listenerPID is the process of the latest listener.
func (w *world) listenerPID(t *testing.T) int {
	t.Helper()
	for _, one := range slices.Backward(w.Witnesses()) {
		if one.Command == "run" {
			return onHost(t, w.root, one.PID)
		}
	}
	t.Fatal("no listener said anything")
	return 0
}

func TestRunUntilItIsStopped(t *testing.T) {
	t.Parallel()
	w := newWorld(t, false)
	write(t, filepath.Join(w.root, ".path"), "/opt/tools/bin:/usr/bin:/bin\n")
	write(t, filepath.Join(w.root, ".runner"), "what a job has made of it")
	r := supervise(t, config(w.root, quiet()))
	if now := r.listening(); now.Version != "2.337.0" || now.Starts != 1 || now.ExitCode != nil || now.Job != "" {
		t.Errorf("listening it is %+v", now)
	}
	if err := w.WaitListening(t.Context(), "web-1"); err != nil {
		t.Fatal(err)
	}
	pid := w.listenerPID(t)
	if err := r.stop(); err != nil {
		t.Errorf("stopped it is %v", err)
	}
	if now := r.last(); now.State != Ended || now.Outcome != Stopped || now.Reason != Stopped.Sentence() || now.ExitCode == nil || *now.ExitCode != 0 {
		t.Errorf("stopped it is %+v", now)
	}
	if want := []State{Starting, Idle, Ended}; !slices.Equal(r.states(), want) {
		t.Errorf("states were %q, want %q", r.states(), want)
	}
	gone(t, pid)
	if listed := w.Runners(slug); len(listed) != 1 || listed[0].Status != "offline" {
		t.Errorf("GitHub lists %+v: its session was not closed", listed)
	}
	holdsNothingOfOurs(t, w)
}

// holdsNothingOfOurs looks at how the listener was started.
func holdsNothingOfOurs(t *testing.T, w *world) {
	t.Helper()
	all := w.Witnesses()
	one := all[len(all)-1]
	if want := []string{"run", "--startuptype", "service"}; one.Command != "run" || !slices.Equal(one.Argv[1:], want) || one.Dir != w.root {
		t.Errorf("%s was started as %q in %s", one.Command, one.Argv, one.Dir)
	}
	if u := user(); one.UID != u.UID || one.GID != u.GID || !u.Self && !slices.Equal(one.GIDs, u.Groups) {
		t.Errorf("it ran as %d:%d %v", one.UID, one.GID, one.GIDs)
	}
	want := map[string]bool{
		"PATH=/opt/tools/bin:/usr/bin:/bin": true, "ACTIONS_RUNNER_RETURN_VERSION_DEPRECATED_EXIT_CODE=1": true, "LANG=C.UTF-8": true,
		"USER=" + user().Name: true, "LOGNAME=" + user().Name: true,
	}
	for _, variable := range one.Environ {
		if !want[variable] && !strings.HasPrefix(variable, "HOME=") {
			t.Errorf("it has %s", variable)
		}
		delete(want, variable)
	}
	for variable := range want {
		t.Errorf("it lacks %s", variable)
	}
}

func TestEveryExitCode(t *testing.T) {
	t.Parallel()
	w := newWorld(t, false)
	write(t, filepath.Join(w.root, ".simulated-exit"), "2\n0\n1\n5\n6\n99\n")
	own(t, filepath.Join(w.root, ".simulated-exit"))
	r := supervise(t, config(w.root, quiet()))
	now := r.listening()
	if now.Starts != 7 || now.ExitCode == nil || *now.ExitCode != 99 || now.Reason != "" {
		t.Errorf("in the end it is %+v", now)
	}
	want := []string{reasons(2), reasons(0), reasons(1), "another session of this runner exists", reasons(6), reasons(99)}
	if got := r.reasons(Failing); !slices.Equal(got, want) {
		t.Errorf("it waited for %q, want %q", got, want)
	}
	var codes []int
	for _, c := range r.changes() {
		if c.State == Failing {
			codes = append(codes, *c.ExitCode)
		}
	}
	if want := []int{2, 0, 1, 5, 6, 99}; !slices.Equal(codes, want) {
		t.Errorf("the codes were %v, want %v", codes, want)
	}
}

func TestFatalExitCode(t *testing.T) {
	t.Parallel()
	w := newWorld(t, false)
	write(t, filepath.Join(w.root, ".simulated-exit"), "2\n7\n")
	own(t, filepath.Join(w.root, ".simulated-exit"))
	r := supervise(t, config(w.root, quiet()))
	if err := r.wait(); !errors.Is(err, ErrVersionRefused) || !strings.Contains(err.Error(), `supervising runner "web-1"`) {
		t.Errorf("%v, want ErrVersionRefused", err)
	}
	if now := r.last(); now.State != Ended || now.Reason != ErrVersionRefused.Error() || now.Starts != 2 || *now.ExitCode != 7 {
		t.Errorf("in the end it is %+v", now)
	}
}

// A code of an update that does not end is waited for, and no longer than it may take.
func TestUpdateThatNeverComes(t *testing.T) {
	t.Parallel()
	w := newWorld(t, false)
	write(t, filepath.Join(w.root, ".simulated-exit"), "3+5\n4+5\n")
	own(t, filepath.Join(w.root, ".simulated-exit"))
	write(t, filepath.Join(w.root, updateFlag), "of an earlier one")
	c := config(w.root, quiet())
	c.Backoff.Update = 150 * time.Millisecond
	began := time.Now()
	r := supervise(t, c)
	if now := r.listening(); now.Starts != 3 || time.Since(began) < 2*c.Backoff.Update {
		t.Errorf("after %v it is %+v", time.Since(began), now)
	}
	if want := []State{Starting, Updating, Starting, Updating, Starting, Idle}; !slices.Equal(r.states(), want) {
		t.Errorf("states were %q, want %q", r.states(), want)
	}
}

func TestSelfUpdate(t *testing.T) {
	t.Parallel()
	w := newWorld(t, false)
	r := supervise(t, config(w.root, quiet()))
	r.listening()
	if err := w.WaitListening(t.Context(), "web-1"); err != nil {
		t.Fatal(err)
	}
	if err := w.Tell("web-1", githubtest.SelfUpdate{Version: "2.338.0"}); err != nil {
		t.Fatal(err)
	}
	now := r.until("new version", func(c Change) bool { return c.State == Idle && c.Version == "2.338.0" })
	if now.Starts != 2 || *now.ExitCode != 3 {
		t.Errorf("updated it is %+v", now)
	}
	if want := []State{Starting, Idle, Updating, Starting, Idle}; !slices.Equal(r.states(), want) {
		t.Errorf("states were %q, want %q", r.states(), want)
	}
	if info, err := os.Lstat(filepath.Join(w.root, "bin")); err != nil || info.Mode()&fs.ModeSymlink == 0 {
		t.Errorf("bin is %v, %v", info, err)
	}
	if err := CheckListener(w.root); err != nil {
		t.Error(err)
	}
}

func TestFatalEndsAreNotRepeated(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name      string
		ephemeral bool
		before    func(*world)
		after     func(*world) error
		want      error
		reason    string
	}{
		{name: "deleted while it listens", after: func(w *world) error { return w.Tell("web-1", githubtest.ForgetRegistration{}) }, want: ErrRegistrationEnd},
		{name: "deleted before it starts", before: func(w *world) { w.DeleteRunner(w.id) }, want: ErrRegistrationEnd},
		{name: "version refused while it listens", after: func(w *world) error { return w.Tell("web-1", githubtest.Deprecate{}) }, want: ErrVersionRefused},
		{name: "ephemeral deleted before its job", ephemeral: true, after: func(w *world) error { return w.Tell("web-1", githubtest.ForgetRegistration{}) }, want: ErrRegistrationEnd},
		{name: "ephemeral after its job", ephemeral: true, before: func(w *world) { w.QueueJob("web-1", githubtest.Job{Script: "true"}) }, reason: Served.Sentence()},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, c.ephemeral)
			if c.before != nil {
				c.before(w)
			}
			r := supervise(t, config(w.root, quiet()))
			if c.after != nil {
				if err := w.WaitListening(t.Context(), "web-1"); err != nil {
					t.Fatal(err)
				}
				if err := c.after(w); err != nil {
					t.Fatal(err)
				}
			}
			if err := r.wait(); !errors.Is(err, c.want) {
				t.Errorf("%v, want %v", err, c.want)
			}
			if c.want != nil {
				c.reason = c.want.Error()
			}
			if now := r.last(); now.State != Ended || now.Reason != c.reason || now.Starts != 1 || now.Job != "" {
				t.Errorf("in the end it is %+v", now)
			}
			// One whose job is done is of no use any more. What a listener says of GitHub may be a job's word.
			if _, err := kept(w.root).Settings(); errors.Is(err, register.ErrNotConfigured) != (c.want == nil) {
				t.Errorf("its registration: %v", err)
			}
		})
	}
}

func TestKilledListenerIsStartedAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t, false)
	r := supervise(t, config(w.root, quiet()))
	job := w.QueueJob("web-1", githubtest.Job{Name: "build", Script: "echo $$ >pid; sleep 60"})
	now := r.until("job", func(c Change) bool { return c.State == Busy })
	if now.Job != "build" {
		t.Errorf("working it is %+v", now)
	}
	if _, err := job.WaitStarted(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(w.listenerPID(t), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	now = r.until("wait", func(c Change) bool { return c.State == Failing })
	if now.Job != "" || *now.ExitCode != -1 || now.Reason != "the listener was killed" {
		t.Errorf("after that it is %+v", now)
	}
	r.until("second start", func(c Change) bool { return c.Starts == 2 })
}

func TestStopCancelsTheJob(t *testing.T) {
	t.Parallel()
	w := newWorld(t, false)
	job := w.QueueJob("web-1", githubtest.Job{Name: "build", Script: "sleep 60"})
	r := supervise(t, config(w.root, quiet()))
	r.until("job", func(c Change) bool { return c.State == Busy })
	if err := r.stop(); err != nil {
		t.Error(err)
	}
	if conclusion, err := job.Wait(t.Context()); err != nil || conclusion != "canceled" {
		t.Errorf("the job is %s, %v", conclusion, err)
	}
	if now := r.last(); now.State != Ended || now.Job != "" || *now.ExitCode != 0 {
		t.Errorf("stopped it is %+v", now)
	}
}

func TestRunWithoutARunnerFails(t *testing.T) {
	t.Parallel()
	root := filepath.Join(place(t), "web-1")
	c := config(root, quiet())
	if _, err := Run(t.Context(), c); !errors.Is(err, ErrNotConfigured) {
		t.Errorf("without a root: %v", err)
	}
	write(t, filepath.Join(root, "x"), "")
	keep(t, root, "{")
	if _, err := Run(t.Context(), c); err == nil || errors.Is(err, ErrNotConfigured) {
		t.Errorf("with garbage: %v", err)
	}
	keep(t, root, `{"agentId":7,"agentName":"web-1"}`)
	if _, err := Run(t.Context(), c); !errors.Is(err, ErrNoListener) || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("without a listener: %v", err)
	}
	write(t, filepath.Join(root, "bin", listenerName), "#!/bin/sh\n")
	if _, err := Run(t.Context(), c); !errors.Is(err, ErrNoListener) || !errors.Is(err, fs.ErrPermission) {
		t.Errorf("with one that may not run: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Run(ctx, c); err != nil {
		t.Errorf("stopped before it began: %v", err)
	}
}

// scripted is a runner root whose listener is a script.
func scripted(t *testing.T, script string) string {
	t.Helper()
	root := filepath.Join(place(t), "web-1")
	keep(t, root, `{"agentId":7,"agentName":"web-1"}`)
	listener := filepath.Join(root, "bin", listenerName)
	write(t, listener, "#!/bin/sh\n"+script+"\n")
	if err := os.Chmod(listener, 0o755); err != nil {
		t.Fatal(err)
	}
	own(t, root)
	return root
}

// onHost is the process that works in root and calls itself pid, by its number on this host: as root, a listener is in a
// namespace of its own. Where numbers are the same for all, it is pid.
func onHost(t *testing.T, root string, pid int) int {
	t.Helper()
	if os.Geteuid() != 0 || runtime.GOOS != "linux" {
		return pid
	}
	statuses, err := filepath.Glob("/proc/[0-9]*/status")
	if err != nil {
		t.Fatal(err)
	}
	for _, status := range statuses {
		text, _ := os.ReadFile(status)
		_, after, _ := strings.Cut(string(text), "\nNSpid:")
		line, _, _ := strings.Cut(after, "\n")
		numbers := strings.Fields(line)
		cwd, _ := os.Readlink(filepath.Join(filepath.Dir(status), "cwd"))
		if len(numbers) > 1 && numbers[len(numbers)-1] == strconv.Itoa(pid) && (cwd == root || strings.HasPrefix(cwd, root+"/")) {
			found, err := strconv.Atoi(numbers[0])
			if err != nil {
				t.Fatal(err)
			}
			return found
		}
	}
	return 1 << 30 // it has ended
}

// pidIn waits for a file with a process id.
func pidIn(t *testing.T, file string) int {
	t.Helper()
	return onHost(t, filepath.Dir(file), numberIn(t, file))
}

// numberIn waits for a file with a number.
func numberIn(t *testing.T, file string) int {
	t.Helper()
	for begun := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		text, err := os.ReadFile(file)
		if err == nil && strings.HasSuffix(string(text), "\n") {
			pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
			if err != nil {
				t.Fatal(err)
			}
			return pid
		}
		if time.Since(begun) > patience {
			t.Fatalf("%s: %q, %v", file, text, err)
		}
	}
}

// A listener that does not end when it is asked to is killed, with all that it
// has started.
func TestListenerThatIgnoresItsEndIsKilled(t *testing.T) {
	t.Parallel()
	root := scripted(t, `echo "Listening for Jobs"; trap "" INT TERM
		sh -c 'trap "" INT TERM; echo $$ >child; while :; do sleep 1; done' &
		echo $$ >pid
		while :; do sleep 1; done`)
	c := config(root, quiet())
	c.StopTimeout = 100 * time.Millisecond
	r := supervise(t, c)
	r.listening()
	pids := []int{pidIn(t, filepath.Join(root, "pid")), pidIn(t, filepath.Join(root, "child"))}
	t.Cleanup(func() {
		for _, pid := range pids {
			_ = syscall.Kill(pid, syscall.SIGKILL) // in case the test failed
		}
	})
	if err := r.stop(); err != nil {
		t.Error(err)
	}
	for _, pid := range pids {
		gone(t, pid)
	}
	if now := r.last(); *now.ExitCode != -1 {
		t.Errorf("in the end it is %+v", now)
	}
}

// What a listener leaves has nobody to report to any more, however it ended.
func TestProcessesThatAListenerLeavesAreKilled(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"exit 7", "kill -KILL $$", "trap 'exit 0' INT; echo Listening for Jobs; while :; do sleep 0.05; done"} {
		root := scripted(t, "(trap '' INT TERM; while :; do sleep 1; done) & echo $! >child\n"+how)
		c := config(root, quiet())
		c.Backoff = Backoff{Backoff: retry.Backoff{First: time.Hour, Most: time.Hour}}
		r := supervise(t, c)
		pid := pidIn(t, filepath.Join(root, "child"))
		t.Cleanup(func() { _ = syscall.Kill(pid, syscall.SIGKILL) }) // in case the test failed
		if strings.HasPrefix(how, "trap") {
			r.listening()
			if err := r.stop(); err != nil {
				t.Error(err)
			}
		}
		gone(t, pid)
		r.stop() //nolint:errcheck // each ends in its way
	}
}

// But the script of a self-update has to outlive its listener, also when the
// supervisor is stopped meanwhile.
func TestSelfUpdateIsLeftAlone(t *testing.T) {
	t.Parallel()
	for _, code := range []string{"3", "4"} {
		root := scripted(t, "echo Listening for Jobs; trap 'exit "+code+"' INT; (trap '' INT; while :; do echo $$ >beat; sleep 0.05; done) & echo $! >child\nwhile :; do sleep 0.05; done")
		c := config(root, quiet())
		c.Backoff.Update = 2 * patience // it has that long when its supervisor is gone, as this one soon is
		r := supervise(t, c)
		r.listening() // before it is started, an end of ours kills it
		pid := pidIn(t, filepath.Join(root, "child"))
		t.Cleanup(func() { _ = syscall.Kill(pid, syscall.SIGKILL) })
		if err := r.stop(); err != nil {
			t.Error(err)
		}
		// A beat may be under way, so only the second one proves anything.
		for range 2 {
			if err := os.RemoveAll(filepath.Join(root, "beat")); err != nil {
				t.Fatal(err)
			}
			numberIn(t, filepath.Join(root, "beat"))
		}
	}
}

func TestOutputWithoutAnEndOfLine(t *testing.T) {
	t.Parallel()
	root := scripted(t, `echo "Current runner version: '1.2.3'"
		head -c 1000000 /dev/zero | tr '\0' x
		echo; echo "Listening for Jobs"
		trap 'exit 0' INT; while :; do sleep 0.05; done`)
	longest := &longestLine{}
	r := supervise(t, config(root, slog.New(slog.NewTextHandler(longest, nil))))
	if now := r.listening(); now.Version != "1.2.3" {
		t.Errorf("listening it is %+v", now)
	}
	if err := r.stop(); err != nil {
		t.Error(err)
	}
	if longest.bytes < maxLine || longest.bytes > maxLine+1000 {
		t.Errorf("the longest line that was logged has %d bytes", longest.bytes)
	}
}

type longestLine struct{ bytes int }

func (l *longestLine) Write(p []byte) (int, error) {
	l.bytes = max(l.bytes, len(p))
	return len(p), nil
}

// A job can make .path anything; then it is not believed.
func TestUnusablePathFileChangesNothing(t *testing.T) {
	t.Parallel()
	secret := filepath.Join(t.TempDir(), "secret")
	write(t, secret, "/s3cr3t/bin\n")
	for name, prepare := range map[string]func(file string) error{
		"absent":   func(string) error { return nil },
		"empty":    func(file string) error { return os.WriteFile(file, []byte(" \n/x\n"), 0o644) },
		"link out": func(file string) error { return os.Symlink(secret, file) },
		"pipe":     func(file string) error { return syscall.Mkfifo(file, 0o644) },
	} {
		root := t.TempDir()
		if err := prepare(filepath.Join(root, ".path")); err != nil {
			t.Fatal(err)
		}
		s := &supervisor{Config: Config{Root: root, User: user(), Log: quiet()}}
		var paths []string
		for _, variable := range s.environment() {
			if strings.HasPrefix(variable, "PATH=") {
				paths = append(paths, variable)
			}
		}
		if want := []string{"PATH=" + account.SearchPath()}; !slices.Equal(paths, want) {
			t.Errorf("%s: %q, want %q", name, paths, want)
		}
	}
}

// While a listener was healthy the next failure is the first one.
func TestHealthForgetsFailures(t *testing.T) {
	t.Parallel()
	root := scripted(t, `echo "Listening for Jobs"; exit 2`)
	c := config(root, quiet())
	c.Backoff = Backoff{Backoff: retry.Backoff{First: time.Millisecond, Most: time.Hour}, Healthy: time.Nanosecond}
	r := supervise(t, c)
	r.until("later start", func(c Change) bool { return c.Starts == 25 }) // doubled, the wait would be hours by now
	if err := r.stop(); err != nil {
		t.Error(err)
	}
}

// GitHub frees a lost session after minutes; asking sooner is in vain.
func TestConflictIsWaitedForLonger(t *testing.T) {
	t.Parallel()
	c := config(scripted(t, "exit 5"), quiet())
	c.Backoff.Conflict = 200 * time.Millisecond
	began := time.Now()
	r := supervise(t, c)
	r.until("second start", func(c Change) bool { return c.Starts == 2 })
	if waited := time.Since(began); waited < c.Backoff.Conflict {
		t.Errorf("it was started again after %v", waited)
	}
}
