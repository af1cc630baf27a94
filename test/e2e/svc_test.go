//go:build e2e && linux

package e2e_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/svc"
	"github.com/runner-bootstrap/runner-bootstrap/test/e2e/machine"
)

const (
	probe     = "/usr/local/bin/probe"
	probeUnit = "/etc/systemd/system/actions.runner.octo-org.probe.service"
	probeLink = "/etc/systemd/system/multi-user.target.wants/actions.runner.octo-org.probe.service"
)

// patience is for what takes a moment on an idle host. It stays below the 10 seconds after which a service that
// ended is started again.
const patience = 9 * time.Second

// awkward are arguments that only arrive whole if they are quoted exactly as systemd reads them.
func awkward() []string {
	return []string{
		"plain", "", " ", "two words", `"quoted"`, `it's`, `back\slash`, `\x41\n`, `ends\`, "100%", "%n%%", "$HOME", "${HOME}",
		"$$", ";", `\;`, "#", "=", "-", "--flag=a b", "~", "*", "näme", "日本 語", `\"`, "{single}", "|", "&", "<>", "`id`", "!", "@",
	}
}

func TestService(t *testing.T) {
	program := machine.Build(t, "test/e2e/testdata/probe")
	for _, o := range []machine.Options{
		{Kind: machine.Debian12},
		{Kind: machine.Debian13, Cgroup2: true},
	} {
		t.Run(o.Kind, func(t *testing.T) {
			t.Parallel()
			o.Copy = map[string]string{program: probe}
			b := bench{machine.Boot(t, o)}
			// A second boot has no first-boot services; and a target that was ever wanted stays reached.
			b.Reboot()
			b.Must("systemctl", "start", "network-online.target")
			files, units := b.Files("/etc", "/usr/lib/systemd", "/var/lib/systemd"), b.Units()
			for _, step := range []struct {
				name string
				run  func(b bench, t *testing.T)
			}{
				{"life", bench.life},
				{"restarts", bench.restarts},
				{"changes", bench.changes},
				{"half states", bench.halves},
				{"refusals", bench.refusals},
				{"notifies", bench.notifies},
				{"sandbox", bench.sandbox},
				{"reboot", bench.reboot},
			} {
				t.Run(step.name, func(t *testing.T) { step.run(bench{b.For(t)}, t) })
				for _, diff := range machine.Diff(files, b.Files("/etc", "/usr/lib/systemd", "/var/lib/systemd")) {
					t.Errorf("after %s, a file differs: %s", step.name, diff)
				}
				for _, diff := range machine.Diff(units, b.Units()) {
					t.Errorf("after %s, a unit differs: %s", step.name, diff)
				}
			}
		})
	}
}

// bench is a machine with the probe in it.
type bench struct{ *machine.Machine }

type answer struct {
	Changed     bool
	State       svc.State
	Text        string
	Log         []string
	Error       string
	Unavailable bool
}

// ask runs the probe and reads its answer, whatever it says.
func (b bench) ask(t *testing.T, args ...string) answer {
	t.Helper()
	var a answer
	text := b.Must(append([]string{probe}, args...)...)
	if err := json.Unmarshal([]byte(text), &a); err != nil {
		t.Fatalf("probe %q printed %q: %v", args, text, err)
	}
	return a
}

// done is ask for what must succeed.
func (b bench) done(t *testing.T, args ...string) answer {
	t.Helper()
	a := b.ask(t, args...)
	if a.Error != "" {
		t.Fatalf("probe %q: %s", args, a.Error)
	}
	return a
}

func (b bench) changed(t *testing.T, want bool, args ...string) {
	t.Helper()
	if a := b.done(t, args...); a.Changed != want {
		t.Errorf("probe %q: changed is %v", args, a.Changed)
	}
}

// becomes waits until the service is in that state, and returns it.
func (b bench) becomes(t *testing.T, want svc.Active, within time.Duration) svc.State {
	t.Helper()
	for deadline := time.Now().Add(within); ; time.Sleep(50 * time.Millisecond) {
		state := b.done(t, "state").State
		if state.Active == want {
			return state
		}
		if time.Now().After(deadline) {
			t.Fatalf("service is not %s after %s, but %+v", want, within, state)
		}
	}
}

// served waits until the service has said what it was started with.
func (b bench) served(t *testing.T) []string {
	t.Helper()
	for deadline := time.Now().Add(patience); !b.Exists("/run/probe-args"); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("service does not run: %+v", b.done(t, "state").State)
		}
	}
	b.becomes(t, svc.Running, patience)
	var args []string
	if err := json.Unmarshal([]byte(b.Read("/run/probe-args")), &args); err != nil {
		t.Fatal(err)
	}
	b.Must("rm", "/run/probe-args")
	return args
}

// gone asserts that nothing of the service is left.
func (b bench) gone(t *testing.T) {
	t.Helper()
	if state := b.done(t, "state").State; state.Active != svc.Absent || state.Installed || state.Enabled || state.UnitPath != "" {
		t.Errorf("left of the service: %+v", state)
	}
	if b.Exists(probeUnit) || b.Exists(probeLink) {
		t.Errorf("left on disk: unit %v, link %v", b.Exists(probeUnit), b.Exists(probeLink))
	}
}

func (b bench) life(t *testing.T) {
	if a := b.done(t, "available"); a.Unavailable {
		t.Errorf("available: %+v", a)
	}
	b.gone(t)
	install := append([]string{"install"}, awkward()...)
	b.changed(t, true, install...)
	b.changed(t, false, install...)
	want := svc.State{
		Installed: true, Enabled: true, Active: svc.Stopped, Detail: "loaded inactive dead", UnitPath: probeUnit,
	}
	if state := b.done(t, "state").State; state != want {
		t.Errorf("installed: %+v", state)
	}
	if text := b.done(t, append([]string{"text"}, awkward()...)...).Text; text != b.Read(probeUnit) {
		t.Errorf("unit is not Text:\n%s\n%s", text, b.Read(probeUnit))
	}
	if r := b.Run(t.Context(), "systemd-analyze", "verify", probeUnit); r.Code != 0 || r.Stdout+r.Stderr != "" {
		t.Errorf("systemd-analyze verify: %s", r)
	}

	b.done(t, "start")
	if args := b.served(t); !slices.Equal(args, awkward()) {
		t.Errorf("arguments arrived as\n%q, not\n%q", args, awkward())
	}
	state := b.becomes(t, svc.Running, patience)
	b.asWritten(t, state.MainPID)
	b.done(t, "start")
	b.changed(t, false, install...)
	if again := b.done(t, "state").State; again.MainPID != state.MainPID || again.Restarts != 0 {
		t.Errorf("repeating disturbed it: %+v", again)
	}
	if log := b.done(t, "log").Log; !slices.Contains(log, "the probe serves") {
		t.Errorf("log is %q", log)
	}

	b.done(t, "stop")
	if state := b.done(t, "state").State; state.Active != svc.Stopped || state.ExitStatus != 0 || state.MainPID != 0 {
		t.Errorf("stopped: %+v", state)
	}
	b.Must("rm", "/run/probe-stopped")
	b.done(t, "stop")
	b.changed(t, true, "uninstall")
	b.changed(t, false, "uninstall")
	b.gone(t)
}

// asWritten looks at the running process and at what systemd understood.
func (b bench) asWritten(t *testing.T, pid int) {
	t.Helper()
	if folder := b.Must("readlink", fmt.Sprintf("/proc/%d/cwd", pid)); folder != "/var/tmp" {
		t.Errorf("working directory is %q", folder)
	}
	if status := b.Read(fmt.Sprintf("/proc/%d/status", pid)); !strings.Contains(status, "Umask:\t0022") {
		t.Errorf("umask is not 0022:\n%s", status)
	}
	show := b.Must("systemctl", "show", "actions.runner.octo-org.probe.service")
	for _, want := range []string{
		"Type=exec", "Description=Probe of 100% %n", "Documentation=https://example.com/a%20b", "Restart=on-failure",
		"RestartUSec=10s", "RestartPreventExitStatus=78", "TimeoutStopUSec=20s", "KillMode=mixed", "OOMPolicy=continue",
		"TasksMax=infinity", "StartLimitBurst=10", "StartLimitIntervalUSec=10min", "Wants=network-online.target",
		"WantedBy=multi-user.target",
	} {
		if !slices.Contains(strings.Split(show, "\n"), want) {
			t.Errorf("systemd did not take %s", want)
		}
	}
}

func (b bench) restarts(t *testing.T) {
	b.changed(t, true, "install")
	b.done(t, "start")
	b.served(t)
	first := b.becomes(t, svc.Running, patience)

	b.Must("kill", "-9", strconv.Itoa(first.MainPID))
	if crashed := b.becomes(t, svc.Starting, patience); crashed.ExitStatus != 128+9 {
		t.Errorf("killed: %+v", crashed)
	}
	second := b.becomes(t, svc.Running, 15*time.Second)
	if second.MainPID == first.MainPID || second.Restarts != 1 {
		t.Errorf("restarted: %+v", second)
	}
	b.served(t)

	b.Write("/run/probe-exit", "78", 0o644)
	if failed := b.becomes(t, svc.Failed, patience); failed.ExitStatus != 78 {
		t.Errorf("ended for good: %+v", failed)
	}
	b.done(t, "stop")
	b.done(t, "start")
	b.served(t)
	b.Write("/run/probe-exit", "0", 0o644)
	// Not "failed", since ending by itself without an error is no failure; and not restarted.
	if ended := b.becomes(t, svc.Stopped, patience); ended.ExitStatus != 0 {
		t.Errorf("ended well: %+v", ended)
	}

	b.done(t, "start")
	b.served(t)
	b.Write("/run/probe-exit", "1", 0o644)
	b.becomes(t, svc.Starting, patience)
	b.done(t, "stop") // while it waits to be started again
	if state := b.done(t, "state").State; state.Active != svc.Stopped && state.Active != svc.Failed {
		t.Errorf("stopped while waiting: %+v", state)
	}

	b.done(t, "start")
	b.served(t)
	b.Write("/run/probe-exit", "78", 0o644)
	b.becomes(t, svc.Failed, patience)
	b.changed(t, true, "uninstall")
	b.gone(t) // not even the memory of its failure
}

func (b bench) changes(t *testing.T) {
	b.changed(t, true, "install", "before")
	b.done(t, "start")
	b.served(t)
	first := b.done(t, "state").State

	b.changed(t, true, "install", "after")
	if state := b.done(t, "state").State; state.MainPID != first.MainPID || !state.Enabled {
		t.Errorf("a changed unit disturbed the service: %+v", state)
	}
	b.done(t, "restart")
	if args := b.served(t); !slices.Equal(args, []string{"after"}) {
		t.Errorf("restarted with %q", args)
	}
	for range 12 { // more than systemd's limit of starts
		b.done(t, "restart")
	}

	b.Must("chmod", "600", probeUnit)
	b.changed(t, true, "install", "after")
	b.changed(t, false, "install", "after")
	// As after a crash between writing and telling systemd: right on disk, unknown to it.
	b.Must("sed", "-i", "s/after/edited/", probeUnit)
	b.Must("systemctl", "daemon-reload")
	b.Must("sed", "-i", "s/edited/after/", probeUnit)
	b.changed(t, true, "install", "after")
	if show := b.Must("systemctl", "show", "--property=ExecStart", "actions.runner.octo-org.probe"); strings.Contains(show, "edited") {
		t.Errorf("systemd still holds the old text: %s", show)
	}
	b.changed(t, true, "uninstall") // while it runs
	b.gone(t)
	if r := b.Run(t.Context(), "pgrep", "-x", "probe"); r.Code != 1 {
		t.Errorf("a process is left: %s", r)
	}
	b.Must("rm", "-f", "/run/probe-args", "/run/probe-stopped")
}

// halves are the states that a crash, a full disk, or another program can leave.
func (b bench) halves(t *testing.T) {
	for _, half := range []struct{ name, spoil string }{
		{"empty unit, unknown", "true >" + probeUnit},
		{"empty unit, known", "true >" + probeUnit + "; systemctl daemon-reload"},
		{"empty unit, enabled", "true >" + probeUnit + "; ln -s " + probeUnit + " " + probeLink + "; systemctl daemon-reload"},
		{"cut unit", probe + " install; truncate -s 100 " + probeUnit},
		{"cut unit, known", probe + " install; truncate -s 100 " + probeUnit + "; systemctl daemon-reload"},
		{"not enabled", probe + " install; systemctl disable actions.runner.octo-org.probe"},
		{"link without unit", "ln -s " + probeUnit + " " + probeLink},
		{"link without unit, known", "ln -s " + probeUnit + " " + probeLink + "; systemctl daemon-reload"},
		{"link to elsewhere", "ln -s /opt/nowhere.service " + probeLink},
		{"unit removed, running", probe + " install; " + probe + " start; rm " + probeUnit},
		{"all removed, running", probe + " install; " + probe + " start; rm " + probeUnit + " " + probeLink + "; systemctl daemon-reload"},
		{"all removed, killed", probe + " install; " + probe + " start; rm " + probeUnit + " " + probeLink + "; systemctl daemon-reload; systemctl kill -s KILL actions.runner.octo-org.probe"},
		{"of another program, linked", "printf '[Service]\\nExecStart=/bin/true\\n[Install]\\nWantedBy=graphical.target\\n' >" + probeUnit + "; systemctl -q enable actions.runner.octo-org.probe"},
	} {
		t.Run(half.name, func(t *testing.T) {
			b := bench{b.For(t)}
			b.Must("sh", "-ec", half.spoil)
			b.changed(t, true, "install", "mended")
			b.changed(t, false, "install", "mended")
			b.done(t, "stop") // one that was spoilt while it ran, and has said what it was started with
			b.Must("rm", "-f", "/run/probe-args")
			b.done(t, "start")
			if args := b.served(t); !slices.Equal(args, []string{"mended"}) {
				t.Errorf("served with %q", args)
			}
			b.changed(t, true, "uninstall")
			b.gone(t)

			b.Must("sh", "-ec", half.spoil)
			b.changed(t, true, "uninstall")
			b.changed(t, false, "uninstall")
			b.gone(t)
			b.Must("rm", "-f", "/run/probe-args", "/run/probe-stopped")
		})
	}
}

func (b bench) refusals(t *testing.T) {
	// A program that cannot be executed: the reason stands in the log alone.
	b.changed(t, true, "install")
	b.Must("mv", probe, probe+".away")
	r := b.Run(t.Context(), probe+".away", "start")
	b.Must("mv", probe+".away", probe)
	for _, want := range []string{"starting unit", "exit status 1", "Job for actions.runner", "Failed"} {
		if !strings.Contains(r.Stdout, want) {
			t.Errorf("start of a missing program: %s", r)
		}
	}
	b.changed(t, true, "uninstall")
	b.gone(t)
	if a := b.ask(t, "start"); !strings.Contains(a.Error, "not found") {
		t.Errorf("start of nothing: %q", a.Error)
	}
	b.done(t, "stop")

	// Enabling fails: nothing is left of the installation.
	b.Must("sh", "-ec", "cd /etc/systemd/system; mv multi-user.target.wants away; touch multi-user.target.wants")
	a := b.ask(t, "install")
	b.Must("sh", "-ec", "cd /etc/systemd/system; rm multi-user.target.wants; mv away multi-user.target.wants")
	if !strings.Contains(a.Error, "enabling unit") || a.Changed {
		t.Errorf("install without a place for the link: %+v", a)
	}
	b.gone(t)
	// The same over an older installation, which must be there again.
	b.changed(t, true, "install", "older")
	older := b.Read(probeUnit)
	b.Must("sh", "-ec", "cd /etc/systemd/system; mv multi-user.target.wants away; touch multi-user.target.wants")
	a = b.ask(t, "install", "newer")
	b.Must("sh", "-ec", "cd /etc/systemd/system; rm multi-user.target.wants; mv away multi-user.target.wants")
	if a.Error == "" || b.Read(probeUnit) != older {
		t.Errorf("a failed install left %q and said %q", b.Read(probeUnit), a.Error)
	}
	b.changed(t, false, "install", "older")
	b.changed(t, true, "uninstall")

	// An administrator's mask is not overruled.
	b.Must("ln", "-s", "/dev/null", probeUnit)
	if a := b.ask(t, "install"); !strings.Contains(a.Error, "masked") {
		t.Errorf("install over a mask: %+v", a)
	}
	b.changed(t, false, "uninstall")
	if !b.Exists(probeUnit) {
		t.Error("uninstall removed the mask")
	}
	b.Must("rm", probeUnit)
	b.Must("systemctl", "daemon-reload")

	// Without PATH, as in some first-boot hooks.
	if got := b.Must("env", "-i", probe, "state"); !strings.Contains(got, `"absent"`) {
		t.Errorf("without PATH: %s", got)
	}
	// Not root.
	r = b.Run(t.Context(), "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", probe, "install")
	if !strings.Contains(r.Stdout, "permission denied") {
		t.Errorf("install by nobody: %s", r)
	}
	b.gone(t)
}

func (b bench) reboot(t *testing.T) {
	b.changed(t, true, "install", "at boot")
	b.Reboot()
	if args := b.served(t); !slices.Equal(args, []string{"at boot"}) {
		t.Errorf("started at boot with %q", args)
	}
	b.changed(t, true, "uninstall")
	b.gone(t)
}

// notifies is the life of a service that talks to systemd, has a watchdog and is in a sandbox.
func (b bench) notifies(t *testing.T) {
	b.changed(t, true, "-notify", "install", "sleep 1")
	b.done(t, "start")
	// Running means that start has waited for the script and for what the probe says after it.
	first := b.done(t, "state").State
	if first.Active != svc.Running || first.MainPID == 0 {
		t.Errorf("started: %+v", first)
	}
	b.says(t, "ready: all is well")
	b.Must("systemctl", "kill", "--kill-who=main", "--signal=SIGUSR1", "actions.runner.octo-org.probe")
	b.says(t, "got user defined signal 1")
	if r := b.Run(t.Context(), "systemd-analyze", "verify", probeUnit); r.Code != 0 || r.Stdout+r.Stderr != "" {
		t.Errorf("systemd-analyze verify: %s", r)
	}
	security := []string{"systemd-analyze", "security", "--no-pager", "--threshold=42", "actions.runner.octo-org.probe.service"}
	if r := b.Run(t.Context(), security...); r.Code != 0 {
		t.Errorf("systemd-analyze security: over 4.2: %s", r)
	}

	// Silent for longer than the two seconds of its watchdog.
	b.Must("kill", "-STOP", strconv.Itoa(first.MainPID))
	if hung := b.becomes(t, svc.Starting, patience); hung.ExitStatus != 128+9 {
		t.Errorf("hung: %+v", hung)
	}
	if result := b.Must("systemctl", "show", "--value", "--property=Result", "actions.runner.octo-org.probe"); result != "watchdog" {
		t.Errorf("hung: result is %q", result)
	}
	if second := b.becomes(t, svc.Running, 15*time.Second); second.MainPID == first.MainPID || second.Restarts != 1 {
		t.Errorf("restarted: %+v", second)
	}
	b.done(t, "stop-now")
	b.done(t, "stop-now") // nobody is left to be told
	if state := b.done(t, "state").State; state.Active != svc.Stopped {
		t.Errorf("stopped at once: %+v", state)
	}

	// Never ready: the one who waits for it gives up in their own time, and learns what the program said.
	b.changed(t, true, "-notify", "-mute", "install")
	began := time.Now()
	a := b.ask(t, "-timeout=2s", "start")
	if took := time.Since(began); took > patience {
		t.Errorf("waited %s for a service that is never ready", took)
	}
	for _, want := range []string{"starting unit", "context deadline exceeded", "the probe starts"} {
		if !strings.Contains(a.Error, want) {
			t.Errorf("start that was given up, without %q: %q", want, a.Error)
		}
	}
	if state := b.done(t, "state").State; state.Active != svc.Starting || state.MainPID == 0 {
		t.Errorf("not ready: %+v", state)
	}
	b.changed(t, true, "uninstall")
	b.gone(t)
}

// says waits until the service has told systemd that this is its status.
func (b bench) says(t *testing.T, want string) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		got := b.Must("systemctl", "show", "--value", "--property=StatusText", "actions.runner.octo-org.probe")
		if got == want {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("status is %q, not %q", got, want)
		}
	}
}

// sandbox runs what a program that is root and its jobs, which are nobody, do all day, and what they must not.
func (b bench) sandbox(t *testing.T) {
	const job = "setpriv --reuid=65534 --regid=65534 --clear-groups "
	scripts := []struct {
		as, script string
		fails      bool
	}{
		{"", `touch /home/probe/a '/srv/100% "a" \b $c/a' /tmp/a /var/tmp/a /dev/shm/probe && chown nobody /home/probe/a`, false},
		{"", job + `sleep 30 >/dev/null 2>&1 & sleep 0.5; tr '\0' ' ' </proc/$!/cmdline | grep 'sleep 30' && kill $!`, false},
		{"", "touch /etc/a", true},
		{"", "touch /usr/a", true},
		{"", "touch /run/a", true},
		{"", "touch /run/systemd/system/a.service", true},
		{"", "touch /var/lib/a", true},
		{"", "touch /root/a", true},
		{"", "echo 1 >/proc/sys/vm/overcommit_memory", true},
		{"", "mount -t tmpfs tmpfs /mnt", true},
		{"", "mknod /tmp/sda b 8 0", true},
		{"", "test -e /dev/console", true},
		{job, "sh -c 'mktemp; echo a >/home/probe/a; test $(umask) = 0022; mkfifo /tmp/fifo; cat /proc/cpuinfo /proc/meminfo'", false},
		{job, "sh -c 'test $(ulimit -n) -gt 100 && ulimit -n 100; chmod g+s /home/probe/d'", false},
		{job, "setarch --addr-no-randomize true", false},
		{job, "unshare --user --map-root-user --mount --pid --fork --net --ipc --uts sh -c 'mount -t tmpfs tmpfs /mnt; hostname a'", false},
		{job, "sh -c 'nice true 2>&1 | grep . && exit 1; taskset --cpu-list 0 ionice --class idle chrt --batch 0 true'", false},
		{job, "grep -q 'NoNewPrivs:.1' /proc/self/status", false},
		{job, "test -d /proc/1", true},
	}
	b.Must("mkdir", "-p", "/home/probe/d", `/srv/100% "a" \b $c`)
	b.Must("chown", "-R", "nobody", "/home/probe")
	install := []string{"-notify", "install"}
	for _, s := range scripts {
		install = append(install, s.as+s.script)
	}
	b.changed(t, true, install...)
	b.done(t, "-timeout=90s", "start")
	log := b.done(t, "log").Log
	for i, s := range scripts {
		prefix := fmt.Sprintf("script %d: ", i)
		at := slices.IndexFunc(log, func(line string) bool { return strings.HasPrefix(line, prefix) })
		switch {
		case at < 0:
			t.Errorf("%q did not run", s.as+s.script)
		case (log[at] == prefix+"<nil>") == s.fails:
			t.Errorf("%q, in %q", s.as+s.script, log[max(0, at-3):at+1])
		}
	}
	b.changed(t, true, "uninstall")
	b.gone(t)
	b.Must("rm", "-r", "/home/probe", `/srv/100% "a" \b $c`, "/dev/shm/probe")
}
