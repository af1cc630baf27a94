//go:build e2e && linux

package wine

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

const (
	loader = "/usr/lib/wine/wine64"
	server = "/usr/lib/wine/wineserver64"
	prefix = "/root/pfx" // Wine's own folder; C: is drive_c in it

	bootTimeout = 90 * time.Second
	// runTimeout ends a program whose context has no end of its own.
	runTimeout = 3 * time.Minute
)

// Options describe a machine. The zero value is Wine's Windows and nothing beside it.
type Options struct {
	// Share shows folders of this host, read-only: a path in the machine's Linux, which is Windows' Z: -> a folder of this host.
	Share map[string]string
}

// Machine is a running Windows. Its methods fail the test when the machine itself does not do its part; what a program in it
// answers is for the test to judge.
type Machine struct {
	t      testing.TB
	holder *exec.Cmd // is outside; what it started is the machine's first process
	stdin  io.Closer // the machine ends when this is closed
	first  int       // the machine's first process, as this host numbers it
	logs   string    // a folder for what programs say
}

// hold is a shell's program, for the first process of a machine: it puts the machine's files together at $1, the overlay over
// $2, says "ready", and lives until its input ends. What follows are pairs of folders to show: this host's, the machine's.
const hold = `
set -e
tree=$1 below=$2
shift 2
mount -t tmpfs -o size=3g,mode=755 tmpfs "$tree"
mkdir "$tree/upper" "$tree/scratch" "$tree/root"
mount -t overlay -o "lowerdir=$below,upperdir=$tree/upper,workdir=$tree/scratch" overlay "$tree/root"
mount -t proc proc "$tree/root/proc"
mount --rbind /dev "$tree/root/dev"
while [ $# -gt 0 ]; do
	mkdir -p "$tree/root$2"
	mount --bind -o ro "$1" "$tree/root$2"
	shift 2
done
exec chroot "$tree/root" sh -c 'echo ready; exec cat'
`

// Boot returns a machine whose Windows has started. It ends with the test at the latest.
func Boot(t testing.TB, o Options) *Machine {
	t.Helper()
	below := Tree(t)
	work := t.TempDir()
	tree, logs := filepath.Join(work, "tree"), filepath.Join(work, "logs")
	for _, folder := range []string{tree, logs} {
		if err := os.Mkdir(folder, 0o755); err != nil {
			t.Fatalf("preparing the machine's files: %v", err)
		}
	}
	argv := []string{"--mount", "--pid", "--fork", "--kill-child", "--propagation", "private", "--", "sh", "-c", hold, "sh", tree, below}
	for there, here := range o.Share {
		argv = append(argv, here, there)
	}
	m := &Machine{t: t, holder: exec.CommandContext(context.Background(), "unshare", argv...), logs: logs}
	if err := m.occupy(); err != nil {
		t.Fatalf("making the machine: %v", err)
	}
	m.on()
	return m
}

// Tree returns the finished tree that machines stand on, which is built when it is missing; that takes about a minute.
func Tree(t testing.TB) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Fatal("tests under Wine must run as root")
	}
	cmd := exec.CommandContext(t.Context(), filepath.Join(Repository(t), "scripts", "e2e-wine.sh"))
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("making the tree with Wine: %v\n%s", err, errs.String())
	}
	return strings.TrimSpace(string(out))
}

// Repository is the folder with go.mod above the test's.
func Repository(t testing.TB) string {
	t.Helper()
	folder, err := os.Getwd()
	if err != nil {
		t.Fatalf("finding the repository: %v", err)
	}
	for ; folder != "/"; folder = filepath.Dir(folder) {
		if _, err := os.Stat(filepath.Join(folder, "go.mod")); err == nil {
			return folder
		}
	}
	t.Fatal("finding the repository: no go.mod above the test")
	return ""
}

// Build compiles a program of this repository, given by its folder in it, for Windows, and returns its path on this host.
func Build(t testing.TB, folder string, flags ...string) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), filepath.Base(folder)+".exe")
	cmd := exec.CommandContext(t.Context(), "go", append(append([]string{"build"}, flags...), "-o", program, "./"+folder)...)
	cmd.Dir = Repository(t)
	cmd.Env = append(cmd.Environ(), "GOOS=windows", "GOARCH=amd64", "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("building %q for Windows: %v\n%s", folder, err, out)
	}
	return program
}

// For returns the same machine for a subtest, which then is the one that fails. The machine still ends with the test that
// booted it.
func (m *Machine) For(t testing.TB) *Machine {
	same := *m
	same.t = t
	return &same
}

// occupy starts the machine's first process, and waits until the machine has its files.
func (m *Machine) occupy() error {
	stdin, err := m.holder.StdinPipe()
	if err != nil {
		return err
	}
	stdout, err := m.holder.StdoutPipe()
	if err != nil {
		return err
	}
	var errs bytes.Buffer
	m.holder.Stderr, m.stdin = &errs, stdin
	if err := m.holder.Start(); err != nil {
		return err
	}
	m.t.Cleanup(m.discard)
	if said, err := bufio.NewReader(stdout).ReadString('\n'); said != "ready\n" {
		_ = m.stdin.Close()
		return errors.Join(err, m.holder.Wait(), fmt.Errorf("it said %q%s", said, errs.String()))
	}
	m.first, err = firstChild(m.holder.Process.Pid)
	return err
}

// firstChild is the one process that a process has started.
func firstChild(pid int) (int, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(strings.TrimSpace(string(text)))
}

// discard is the end of the machine in every case: the kernel ends all processes of a namespace whose first one has ended.
func (m *Machine) discard() {
	if m.t.Failed() {
		m.keepLogs()
	}
	_ = m.stdin.Close() // nothing was written to it
	ended := make(chan struct{})
	go func() {
		_ = m.holder.Wait() // how does not matter: nothing of it is left
		close(ended)
	}()
	select {
	case <-ended:
	case <-time.After(bootTimeout):
		m.t.Errorf("ending the machine: process %d is still there", m.holder.Process.Pid)
	}
}

// keepLogs leaves what the programs said behind for the person who looks for the cause.
func (m *Machine) keepLogs() {
	kept, err := os.MkdirTemp("", "wine-logs-*")
	if err == nil {
		err = os.CopyFS(kept, os.DirFS(m.logs))
	}
	if err != nil {
		m.t.Errorf("keeping what the programs said: %v", err)
		return
	}
	m.t.Logf("what the programs said is kept in %s", kept)
}

// on starts Windows: its services that start by themselves run when it returns, or are about to.
func (m *Machine) on() {
	m.t.Helper()
	ctx, cancel := context.WithTimeout(m.t.Context(), bootTimeout)
	defer cancel()
	// It stays when no program runs, and keeps what services there are.
	if result, err := m.linux(ctx, Command{}, server, "-p"); err != nil || result.Code != 0 {
		m.t.Fatalf("starting Wine's server: %v\n%s", err, result)
	}
	if result, err := m.linux(ctx, Command{}, loader, "wineboot"); err != nil || result.Code != 0 {
		m.t.Fatalf("booting Windows: %v\n%s", err, result)
	}
}

// Restart takes the power away, and boots Windows again with the same files: no program learns of the end, and services that
// start by themselves come again.
func (m *Machine) Restart() {
	m.t.Helper()
	ctx, cancel := context.WithTimeout(m.t.Context(), bootTimeout)
	defer cancel()
	for _, p := range m.Processes() {
		if err := p.Kill(); err != nil {
			m.t.Fatalf("taking the power away: %v", err)
		}
	}
	// The server writes the registry to the disk when it is told to end, and before it has; a power cut would lose the last
	// few seconds of it, which Windows itself does not.
	if result, err := m.linux(ctx, Command{}, server, "-k"); err != nil {
		m.t.Fatalf("ending Wine's server: %v\n%s", err, result)
	}
	if result, err := m.linux(ctx, Command{}, server, "-w"); err != nil {
		m.t.Fatalf("waiting for the end of Wine's server: %v\n%s", err, result)
	}
	m.on()
}

// Process is one that runs in the machine.
type Process struct {
	PID  int // as this host numbers it; Windows has another number for it
	Args []string
}

// Kill ends a process as TerminateProcess does: without a word to it. One that has ended is a success.
func (p Process) Kill() error {
	if err := syscall.Kill(p.PID, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("ending process %d, %q: %w", p.PID, p.Args, err)
	}
	return nil
}

// Processes lists the Windows programs that run in the machine, Wine's own included.
func (m *Machine) Processes() []Process {
	m.t.Helper()
	here, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/pid", m.first))
	if err != nil {
		m.t.Fatalf("looking at the machine's first process: %v", err)
	}
	links, err := filepath.Glob("/proc/[0-9]*/ns/pid")
	if err != nil {
		m.t.Fatalf("listing processes: %v", err)
	}
	var found []Process
	for _, link := range links {
		if there, err := os.Readlink(link); err != nil || there != here {
			continue // another machine's, or gone
		}
		folder := filepath.Dir(filepath.Dir(link))
		text, err := os.ReadFile(filepath.Join(folder, "cmdline"))
		args := strings.Split(strings.TrimRight(string(text), "\x00"), "\x00")
		if err != nil || !strings.Contains(strings.ToLower(args[0]), ".exe") {
			continue
		}
		pid, err := strconv.Atoi(filepath.Base(folder))
		if err != nil {
			m.t.Fatalf("listing processes: %v", err)
		}
		found = append(found, Process{PID: pid, Args: args})
	}
	return found
}
