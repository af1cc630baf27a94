//go:build e2e && linux

package hostile_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/runner-bootstrap/runner-bootstrap/test/e2e/machine"
	"github.com/runner-bootstrap/runner-bootstrap/test/e2e/stage"
)

// census is what there is on a machine, and at its GitHub: files, mounts, units, timers, processes of accounts, runners.
type census map[string]string

func (s *scene) census() census {
	s.t.Helper()
	all := census{}
	for file, what := range s.Files("/etc", "/opt/actions-runner", "/var", "/root", "/home", "/srv", "/tmp", "/run/runner-bootstrap",
		"/run/systemd/system", "/run/systemd/transient", "/run/user", "/run/lock", "/dev/shm") {
		all["file "+file] = what
	}
	for unit, state := range s.Units() {
		all[unit] = state
	}
	for line := range strings.Lines(s.Must("cat", "/proc/1/mountinfo")) {
		fields := strings.Fields(line)
		all["mount "+fields[4]] = fields[3]
	}
	for line := range strings.Lines(s.Must("sh", "-c", "ps -e -o uid=,args= | awk '$1 >= 1000 && $1 < 65534'")) {
		all["process "+strings.TrimSpace(line)] = "runs"
	}
	for _, r := range s.Server.Runners("") {
		all[fmt.Sprintf("runner %d", r.ID)] = r.Name
	}
	return all
}

// diff tells what has changed since, but for what the machine does by itself, and what the README says that stays.
func (c census) diff(now census) []string {
	var found []string
	for _, diff := range machine.Diff(c, now) {
		if !byItself(strings.TrimSuffix(strings.Fields(diff)[2], ":")) {
			found = append(found, diff)
		}
	}
	return found
}

func byItself(path string) bool {
	if path == "/var/lib/systemd/linger" || strings.HasPrefix(path, "/var/lib/systemd/linger/") {
		return false
	}
	for _, own := range []string{
		"/var/log", "/var/lib/systemd", "/var/cache", "/var/lib/private", "/var/spool/cron/atspool", "/var/spool/cron/atjobs",
		"/home", "/run/systemd/transient", "systemd-", "run-", "init.scope", "user-", "user@", "session-", "/run/user", "dbus-", "polkit",
		"-.slice", "modprobe@", "/etc/.pwd.lock",
	} {
		if path == own || strings.HasPrefix(path, own+"/") || strings.HasSuffix(own, "-") && strings.HasPrefix(path, own) ||
			strings.HasSuffix(own, "@") && strings.HasPrefix(path, own) || own == "polkit" && strings.HasPrefix(path, own) {
			return true
		}
	}
	return false
}

// prepare brings a machine into the state in which runners have come and gone: the accounts and the cache are there, as the
// README says.
func prepare(t *testing.T, st *stage.Stage) census {
	t.Helper()
	st.Must("systemctl", "start", "network-online.target", "cron", "atd", "dbus", "systemd-logind", "polkit")
	// Somebody's own account, in which nobody becomes anything else.
	st.Must("useradd", "--create-home", "--shell", "/bin/sh", "job")
	st.Must("groupadd", "--system", "docker") // as where Docker is
	s := &scene{Stage: st, t: t}
	s.must(s.words("--no-service", "--name", name)...)
	s.must(s.words("--no-service", "--name", "web-2")...)
	s.must(s.words("--no-service", "--name", "web-3")...)
	s.must(s.words("--no-service", "--name", "many", "--count", "3")...)
	s.must("uninstall", "--all", "--token-file", stage.Token)
	st.Must("usermod", "--append", "--groups", "docker", account) // by an administrator who means well
	return s.census()
}

// clear takes away whatever an attack has left, so that the next one finds what it was written for.
func (s *scene) clear() {
	s.t.Helper()
	s.Must("sh", "-c", `
		for unit in $(systemctl list-units --all --plain --no-legend 'actions.runner.*' 'by-hand*' 'runner-bootstrap*' 'by-job*' | cut -d ' ' -f 1); do
			systemctl kill --signal=KILL "$unit"; systemctl stop "$unit"
		done
		rm -rf /etc/systemd/system/actions.runner.* /etc/systemd/system/*.wants/actions.runner.* /etc/sudoers.d/runner
		systemctl daemon-reload; systemctl reset-failed
		awk '$5 ~ "^/(opt/actions-runner|srv|data)/" { print $5 }' /proc/1/mountinfo | sort -r | while read -r m; do umount -l "$m"; done
		for user in runner runner-1 runner-2 runner-3 runner-4 job; do
			id "$user" || continue
			crontab -r -u "$user"; loginctl disable-linger "$user"; loginctl terminate-user "$user"
			pkill -KILL -u "$user"
			find "/home/$user" -mindepth 1 -delete; chmod 700 "/home/$user"
		done
		atq | cut -f 1 | xargs -r atrm
		rm -rf /opt/actions-runner /var/lib/runner-bootstrap /run/runner-bootstrap /srv/* /data
		find /tmp /var/tmp /dev/shm /run/lock /home /root -name 'OWNED*' -exec rm -rf {} +
	true`)
	for _, r := range s.Server.Runners("") {
		s.Server.DeleteRunner(r.ID)
	}
}
