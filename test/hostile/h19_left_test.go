//go:build e2e && linux

package hostile_test

import (
	"slices"
	"strings"

	"github.com/runner-bootstrap/runner-bootstrap/test/e2e/stage"
)

// leaveEverywhere leaves something in each place that does not end with processes: keyrings, memory, semaphores and queues of System V
// and POSIX, temporary folders, the home, the runner's directory; under names that are no text, and with sizes that no disk has.
const leaveEverywhere = `exec 2>&1
perl -e 'my ($add, $get) = ` + "`uname -m`" + ` =~ /aarch64/ ? (217, 219) : (248, 250);
	my ($type, $name, $text) = ("user\0", "left19-" . ` + "`uname -n`" + `, "secret"); chomp $name; $name .= "\0";
	for my $ring (-4, -5, -3) { print "key in $ring: ", syscall($add, $type, $name, $text, 6, $ring) > 0 ? "left" : $!, "\n" }
	my $kept = syscall($get, 22, -1, -3); print "key that is kept: ", $kept > 0 && syscall($add, $type, $name, $text, 6, $kept) > 0 ? "left" : $!, "\n"'
ipcmk -M 1000 && ipcmk -S 3 && ipcmk -Q && echo "memory left"
for d in /tmp /var/tmp /dev/shm /run/lock ~ ~/.ssh ~/.config/systemd/user ~/.config/autostart "$RUNNER_WORKSPACE" /opt/actions-runner/web-1; do
	mkdir -p $d && echo left >$d/left19 && echo "file left"
done
: >/dev/mqueue/left19 && echo "file left"
cd "$RUNNER_WORKSPACE" && perl -e 'for my $n ("a\nb", "\xff\xfe", "-rf", "*", "\x1b[31m", "x" x 255) { open(F, ">", "left19$n") or open(F, ">", $n) or die $!; }
	open(F, ">", "left19-large") or die $!; for my $e (62, 60, 50, 44) { last if truncate(F, 2 ** $e) }
	mkdir "locked19" and do { open(F, ">", "locked19/left19") or die $!; chmod 0, "locked19" };
	for (1 .. 50_000) { open(F, ">", "left19-$_") or die $!; close F } print "all left\n"'
mkfifo left19-pipe; ln -s / left19-link; ln -s left19-loop left19-loop
`

// lookEverywhere tells what of that is there. Logs stay, which are in _diag.
const lookEverywhere = `exec 2>&1
grep "left19-$(uname -n)" /proc/keys
ipcs | grep " $(id -un) "
find /tmp /var/tmp /dev/shm /run/lock /dev/mqueue ~ /opt/actions-runner/web-1 -name '*left19*' | head -20
ls -d ~/.ssh ~/.config
echo looked
true
`

// leavesBehind: the next job of a runner that is for one job each finds nothing that one has left.
func leavesBehind(s *scene) {
	for _, life := range []string{"--ephemeral", "--jit"} {
		id := s.install(life)
		output := s.job(leaveEverywhere)
		for _, want := range []string{"key in -4: left", "key that is kept: left", "memory left", "all left"} {
			if !strings.Contains(output, want) {
				s.t.Errorf("the job of %s did not come so far: %q\n%s", life, want, tail(output, 40))
			}
		}
		if n := strings.Count(output, "file left"); n != 11 {
			s.t.Errorf("the job of %s has left %d files", life, n)
		}
		s.listens(id)
		found := slices.DeleteFunc(strings.Split(strings.TrimSpace(s.job(lookEverywhere)), "\n"), func(line string) bool {
			return strings.HasPrefix(line, "ls: ")
		})
		if !slices.Equal(found, []string{"looked"}) {
			s.t.Errorf("the next job of %s finds\n%s", life, strings.Join(found, "\n"))
		}
		s.uninstall()
	}
}

// hangs mounts a file system whose server does not answer, nor end.
const hangs = `set -e
test -e /dev/fuse || mknod /dev/fuse c 10 229
mkdir -p "$1"
cat >/srv/hangs.pl <<'EOF'
open(my $f, "+<", "/dev/fuse") or die $!;
my ($from, $at, $type, $how) = ("hung\0", "$ARGV[0]\0", "fuse.hung\0", "fd=" . fileno($f) . ",rootmode=40000,user_id=0,group_id=0,allow_other\0");
syscall(` + "`uname -m`" + ` =~ /aarch64/ ? 40 : 165, $from, $at, $type, 6, $how) == 0 or die $!;
sleep 1000;
EOF
systemd-run --quiet --collect --unit=hangs perl /srv/hangs.pl "$1"
until grep -q " $1 " /proc/1/mountinfo; do sleep 0.1; done`

// mountsWhatHangs: a file system whose server is away is named, and nothing waits for it.
func mountsWhatHangs(s *scene) {
	const cache = folder + "/_work/mirror"
	s.own = append(s.own, "/srv/hangs.pl")
	for _, life := range [][]string{{"--ephemeral"}, nil} {
		id := s.install(life...)
		s.Must("sh", "-c", hangs, "sh", cache)
		s.job("true")
		if life != nil {
			s.goesOnOrTells(id, cache)
		}
		s.stop()
		if r := s.try("uninstall", "--token-file", stage.Token); r.Code != 3 && r.Code != 0 || r.Code == 3 && !strings.Contains(r.Stdout+r.Stderr, cache) {
			s.t.Errorf("uninstall: %s", r)
		}
		s.Must("sh", "-c", "awk '/fuse.hung/ { print $5 }' /proc/1/mountinfo | xargs -r -n 1 umount -l; systemctl stop hangs.service")
		s.uninstall()
	}
}
