//go:build e2e && linux

package machine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// requireTools fails the test: a machine that cannot be booted is not a reason to skip what was to be proved.
func requireTools(t testing.TB) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Fatal("the end-to-end tests must run as root")
	}
	var missing []string
	for _, tool := range []struct{ program, from string }{
		{"mmdebstrap", "mmdebstrap"}, {"systemd-nspawn", "systemd-container"}, {"nsenter", "util-linux"},
	} {
		if _, err := exec.LookPath(tool.program); err != nil {
			missing = append(missing, tool.from)
		}
	}
	if len(missing) > 0 {
		t.Fatalf("tools are missing: apt-get install %s", strings.Join(missing, " "))
	}
}

// Tree returns the finished tree of a kind, which is built when it is missing; that takes about a minute.
func Tree(t testing.TB, kind string) string {
	t.Helper()
	if kind == "" {
		kind = Debian12
	}
	return prepared(t, "e2e-root.sh", kind)
}

// DotNet returns a tree to lie over a machine's, with a real .NET program that brings its own runtime:
// /opt/dotnet/azmcp. It is fetched when it is missing.
func DotNet(t testing.TB) string {
	t.Helper()
	return prepared(t, "e2e-dotnet.sh")
}

// prepared runs a script that makes a tree, or finds it made, and prints its path.
func prepared(t testing.TB, script string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), filepath.Join(repository(t), "scripts", script), args...)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("making a tree by %s %q: %v\n%s", script, args, err, errs.String())
	}
	return strings.TrimSpace(string(out))
}

// Build compiles a program of this repository, given by its folder in it, for the machine, and returns its
// path on this host.
func Build(t testing.TB, folder string) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), filepath.Base(folder))
	cmd := exec.CommandContext(t.Context(), "go", "build", "-o", program, "./"+folder)
	cmd.Dir = repository(t)
	cmd.Env = append(cmd.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("building %q: %v\n%s", folder, err, out)
	}
	return program
}

// repository finds the folder with go.mod above the test's.
func repository(t testing.TB) string {
	t.Helper()
	folder, err := os.Getwd()
	if err != nil {
		t.Fatalf("finding the repository: %v", err)
	}
	for folder != "/" {
		if _, err := os.Stat(filepath.Join(folder, "go.mod")); err == nil {
			return folder
		}
		folder = filepath.Dir(folder)
	}
	t.Fatal("finding the repository: no go.mod above the test")
	return ""
}

// start boots the machine and waits until systemd has started everything.
func (m *Machine) start() {
	m.t.Helper()
	if err := m.place.do(m.spawn); err != nil {
		m.t.Fatalf("starting systemd-nspawn: %v", err)
	}
	began := time.Now()
	ctx, cancel := context.WithTimeout(m.t.Context(), bootTimeout)
	defer cancel()
	last := "no first process yet"
	ticker := time.NewTicker(glance)
	defer ticker.Stop()
	for {
		if leader := firstProcess(m.nspawn.Process.Pid); leader != 0 {
			m.mu.Lock()
			m.leader = leader
			m.mu.Unlock()
			result, err := m.run(ctx, nil, "systemctl", "is-system-running")
			last = strings.TrimSpace(result.Stdout + result.Stderr)
			if state := strings.TrimSpace(result.Stdout); err == nil && (state == "running" || state == "degraded") {
				m.t.Logf("machine is %s after %s", state, time.Since(began).Round(10*time.Millisecond))
				return
			}
		}
		select {
		case <-m.ended:
			m.t.Fatalf("booting the machine: systemd-nspawn ended: %v\n%s", m.nspawn.ProcessState, m.console.tail(30))
		case <-ctx.Done():
			m.t.Fatalf("booting the machine: not ready after %s: %s", time.Since(began), last)
		case <-ticker.C:
		}
	}
}

// beforeNspawn is a shell's program: it makes /proc show the process namespace that it is the first in, moves
// itself into the control groups before "--", and becomes the command behind it.
const beforeNspawn = `mount -t proc proc /proc || exit
while [ "$1" != -- ]; do echo $$ >"$1/cgroup.procs" || exit; shift; done
shift
exec "$@"`

// spawn starts systemd-nspawn, in the place. When the place's thread ends, for whatever reason, the kernel kills
// systemd-nspawn; and since that is the first of a process namespace, everything in the machine with it.
func (m *guest) spawn() error {
	args := slices.Concat([]string{"-c", beforeNspawn, "sh"}, m.groups, []string{
		"--", "systemd-nspawn", "--quiet", "--boot", "--directory=" + m.tree, "--machine=" + m.name,
		// A host without systemd has nobody to register with, and no unit to put the machine into.
		"--register=no", "--keep-unit",
		"--console=read-only", "--link-journal=no", "--resolv-conf=off", "--timezone=off",
	})
	if m.keys {
		args = append(args, "--system-call-filter=@keyring")
	}
	cmd := exec.Command("sh", args...)
	cmd.Stdout, cmd.Stderr = m.console, m.console
	if m.cgroup2 {
		cmd.Env = append(cmd.Environ(), "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1")
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWPID | syscall.CLONE_NEWNS,
		Pdeathsig:  syscall.SIGKILL,
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	ended := make(chan struct{})
	m.mu.Lock()
	m.nspawn, m.ended = cmd, ended
	m.mu.Unlock()
	go func() {
		defer close(ended)
		var exit *exec.ExitError
		if err := cmd.Wait(); err != nil && !errors.As(err, &exit) {
			fmt.Fprintf(m.console, "waiting for systemd-nspawn: %v\n", err)
		}
	}()
	return nil
}

// firstProcess looks among the descendants of systemd-nspawn for the one that is number 1 to itself; 0 if it is
// not there yet.
func firstProcess(nspawn int) int {
	generation := []int{nspawn}
	for range 3 { // as deep as systemd-nspawn forks before it starts the machine
		var next []int
		for _, pid := range generation {
			next = append(next, children(pid)...)
		}
		if i := slices.IndexFunc(next, isFirst); i >= 0 {
			return next[i]
		}
		generation = next
	}
	return 0
}

// children of a process that may end at any moment: then it has none.
func children(pid int) []int {
	list, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	if err != nil {
		return nil
	}
	var pids []int
	for field := range strings.FieldsSeq(string(list)) {
		if child, err := strconv.Atoi(field); err == nil {
			pids = append(pids, child)
		}
	}
	return pids
}

func isFirst(pid int) bool {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return false
	}
	for line := range strings.Lines(string(status)) {
		if numbers, ok := strings.CutPrefix(line, "NSpid:"); ok {
			fields := strings.Fields(numbers)
			return len(fields) > 1 && fields[len(fields)-1] == "1"
		}
	}
	return false
}

// console keeps what the machine printed.
type console struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write never fails.
func (c *console) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.text.Write(p)
}

func (c *console) tail(lines int) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	text := regexp.MustCompile("\x1b\\[[0-9;?]*[a-zA-Z]|\r").ReplaceAllString(c.text.String(), "")
	all := strings.Split(strings.TrimRight(text, "\n"), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}
