//go:build e2e && linux

package hostile_test

import (
	"strings"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/test/e2e/stage"
)

// swap puts programs of the job's in the place of those that are given tokens. Each of them says in a file that it was given
// some, and which, and then does what it stands for.
var swap = inFolder(`
cat >x.sh <<'end'
#!/bin/sh
case "$0 $*" in
*config.sh*|*configure*|*remove*)
	for at in /tmp /var/tmp /srv "$(dirname "$0")"; do
		{ id; echo "$0 $*"; tr '\0' '\n' </proc/self/environ; ls -l /proc/self/fd; } >"$at/OWNED-$$" 2>/dev/null
	done
	echo OWNED
esac
exec "$0.real" "$@"
end
chmod 755 x.sh
for f in config.sh bin/Runner.Listener; do mv "$f" "$f.real" && cp x.sh "$f" && echo "$f is another"; done
true
`)

// takesTokens: what a job has put in the place of config.sh is given no registration token, and no remove token.
func takesTokens(s *scene) {
	for _, tr := range trees() {
		s.installTree(tr)
		want := 0
		if tr.owner == account {
			want = 2
		}
		if output := s.job(swap); strings.Count(output, "is another") != want {
			s.t.Fatalf("the job changed other files than %d:\n%s", want, output)
		}
		s.stop()
		run := func(words ...string) {
			s.t.Helper()
			if output := s.within(45*time.Second, append(words, "--log-level", "debug")...); strings.Contains(output, "OWNED") {
				s.t.Errorf("%s has run the job's config.sh:\n%s", words[0], output)
			}
			s.unowned()
		}
		run(s.words(append(tr.options, "--labels", "a,c", "--no-default-labels", "--replace")...)...)
		s.start()
		s.listens(0)
		if tr.owner == "root" {
			s.runsAsVerified()
		}
		s.stop()
		run("uninstall", "--name", name, "--token-file", stage.Token)
		s.uninstall()
	}
}
