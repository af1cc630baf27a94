//go:build e2e && linux

package hostile_test

import (
	"context"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/test/e2e/stage"
)

// ownsParents: as root, the program keeps nothing where a job's account may rename it, and is not started from there.
func ownsParents(s *scene) {
	s.Must("install", "-o", "job", "-g", "job", "-m", "755", "-d", "/home/job/bin")
	s.Must("install", "-o", account, "-g", account, "-m", "755", "-d", "/home/"+account+"/metrics")
	s.Must("install", "-o", "job", "-g", "job", "-m", "755", stage.Program, "/home/job/bin/runner-bootstrap")
	s.Must("install", "-o", "root", "-g", "root", "-m", "755", stage.Program, "/home/job/bin/of-root")
	s.Must("install", "-d", "-m", "777", "/srv/open")
	s.Must("ln", "-s", "/home/job", "/srv/link")
	for _, words := range [][]string{
		append([]string{stage.Program}, s.words("--dir", "/home/job/rb", "--user", "job", "--no-service")...),
		append([]string{stage.Program}, s.words("--dir", "/home/job/deep/er/rb", "--user", "job", "--no-service")...),
		append([]string{stage.Program}, s.words("--dir", "/srv/link/rb", "--user", "job", "--no-service")...),
		append([]string{stage.Program}, s.words("--dir", "/srv/open/rb", "--user", "job", "--no-service")...),
		append([]string{"/home/job/bin/runner-bootstrap"}, s.words()...),
		append([]string{"/home/job/bin/of-root"}, s.words()...),
		append([]string{stage.Program}, s.words("--metrics-file", "/home/"+account+"/metrics/x.prom")...),
	} {
		ctx, cancel := context.WithTimeout(s.t.Context(), time.Minute)
		r := s.Run(ctx, words...)
		cancel()
		if r.Code != 3 {
			s.t.Errorf("%q: %s", words, r)
		}
		if left := s.Server.Runners(""); len(left) != 0 {
			s.t.Errorf("after %q GitHub lists %+v", words, left)
		}
		s.Run(s.t.Context(), "sh", "-c", "for d in /home/job/rb /home/job/deep/er/rb /srv/open/rb; do "+stage.Program+" uninstall --all --force --token-file "+stage.Token+" --dir $d; done")
		s.try("uninstall", "--all", "--force", "--token-file", stage.Token)
		for _, r := range s.Server.Runners("") {
			s.Server.DeleteRunner(r.ID)
		}
	}
	for _, made := range []string{"/home/job/rb", "/home/job/deep", "/srv/open/rb", "/etc/systemd/system/" + s.unit()} {
		if s.Exists(made) {
			s.t.Errorf("there is %s", made)
		}
	}
	s.Must("rm", "-rf", "/srv/open", "/srv/link", "/home/job/bin", "/home/"+account+"/metrics")
}
