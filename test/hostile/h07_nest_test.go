//go:build e2e && linux

package hostile_test

import (
	"strings"
)

// nests: as many folders in one another as no process can have open.
func nests(s *scene) {
	const deep = `cd "$RUNNER_WORKSPACE" && perl -e 'for (1 .. 100_000) { mkdir "d" or die $!; chdir "d" or die $! } print "all made\n"'`
	id := s.install("--ephemeral")
	if output := s.job(deep); !strings.Contains(output, "all made") {
		s.t.Fatal("the folders were not made")
	}
	s.listens(id)
	s.eventually("what the job has left is not removed", func() error {
		if r := s.Run(s.t.Context(), "sh", "-c", "! find /opt/actions-runner -maxdepth 12 -mindepth 12 | grep -q d/d/d/d"); r.Code != 0 {
			return errLeft
		}
		return nil
	})
	s.uninstall()
	s.install()
	s.job(deep)
	s.uninstall()
}
