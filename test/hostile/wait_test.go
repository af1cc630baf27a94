//go:build e2e && linux

package hostile_test

import (
	"strings"
	"time"
)

// property is what systemd says of the unit.
func (s *scene) property(key string) string {
	s.t.Helper()
	return s.Must("systemctl", "show", "--property="+key, "--value", s.unit())
}

// unowned fails the test for each file by which an attack says that it came through. Its name is told to nobody but the
// attack: other files of the host do not have it.
func (s *scene) unowned() {
	s.t.Helper()
	found := s.Must("sh", "-c", "find / -ignore_readdir_race \\( -path /proc -o -path /sys \\) -prune -o -name 'OWNED*' -print "+
		"| while read -r f; do echo \"$f: $(head -c 300 \"$f\" 2>/dev/null | tr '\\0\\n' '  ')\"; done")
	if found != "" {
		s.t.Errorf("the attack came through:\n%s", found)
	}
}

// processes are those of an account, but the listener and what it has started.
func (s *scene) processes(account string) string {
	s.t.Helper()
	return strings.TrimSpace(s.Run(s.t.Context(), "sh", "-c", "ps -o pid=,args= -u "+account+" | grep -v Runner.Listener").Stdout)
}

// nobodyElse waits a moment for processes of an account that should not be there.
func (s *scene) nobodyElse(account, when string) {
	s.t.Helper()
	for deadline := time.Now().Add(3 * time.Second); time.Now().Before(deadline); time.Sleep(200 * time.Millisecond) {
		if found := s.processes(account); found != "" {
			s.t.Errorf("%s there are processes of %s:\n%s", when, account, found)
			return
		}
	}
}
