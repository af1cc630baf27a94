//go:build e2e && linux

package hostile_test

import (
	"context"
	"strings"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/githubtest"
)

// ordinary is what jobs do that mean no harm, and what they look at before. Of other accounts' processes they can see what all
// accounts of a host can.
const ordinary = `set -e
cat /proc/1/cgroup
test -n "$(cat /proc/1/cgroup)"
DOTNET_SYSTEM_GLOBALIZATION_INVARIANT=1 /opt/dotnet/azmcp --version
node -e 'console.log("node adds " + [1, 2].reduce((a, b) => a + b))'
cd "$(mktemp -d)"
git init --quiet tree && cd tree && echo 'int main(void) { return 42; }' >a.c && git add a.c
git -c user.name=a -c user.email=a@example.com commit --quiet --message one && git log --format='git says %s'
tcc -o a a.c && { ./a && false || test $? = 42; } && echo it compiles
echo kept >~/kept && cat ~/kept
for p in /proc/[0-9]*; do
	[ "$(stat -c %u $p 2>/dev/null || id -u)" = "$(id -u)" ] && continue
	for f in environ maps mem auxv cwd/. root/. fd/.; do
		head -c 1 $p/$f >/dev/null 2>&1 && echo "opened $p/$f"
		ls -d $p/$f >/dev/null 2>&1 && ls $p/$f/ >/dev/null 2>&1 && echo "opened $p/$f"
	done
done
id
echo all is well
`

// worksAsAnywhere: what confines jobs keeps none from what jobs do.
func worksAsAnywhere(s *scene) {
	for _, life := range [][]string{nil, {"--ephemeral"}} {
		s.install(life...)
		output := s.job(ordinary)
		for _, want := range []string{"0.5.0", "node adds 3", "git says one", "it compiles", "kept\n", "(" + account + ")", "all is well"} {
			if !strings.Contains(output, want) {
				s.t.Errorf("a job with %q did not write %q:\n%s", life, want, output)
			}
		}
		if strings.Contains(output, "opened") {
			s.t.Errorf("a job looks into processes of others:\n%s", output)
		}
		ctx, cancel := context.WithTimeout(s.t.Context(), time.Minute)
		job := s.Server.QueueJob(name, githubtest.Job{Name: "container", Script: "true", Container: true})
		if conclusion, err := job.Wait(ctx); err != nil || conclusion != "succeeded" {
			s.t.Errorf("a job with a container %s: %v\n%s", conclusion, err, job.Output())
		}
		cancel()
		s.uninstall()
	}
}

const (
	dockerSocket = "/run/docker.sock"
	// daemon answers on Docker's socket as one does that belongs to root, for the group.
	daemon = `use IO::Socket::UNIX; umask 0117; unlink "` + dockerSocket + `";
my $s = IO::Socket::UNIX->new(Local => "` + dockerSocket + `", Listen => 9) or die $!;
chown 0, scalar getgrnam("docker"), "` + dockerSocket + `";
while (1) { my $c = $s->accept or next; print $c "the daemon answers\n"; close $c }`
	// ask speaks to it, by the path that clients have.
	ask = `id -Gn; perl -e 'use IO::Socket::UNIX; my $s = IO::Socket::UNIX->new("/var/run/docker.sock") or die "no daemon: $!\n"; print <$s>'; true`
)

// startDocker starts the daemon.
func (s *scene) startDocker() {
	s.t.Helper()
	s.Must("systemd-run", "--quiet", "--collect", "--unit=by-job-docker", "perl", "-e", daemon)
	s.eventually("the daemon does not listen", func() error {
		if r := s.Run(s.t.Context(), "sh", "-c", "test \"$(stat -c '%U:%G %a' "+dockerSocket+")\" = 'root:docker 660'"); r.Code != 0 {
			return errLeft
		}
		return nil
	})
}

// allowsDocker: a job reaches the daemon where that is allowed, and not otherwise, though its account is of the daemon's group.
func allowsDocker(s *scene) {
	defer s.Run(s.t.Context(), "sh", "-c", "systemctl stop by-job-docker; rm -f "+dockerSocket)
	s.startDocker()
	s.install("--allow", "docker")
	if output := s.job(ask); !strings.Contains(output, "the daemon answers") {
		s.t.Errorf("with --allow docker a job does not reach the daemon:\n%s", output)
	}
	s.uninstall()
	s.install()
	if output := s.job(ask); strings.Contains(output, "the daemon answers") || !strings.Contains(output, "docker") {
		s.t.Errorf("without --allow docker a job reaches the daemon, or its account is not of its group:\n%s", output)
	}
	s.uninstall()
}

// allowsSudo: a job becomes root where that is allowed and the administrator lets it, and not otherwise.
func allowsSudo(s *scene) {
	const become = `sudo -n sh -c 'echo "sudo gives $(id -u)"'; true`
	s.mayBecomeRoot()
	s.install("--allow", "sudo")
	if output := s.job(become); !strings.Contains(output, "sudo gives 0") {
		s.t.Errorf("with --allow sudo a job does not become root:\n%s", output)
	}
	s.uninstall()
	s.install()
	if output := s.job(become); strings.Contains(output, "sudo gives") {
		s.t.Errorf("without --allow sudo a job becomes root:\n%s", output)
	}
	s.uninstall()
}

// allowsDBus: a job reaches the system's bus where that is allowed, and not otherwise.
func allowsDBus(s *scene) {
	const call = `timeout 10 busctl --system call org.freedesktop.DBus /org/freedesktop/DBus org.freedesktop.DBus GetId && echo the bus answers; true`
	s.install("--allow", "dbus")
	if output := s.job(call); !strings.Contains(output, "the bus answers") {
		s.t.Errorf("with --allow dbus a job does not reach the bus:\n%s", output)
	}
	s.uninstall()
	s.install()
	if output := s.job(call); strings.Contains(output, "the bus answers") {
		s.t.Errorf("without --allow dbus a job reaches the bus:\n%s", output)
	}
	s.uninstall()
}
