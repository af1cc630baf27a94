//go:build e2e && linux

package hostile_test

import (
	"strings"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/test/e2e/stage"
)

// waitsForPipes: a pipe that nobody writes to, in the place of each file that root reads, keeps no command of root's waiting.
// What a job may not open itself, root does not open for it either.
func waitsForPipes(s *scene) {
	const pipe = "/srv/pipe"
	s.own = append(s.own, pipe)
	s.Must("mkfifo", "--mode=600", pipe)
	for _, tr := range trees() {
		for _, put := range []string{`mkfifo "$1"`, `ln -s ` + pipe + ` "$1"`} {
			s.installTree(tr)
			output := s.job(inFolder(`
				put() { rm -f "$1"; ` + put + ` && echo "put $1"; }
				for f in .runner .runner_migrated .credentials .credentials_rsaparams .credentials_migrated .env.new .path .service .setup_info \
					bin/x.so bin/libcoreclr.so bin/Runner.Listener.deps.json config.sh _diag/Worker_20260101-000000-utc.log; do put $f; done 2>/dev/null
				rm -f .env && mkfifo .env
				true`))
			if strings.Contains(output, "put bin/x.so") != (tr.owner == account) || !strings.Contains(output, "put .runner\n") {
				s.t.Errorf("the job put its pipes elsewhere:\n%s", output)
			}
			s.stop()
			const most = 20 * time.Second
			for _, words := range [][]string{
				{"status", "--name", name, "--timeout", "10s"},
				{"doctor", "--url", s.Server.URL() + "/octo-org", "--token-file", stage.Token, "--timeout", "10s"},
			} {
				begun := time.Now()
				r := s.try(words...)
				if took := time.Since(begun); took > most || r.Code != 0 && r.Code != 9 {
					s.t.Errorf("%q took %v: %s", words, took, r)
				}
			}
			s.within(most, s.words(append(tr.options, "--labels", "a,c", "--no-default-labels", "--env", "A=b", "--replace", "--timeout", "20s")...)...)
			s.start()
			s.listens(0)
			if output := s.job("echo A is $A"); !strings.Contains(output, "A is b") {
				s.t.Errorf("the next job wrote %q", output)
			}
			s.uninstall()
		}
	}
}
