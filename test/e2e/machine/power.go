//go:build e2e && linux

package machine

import (
	"fmt"
	"os"
	"strings"
	"time"
)

const (
	// offTimeout is longer than systemd waits for a unit that does not stop (90 seconds) before it kills it.
	offTimeout  = 4 * time.Minute
	offExpected = time.Minute // what takes longer is told
	// rebootStatus is how systemd-nspawn says that the machine asked for another boot.
	rebootStatus = 133
)

// Reboot shuts the machine down in order, and returns when it has started again with the same files.
func (m *Machine) Reboot() {
	m.t.Helper()
	m.ask("reboot")
	if code := m.nspawn.ProcessState.ExitCode(); code != rebootStatus {
		m.t.Fatalf("rebooting the machine: systemd-nspawn ended with %d", code)
	}
	m.start()
}

// PowerOff shuts the machine down in order and returns when it is off.
func (m *Machine) PowerOff() {
	m.t.Helper()
	m.ask("poweroff")
	if code := m.nspawn.ProcessState.ExitCode(); code != 0 {
		m.t.Fatalf("switching the machine off: systemd-nspawn ended with %d", code)
	}
}

// PowerOn starts a machine that is off, with the same files.
func (m *Machine) PowerOn() {
	m.t.Helper()
	if _, err := m.first(); err == nil {
		m.t.Fatal("switching the machine on: it is")
	}
	m.start()
}

// Crash takes the power away: nothing in the machine learns of it. PowerOn may follow.
func (m *Machine) Crash() {
	m.t.Helper()
	if err := m.kill(); err != nil {
		m.t.Fatalf("crashing the machine: %v", err)
	}
}

// ask has systemd end the machine, and waits until it has.
func (m *Machine) ask(verb string) {
	m.t.Helper()
	// The command may be killed by what it asks for.
	if result, err := m.run(m.t.Context(), nil, "systemctl", verb); err != nil {
		m.t.Fatalf("asking the machine for %s: %v\n%s", verb, err, result)
	}
	began, long := time.Now(), time.After(offExpected)
	for deadline := time.After(offTimeout); m.on(); {
		select {
		case <-m.ended:
		case <-long:
			m.t.Logf("%s takes long; in the machine are still:\n%s", verb, m.processes())
		case <-deadline:
			m.t.Fatalf("waiting for %s: the machine is still on after %s; in it are:\n%s", verb, offTimeout, m.processes())
		}
	}
	if took := time.Since(began); took > offExpected {
		m.t.Logf("%s took %s", verb, took.Round(time.Second))
	}
	m.mu.Lock()
	m.leader = 0
	m.mu.Unlock()
}

// on says whether the machine has not ended.
func (m *guest) on() bool {
	select {
	case <-m.ended:
		return false
	default:
		return true
	}
}

// Ended is closed when the machine that is on now has ended.
func (m *guest) Ended() <-chan struct{} { return m.ended }

// processes says what every process of the machine does, and where in the kernel it waits: for a machine that does not end.
func (m *guest) processes() string {
	leader, err := m.first()
	if err != nil {
		return err.Error()
	}
	var told strings.Builder
	for generation := []int{leader}; len(generation) > 0; {
		var next []int
		for _, pid := range generation {
			fmt.Fprintf(&told, "%d %s", pid, process(pid))
			next = append(next, children(pid)...)
		}
		generation = next
	}
	return told.String()
}

// process is a process' name, state and command, and where in the kernel it waits, as far as it is still there to be asked.
func process(pid int) string {
	var told strings.Builder
	for _, name := range []string{"stat", "cmdline", "stack"} {
		content, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", pid, name))
		if err != nil {
			fmt.Fprintf(&told, "%s: %v\n", name, err)
			continue
		}
		if name == "stat" {
			content = []byte(strings.Join(strings.Fields(string(content))[1:3], " "))
		}
		fmt.Fprintf(&told, "%s\n", strings.TrimSpace(strings.ReplaceAll(string(content), "\x00", " ")))
	}
	return told.String()
}
