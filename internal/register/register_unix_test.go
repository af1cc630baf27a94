//go:build unix

package register

import (
	"bytes"
	"context"
	"errors"
	"flag"
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
	"github.com/runner-bootstrap/runner-bootstrap/internal/githubtest"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/jail"
	"github.com/runner-bootstrap/runner-bootstrap/internal/removal"
	"github.com/runner-bootstrap/runner-bootstrap/internal/secret"
)

// archive is a simulated runner, made once.
var archive string

// ours is a secret of this process's that no child may have.
const ours = "s3cr3t-of-ours"

func TestMain(m *testing.M) {
	if code, first := jail.First(os.Args); first {
		os.Exit(code)
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

func aToken() secret.Secret { return secret.New("AABF3JGZDX3P5PMEXLND6TS6FCWO6") }

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

// world is a simulated GitHub, and a room for its runners.
type world struct {
	*githubtest.Server
	Room
	kept Kept
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
	k := keptOf(t, filepath.Join(dir, "runners", "web-1"), server.URL()+"/"+slug)
	k.record.APIURL = server.APIURL()
	w := &world{Server: server, kept: k}
	w.Room = NewRoom(k.store, k.record, Copies{Folders: RoomsOf(filepath.Join(dir, "cache"), filepath.Join(dir, "runners")), Place: unpacked, Discard: discard}, nil, quiet())
	t.Cleanup(func() {
		if left, err := filepath.Glob(filepath.Join(w.Folders[0], "[0-9]*")); err != nil || len(left) > 0 {
			t.Errorf("a room is left: %q, %v", left, err)
		}
	})
	return w
}

func discard(_ context.Context, dir string) error { return removal.Path(dir) }

// unpacked puts the simulated runner at dir.
func unpacked(ctx context.Context, dir string) error {
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	text, err := exec.CommandContext(ctx, "tar", "--no-same-owner", "-xzf", archive, "-C", dir).CombinedOutput()
	if err != nil {
		return fmt.Errorf("tar: %w: %s", err, text)
	}
	return nil
}

const slug = "octo-org"

func (w *world) join(ctx context.Context, id instance.Identity, replace bool, token string) (Settings, error) {
	return w.Join(ctx, w.kept, id, replace, secret.New(token), nil)
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
	if again, err := w.kept.Settings(); err != nil || again != got {
		t.Errorf("%+v is kept, %v", again, err)
	}
	removeToken := w.RemoveToken(slug)
	if err := w.Leave(t.Context(), w.kept, secret.New(removeToken)); err != nil {
		t.Fatal(err)
	}
	if left := w.Runners(slug); len(left) != 0 {
		t.Errorf("GitHub still lists %+v", left)
	}
	if _, err := w.kept.Settings(); !errors.Is(err, ErrNotConfigured) {
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
	name := us(t).Name
	switch root := os.Geteuid() == 0; {
	case !root && one.UID != os.Geteuid(), filepath.Dir(one.Dir) != w.Folders[0]:
		t.Errorf("%s ran as %d in %s", one.Command, one.UID, one.Dir)
	case !root:
	case one.UID < firstNumber || one.UID > lastNumber || one.GID != one.UID || !slices.Equal(one.GIDs, []int{one.GID}) || taken(one.UID):
		t.Errorf("%s ran as %d:%d %v", one.Command, one.UID, one.GID, one.GIDs)
	default:
		name = "register"
	}
	for _, arguments := range [][]string{one.Argv, one.ParentArgv} {
		if strings.Contains(strings.Join(arguments, " "), token) {
			t.Errorf("%s has its token in its arguments %q", one.Command, arguments)
		}
	}
	want := map[string]string{
		"PATH": account.SearchPath(), "HOME": one.Dir, "USER": name, "LOGNAME": name, "LANG": "C.UTF-8",
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

// What a failed registration has left counts for nothing, wherever it is.
func TestJoinBeginsAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	keeps(t, w.kept, map[string]string{".runner": "garbage", ".credentials": "", ".credentials_migrated": "garbage"})
	if got, err := w.join(t.Context(), instance.Identity{}, false, w.RegistrationToken(slug)); err != nil || got.Name != "web-1" {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := os.Lstat(filepath.Join(w.kept.folder(), ".credentials_migrated")); !os.IsNotExist(err) {
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
			if _, err := w.kept.Settings(); !errors.Is(err, ErrNotConfigured) {
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
			err = w.Leave(t.Context(), w.kept, secret.New(c.prepare(w, settings)))
			if !errors.Is(err, c.want) || !strings.HasPrefix(fmt.Sprint(err), "removing the runner: ") {
				t.Errorf("%v, want %v", err, c.want)
			}
			if again, err := w.kept.Settings(); err != nil || again != settings {
				t.Errorf("its registration is %+v, %v", again, err)
			}
		})
	}
}

func TestLeaveOfTheUnconfigured(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if err := w.Leave(t.Context(), w.kept, aToken()); !errors.Is(err, ErrNotConfigured) {
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
	if left := marked(t, w.Folders[0]); len(left) > 0 {
		t.Errorf("left are %q", left)
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

// scripted is a room whose config.sh is a script.
func scripted(t *testing.T, text string, log *slog.Logger) Room {
	t.Helper()
	return Room{
		Copies: Copies{Folders: []string{filepath.Join(open(t), "rooms")}, Discard: discard, Place: func(_ context.Context, dir string) error {
			if err := os.Mkdir(dir, 0o755); err != nil {
				return err
			}
			script(t, dir, text)
			return nil
		}},
		Log: log, grace: 100 * time.Millisecond,
	}
}

// try runs config.sh with arguments.
func (r Room) try(ctx context.Context) error {
	return r.run(ctx, visit{verb: "testing", name: "web-1", arguments: []string{"a b", "c"}, token: aToken()})
}

// said runs a script as config.sh and returns what became of it.
func said(ctx context.Context, t *testing.T, text string, log *slog.Logger) error {
	t.Helper()
	return scripted(t, text, log).try(ctx)
}

// begins runs config.sh, and returns when it has written a file called begun.
func (r Room) begins(ctx context.Context, t *testing.T) (ended chan error) {
	t.Helper()
	ended = make(chan error, 1)
	go func() { ended <- r.try(ctx) }()
	for begun := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		if found, err := filepath.Glob(filepath.Join(r.Folders[0], "[0-9]*", "begun")); err != nil || len(found) > 0 {
			return ended
		}
		if time.Since(begun) > 20*time.Second {
			t.Fatal("it does not begin")
		}
	}
}

// marked are the processes that have a word in their command lines.
func marked(t *testing.T, word string) []string {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, file := range files {
		if text, err := os.ReadFile(file); err == nil && strings.Contains(string(text), word) {
			found = append(found, file)
		}
	}
	return found
}

func TestWhoIgnoresTheEndIsKilled(t *testing.T) {
	t.Parallel()
	const mark = "61.7003"
	r := scripted(t, `trap "" INT TERM
		setsid sh -c 'trap "" INT TERM; echo x >begun; while :; do sleep `+mark+`; done' &
		while :; do sleep 1; done`, quiet())
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := r.begins(ctx, t)
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if left := marked(t, mark); len(left) > 0 {
		t.Errorf("left are %q", left)
	}
}

// What it leaves behind when it ends by itself does not go on either.
func TestNothingOutlivesConfig(t *testing.T) {
	t.Parallel()
	for code, want := range map[string]error{"0": nil, "1": ErrUnknown} {
		mark := "62.700" + code
		begun := time.Now()
		if err := said(t.Context(), t, "setsid sleep "+mark+" &\nexit "+code, quiet()); !errors.Is(err, want) {
			t.Errorf("exit %s: %v, want %v", code, err, want)
		}
		if left := marked(t, mark); len(left) > 0 {
			t.Errorf("exit %s: left are %q", code, left)
		}
		if took := time.Since(begun); took > 30*time.Second {
			t.Errorf("exit %s: it was waited for, for %v", code, took)
		}
	}
}

// It is asked first: it may be talking to GitHub.
func TestWhoEndsWhenAskedMayTidyUp(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	r := scripted(t, `trap "echo has tidied up; exit 1" INT
		sleep 0.5 # one that is still being started is not asked
		echo x >begun
		while :; do sleep 0.05; done`, slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})))
	r.grace = 20 * time.Second
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := r.begins(ctx, t)
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if !strings.Contains(log.String(), "has tidied up") {
		t.Errorf("it was not asked: %s", log.String())
	}
}

// One that does not end is ended, and that is the reason.
func TestConfigThatDoesNotEnd(t *testing.T) {
	t.Parallel()
	r := scripted(t, "while :; do sleep 1; done", quiet())
	r.patience = 300 * time.Millisecond
	if err := r.try(t.Context()); !errors.Is(err, ErrSlow) {
		t.Errorf("%v, want ErrSlow", err)
	}
}

func TestOutputIsBounded(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	handler := slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})
	err := said(t.Context(), t, `head -c 3000000 /dev/zero | tr '\0' x; echo; seq 1 1000; echo "A runner exists with the same name" >&2
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
	got := &transcript{log: quiet(), token: secret.New("s3cr3t")}
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
	if err := said(t.Context(), t, "read answer && exit 1; exit 0", quiet()); err != nil {
		t.Errorf("it could ask: %v", err)
	}
	if err := said(t.Context(), t, `test "$1" = "a b" && test "$2" = c && test $# = 2`, quiet()); err != nil {
		t.Errorf("its arguments are others: %v", err)
	}
	if err := said(t.Context(), t, `echo "it is $ACTIONS_RUNNER_INPUT_TOKEN."; exit 1`, quiet()); err == nil || !strings.Contains(err.Error(), "it is [redacted].") {
		t.Errorf("%v", err)
	}
}

// Nothing that is open here is open there: a lock, above all, or another one's pipe.
func TestConfigInheritsNothing(t *testing.T) {
	t.Parallel()
	lock, err := instance.NewStore(filepath.Join(t.TempDir(), "state")).LockHost(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Release()
	r := scripted(t, `for fd in /proc/$$/fd/*; do
			case $(readlink $fd) in /dev/null|pipe:*|*/config.sh) ;; *) echo "open is $fd: $(readlink $fd)"; exit 1 ;; esac
		done; test "$(readlink /proc/self/fd/0)" = /dev/null`, quiet())
	r.Locks = []*instance.Lock{lock}
	if err := r.try(t.Context()); err != nil {
		t.Error(err)
	}
}

// A room is nobody else's: others cannot look into it, and as root it sees neither the host's processes nor its temporary files.
func TestRoomIsApart(t *testing.T) {
	t.Parallel()
	mine := filepath.Join(open(t), "mine")
	if err := os.WriteFile(mine, []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	text := `test "$(stat -c %a .)" = 700 || { echo "mode $(stat -c %a .)"; exit 1; }
		test -w . || { echo it cannot write; exit 1; }`
	if os.Geteuid() == 0 {
		text += `
		test ! -w config.sh || { echo it can change its program; exit 1; }
		test ! -e ` + mine + ` || { echo it sees a file; exit 1; }
		test ! -e /proc/` + strconv.Itoa(os.Getpid()) + ` || { echo it sees a process; exit 1; }`
	}
	if err := said(t.Context(), t, text, quiet()); err != nil {
		t.Error(err)
	}
}

// Two rooms at a time are two accounts, and what a killed command has left of one is removed.
func TestRooms(t *testing.T) {
	t.Parallel()
	r := scripted(t, "echo x >begun; while :; do sleep 0.05; done", quiet())
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := r.begins(ctx, t)
	left := filepath.Join(r.Folders[0], strconv.Itoa(firstNumber+1))
	put(t, r.Folders[0], map[string]string{filepath.Base(left) + lockMark: "", filepath.Base(left) + "/.credentials": "secret"})
	other := r
	other.Place = func(_ context.Context, dir string) error {
		if dir != left {
			t.Errorf("the room is %s", dir)
		}
		if entries, err := os.ReadDir(dir); err == nil {
			t.Errorf("the room has %v in it", entries)
		}
		return errors.New("seen")
	}
	if err := other.try(t.Context()); err == nil || !strings.Contains(err.Error(), "seen") {
		t.Error(err)
	}
	if err := r.Sweep(t.Context()); err != nil {
		t.Error(err)
	}
	if rooms, err := filepath.Glob(filepath.Join(r.Folders[0], "[0-9]*", "begun")); err != nil || len(rooms) != 1 {
		t.Errorf("rooms are %q, %v", rooms, err)
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if _, err := os.Lstat(r.Folders[0]); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the folder of rooms is left: %v", err)
	}
}

// recorder is a maker that remembers what it has started.
type recorder struct {
	jail.Maker
	started []jail.Spec
}

func (r *recorder) Start(ctx context.Context, spec jail.Spec) (jail.Life, error) {
	r.started = append(r.started, spec)
	return r.Maker.Start(ctx, spec)
}

// An agent confines config.sh as it does listeners: under a name of this host's, and as an account that has none, as its service
// manager would look for it.
func TestRoomOfAMaker(t *testing.T) {
	t.Parallel()
	maker, err := jail.Choose(t.Context(), jail.Options{Folder: filepath.Join(open(t), "lives"), Log: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	r, by := scripted(t, "exit 0", quiet()), &recorder{Maker: maker}
	r.Maker, r.Life = by, "register.actions.runner.octo-org.web-1"
	if err := r.try(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(by.started) != 1 || by.started[0].Name != r.Life || os.Geteuid() == 0 && by.started[0].User.Name != "" {
		t.Errorf("it has started %+v", by.started)
	}
}

// Where the cache cannot be written to, rooms are elsewhere.
func TestRoomBesideAReadOnlyCache(t *testing.T) {
	t.Parallel()
	r := scripted(t, "exit 0", quiet())
	r.Folders = append([]string{"/sys/register"}, r.Folders...) // where nobody can make anything
	if err := r.try(t.Context()); err != nil {
		t.Error(err)
	}
	r.Folders = nil
	if err := r.try(t.Context()); !errors.Is(err, errNoFolder) {
		t.Errorf("without any: %v", err)
	}
}

// Certificates that only another account may read, or that lie in a temporary folder, are trusted all the same.
func TestRoomTrusts(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	put(t, folder, map[string]string{"ca.pem": "certificate", "certs/a.pem": "first", "certs/b.pem": "second"})
	if err := os.Chmod(filepath.Join(folder, "ca.pem"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := scripted(t, `test "$(cat "$SSL_CERT_FILE")" = certificate && test "$(cat "$SSL_CERT_DIR/a.pem" "$SSL_CERT_DIR/b.pem")" = firstsecond && test "$X" = y`, quiet())
	r.Environment = []string{"SSL_CERT_FILE=" + filepath.Join(folder, "ca.pem"), "SSL_CERT_DIR=" + filepath.Join(folder, "certs"), "X=y"}
	if err := r.try(t.Context()); err != nil {
		t.Error(err)
	}
	r.Environment = []string{"SSL_CERT_FILE=" + filepath.Join(folder, "none")}
	r.Place = scripted(t, `test "$SSL_CERT_FILE" = `+filepath.Join(folder, "none"), quiet()).Place
	if err := r.try(t.Context()); err != nil {
		t.Errorf("without a file: %v", err)
	}
}

func TestConfigThatCannotBeStarted(t *testing.T) {
	t.Parallel()
	k := keptOf(t, t.TempDir(), "https://github.com/octo-org")
	r := scripted(t, "exit 0", quiet())
	if _, err := r.Join(t.Context(), k, instance.Identity{}, false, aToken(), nil); !errors.Is(err, ErrNotConfigured) {
		t.Errorf("it ended well and did nothing: %v", err)
	}
	r.Place = func(_ context.Context, dir string) error { return os.Mkdir(dir, 0o755) }
	if _, err := r.Join(t.Context(), k, instance.Identity{}, false, aToken(), nil); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "starting config.sh") {
		t.Errorf("absent: %v", err)
	}
	broken := errors.New("the disk is full")
	r.Place = func(context.Context, string) error { return broken }
	if _, err := r.Join(t.Context(), k, instance.Identity{}, false, aToken(), nil); !errors.Is(err, broken) {
		t.Errorf("no copy: %v", err)
	}
	r.Place = nil
	if _, err := r.Join(t.Context(), k, instance.Identity{}, false, aToken(), nil); !errors.Is(err, ErrNoProgram) {
		t.Errorf("nothing to copy: %v", err)
	}
}

// What it says that it has registered is held against what it was asked for.
func TestJoinBelievesNoOther(t *testing.T) {
	t.Parallel()
	for name, settings := range map[string]string{
		"another name":  `{"agentId":8,"agentName":"db-1","gitHubUrl":"https://github.com/octo-org"}`,
		"another scope": `{"agentId":8,"agentName":"web-1","gitHubUrl":"https://github.com/other"}`,
		"no scope":      `{"agentId":8,"agentName":"web-1"}`,
		"garbage":       `{`,
	} {
		k := keptOf(t, t.TempDir(), "https://github.com/octo-org")
		r := scripted(t, "echo '"+settings+"' >.runner; echo {} >.credentials", quiet())
		if got, err := r.Join(t.Context(), k, instance.Identity{}, false, aToken(), nil); err == nil {
			t.Errorf("%s: %+v", name, got)
		}
		if got, err := k.Settings(); !errors.Is(err, ErrNotConfigured) {
			t.Errorf("%s: %+v is kept, %v", name, got, err)
		}
	}
}
