//go:build e2e && linux

package hostile_test

import (
	"strings"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/test/e2e/stage"
)

// leavesDaemon: a config.sh of the job's, or the job itself, that leaves a daemon, keeps nobody from anything: no lock and no
// other file of ours is open in what jobs start.
func leavesDaemon(s *scene) {
	const daemon = inherited + `
printf '#!/bin/sh\nsetsid sh -c "trap \\"\\" TERM INT HUP; sleep 3131" & sleep 1; exit 1\n' >x.sh && chmod 755 x.sh
mv config.sh x.old && mv x.sh config.sh && echo "config.sh is another"
setsid sh -c 'trap "" TERM INT HUP; exec sleep 3131' >/dev/null 2>&1 </dev/null &
true`
	for _, tr := range trees() {
		s.installTree(tr)
		output := s.job(inFolder(daemon))
		if strings.Contains(output, "config.sh is another") != (tr.owner == account) {
			s.t.Errorf("the job should change config.sh only where it is its own:\n%s", output)
		}
		if !strings.Contains(output, "looked at Runner.Listener") || strings.Contains(output, "is open in") {
			s.t.Errorf("a job has inherited:\n%s", output)
		}
		s.within(30*time.Second, "uninstall", "--name", name, "--token-file", stage.Token)
		if s.byHand {
			s.stop()
		}
		s.within(30*time.Second, s.words(append(tr.options, "--replace")...)...)
		s.start()
		s.listens(0)
		if left := s.processes(account); strings.Contains(left, "3131") {
			s.t.Errorf("there is what a job has left:\n%s", left)
		}
		s.uninstall()
		s.nobodyElse(account, "after uninstall")
	}
}

// inherited tells which files of the product are open in a job's processes, from its shell up to its listener.
const inherited = `
p=$$
while [ "$p" -gt 1 ]; do
	grep -qs . /proc/$p/comm && echo "looked at $(cat /proc/$p/comm)"
	for f in /proc/$p/fd/*; do
		case $(readlink "$f") in
		/var/lib/runner-bootstrap/*|/var/cache/runner-bootstrap/*|/run/runner-bootstrap/*|/root/*|/etc/*|*lock*) echo "$(readlink "$f") is open in $(cat /proc/$p/comm)" ;;
		esac
	done
	case $(cat /proc/$p/comm) in Runner.Listener) break ;; esac
	p=$(awk '/^PPid/ { print $2 }' /proc/$p/status)
done
`
