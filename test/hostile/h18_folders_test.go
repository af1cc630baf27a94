//go:build e2e && linux

package hostile_test

import (
	"strings"
)

// spoil puts links and files that are no runner's into the place of a runner's own, for who comes after the job.
const spoil = `exec 2>&1
cd ` + folder + ` && (sleep 1; rm -rf _work _diag; ln -s /etc _work; ln -s /root _diag
rm -f .runner .credentials .credentials_rsaparams; ln -s /etc/shadow .runner; ln -s /root/precious .credentials; mkfifo .credentials_rsaparams) &
sleep 2`

// replacesFolders: a job of a persistent runner leaves links in the place of its folders. Nothing that they lead to is read or changed, and
// the next life of the listener has folders again.
func replacesFolders(s *scene) {
	s.Write("/root/precious", "precious\n", 0o600)
	s.own = append(s.own, "/root/precious")
	state := func() string {
		return s.Must("sh", "-c", "md5sum /etc/shadow /root/precious; stat -c '%U %G %a %n' /etc /root /etc/shadow /root/precious; ls /etc /root | md5sum")
	}
	s.install()
	before := state()
	s.job(spoil)
	for _, words := range []string{"status", "list", "doctor", "logs --listener"} {
		if r := s.try(strings.Fields(words)...); strings.Contains(r.Stdout+r.Stderr, "precious") || strings.Contains(r.Stdout, "root:") {
			s.t.Errorf("%s shows what a link leads to: %s", words, r)
		}
	}
	if s.byHand {
		s.stop()
		s.start()
	} else {
		s.must("restart", "--name", name)
	}
	s.listens(0)
	if said := s.job("echo it works"); !strings.Contains(said, "it works") {
		s.t.Errorf("the next job says %q", said)
	}
	if after := state(); after != before {
		s.t.Errorf("it was\n%s\nand is\n%s", before, after)
	}
	s.uninstall()
}
