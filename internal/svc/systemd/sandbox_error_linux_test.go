package systemd

import (
	"errors"
	"strings"
	"testing"

	"github.com/runner-bootstrap/runner-bootstrap/internal/svc"
)

func TestSandboxFailure(t *testing.T) {
	journal := strings.Join([]string{
		"a.service: Failed to set up mount namespacing: /srv/before: No such file or directory",
		"Failed to stop listener.a.service: Unit listener.a.service not loaded.",
		"Starting a.service - A runner...",
		"a.service: Failed to set up mount namespacing: /run/lock: Permission denied",
		"a.service: Failed at step NAMESPACE spawning /usr/bin/a: Permission denied",
		"a.service: Main process exited, code=exited, status=226/NAMESPACE",
		"a.service: Failed with result 'exit-code'.",
		"Failed to start a.service - A runner.",
		"Failed to stop listener.a.service: Unit listener.a.service not loaded.",
	}, "\n")
	for name, c := range map[string]struct {
		status, journal string
		sandbox         bool
		want            string // the whole error; empty for another one
	}{
		"mounts": {
			"226", journal, true,
			`restarting unit "a.service": its sandbox cannot be set up on this host (systemd's 226/NAMESPACE): ` +
				"Failed to set up mount namespacing: /run/lock: Permission denied",
		},
		"system calls":    {"228", "", true, `restarting unit "a.service": its sandbox cannot be set up on this host (systemd's 228/SECCOMP)`},
		"capabilities":    {"218", "Failed to start", true, `restarting unit "a.service": its sandbox cannot be set up on this host (systemd's 218/CAPABILITIES)`},
		"no sandbox":      {"226", journal, false, ""},
		"the program":     {"1", journal, true, ""},
		"not executable":  {"203", journal, true, ""},
		"nothing is told": {"", journal, true, ""},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t, fakeInstaller{})
			f.unit.Sandbox.Enabled = c.sandbox
			f.put("fail-restart", "Job for a.service failed")
			f.put("journal", c.journal)
			if c.status != "" {
				f.put("exit-status", c.status)
			}
			err := f.Restart(t.Context())
			if errors.Is(err, svc.ErrSandbox) != (c.want != "") || c.want != "" && err.Error() != c.want {
				t.Errorf("restarting: %v\nwant %s", err, c.want)
			}
			var refused *svc.Error
			if c.want == "" && !errors.As(err, &refused) {
				t.Errorf("restarting: %v, want systemd's refusal", err)
			}
		})
	}
}
