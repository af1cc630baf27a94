//go:build e2e && linux

package e2e_test

import (
	"context"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/test/e2e/machine"
)

const jailTests = "/opt/tests/jail.test"

// TestJail runs the suite of package jail in machines: there, a life is a unit of systemd's.
func TestJail(t *testing.T) {
	t.Parallel()
	compiled := filepath.Join(t.TempDir(), "jail.test")
	cmd := exec.CommandContext(t.Context(), "go", "test", "-c", "-o", compiled, "github.com/runner-bootstrap/runner-bootstrap/internal/jail")
	cmd.Env = append(cmd.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("compiling the tests: %v\n%s", err, out)
	}
	for _, o := range []machine.Options{{Kind: machine.Debian12, Keys: true}, {Kind: machine.Debian13, Keys: true, Cgroup2: true}} {
		t.Run(o.Kind, func(t *testing.T) {
			t.Parallel()
			failed := ""
			// After what the machine says at its end: of a log that is cut off, the end is there as a rule.
			t.Cleanup(func() {
				if failed != "" {
					t.Errorf("what has failed in short:\n%s", failed)
				}
			})
			o.Copy = map[string]string{compiled: jailTests}
			m := machine.Boot(t, o)
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
			defer cancel()
			makeStranger(t, m)
			// What a life has of its own lies in the host's /tmp: the tests' folders must not.
			r := m.Run(ctx, "env", "TMPDIR=/srv", "JAIL_TEST_ACCOUNT=stranger", "JAIL_TEST_MAKERS=systemd,namespaces,descendants", jailTests, "-test.parallel=2", "-test.timeout=240s",
				"-test.v", "-test.skip=TestChooseWithoutNamespaces") // there, settings are read-only
			if failed = inShort(r); r.Code != 0 {
				t.Errorf("the tests failed, exit code %d:\n%s\n%s", r.Code, r.Stdout, r.Stderr)
			}
			if !strings.Contains(r.Stdout, "--- PASS: TestKeysAreForgotten/systemd") {
				t.Error("it is not shown that systemd's lives find no keys")
			}
			waitForNone(t, m, "systemctl list-units --all --plain --no-legend 'test.*'; ls /srv")
		})
	}
}

// makeStranger makes the account of the tests. Who else changes accounts just then is waited for.
func makeStranger(t *testing.T, m *machine.Machine) {
	t.Helper()
	const make = `set -e
getent group stranger || groupadd -g 61234 stranger
getent group strangers || groupadd -g 61235 strangers
id stranger || useradd -u 61234 -g 61234 -G 61235 -M stranger`
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(time.Second) {
		r := m.Run(t.Context(), "sh", "-c", make)
		if r.Code == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("making an account: %s", r)
		}
	}
}

// waitForNone waits until a command says nothing: systemd forgets a unit a moment after its end.
func waitForNone(t *testing.T, m *machine.Machine, command string) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(200 * time.Millisecond) {
		left := m.Must("sh", "-c", command)
		if left == "" {
			return
		}
		if time.Now().After(deadline) {
			t.Errorf("left is %q", left)
			return
		}
	}
}

// inShort are the lines of a failed run that say what has failed, and why.
func inShort(r machine.Result) string {
	if r.Code == 0 {
		return ""
	}
	const most = 40
	var found []string
	about := false
	for line := range strings.Lines(r.Stdout + r.Stderr) {
		word := strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(word, "--- FAIL"), strings.HasPrefix(word, "panic:"), strings.HasPrefix(word, "running tests:"):
			about = true
		case strings.HasPrefix(word, "--- "), strings.HasPrefix(word, "=== NAME"), word == "", word == "FAIL":
			about = about && strings.HasPrefix(word, "=== NAME")
			continue
		case strings.HasPrefix(word, "=== "):
			about = false
		case strings.Contains(word, "_test.go:"):
			about = true
		}
		if about && len(found) < most {
			found = append(found, strings.TrimRight(line, "\n"))
		}
	}
	if len(found) == 0 {
		return "nothing that is understood"
	}
	return strings.Join(found, "\n")
}
