//go:build e2e && linux

package machine_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/test/e2e/machine"
)

func TestMachine(t *testing.T) {
	for _, kind := range []string{machine.Debian12, machine.Debian13} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			greeting := filepath.Join(t.TempDir(), "greeting")
			if err := os.WriteFile(greeting, []byte("#!/bin/sh\necho hello\n"), 0o750); err != nil {
				t.Fatal(err)
			}
			m := machine.Boot(t, machine.Options{
				Kind: kind, Copy: map[string]string{greeting: "/opt/greeting/run"},
			})
			checkCommands(t, m)
			checkLooks(t, m)
			checkPower(t, m)
		})
	}
}

func checkCommands(t *testing.T, m *machine.Machine) {
	t.Helper()
	if got := m.Must("/opt/greeting/run"); got != "hello" {
		t.Errorf("copied program printed %q", got)
	}
	if got := m.Run(t.Context(), "sh", "-c", "echo out; echo err >&2; exit 7"); got.Stdout != "out\n" ||
		got.Stderr != "err\n" || got.Code != 7 {
		t.Errorf("command ended with %s", got)
	}
	if got := m.RunInput(t.Context(), strings.NewReader("typed"), "cat"); got.Stdout != "typed" {
		t.Errorf("standard input arrived as %s", got)
	}
	if got := strings.Fields(m.Must("env")); len(got) != 3 {
		t.Errorf("the environment is not clean: %q", got)
	}
	if got := m.Must("cat", "/proc/1/comm"); got != "systemd" {
		t.Errorf("first process is %q", got)
	}
	if failed := m.Must("systemctl", "--failed", "--no-legend"); failed != "" {
		t.Errorf("units failed at boot:\n%s", failed)
	}
	if addresses := m.Must("ip", "-oneline", "link"); strings.Count(addresses, "\n") > 0 {
		t.Errorf("the network is not lo alone:\n%s", addresses)
	}
}

func checkLooks(t *testing.T, m *machine.Machine) {
	t.Helper()
	before := m.Files("/etc", "/opt")
	if diff := machine.Diff(before, m.Files("/etc", "/opt")); diff != nil {
		t.Errorf("two looks differ: %q", diff)
	}
	m.Write("/etc/new/file", "content", 0o640)
	m.Must("chown", "daemon", "/opt/greeting/run")
	m.Must("ln", "-s", "/nowhere", "/etc/link")
	m.Must("rm", "/etc/issue")
	diff := strings.Join(machine.Diff(before, m.Files("/etc", "/opt", "/none")), "\n")
	for _, want := range []string{
		"+ /etc/link: Lrwxrwxrwx 0:0 -> /nowhere", "+ /etc/new: drwxr-xr-x 0:0", "+ /etc/new/file: -rw-r----- 0:0 7 bytes",
		"- /etc/issue: ", "~ /opt/greeting/run: -rwxr-x--- 0:0 ",
	} {
		if !strings.Contains(diff, want) {
			t.Errorf("difference lacks %q:\n%s", want, diff)
		}
	}
	if strings.Count(diff, "\n") != 4 {
		t.Errorf("difference has other lines:\n%s", diff)
	}
	if m.Read("/etc/new/file") != "content" || !m.Exists("/etc/link") || m.Exists("/etc/issue") {
		t.Error("Read or Exists is wrong")
	}
	if users := m.Users(); !strings.HasPrefix(users["user root"], "x:0:0:") || users["group root"] != "x:0:" {
		t.Errorf("users are %q", users)
	}
	units := m.Units()
	if units["file systemd-journald.service"] != "static" ||
		units["unit systemd-journald.service"] != "loaded active running" {
		t.Errorf("units are %q", units)
	}
	if journal := m.Journal(); !strings.Contains(journal, "systemd[1]") {
		t.Errorf("journal is %q", journal)
	}
}

// checkPower leaves the machine off. What was written and what listens must outlive every boot.
func checkPower(t *testing.T, m *machine.Machine) {
	t.Helper()
	server := &http.Server{
		ReadHeaderTimeout: time.Second,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, "you asked for "+r.URL.Path)
		}),
	}
	listener := m.Listen(t)
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })
	_, port, _ := strings.Cut(listener.Addr().String(), ":")
	fetch := []string{
		"perl", "-MIO::Socket::INET", "-e",
		`$s = IO::Socket::INET->new("127.0.0.1:` + port + `") or die "$@"; print $s "GET /here HTTP/1.0\r\n\r\n"; print <$s>`,
	}

	boots := map[string]bool{}
	look := func() {
		t.Helper()
		boots[m.Must("cat", "/proc/sys/kernel/random/boot_id")] = true
		if got := m.Must(fetch...); !strings.HasSuffix(got, "you asked for /here") {
			t.Errorf("the guest got %q", got)
		}
		if m.Read("/etc/new/file") != "content" {
			t.Error("a written file is gone")
		}
	}
	look()
	m.Reboot()
	look()
	m.Crash()
	m.PowerOn()
	look()
	m.PowerOff()
	if len(boots) != 3 {
		t.Errorf("%d different first processes in three boots", len(boots))
	}
}

// TestCommandGivenUp proves that a command that hangs ends with its context, and fails the test it was run for.
func TestCommandGivenUp(t *testing.T) {
	t.Parallel()
	m := machine.Boot(t, machine.Options{})
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	sub := &failing{TB: t}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		m.For(sub).Run(ctx, "sleep", "60")
	}()
	select {
	case <-ended:
	case <-time.After(20 * time.Second):
		t.Fatal("the command is still waited for")
	}
	if !strings.Contains(sub.message, "sleep") {
		t.Errorf("the test was failed with %q", sub.message)
	}
	// Its parent is gone, so the machine's first process has to take note of its end.
	for deadline := time.Now().Add(10 * time.Second); m.Run(t.Context(), "pgrep", "sleep").Code == 0; {
		if time.Now().After(deadline) {
			t.Fatal("the command is still there")
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// failing is a test that remembers how it failed.
type failing struct {
	testing.TB

	message string
}

func (f *failing) Fatalf(format string, args ...any) {
	f.message = fmt.Sprintf(format, args...)
	runtime.Goexit()
}
