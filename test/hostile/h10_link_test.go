//go:build e2e && linux

package hostile_test

import (
	"github.com/runner-bootstrap/runner-bootstrap/internal/githubtest"
	"github.com/runner-bootstrap/runner-bootstrap/test/e2e/stage"
)

// linksWork: a job makes a folder above its work folder a link into another account's runner.
func linksWork(s *scene) {
	const other = "/opt/actions-runner/web-2"
	for _, life := range []string{"--ephemeral", ""} {
		words := []string{"--work", "a/_work"}
		if life != "" {
			words = append(words, life)
		}
		id := s.install(words...)
		s.must(s.words("--no-service", "--name", "web-2")...)
		owner := s.Must("stat", "-c", "%U", other)
		whole := s.canary(other + "/_work")
		s.Must("chown", "-R", owner, other+"/_work")
		s.job(`cd ` + folder + ` && mv a a.old && ln -s ../web-2 a && ls -ld a`)
		if life == "" {
			if err := s.Server.Tell(name, githubtest.ForgetRegistration{}); err != nil {
				s.t.Fatal(err)
			}
		}
		s.listens(id)
		whole("after a life " + life)
		if now := s.Must("stat", "-c", "%U", other); now != owner {
			s.t.Errorf("the other's folder belonged to %s and belongs to %s", owner, now)
		}
		s.stop()
		s.must("uninstall", "--name", name, "--token-file", stage.Token)
		whole("after uninstall")
		s.uninstall()
	}
}
