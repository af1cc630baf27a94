//go:build e2e && linux

package hostile_test

import (
	"fmt"

	"github.com/runner-bootstrap/runner-bootstrap/internal/githubtest"
)

// namesAnother: the id of another runner in the job's own files.
func namesAnother(s *scene) {
	other := s.Server.AddRunner("octo-org", githubtest.Runner{Name: "foreign-1"})
	s.install()
	claim := fmt.Sprintf(`cd %s; rm -f .runner; printf '{"AgentId":"%d","AgentName":"web-1"}' >.runner; cat .runner`, folder, other.ID)
	present := func(when string) {
		s.t.Helper()
		if len(s.listed("foreign-1")) != 1 {
			s.t.Errorf("%s the other runner is gone", when)
			other = s.Server.AddRunner("octo-org", githubtest.Runner{Name: "foreign-1"})
		}
	}
	s.job(claim)
	s.stop()
	if r := s.try(s.words("--labels", "a,c", "--no-default-labels", "--replace")...); r.Code != 0 {
		s.t.Errorf("install --replace: %s", r)
	}
	s.start()
	present("after install --replace")
	s.listens(0)
	s.job(claim)
	s.uninstall()
	present("after uninstall")
	s.Server.DeleteRunner(other.ID)
}
