//go:build e2e && linux

package e2e_test

import (
	"context"
	"os/exec"
	"path/filepath"
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
	for _, o := range []machine.Options{{Kind: machine.Debian12}, {Kind: machine.Debian13, Cgroup2: true}} {
		t.Run(o.Kind, func(t *testing.T) {
			t.Parallel()
			o.Copy = map[string]string{compiled: jailTests}
			m := machine.Boot(t, o)
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
			defer cancel()
			// What a life has of its own lies in the host's /tmp: the tests' folders must not.
			m.Must("sh", "-ec", "groupadd -g 61234 stranger; groupadd -g 61235 strangers; useradd -u 61234 -g 61234 -G 61235 -M stranger")
			r := m.Run(ctx, "env", "TMPDIR=/srv", "JAIL_TEST_ACCOUNT=stranger", "JAIL_TEST_MAKERS=systemd,namespaces,descendants", jailTests, "-test.parallel=2", "-test.timeout=240s",
				"-test.skip=TestChooseWithoutNamespaces") // there, settings are read-only
			if r.Code != 0 {
				t.Errorf("the tests failed:\n%s\n%s", r.Stdout, r.Stderr)
			}
			if left := m.Must("sh", "-c", "systemctl list-units --all --plain --no-legend 'test.*'; ls /srv"); left != "" {
				t.Errorf("left is %q", left)
			}
		})
	}
}
