//go:build e2e && linux

package hostile_test

import (
	"strings"

	"github.com/runner-bootstrap/runner-bootstrap/test/e2e/stage"
)

const (
	// plant leaves something wherever another job might find it, open to all.
	plant = `
echo "planted as $(id -un)"
for d in ~ /tmp /var/tmp /dev/shm /run/lock /var/lock; do echo planted >$d/planted; chmod 666 $d/planted; done
echo '//registry/:_authToken=planted' >~/.npmrc
git config --global core.hooksPath ~/hooks
chmod 777 ~ . ..
cat .runner >/dev/null 2>&1
true`

	// seek looks for all of that, and for what belongs to other runners, whatever it is.
	seek = `
echo "seeking as $(id -un)"
for f in ~/planted ~/.npmrc ~/.gitconfig /tmp/planted /var/tmp/planted /dev/shm/planted /run/lock/planted /var/lock/planted \
	/home/*/.npmrc /home/*/planted /home/runner-1/.npmrc /home/runner-1/planted /opt/actions-runner/*/.credentials /opt/actions-runner/many/.runner \
	/opt/actions-runner/many/_work/hello /opt/actions-runner/many/planted; do
	case $f in "${PWD%/_work/*}"/*) continue ;; esac
	ls "$f" >/dev/null 2>&1 && echo "found $f"
done
git config --global --list 2>/dev/null
true`

	// listen waits for a token in somebody's environment, or for a copy of a runner in which config.sh is about to get one.
	listenIn = `
echo "listening as $(id -un)"
end=$(($(date +%s) + 8))
while [ "$(date +%s)" -lt $end ]; do
	grep -lsa ACTIONS_RUNNER_INPUT_TOKEN /proc/[0-9]*/environ && echo "found a token"
	for d in /var/cache/runner-bootstrap/register /opt/actions-runner/.register; do ls $d/* >/dev/null 2>&1 && echo "found a room in $d"; done
done
true`
)

// sharesNothing: nothing passes from the jobs of one runner to those of another, nor from those of an ephemeral one to its next.
func sharesNothing(s *scene) {
	clean := func(output, who string) {
		s.t.Helper()
		if !strings.Contains(output, "ing as ") || strings.Contains(output, "found") || strings.Contains(output, "planted") || strings.Contains(output, "hookspath") {
			s.t.Errorf("a job of %s has found something:\n%s", who, output)
		}
	}
	for _, life := range []string{"--ephemeral", "--max-jobs=9"} {
		s.must(s.words("--name", "many", "--count", "2", life)...)
		s.startAs("many")
		s.startAs("many-2")
		id := s.listensAs("many", 0)
		s.listensAs("many-2", 0)
		if output := s.jobOf("many", plant); !strings.Contains(output, "planted as ") {
			s.t.Errorf("the first job wrote %q", output)
		}
		clean(s.jobOf("many-2", seek), "another runner")
		if life == "--ephemeral" {
			s.listensAs("many", id)
			clean(s.jobOf("many", seek), "the same, the next one")
		}
		s.listensAs("many-2", 0)
		end := s.begin("many-2", listenIn)
		s.must(s.words("--name", "web-3")...)
		clean(end(), "another runner, during a registration")
		s.must("uninstall", "--name", "web-3", "--token-file", stage.Token)
		s.stopAs("many")
		s.stopAs("many-2")
		s.uninstall()
	}
}

// startAs starts a runner of that name where nobody else does, in a unit that stop does not know.
func (s *scene) startAs(name string) {
	s.t.Helper()
	if s.byHand {
		s.Must("systemd-run", "--quiet", "--collect", "--unit=by-hand-"+name, stage.Program, "run", "--name", name)
	}
}

func (s *scene) stopAs(name string) {
	s.t.Helper()
	if s.byHand {
		s.Run(s.t.Context(), "systemctl", "stop", "by-hand-"+name)
	}
}
