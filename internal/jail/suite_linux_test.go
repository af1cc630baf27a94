package jail

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/account"
)

const (
	// patience is for what happens at once, on a busy host.
	patience = time.Minute
	// stranger is an account that no host has.
	stranger = 61_234
	// supervisorTest is set for the process that TestKilledSupervisor kills: what it starts.
	supervisorTest = "JAIL_TEST_SUPERVISOR"
	// chooseTest is set for the process of TestChooseWithoutNamespaces: its folder.
	chooseTest = "JAIL_TEST_CHOOSE"
	// nameTest is what the machine calls the account, where it has one; and the groups of TestTasks and the other.
	nameTest = "JAIL_TEST_ACCOUNT"
	// makersTest names the makers to try, where the machine was made for them.
	makersTest = "JAIL_TEST_MAKERS"
)

func TestMain(m *testing.M) {
	if code, first := First(os.Args); first {
		os.Exit(code)
	}
	if key := os.Getenv(sessionTest); key != "" {
		beginSession(key)
	}
	if text := os.Getenv(supervisorTest); text != "" {
		superviseUntilKilled(text)
	}
	if name := os.Getenv(keyTest); name != "" {
		leaveKey(name)
	}
	if folder := os.Getenv(chooseTest); folder != "" {
		chooseWithout(folder)
	}
	os.Exit(m.Run())
}

// world is one way of confining, and a folder that everybody may enter.
type world struct {
	maker   Maker
	options Options
	user    account.User
	base    string
	root    string // the account's
}

// each runs a test in every way that this host has.
func each(t *testing.T, test func(t *testing.T, w *world)) {
	t.Helper()
	t.Parallel()
	for _, name := range makerNames() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, newWorld(t, name))
		})
	}
}

// oneByOne is for tests in which a first process is killed: what it has left is ended as descendants of this process where there
// are no namespaces, and what other tests have started with it.
func oneByOne(t *testing.T, test func(t *testing.T, w *world)) {
	t.Helper()
	for _, name := range makerNames() {
		t.Run(name, func(t *testing.T) { test(t, newWorld(t, name)) })
	}
}

func makerNames() []string {
	if names := os.Getenv(makersTest); names != "" {
		return strings.Split(names, ",")
	}
	if os.Getuid() != 0 {
		return []string{Descendants}
	}
	return []string{Namespaces, Descendants}
}

func newWorld(t *testing.T, name string) *world {
	t.Helper()
	base, err := os.MkdirTemp("", "jail-") //nolint:usetesting // others have to enter it, and the test's own is closed to them
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(base); err != nil {
			t.Error(err)
		}
	})
	w := &world{base: base, root: filepath.Join(base, "runners", "one"), user: account.User{Name: os.Getenv(nameTest), UID: stranger, GID: stranger, Groups: []int{stranger, stranger + 1}}}
	if os.Getuid() != 0 {
		w.user, err = account.Lookup("")
	}
	if err = errors.Join(err, os.Chmod(base, 0o755), os.MkdirAll(w.root, 0o755), w.user.Own(w.root)); err != nil {
		t.Fatal(err)
	}
	w.options = Options{Folder: filepath.Join(base, "lives"), Log: slog.New(slog.DiscardHandler)}
	w.maker = makerCalled(t, name, w.options)
	return w
}

func makerCalled(t *testing.T, name string, o Options) Maker {
	t.Helper()
	switch name {
	case Namespaces:
		m := &byProcess{folder: o.Folder, isolated: true, log: o.Log}
		if err := errors.Join(os.MkdirAll(o.Folder, 0o700), m.probe(t.Context())); err != nil {
			t.Fatalf("this host has no namespaces: %v", err)
		}
		return m
	case Descendants:
		return &byProcess{folder: o.Folder, log: o.Log}
	case Systemd:
		m, err := newByUnit(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	t.Fatalf("there is no maker %q", name)
	return nil
}

// isolates tells whether lives have folders of their own: those of descendants have not, which is said of them (see Weaker).
func (w *world) isolates() bool { return w.maker.Name() != Descendants }

// spec runs a script.
func (w *world) spec(script string) Spec {
	return Spec{
		Name: "test." + filepath.Base(w.base), Description: "a test", Argv: []string{"/bin/sh", "-c", script},
		Env: []string{"PATH=/usr/bin:/bin", "ROOT=" + w.root}, Dir: w.root, User: w.user, Grace: time.Second,
		View: View{Confined: true, Writable: []string{w.root}, Hidden: []string{filepath.Dir(w.root)}},
	}
}

// lived is a life whose output is kept.
type lived struct {
	Life
	t      *testing.T
	output bytes.Buffer
	read   chan struct{}
}

func (w *world) begin(t *testing.T, spec Spec) *lived {
	t.Helper()
	l, err := w.try(t, spec)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func (w *world) try(t *testing.T, spec Spec) (*lived, error) {
	t.Helper()
	output, input, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	spec.Output = input
	life, err := w.maker.Start(t.Context(), spec)
	if closeErr := input.Close(); closeErr != nil {
		t.Error(closeErr)
	}
	if err != nil {
		if text, readErr := io.ReadAll(output); readErr != nil || len(text) > 0 {
			t.Errorf("what was not started has written %q, %v", text, readErr)
		}
		return nil, err
	}
	l := &lived{Life: life, t: t, read: make(chan struct{})}
	go func() {
		defer close(l.read)
		_, _ = io.Copy(&l.output, output) // what it says is compared
		_ = output.Close()
	}()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := life.End(ctx); err != nil {
			t.Error(err)
		}
	})
	return l, nil
}

// waits for the end of the program.
func (l *lived) waits() Exit {
	l.t.Helper()
	over := make(chan Exit, 1)
	go func() {
		exit, err := l.Wait()
		if err != nil {
			l.t.Error(err)
		}
		over <- exit
	}()
	select {
	case exit := <-over:
		return exit
	case <-time.After(patience):
		l.t.Fatal("the program does not end")
		return Exit{}
	}
}

// ends the life, after which nobody may hold its output.
func (l *lived) ends() string {
	l.t.Helper()
	if err := l.End(l.t.Context()); err != nil {
		l.t.Fatal(err)
	}
	select {
	case <-l.read:
	case <-time.After(patience):
		l.t.Fatal("after the end of the life somebody holds its output")
	}
	return l.output.String()
}

// runs is the life of a script, from its beginning to its end.
func (w *world) runs(t *testing.T, spec Spec) (string, Exit) {
	t.Helper()
	l := w.begin(t, spec)
	exit := l.waits()
	return l.ends(), exit
}

// become waits until something is so.
func become(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !is(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("it does not come so far: %s", what)
		}
	}
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// called are the processes of the whole host that have a word among their arguments. One that is about to be another program may be
// missing, as its arguments are not to be read for a moment: what has to be there is asked for by sleeping.
func called(t *testing.T, word string) []string {
	t.Helper()
	return having(t, func(args []string) bool { return slices.Contains(args, word) })
}

// sleeping are those that sleep for as long, and become no other program any more.
func sleeping(t *testing.T, word string) []string {
	t.Helper()
	return having(t, func(args []string) bool { return args[0] == "sleep" && slices.Contains(args, word) })
}

func having(t *testing.T, wanted func(args []string) bool) []string {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil || len(files) == 0 {
		t.Fatalf("the processes of this host: %v", err)
	}
	var found []string
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err == nil && wanted(strings.Split(string(text), "\x00")) {
			found = append(found, file)
		}
	}
	return found
}

// word is one that no other process has: a number of seconds for sleep.
func word(t *testing.T) string {
	t.Helper()
	return fmt.Sprintf("8%012d.%d", time.Now().UnixNano()%1_000_000_000_000, os.Getpid())
}
