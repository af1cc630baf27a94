//go:build e2e && linux

package machine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

const (
	bootTimeout = 90 * time.Second
	glance      = 50 * time.Millisecond
)

// Options describe a machine. The zero value is a Debian 12 that nothing was added to.
type Options struct {
	Kind    string            // what scripts/e2e-root.sh calls it; Debian12 if empty
	Root    string            // a finished tree to use instead
	Layers  []string          // trees that lie over it, the topmost first
	Copy    map[string]string // files of this host -> absolute path in the machine; mode kept, owner root
	Cgroup2 bool              // give the machine the unified hierarchy, even on a host without it
	Disk    string            // an empty folder for its files, which stay there; a temporary one if empty
	Cut     time.Duration     // the power goes so long after it came; zero for a boot that is not cut off
	// Keys lets what the machine starts use the kernel's keyrings, as on a real host. Accounts of one number share them, whichever
	// machine they are on.
	Keys bool
	// Before is called when the machine has its files and its network, and is still off.
	Before func(*Machine)
}

// The kinds of machine.
const (
	Debian12 = "debian12" // systemd 252
	Debian13 = "debian13" // systemd 257

	// Debian12Cloud and Debian13Cloud have what an image for a cloud has: cloud-init.
	Debian12Cloud = "debian12-cloud" // cloud-init 22.4
	Debian13Cloud = "debian13-cloud" // cloud-init 25.1

	// Debian13Build has what jobs are made of: git, gcc, Python, node.
	Debian13Build = "debian13-build"

	// Debian12Full and Debian13Full have what a server has by which a job could reach beyond itself: polkit, cron, at and
	// sudo; and git, node and a small compiler.
	Debian12Full = "debian12-full"
	Debian13Full = "debian13-full"
)

// Machine is a running computer. Its methods fail the test when the machine itself does not do its part;
// what a command in it answers is for the test to judge.
type Machine struct {
	t testing.TB
	*guest
}

// guest is the machine itself, whichever test looks at it.
type guest struct {
	place   *place
	name    string
	tree    string   // the overlay, as the place sees it
	layers  []string // what it is made of, the topmost first
	groups  []string // the control groups that the machine is in
	cgroup2 bool
	keys    bool
	console *console

	mu     sync.Mutex
	nspawn *exec.Cmd
	ended  chan struct{} // closed when nspawn has ended
	leader int           // the machine's first process, as this host numbers it; 0 when it is off
}

// Boot returns a machine that has finished starting. It ends with the test at the latest.
func Boot(t testing.TB, o Options) *Machine {
	t.Helper()
	requireTools(t)
	if o.Root == "" {
		o.Root = Tree(t, o.Kind)
	}
	p, err := newPlace()
	if err != nil {
		t.Fatalf("making a place for the machine: %v", err)
	}
	// After the machine's own end, which is registered later.
	t.Cleanup(func() {
		if err := p.leave(); err != nil {
			t.Errorf("clearing up after the machine: %v", err)
		}
	})
	return boot(t, p, append(slices.Clone(o.Layers), o.Root), o)
}

// BootImage boots another machine from what this one, which is off, has on its disk, in the same network.
func (m *Machine) BootImage(t testing.TB, o Options) *Machine {
	t.Helper()
	if _, err := m.first(); err == nil {
		t.Fatal("making an image of a machine that is on")
	}
	return boot(t, m.place, m.layers, o)
}

func boot(t testing.TB, p *place, layers []string, o Options) *Machine {
	t.Helper()
	work := o.Disk
	if work == "" {
		work = t.TempDir()
	}
	m := &Machine{t: t, guest: &guest{
		place: p, tree: filepath.Join(work, "tree"), console: &console{}, cgroup2: o.Cgroup2, keys: o.Keys,
		name: fmt.Sprintf("%s%d-%s", groupPrefix, os.Getpid(), strconv.FormatInt(time.Now().UnixNano(), 36)),
	}}
	t.Cleanup(m.discard)
	var err error
	if m.groups, err = makeGroups(m.name); err != nil {
		t.Fatalf("preparing the machine's control groups: %v", err)
	}
	if err := m.place.do(func() error { return m.furnish(work, layers, o) }); err != nil {
		t.Fatalf("preparing the machine's files: %v", err)
	}
	if o.Before != nil {
		o.Before(m)
	}
	if o.Cut > 0 {
		m.cutOff(o.Cut)
	} else {
		m.start()
	}
	return m
}

// cutOff starts the machine, and takes the power away whatever it is doing then.
func (m *Machine) cutOff(after time.Duration) {
	m.t.Helper()
	if err := m.place.do(m.spawn); err != nil {
		m.t.Fatalf("starting systemd-nspawn: %v", err)
	}
	select {
	case <-m.ended:
		m.t.Fatalf("booting the machine: systemd-nspawn ended: %v\n%s", m.nspawn.ProcessState, m.console.tail(30))
	case <-time.After(after):
	}
	m.Crash()
}

// For returns the same machine for a subtest, which then is the one that fails. The machine still ends with the
// test that booted it.
func (m *Machine) For(t testing.TB) *Machine { return &Machine{t: t, guest: m.guest} }

// Result is how a command in the machine ended.
type Result struct {
	Stdout, Stderr string
	Code           int // -1 if a signal ended it
}

// String is for failure messages.
func (r Result) String() string {
	return fmt.Sprintf("exit code %d\nstdout: %s\nstderr: %s", r.Code, r.Stdout, r.Stderr)
}

// Run runs a command in the machine as root, with an environment of PATH, HOME and LANG alone. It fails the
// test if the command could not be run to its end.
func (m *Machine) Run(ctx context.Context, argv ...string) Result {
	m.t.Helper()
	return m.RunInput(ctx, nil, argv...)
}

// RunInput is Run with a standard input.
func (m *Machine) RunInput(ctx context.Context, stdin io.Reader, argv ...string) Result {
	m.t.Helper()
	result, err := m.run(ctx, stdin, argv...)
	if err != nil {
		m.t.Fatalf("running %q in the machine: %v\n%s", argv, err, result)
	}
	return result
}

// Must is Run for a command that has to succeed; it returns its standard output without blanks at the ends.
func (m *Machine) Must(argv ...string) string {
	m.t.Helper()
	result := m.Run(m.t.Context(), argv...)
	if result.Code != 0 {
		m.t.Fatalf("running %q in the machine: %s", argv, result)
	}
	return strings.TrimSpace(result.Stdout)
}

func (m *guest) run(ctx context.Context, stdin io.Reader, argv ...string) (Result, error) {
	cmd, err := m.command(ctx, argv...)
	if err != nil {
		return Result{Code: -1}, err
	}
	var out, errs bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, &out, &errs
	err = cmd.Run()
	result := Result{Stdout: out.String(), Stderr: errs.String(), Code: cmd.ProcessState.ExitCode()}
	var exit *exec.ExitError
	if errors.As(err, &exit) && ctx.Err() == nil || errors.Is(err, exec.ErrWaitDelay) {
		err = nil
	}
	return result, err
}

// command is one in the machine, which ends with ctx.
func (m *guest) command(ctx context.Context, argv ...string) (*exec.Cmd, error) {
	leader, err := m.first()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, "nsenter", append([]string{
		"--target", strconv.Itoa(leader), "--all", "--",
	}, argv...)...)
	cmd.Env = []string{
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LANG=C.UTF-8",
	}
	// nsenter waits for the command, which does not end with it: the two make a group that does.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second // a daemon that the command left may hold its output open
	return cmd, nil
}

// Listen returns a listener on 127.0.0.1 in the machine, on a free port. It is the test's own: what serves
// there runs in this process, and stays over a reboot.
func (m *Machine) Listen(t testing.TB) net.Listener {
	t.Helper()
	return m.ListenAt(t, "127.0.0.1:0")
}

// ListenAt is Listen on another address that the machine has.
func (m *Machine) ListenAt(t testing.TB, address string) net.Listener {
	t.Helper()
	var listener net.Listener
	err := m.place.do(func() (err error) {
		listener, err = new(net.ListenConfig).Listen(context.Background(), "tcp4", address)
		return err
	})
	if err != nil {
		t.Fatalf("listening in the machine: %v", err)
	}
	t.Cleanup(func() {
		if err := listener.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			t.Errorf("closing the listener in the machine: %v", err)
		}
	})
	return listener
}

// discard is the end of the machine in every case.
func (m *Machine) discard() {
	if err := m.kill(); err != nil {
		m.t.Errorf("ending the machine: %v", err)
	}
	if m.t.Failed() {
		m.t.Logf("the machine's console, its end:\n%s", m.console.tail(100))
		m.keepConsole()
	}
	if err := errors.Join(m.place.unmount(filepath.Dir(m.tree)+"/"), removeGroups(m.groups)); err != nil {
		m.t.Errorf("clearing up after the machine: %v", err)
	}
}

// keepConsole leaves the whole of the console behind for the person who looks for the cause.
func (m *Machine) keepConsole() {
	file, err := os.CreateTemp("", m.name+"-console-*.log")
	if err == nil {
		_, err = file.WriteString(m.console.tail(1 << 20))
		err = errors.Join(err, file.Close())
	}
	if err != nil {
		m.t.Errorf("keeping the machine's console: %v", err)
		return
	}
	m.t.Logf("the machine's console is kept in %s", file.Name())
}

// Put writes a file of a machine that is off.
func (m *Machine) Put(name, content string, mode os.FileMode) {
	m.t.Helper()
	err := m.place.do(func() error {
		root, err := os.OpenRoot(m.tree)
		if err != nil {
			return err
		}
		defer root.Close() //nolint:errcheck // a folder opened for reading has nothing to lose
		name := strings.TrimPrefix(name, "/")
		if err := root.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			return err
		}
		return root.WriteFile(name, []byte(content), mode)
	})
	if err != nil {
		m.t.Fatalf("putting %q on the machine's disk: %v", name, err)
	}
}

func (m *guest) kill() error {
	m.mu.Lock()
	nspawn, ended := m.nspawn, m.ended
	m.leader = 0
	m.mu.Unlock()
	if nspawn == nil {
		return nil
	}
	if err := nspawn.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-ended:
		return nil
	case <-time.After(offTimeout):
		return fmt.Errorf("systemd-nspawn (process %d) is still there after it was killed", nspawn.Process.Pid)
	}
}

// first returns the machine's first process.
func (m *guest) first() (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.leader == 0 {
		return 0, errors.New("the machine is off")
	}
	return m.leader, nil
}
