package installer

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

const (
	released = "1.2.3"
	patience = 60 * time.Second
	// nobody owns nothing that these tests make; every system has the number.
	nobody = 65534
)

var (
	buildOnce sync.Once
	theBinary []byte
	errBuild  error

	packOnce   sync.Once
	theRelease []byte
)

// atOnce is how many hosts live at a time: those that try again mostly wait.
const atOnce = 8

func TestMain(m *testing.M) {
	flag.Parse()
	if n, err := strconv.Atoi(flag.Lookup("test.parallel").Value.String()); err == nil && n < atOnce {
		_ = flag.Set("test.parallel", strconv.Itoa(atOnce)) // a number it is
	}
	os.Exit(m.Run())
}

// binary is the program itself, as a release has it.
func binary(t *testing.T) []byte {
	t.Helper()
	buildOnce.Do(func() { theBinary, errBuild = compile() })
	if errBuild != nil {
		t.Fatal(errBuild)
	}
	return theBinary
}

func compile() ([]byte, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 8*time.Minute)
	defer cancel()
	dir, err := os.MkdirTemp("", "installer-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	file := filepath.Join(dir, "runner-bootstrap")
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w -X main.version="+released,
		"-o", file, "github.com/runner-bootstrap/runner-bootstrap/cmd/runner-bootstrap")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if text, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("compiling the program: %w: %s", err, text)
	}
	return os.ReadFile(file)
}

// packed is a tar.gz of files, each executable.
func packed(t *testing.T, files map[string][]byte) []byte {
	t.Helper()
	var out bytes.Buffer
	z, err := gzip.NewWriterLevel(&out, gzip.BestSpeed)
	if err != nil {
		t.Fatal(err)
	}
	w := tar.NewWriter(z)
	for name, content := range files {
		if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o755, Size: int64(len(content)), Typeflag: tar.TypeReg}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(content); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(w.Close(), z.Close()); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// archiveName is what this host's archive is called.
func archiveName() string {
	arch := map[string]string{"arm": "armv7"}[runtime.GOARCH]
	if arch == "" {
		arch = runtime.GOARCH
	}
	return "runner-bootstrap_linux_" + arch + ".tar.gz"
}

func digest(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

// folder is what a server has: files by name.
type folder map[string][]byte

// release is a folder as a release has it.
func release(t *testing.T) folder {
	t.Helper()
	program := binary(t)
	packOnce.Do(func() {
		theRelease = packed(t, map[string][]byte{"LICENSE": []byte("words\n"), "runner-bootstrap": program})
	})
	return releaseOf(theRelease)
}

func releaseOf(archive []byte) folder {
	sums := fmt.Sprintf("%s  other_%s\n%s  %s\n", strings.Repeat("0", 64), archiveName(), digest(archive), archiveName())
	return folder{archiveName(): archive, "checksums.txt": []byte(sums)}
}

// mirror serves a folder on loopback and writes down who asked for what.
type mirror struct {
	url    string
	mutex  sync.Mutex
	asked  []string
	agents []string
	answer http.HandlerFunc // instead of the folder, if there is one
}

func (m *mirror) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	m.mutex.Lock()
	m.asked, m.agents = append(m.asked, r.Host+r.URL.Path), append(m.agents, r.UserAgent())
	m.mutex.Unlock()
	m.answer(w, r)
}

// requests is how often a file was asked for; every file if there is no name.
func (m *mirror) requests(name string) (n int) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	for _, asked := range m.asked {
		if name == "" || path.Base(asked) == name {
			n++
		}
	}
	return n
}

func (f folder) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	content, ok := f[path.Base(r.URL.Path)]
	if !ok {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Length", fmt.Sprint(len(content)))
	_, _ = w.Write(content)
}

func serve(t *testing.T, answer http.HandlerFunc) *mirror {
	t.Helper()
	m := &mirror{answer: answer}
	server := httptest.NewServer(m)
	t.Cleanup(func() {
		server.CloseClientConnections() // a download that nobody ended must not hold up the test that says so
		server.Close()
	})
	m.url = server.URL
	return m
}

// shell is one that runs the script.
type shell struct {
	name string
	args []string
	// applets: it takes programs of its own before those of PATH.
	applets bool
}

func shells(t *testing.T) (found []shell) {
	t.Helper()
	for _, s := range []shell{
		{name: "dash", args: []string{"dash"}},
		{name: "bash", args: []string{"bash", "--posix"}},
		{name: "busybox", args: []string{"busybox", "sh"}, applets: true},
	} {
		if _, err := exec.LookPath(s.args[0]); err == nil {
			found = append(found, s)
		} else if os.Getenv("CI") != "" {
			t.Errorf("%s is missing: CI has every shell", s.args[0])
		}
	}
	// What differs between them has nothing to do with who runs them.
	if (testing.Short() || os.Geteuid() != 0) && len(found) > 1 {
		found = found[:1]
	}
	if len(found) == 0 {
		t.Fatal("none of the shells is here")
	}
	return found
}

// eachShell runs a subtest for each shell.
func eachShell(t *testing.T, do func(t *testing.T, s shell)) {
	for _, s := range shells(t) {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			do(t, s)
		})
	}
}

// host is a host with few programs and one place for ours.
type host struct {
	shell                 shell
	base, bin, tmp, tools string
	extra                 []string // variables
	ordinary              bool     // not as root, no matter who runs the tests
}

// newHost makes a host that has tools beside what every host has.
func newHost(t *testing.T, s shell, tools ...string) *host {
	t.Helper()
	base := t.TempDir()
	for dir := base; len(dir) > len(os.TempDir()); dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil { // an ordinary user must be able to enter
			t.Fatal(err)
		}
	}
	h := &host{shell: s, base: base, bin: filepath.Join(base, "bin"), tmp: filepath.Join(base, "tmp"), tools: filepath.Join(base, "tools")}
	for _, dir := range []string{h.bin, h.tmp, h.tools} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(h.tmp, 0o777); err != nil {
		t.Fatal(err)
	}
	always := []string{"uname", "mktemp", "rm", "rmdir", "mv", "cp", "chmod", "mkdir", "dirname", "cat", "tar", "gzip", "sleep", "tr", "sed", "grep"}
	for _, tool := range append(always, tools...) {
		name, target := tool, tool
		if tool == "busybox-wget" {
			name, target = "wget", "busybox"
		}
		file, err := exec.LookPath(target)
		if err != nil {
			if os.Getenv("CI") == "" {
				t.Skipf("%s is missing", target)
			}
			t.Fatalf("%s is missing: CI has every tool", target)
		}
		if err := os.Symlink(file, filepath.Join(h.tools, name)); err != nil {
			t.Fatal(err)
		}
	}
	return h
}

func usual(t *testing.T, s shell) *host {
	t.Helper()
	return newHost(t, s, "curl", "sha256sum")
}

// fake puts a shell script among the tools.
func (h *host) fake(t *testing.T, name, script string) {
	t.Helper()
	file := filepath.Join(h.tools, name)
	_ = os.Remove(file)
	if err := os.WriteFile(file, []byte("#!/bin/sh\n"+script+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
}

// old puts something in the program's place.
func (h *host) old(t *testing.T, content []byte) {
	t.Helper()
	if err := os.WriteFile(h.target(), content, 0o755); err != nil {
		t.Fatal(err)
	}
}

func (h *host) target() string { return filepath.Join(h.bin, "runner-bootstrap") }

func scriptText(t *testing.T) []byte {
	t.Helper()
	text, err := os.ReadFile("../../scripts/install.sh")
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// command is the script coming in through standard input, as it does from curl.
func (h *host) command(ctx context.Context, script []byte, args ...string) *exec.Cmd {
	program, _ := exec.LookPath(h.shell.args[0]) // shells found it
	words := append(h.shell.args[1:len(h.shell.args):len(h.shell.args)], "-s", "--")
	cmd := exec.CommandContext(ctx, program, append(words, args...)...)
	cmd.Dir = h.base
	cmd.Env = append([]string{"PATH=" + h.tools, "TMPDIR=" + h.tmp, "HOME=" + h.base, "RUNNER_BOOTSTRAP_INSTALL_BIN_DIR=" + h.bin}, h.extra...)
	cmd.Stdin = bytes.NewReader(script)
	cmd.WaitDelay = 5 * time.Second
	if h.ordinary && os.Geteuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	}
	return cmd
}

// outcome is what a user saw.
type outcome struct {
	code     int
	out, err string
}

func (h *host) run(t *testing.T, args ...string) outcome {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := h.command(ctx, scriptText(t), args...)
	var out, problems strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &problems
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return outcome{code: cmd.ProcessState.ExitCode(), out: out.String(), err: problems.String()}
}

// leaves fails unless the place holds what it should and nothing else is anywhere. No content is no program.
func (h *host) leaves(t *testing.T, content []byte) {
	t.Helper()
	want := ""
	if content != nil {
		want = "runner-bootstrap"
		if got, err := os.ReadFile(h.target()); err != nil || !bytes.Equal(got, content) {
			t.Errorf("the program's place holds %d bytes (%v), not the %d that belong there", len(got), err, len(content))
		}
		if info, err := os.Stat(h.target()); err == nil && info.Mode() != 0o755 {
			t.Errorf("the program has mode %v, not 0755", info.Mode())
		}
	}
	if got := list(t, h.bin); got != want {
		t.Errorf("the folder for the program holds %q, not %q", got, want)
	}
	if got := list(t, h.tmp); got != "" {
		t.Errorf("left in the temporary folder: %q", got)
	}
}

func list(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	names := make([]string, 0, len(entries))
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	return strings.Join(names, " ")
}

// wants fails unless the script ended with a code and said some words.
func (o outcome) wants(t *testing.T, code int, words ...string) {
	t.Helper()
	for _, word := range words {
		if !strings.Contains(o.out+o.err, word) {
			t.Errorf("it does not say %q", word)
		}
	}
	if o.code != code {
		t.Errorf("exit code %d, not %d", o.code, code)
	}
	if t.Failed() {
		t.Logf("standard output:\n%sstandard error:\n%s", o.out, o.err)
	}
}
