//go:build unix

package register

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/account"
	"github.com/runner-bootstrap/runner-bootstrap/internal/github"
	"github.com/runner-bootstrap/runner-bootstrap/internal/githubtest"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
)

// archive is a simulated runner, made once.
var archive string

// ours is a secret of this process's that no child may have.
const ours = "s3cr3t-of-ours"

func TestMain(m *testing.M) { os.Exit(withArchive(m)) }

func withArchive(m *testing.M) int {
	dir, err := os.MkdirTemp("", "register")
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

func secret() github.Secret { return github.NewSecret("AABF3JGZDX3P5PMEXLND6TS6FCWO6") }

// us is the account that runs the tests.
func us(t *testing.T) account.User {
	t.Helper()
	u, err := account.Lookup("")
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// open is a directory that every account reaches.
func open(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, d := range []string{dir, filepath.Dir(dir)} {
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// world is a simulated GitHub, and a runner root for its runners that belongs
// to an unprivileged account.
type world struct {
	*githubtest.Server
	Runner
}

func newWorld(t *testing.T) *world {
	t.Helper()
	dir := open(t)
	server, err := githubtest.Start(githubtest.Config{})
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
	root := filepath.Join(dir, "web-1")
	if err := os.Mkdir(root, 0o755); err != nil {
		t.Fatal(err)
	}
	user := writer(t)
	text, err := exec.CommandContext(t.Context(), "tar", "--no-same-owner", "-xzf", archive, "-C", root).CombinedOutput()
	if err != nil {
		t.Fatalf("tar: %v: %s", err, text)
	}
	err = filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error { return errors.Join(err, user.Own(path)) })
	if err != nil {
		t.Fatal(err)
	}
	return &world{Server: server, Runner: Runner{Root: root, User: user, Kept: keptOf(t, root, server.URL()+"/"+slug), Log: quiet()}}
}

const slug = "octo-org"

func (w *world) join(ctx context.Context, id instance.Identity, replace bool, token string) (Settings, error) {
	return w.Join(ctx, w.URL()+"/"+slug, "web-1", id, replace, github.NewSecret(token))
}

func TestJoinAndLeave(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	group := w.AddGroup(slug, "builders")
	w.Environment = []string{"https_proxy=http://127.0.0.1:1", "no_proxy=127.0.0.1"}
	token := w.RegistrationToken(slug)
	id := instance.Identity{Labels: []string{"gpu", "big"}, NoDefaultLabels: true, Group: "Builders", Work: "_w", Ephemeral: true, DisableUpdate: true}
	got, err := w.join(t.Context(), id, false, token)
	if err != nil {
		t.Fatal(err)
	}
	listed := w.Runners(slug)
	if len(listed) != 1 {
		t.Fatalf("GitHub lists %+v", listed)
	}
	one := listed[0]
	if want := (Settings{ID: one.ID, Name: "web-1", URL: w.URL() + "/" + slug, Work: "_w", Ephemeral: true}); got != want {
		t.Errorf("it wrote down %+v, want %+v", got, want)
	}
	if one.Name != "web-1" || !one.Ephemeral || !one.UpdatesDisabled || one.GroupID != group || len(one.Labels) != 2 || one.Labels[0].Name != "gpu" {
		t.Errorf("GitHub lists %+v", one)
	}
	if again, err := w.Kept.Settings(); err != nil || again != got {
		t.Errorf("%+v is kept, %v", again, err)
	}
	if err := os.WriteFile(filepath.Join(w.Root, ".service"), []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	removeToken := w.RemoveToken(slug)
	if err := w.Leave(t.Context(), github.NewSecret(removeToken)); err != nil {
		t.Fatal(err)
	}
	if left := w.Runners(slug); len(left) != 0 {
		t.Errorf("GitHub still lists %+v", left)
	}
	if _, err := w.Kept.Settings(); !errors.Is(err, ErrNotConfigured) {
		t.Errorf("its registration: %v", err)
	}
	witnesses := w.Witnesses()
	if len(witnesses) != 2 || witnesses[0].Command != "configure" || witnesses[1].Command != "remove" {
		t.Fatalf("witnesses are %+v", witnesses)
	}
	for i, one := range witnesses {
		holdsNothingOfOurs(t, w, one, []string{token, removeToken}[i])
	}
}

// holdsNothingOfOurs looks at how a program of the runner's was started.
func holdsNothingOfOurs(t *testing.T, w *world, one githubtest.Witness, token string) {
	t.Helper()
	if one.UID != w.User.UID || one.GID != w.User.GID || !w.User.Self && !slices.Equal(one.GIDs, w.User.Groups) || one.Dir != w.Root {
		t.Errorf("%s ran as %d:%d %v in %s", one.Command, one.UID, one.GID, one.GIDs, one.Dir)
	}
	for _, arguments := range [][]string{one.Argv, one.ParentArgv} {
		if strings.Contains(strings.Join(arguments, " "), token) {
			t.Errorf("%s has its token in its arguments %q", one.Command, arguments)
		}
	}
	home := w.User.Home
	if _, err := os.Stat(home); err != nil {
		home = w.Root
	}
	want := map[string]string{
		"PATH": account.SearchPath(), "HOME": home, "USER": w.User.Name, "LOGNAME": w.User.Name, "LANG": "C.UTF-8",
		"https_proxy": "http://127.0.0.1:1", "no_proxy": "127.0.0.1", "ACTIONS_RUNNER_INPUT_TOKEN": token,
	}
	for _, variable := range one.Environ {
		key, value, _ := strings.Cut(variable, "=")
		switch key {
		case "PWD", "OLDPWD", "SHLVL", "_": // the shell's own
			continue
		}
		if expected, ok := want[key]; !ok || expected != value {
			t.Errorf("%s has %s", one.Command, variable)
		}
		delete(want, key)
	}
	for key := range want {
		t.Errorf("%s lacks %s", one.Command, key)
	}
}

func TestJoinReplaces(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	other := w.AddRunner(slug, githubtest.Runner{Name: "web-1"})
	got, err := w.join(t.Context(), instance.Identity{}, true, w.RegistrationToken(slug))
	if err != nil || got.ID != other.ID || got.Ephemeral || got.Work != "_work" {
		t.Errorf("%+v, %v, want id %d", got, err, other.ID)
	}
	if again, err := w.join(t.Context(), instance.Identity{}, true, w.RegistrationToken(slug)); err != nil || again.ID != other.ID {
		t.Errorf("configured already: %+v, %v", again, err)
	}
}

// What a failed registration has left would be used by the next one.
func TestJoinBeginsAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, name := range credentialFiles() {
		put(t, w.Root, map[string]string{name: "garbage"})
	}
	if got, err := w.join(t.Context(), instance.Identity{}, false, w.RegistrationToken(slug)); err != nil || got.Name != "web-1" {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := os.Lstat(filepath.Join(w.Root, ".credentials_migrated")); !os.IsNotExist(err) {
		t.Errorf("a leftover is there still: %v", err)
	}
}

func TestJoinRefused(t *testing.T) {
	t.Parallel()
	fault := func(f githubtest.Fault) func(*world) string {
		return func(w *world) string { w.Fault(f); return w.RegistrationToken(slug) }
	}
	for _, c := range []struct {
		name    string
		id      instance.Identity
		prepare func(*world) string // gives the token
		want    error
		says    string
	}{
		{name: "wrong token", prepare: func(*world) string { return "WRONG" }, want: ErrTokenRefused},
		{name: "remove token", prepare: func(w *world) string { return w.RemoveToken(slug) }, want: ErrTokenRefused},
		{name: "token of another scope", prepare: func(w *world) string { return w.RegistrationToken("octo-org/hello") }, want: ErrTokenRefused},
		{name: "expired token", prepare: func(w *world) string {
			token := w.RegistrationToken(slug)
			w.Advance(2 * time.Hour)
			return token
		}, want: ErrTokenRefused},
		{name: "no token", prepare: func(*world) string { return "" }, want: ErrUnknown, says: "Invalid configuration provided for token"},
		{name: "name taken", prepare: func(w *world) string {
			w.AddRunner(slug, githubtest.Runner{Name: "WEB-1"})
			return w.RegistrationToken(slug)
		}, want: ErrNameTaken, says: "same name"},
		{name: "no such group", id: instance.Identity{Group: "none"}, prepare: fault(githubtest.Fault{}), want: ErrGroupUnknown, says: "none"},
		{name: "too old", prepare: func(w *world) string {
			w.SetMinimumVersion("2.400.0")
			return w.RegistrationToken(slug)
		}, want: ErrTooOld, says: "2.400.0"},
		{name: "no labels at all", id: instance.Identity{NoDefaultLabels: true}, prepare: fault(githubtest.Fault{}), want: ErrUnknown, says: "--no-default-labels"},
		{name: "503", prepare: fault(githubtest.Fault{Path: "/actions/*", Status: 503}), want: ErrUnreachable},
		{name: "500", prepare: fault(githubtest.Fault{Path: "/actions/*", Status: 500}), want: ErrUnreachable},
		{name: "unreachable", prepare: func(w *world) string {
			if err := w.Close(); err != nil {
				panic(err)
			}
			return "TOKEN"
		}, want: ErrUnreachable, says: "Connection refused"},
		{name: "the answer is lost", prepare: fault(githubtest.Fault{Path: "/actions/runners/register", AfterEffect: true, Status: 502, Times: 1}), want: ErrConflict},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			got, err := w.join(t.Context(), c.id, false, c.prepare(w))
			var refused *ConfigError
			if !errors.Is(err, c.want) && c.name != "the answer is lost" || !errors.As(err, &refused) || refused.Verb != "configuring" || got != (Settings{}) {
				t.Errorf("%+v, %v, want %v", got, err, c.want)
			}
			if err != nil && !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v does not say %q", err, c.says)
			}
			if _, err := w.Kept.Settings(); !errors.Is(err, ErrNotConfigured) {
				t.Errorf("a registration is left: %v", err)
			}
		})
	}
}

func TestLeaveRefused(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		prepare func(*world, Settings) string
		want    error
	}{
		{"busy", func(w *world, _ Settings) string {
			w.Fault(githubtest.Fault{Method: "DELETE", Status: 422, Body: `{"message":"Runner \"web-1\" is currently running a job and cannot be deleted."}`})
			return w.RemoveToken(slug)
		}, ErrBusy},
		{"gone already", func(w *world, s Settings) string { w.DeleteRunner(s.ID); return w.RemoveToken(slug) }, ErrGone},
		{"503", func(w *world, _ Settings) string {
			w.Fault(githubtest.Fault{Method: "DELETE", Status: 503})
			return w.RemoveToken(slug)
		}, ErrUnreachable},
		{"no token", func(*world, Settings) string { return "" }, ErrUnknown},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			settings, err := w.join(t.Context(), instance.Identity{}, false, w.RegistrationToken(slug))
			if err != nil {
				t.Fatal(err)
			}
			err = w.Leave(t.Context(), github.NewSecret(c.prepare(w, settings)))
			if !errors.Is(err, c.want) || !strings.HasPrefix(fmt.Sprint(err), "removing the runner: ") {
				t.Errorf("%v, want %v", err, c.want)
			}
			if again, err := w.Kept.Settings(); err != nil || again != settings {
				t.Errorf("its registration is %+v, %v", again, err)
			}
		})
	}
}

func TestLeaveOfTheUnconfigured(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if err := w.Leave(t.Context(), secret()); err != nil {
		t.Error(err)
	}
}

func TestEndOfContextEndsTheWholeGroup(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Fault(githubtest.Fault{Path: "/actions/runner-registration", StallAfter: -1})
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	why := errors.New("the user has had enough")
	ended := make(chan error, 1)
	go func() {
		_, err := w.join(ctx, instance.Identity{}, false, w.RegistrationToken(slug))
		ended <- err
	}()
	for begun := time.Now(); len(w.Requests()) == 0; time.Sleep(10 * time.Millisecond) {
		if time.Since(begun) > 30*time.Second {
			t.Fatal("config.sh never asked")
		}
	}
	cancel(why)
	if err := <-ended; !errors.Is(err, why) {
		t.Errorf("%v, want the cause", err)
	}
	gone(t, w.Witnesses()[0].PID)
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
		if time.Since(begun) > 10*time.Second {
			_ = syscall.Kill(pid, syscall.SIGKILL)
			t.Fatalf("process %d lives", pid)
		}
	}
}

// script puts a config.sh of a test's own into a root. No other test may fork
// meanwhile: its child would hold the file open for writing for a moment, and
// a file that is open for writing cannot be executed.
func script(t *testing.T, root, text string) {
	t.Helper()
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	if err := os.WriteFile(filepath.Join(root, "config.sh"), []byte("#!/bin/sh\n"+text+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
}

// said runs a script as config.sh and returns what became of it.
func said(ctx context.Context, t *testing.T, text string, log *slog.Logger) (root string, err error) {
	t.Helper()
	root = t.TempDir()
	script(t, root, text)
	r := Runner{Root: root, User: us(t), Log: log, grace: 100 * time.Millisecond}
	return root, r.config(ctx, "testing", []string{"a b", "c"}, secret())
}

func pidIn(t *testing.T, root string) int {
	t.Helper()
	pid, err := strconv.Atoi(waitFor(t, filepath.Join(root, "pid")))
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

func TestWhoIgnoresTheEndIsKilled(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	script(t, root, `trap "" TERM
		sh -c 'trap "" TERM; echo $$ >pid; while :; do sleep 1; done' &
		while :; do sleep 1; done`)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() {
		r := Runner{Root: root, User: us(t), Log: quiet(), grace: 100 * time.Millisecond}
		ended <- r.config(ctx, "testing", nil, secret())
	}()
	pid := pidIn(t, root)
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	gone(t, pid)
}

// It is asked first, with its children: they may be talking to GitHub.
func TestWhoEndsWhenAskedMayTidyUp(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	script(t, root, `trap "echo x >tidied; exit 1" TERM
		sh -c 'trap "echo x >child; exit" TERM; echo x >pid; while :; do sleep 0.05; done' &
		while :; do sleep 0.05; done`)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() {
		r := Runner{Root: root, User: us(t), Log: quiet()}
		ended <- r.config(ctx, "testing", nil, secret())
	}()
	waitFor(t, filepath.Join(root, "pid"))
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	for _, name := range []string{"tidied", "child"} {
		if _, err := os.Stat(filepath.Join(root, name)); err != nil {
			t.Error(err)
		}
	}
}

// waitFor waits for a file with something in it, and returns that.
func waitFor(t *testing.T, file string) string {
	t.Helper()
	for begun := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		text, err := os.ReadFile(file)
		if err == nil && strings.HasSuffix(string(text), "\n") {
			return strings.TrimSpace(string(text))
		}
		if time.Since(begun) > 20*time.Second {
			t.Fatalf("%s: %q, %v", file, text, err)
		}
	}
}

func TestChildThatKeepsTheOutputOpenIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	for code, want := range map[string]error{"0": nil, "1": ErrUnknown} {
		root, err := said(t.Context(), t, "sleep 60 &\necho $! > pid; exit "+code, quiet())
		if !errors.Is(err, want) {
			t.Errorf("exit %s: %v, want %v", code, err, want)
		}
		pid := pidIn(t, root)
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Errorf("process %d: %v", pid, err)
		}
	}
}

func TestOutputIsBounded(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	handler := slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})
	_, err := said(t.Context(), t, `head -c 3000000 /dev/zero | tr '\0' x; echo; seq 1 1000; echo "A runner exists with the same name" >&2
		exit 1`, slog.New(handler))
	var refused *ConfigError
	if !errors.As(err, &refused) || !errors.Is(err, ErrNameTaken) {
		t.Errorf("%.200v, want what it said last", err)
	}
	if !strings.Contains(log.String(), "line=1000\n") || log.Len() > maxLine+200_000 {
		t.Errorf("the log has %d bytes", log.Len())
	}
}

func TestOutputIsReadInLines(t *testing.T) {
	t.Parallel()
	got := &transcript{log: quiet(), token: github.NewSecret("s3cr3t")}
	for _, part := range []string{"one\r\ntw", "o\n", "\n  \n", "three s3c", "r3t.\nfour", ""} {
		if n, err := got.Write([]byte(part)); n != len(part) || err != nil {
			t.Errorf("%q: %d, %v", part, n, err)
		}
	}
	got.end()
	if want := []string{"one", "two", "three [redacted].", "four"}; !slices.Equal(got.lines, want) {
		t.Errorf("%q, want %q", got.lines, want)
	}
	for range 2 * maxLines {
		if _, err := got.Write([]byte(strings.Repeat("x", 1000) + "\n")); err != nil {
			t.Fatal(err)
		}
	}
	long := []byte(strings.Repeat("x", 1000))
	for range 3 * maxLine / len(long) {
		if _, err := got.Write(long); err != nil {
			t.Fatal(err)
		}
	}
	if len(got.lines) != maxLines || len(got.begun) != maxLine {
		t.Errorf("%d lines and %d bytes of another are kept", len(got.lines), len(got.begun))
	}
}

func TestConfigIsAskedNothing(t *testing.T) {
	t.Parallel()
	if _, err := said(t.Context(), t, "read answer && exit 1; exit 0", quiet()); err != nil {
		t.Errorf("it could ask: %v", err)
	}
	if _, err := said(t.Context(), t, `test "$1" = "a b" && test "$2" = c && test $# = 2`, quiet()); err != nil {
		t.Errorf("its arguments are others: %v", err)
	}
	if _, err := said(t.Context(), t, `echo "it is $ACTIONS_RUNNER_INPUT_TOKEN."; exit 1`, quiet()); err == nil || !strings.Contains(err.Error(), "it is [redacted].") {
		t.Errorf("%v", err)
	}
}

// What config.sh leaves as a daemon must not hold the lock of the host.
func TestConfigInheritsNoLock(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	script(t, root, "sleep 60 >daemon.out 2>&1 </dev/null & echo $! >daemon; ls -l /dev/fd/ >open")
	store := instance.NewStore(filepath.Join(root, "state"))
	lock, err := store.LockHost(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	r := Runner{Root: root, User: us(t), Log: quiet(), Locks: []*instance.Lock{lock}}
	if err := r.config(t.Context(), "testing", nil, secret()); err != nil {
		t.Fatal(err)
	}
	lock.Release()
	daemon, err := os.ReadFile(filepath.Join(root, "daemon"))
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(daemon)))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Errorf("the daemon is gone: %v", err)
		}
	}()
	began := time.Now()
	again, err := store.LockHost(t.Context())
	if err != nil {
		t.Fatalf("while its daemon lives: %v", err)
	}
	again.Release()
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("its daemon was waited for: %v", took)
	}
	open, err := os.ReadFile(filepath.Join(root, "open"))
	if err != nil || strings.Contains(string(open), "/state/lock") {
		t.Errorf("it has open %s, %v", open, err)
	}
}

func TestConfigThatCannotBeStarted(t *testing.T) {
	t.Parallel()
	for name, root := range map[string]string{"absent": t.TempDir(), "no root": filepath.Join(t.TempDir(), "none")} {
		r := Runner{Root: root, User: us(t), Kept: keptOf(t, root, ""), Log: quiet()}
		if _, err := r.Join(t.Context(), "https://github.com/octo-org", "web-1", instance.Identity{}, false, secret()); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "starting config.sh") {
			t.Errorf("%s: %v", name, err)
		}
	}
	root := t.TempDir()
	script(t, root, "exit 0")
	r := Runner{Root: root, User: us(t), Kept: keptOf(t, root, ""), Log: quiet()}
	if _, err := r.Join(t.Context(), "https://github.com/octo-org", "web-1", instance.Identity{}, false, secret()); !errors.Is(err, ErrNotConfigured) {
		t.Errorf("it ended well and did nothing: %v", err)
	}
}
