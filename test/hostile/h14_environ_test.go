//go:build e2e && linux

package hostile_test

import (
	"slices"
	"strings"

	"github.com/runner-bootstrap/runner-bootstrap/test/e2e/stage"
)

// readsEnvironment: without root, supervisor and jobs are one account; a token that came through the environment is not to be
// found there.
func readsEnvironment(s *scene) {
	secret := s.Server.Token()
	as := func(words ...string) []string {
		return slices.Concat([]string{
			"setpriv", "--reuid=job", "--regid=job", "--init-groups", "env", "-i", "HOME=/home/job", "PATH=/usr/bin:/bin",
			"RUNNER_BOOTSTRAP_TOKEN=" + secret, stage.Program,
		}, words, []string{"--dir", "/home/job/rb"})
	}
	s.Must(as("install", "--url", s.Server.URL()+"/octo-org", "--name", name, "--no-service", "--ephemeral", "--preemption", "off", "--metadata", "off")...)
	s.Must("systemd-run", "--quiet", "--collect", "--unit=by-hand", "--uid=job", "--setenv=HOME=/home/job", "--setenv=RUNNER_BOOTSTRAP_TOKEN="+secret,
		stage.Program, "run", "--name", name, "--dir", "/home/job/rb")
	id := s.listens(0)
	for range 2 { // the second registration is made by run itself
		output := s.job(`for p in /proc/[0-9]*; do
				grep -qs '^runner-bootstra' $p/comm || continue
				echo "there is $(tr '\0' ' ' <$p/cmdline)"
				tr '\0' '\n' <$p/environ && echo "environment of ${p#/proc/} was read"
				head -n 1 $p/maps && echo "memory of ${p#/proc/} can be read"
				ls -l $p/fd && echo "descriptors of ${p#/proc/} can be opened"
			done; true`)
		if !strings.Contains(output, "runner-bootstrap run") {
			s.t.Errorf("the job did not see its supervisor, so it proves nothing:\n%s", output)
		}
		if strings.Contains(output, secret) {
			s.t.Error("the job has read the token")
		}
		for _, found := range []string{"was read", "can be read", "can be opened"} {
			if strings.Contains(output, found) {
				s.t.Errorf("the job says of its supervisor: %q", found)
			}
		}
		id = s.listens(id)
	}
	s.Must("systemctl", "stop", "by-hand")
	s.Must(as("uninstall")...)
	s.Must("rm", "-rf", "/home/job/rb")
}
