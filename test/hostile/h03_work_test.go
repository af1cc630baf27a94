//go:build e2e && linux

package hostile_test

import (
	"context"
	"strings"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/githubtest"
	"github.com/runner-bootstrap/runner-bootstrap/test/e2e/stage"
)

// worksElsewhere: a work folder that has other things in it is refused, and runners that share one do not meet in it.
func worksElsewhere(s *scene) {
	whole := s.canary("/data")
	s.Must("chown", "-R", account, "/data")
	r := s.try(s.words("--ephemeral", "--work", "/data")...)
	if r.Code != 3 && r.Code != 2 || !strings.Contains(r.Stderr, "/data") {
		s.t.Errorf("a work folder with other things in it: %s", r)
		if r.Code == 0 {
			s.job("true")
			time.Sleep(2 * time.Second)
		}
	}
	whole("after it was given as a work folder")
	if left := s.Server.Runners(""); len(left) != 0 {
		s.t.Errorf("GitHub lists %+v", left)
	}
	s.try("uninstall", "--all", "--force", "--token-file", stage.Token)

	s.must(s.words("--name", "many", "--count", "2", "--ephemeral", "--work", "/srv/jobs")...)
	s.listensAs("many", 0)
	id := s.listensAs("many-2", 0)
	long := s.Server.QueueJob("many", githubtest.Job{Name: "long", Script: `echo mine >kept; sleep 12; cat kept`})
	ctx, cancel := context.WithTimeout(s.t.Context(), time.Minute)
	defer cancel()
	if _, err := long.WaitStarted(ctx); err != nil {
		s.t.Fatal(err)
	}
	s.jobOf("many-2", "true")
	s.listensAs("many-2", id)
	if conclusion, err := long.Wait(ctx); err != nil || conclusion != "succeeded" || !strings.Contains(long.Output(), "mine") {
		s.t.Errorf("beside the end of another's job a job %s: %v\n%s", conclusion, err, long.Output())
	}
	s.uninstall()
	if s.Exists("/srv/jobs") {
		s.t.Error("after uninstall there is /srv/jobs")
	}
}
