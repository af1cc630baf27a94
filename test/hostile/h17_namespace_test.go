//go:build e2e && linux

package hostile_test

import (
	"strings"

	"github.com/runner-bootstrap/runner-bootstrap/test/e2e/stage"
)

// locksElsewhere: a lock that a process of another process namespace holds, as a container with the host's state does, names
// nobody here.
func locksElsewhere(s *scene) {
	s.must(s.words("--no-service")...)
	boot := s.Must("cat", "/proc/sys/kernel/random/boot_id")
	// The control socket is not the host's: a container has its own /run.
	s.Must("systemd-run", "--quiet", "--collect", "--unit=by-hand", "unshare", "--mount", "--pid", "--fork", "--mount-proc", "--kill-child",
		"sh", "-c", "mkdir -p /run/runner-bootstrap; mount -t tmpfs -o mode=700 tmpfs /run/runner-bootstrap; exec "+stage.Program+" run --name "+name)
	s.listens(0)
	r := s.try("uninstall", "--token-file", stage.Token)
	s.t.Logf("uninstall: %s", r)
	if r.Code != 3 || len(s.listed(name)) != 1 {
		s.t.Errorf("uninstall of what another namespace runs: %s", r)
	}
	// Its signal has systemd execute itself again, or switch the machine off.
	if journal := s.Must("journalctl", "--boot", "--no-pager", "_PID=1"); strings.Contains(journal, "Reexecut") ||
		s.Must("cat", "/proc/sys/kernel/random/boot_id") != boot {
		s.t.Errorf("the host's first process was signalled:\n%s", tail(journal, 10))
	}
	if s.Run(s.t.Context(), "systemctl", "is-active", "by-hand").Code != 0 {
		s.t.Error("the one in the namespace has ended")
	}
	s.Must("systemctl", "stop", "by-hand")
	s.uninstall()
}
