//go:build e2e && linux

package hostile_test

import (
	"strings"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/test/e2e/stage"
)

// putsFolders: folders in the place of files, and a config.sh that does not end, keep nobody from a change or from an uninstall.
func putsFolders(s *scene) {
	const most = 40 * time.Second
	for _, tr := range trees() {
		const script = `
			for f in .runner .credentials .credentials_rsaparams .env .env.new .path; do rm -f $f; mkdir -p $f/x && echo "put $f"; done
			printf '#!/bin/sh\nsleep 3131\n' >x.sh && chmod 755 x.sh && mv config.sh x.old && mv x.sh config.sh
			true`
		attack := func() {
			s.t.Helper()
			output := s.job(inFolder(script))
			for _, f := range []string{".credentials_rsaparams", ".env.new", ".runner"} {
				if !strings.Contains(output, "put "+f+"\n") {
					s.t.Errorf("the job did not put %s:\n%s", f, output)
				}
			}
		}
		s.installTree(tr)
		attack()
		s.within(most, s.words(append(tr.options, "--env", "A=b", "--replace")...)...)
		s.stop()
		s.start()
		s.listens(0)
		if output := s.job("echo A is $A"); !strings.Contains(output, "A is b") {
			s.t.Errorf("the next job wrote %q", output)
		}
		attack()
		s.stop()
		s.within(most, "uninstall", "--name", name, "--token-file", stage.Token)
		if left := s.listed(name); len(left) != 0 {
			s.t.Errorf("after uninstall GitHub lists %+v", left)
		}
		s.uninstall()

		s.installTree(tr)
		attack()
		s.stop()
		s.within(most, "uninstall", "--name", name, "--force", "--local")
		s.forget()
		s.uninstall()
	}
}

// forget is what GitHub does where nobody has told it of an uninstall.
func (s *scene) forget() {
	s.t.Helper()
	for _, r := range s.listed(name) {
		s.Server.DeleteRunner(r.ID)
	}
}
