package doctor

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/runner-bootstrap/runner-bootstrap/internal/githubtest"
)

const (
	// lockVariable makes the test binary hold a lock on the file that it names until it is ended.
	lockVariable = "RUNNER_BOOTSTRAP_TEST_LOCK"
	// patience bounds one call of the program.
	patience = 60 * time.Second
)

var (
	buildOnce sync.Once
	errBuild  error
	program   string
)

func TestMain(m *testing.M) {
	if path := os.Getenv(lockVariable); path != "" {
		holdLock(path)
		return
	}
	code := m.Run()
	if program != "" {
		_ = os.RemoveAll(filepath.Dir(program))
	}
	os.Exit(code)
}

// holdLock locks a file as package managers do, and says so by making another one beside it.
func holdLock(path string) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err == nil {
		err = unix.FcntlFlock(file.Fd(), unix.F_SETLK, &unix.Flock_t{Type: unix.F_WRLCK, Whence: io.SeekStart})
	}
	if err == nil {
		err = os.WriteFile(path+".held", nil, 0o600)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	_, _ = io.Copy(io.Discard, os.Stdin)
	file.Close()
}

func build(t *testing.T) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root makes namespaces")
	}
	buildOnce.Do(func() {
		dir, err := os.MkdirTemp("", "doctor-") //nolint:usetesting // it is for all tests; TestMain removes it
		if err != nil {
			errBuild = err
			return
		}
		program = filepath.Join(dir, "runner-bootstrap")
		ctx, cancel := context.WithTimeout(context.Background(), 8*time.Minute)
		defer cancel()
		cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-o", program,
			"github.com/runner-bootstrap/runner-bootstrap/cmd/runner-bootstrap")
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if text, err := cmd.CombinedOutput(); err != nil {
			errBuild = fmt.Errorf("compiling the program: %w: %s", err, text)
		}
	})
	if errBuild != nil {
		t.Fatal(errBuild)
	}
	return program
}

// host is one host, and its GitHub.
type host struct {
	t           *testing.T
	program     string
	base, dir   string
	token       string // the file that the credential is in
	server      *githubtest.Server
	environment []string
}

func newHost(t *testing.T) *host {
	t.Helper()
	h := &host{t: t, program: build(t), base: t.TempDir()}
	// The account of the jobs must be able to enter the folders above its runner.
	for dir := h.base; len(dir) > len(os.TempDir()); dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	var err error
	if h.server, err = githubtest.Start(githubtest.Config{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, problem := range h.server.Problems() {
			t.Errorf("GitHub: %v", problem)
		}
		h.server.Close()
	})
	h.dir, h.token = filepath.Join(h.base, "rb"), filepath.Join(h.base, "token")
	if err := os.Mkdir(h.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(h.write("token", h.server.Token()+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return h
}

// write makes a file of the test's.
func (h *host) write(name, text string) string {
	h.t.Helper()
	path := filepath.Join(h.base, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		h.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
		h.t.Fatal(err)
	}
	return path
}

// finding is what the program says in JSON.
type finding struct {
	Check, State, Object, Found, Fix string
}

type outcome struct {
	code     int
	findings []finding
	stderr   string
}

// usual is how doctor is asked about a host that could be sound.
func (h *host) usual(more ...string) []string {
	return append([]string{
		"--url", h.server.URL() + "/octo-org", "--token-file", h.token, "--no-service", "--dir", h.dir, "--user", "nobody",
	}, more...)
}

// doctor runs the program in namespaces of its own, which setup, a shell script, breaks first. Before it ends, the
// shell runs what setup has put into the variable after.
func (h *host) doctor(setup string, arguments ...string) outcome {
	h.t.Helper()
	return h.in([]string{"unshare", "--mount", "--propagation", "private"}, setup, arguments...)
}

func (h *host) in(namespaces []string, setup string, arguments ...string) outcome {
	h.t.Helper()
	out, got := h.run(namespaces, setup, append([]string{"doctor", "--json"}, arguments...)...)
	if len(out) > 0 {
		if err := json.Unmarshal(out, &got.findings); err != nil {
			h.t.Fatalf("reading what it prints: %v: %s", err, out)
		}
	}
	return got
}

// run runs a command of the program there, and returns what it prints as well.
func (h *host) run(namespaces []string, setup string, arguments ...string) ([]byte, outcome) {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(h.t.Context(), patience)
	defer cancel()
	shell := []string{"sh", "-c", "set -eu\n" + setup + "\nset +e\n\"$@\"\ncode=$?\neval \"${after:-}\"\nexit $code", "sh", h.program}
	words := append(append(namespaces, shell...), arguments...)
	cmd := exec.CommandContext(ctx, words[0], words[1:]...)
	cmd.Env = append([]string{
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=" + h.base, "TMPDIR=" + os.TempDir(),
		"BASE=" + h.base, "DIR=" + h.dir, "TESTS=" + os.Args[0],
	}, h.environment...)
	cmd.WaitDelay = time.Second
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	err := cmd.Run()
	var ended *exec.ExitError
	if err != nil && !errors.As(err, &ended) {
		h.t.Fatalf("%q: %v: %s", words, err, &errOut)
	}
	got := outcome{code: cmd.ProcessState.ExitCode(), stderr: errOut.String()}
	if strings.Contains(out.String()+got.stderr, h.server.Token()) {
		h.t.Error("it prints the token")
	}
	return out.Bytes(), got
}

// of are the findings of a check.
func (o outcome) of(check string) []finding {
	var all []finding
	for _, f := range o.findings {
		if f.Check == check {
			all = append(all, f)
		}
	}
	return all
}

// fails demands that the program ends with 9, and names the check, what is wrong, and the fix.
func (o outcome) fails(t *testing.T, check, found, fix string) {
	t.Helper()
	if o.code != 9 {
		t.Errorf("exit code %d, want 9: %s", o.code, o.stderr)
	}
	if !strings.Contains(o.stderr, "not healthy: ") || !strings.Contains(o.stderr, check) {
		t.Errorf("the last line does not name %s: %s", check, o.stderr)
	}
	for _, f := range o.of(check) {
		if f.State == "failed" && strings.Contains(f.Object+": "+f.Found, found) && strings.Contains(f.Fix, fix) {
			return
		}
	}
	t.Errorf("no failure of %s with %q and the fix %q: %+v", check, found, fix, o.of(check))
}

// sound demands that none of the checks has failed.
func (o outcome) sound(t *testing.T, checks ...string) {
	t.Helper()
	if len(o.findings) == 0 {
		t.Fatalf("it found nothing, exit code %d: %s", o.code, o.stderr)
	}
	for _, check := range checks {
		for _, f := range o.of(check) {
			if f.State == "failed" || f.State == "warning" {
				t.Errorf("%+v", f)
			}
		}
		if len(o.of(check)) == 0 {
			t.Errorf("nothing is said of %s", check)
		}
	}
}
