//go:build e2e && linux

package hostile_test

import (
	"strings"
	"time"
)

// leave asks everybody on a host who starts programs for others to start one, and starts one itself that hides. All of them
// are called "sleep 3131", and what the user manager starts says so where the host can see it.
const leave = `
mkdir -p ~/.config/systemd/user/default.target.wants
printf '[Service]\nExecStart=/bin/sh -c "touch /tmp/OWNED-by-manager; exec sleep 3131"\n' >~/.config/systemd/user/by-job.service
ln -s ../by-job.service ~/.config/systemd/user/default.target.wants/by-job.service
timeout 10 busctl call org.freedesktop.login1 /org/freedesktop/login1 org.freedesktop.login1.Manager SetUserLinger ubb $(id -u) true false
timeout 10 loginctl --no-ask-password enable-linger
timeout 10 systemd-run --user sleep 3131
timeout 10 systemd-run --no-ask-password sleep 3131
echo 'sleep 3131' | timeout 10 at now
echo '* * * * * sleep 3131' | timeout 10 crontab -
setsid sleep 3131 >/dev/null 2>&1 </dev/null &
trap '' TERM INT HUP; setsid sh -c 'trap "" TERM INT HUP; while :; do sleep 3131; done' >/dev/null 2>&1 </dev/null &
sleep 1
`

// outlives: nothing that a job has started, or had started, is there when the next registration begins.
func outlives(s *scene) {
	for _, life := range []string{"--ephemeral", "--jit"} {
		id := s.install(life)
		s.job(leave)
		s.listens(id)
		s.nobodyElse(account, "after a job of "+life)
		for _, left := range []string{"/var/lib/systemd/linger/" + account, "/var/spool/cron/crontabs/" + account, "/home/" + account + "/.config"} {
			if s.Exists(left) {
				s.t.Errorf("after a job of %s there is %s", life, left)
			}
		}
		if queue := s.Must("atq"); queue != "" {
			s.t.Errorf("after a job of %s at is to start %q", life, queue)
		}
		s.unowned()
		s.uninstall()
		s.nobodyElse(account, "after uninstall")
	}
}

// outlivesAll: where jobs may speak to the service manager and to cron, what these start for them is ended before the next
// registration, or the runner waits and says for whom.
func outlivesAll(s *scene) {
	id := s.install("--ephemeral", "--allow", "all")
	s.job(leave)
	for deadline := time.Now().Add(patience); ; time.Sleep(100 * time.Millisecond) {
		now := s.listed(name)
		left := s.processes(account)
		if len(now) == 1 && now[0].ID != id {
			if strings.Contains(left, "sleep 3131") || strings.Contains(left, "systemd") {
				s.t.Errorf("it has registered again while there are\n%s", left)
			}
			break
		}
		if time.Now().After(deadline) {
			pid := strings.Fields(left + " none")[0]
			if !strings.Contains(tail(s.Journal(), 30), pid) {
				s.t.Errorf("it does not register again, and does not say that it waits for\n%s\n%s", left, tail(s.Journal(), 30))
			}
			break
		}
	}
	if s.Exists("/var/lib/systemd/linger/" + account) {
		s.t.Error("the account lingers")
	}
	// An administrator takes away what an administrator has allowed.
	s.Run(s.t.Context(), "sh", "-c", "crontab -r -u "+account+"; atq | cut -f 1 | xargs -r atrm; pkill -KILL -u "+account+" sleep; rm -f /tmp/OWNED-by-manager")
	s.uninstall()
	s.nobodyElse(account, "after uninstall")
}
