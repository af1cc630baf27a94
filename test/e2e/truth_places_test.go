//go:build e2e && linux

package e2e_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/githubtest"
	"github.com/runner-bootstrap/runner-bootstrap/test/e2e/machine"
	"github.com/runner-bootstrap/runner-bootstrap/test/e2e/stage"
)

// TestPlaces: where a runner lies and works is looked at before anything is fetched, is the account's, is waited for when
// it comes late, and nobody else's files in it are touched.
func TestPlaces(t *testing.T) {
	t.Parallel()
	listener := stage.Listener(t, t.TempDir())
	built := machine.Build(t, "cmd/runner-bootstrap")
	for _, o := range systems(machine.Debian13) {
		t.Run(o.Kind, func(t *testing.T) {
			t.Parallel()
			o.Copy = map[string]string{built: program}
			m := machine.Boot(t, o)
			m.Must("systemctl", "start", "network-online.target")
			h := &host{Machine: m, server: serve(t, m, listener)}
			m.Write(token, h.server.Token()+"\n", 0o600)
			for _, step := range []struct {
				name string
				run  func(*host, *testing.T)
			}{
				{"refused", (*host).refusedPlaces},
				{"work folder", (*host).workFolder},
				{"no sandbox", (*host).noSandbox},
				{"late by fstab", (*host).lateByTable},
				{"late by a script", (*host).lateByScript},
			} {
				t.Run(step.name, func(t *testing.T) { step.run(&host{Machine: h.For(t), server: h.server}, t) })
			}
		})
	}
}

// installs is an install with more words, and how it ended.
func (h *host) installs(t *testing.T, words ...string) machine.Result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	return h.Run(ctx, append([]string{program, "install", "--url", h.server.URL() + "/octo-org", "--name", name, "--token-file", token}, words...)...)
}

func (h *host) archives() (n int) {
	for _, r := range h.server.Requests() {
		if r.Root == "archive" {
			n++
		}
	}
	return n
}

func (h *host) refusedPlaces(t *testing.T) {
	h.Must("sh", "-ec", `mkdir -p /opt/noexec /srv/noexec /srv/ro /srv/roots /srv/full
mount -t tmpfs -o noexec,mode=755 tmpfs /opt/noexec
mount -t tmpfs -o noexec,mode=755 tmpfs /srv/noexec
mount -t tmpfs -o ro,mode=755 tmpfs /srv/ro
touch /srv/file /srv/full/precious
ln -s /srv/full /srv/link
useradd --system --user-group --create-home runner
chown runner: /srv/full`)
	for _, c := range []struct {
		words      []string
		code       int
		said, hint string
	}{
		{[]string{"--dir", "/opt/noexec"}, 3, "it is mounted with noexec", "sudo mount -o remount,exec /opt/noexec"},
		{[]string{"--work", "/srv/noexec/jobs"}, 3, "it is mounted with noexec", "sudo mount -o remount,exec /srv/noexec"},
		{[]string{"--work", "/srv/ro/jobs"}, 3, "the file system is read-only", "sudo mount -o remount,rw /srv/ro"},
		{[]string{"--work", "/srv/roots"}, 3, "it does not belong to the account", "sudo chown runner: /srv/roots"},
		{[]string{"--work", "/srv/file"}, 3, "it is no folder", "--work _work"},
		{[]string{"--work", "/srv/link"}, 3, "it is a link", "--work /srv/full"},
		{[]string{"--work", "/srv/full", "--ephemeral"}, 3, "it is not empty", "--work /srv/full/actions-work"},
		{[]string{"--work", "/tmp/jobs"}, 3, "the service has a temporary folder of its own", "--work _work"},
		{[]string{"--work", "/home/runner"}, 2, "the account's home", "--work _work"},
		{[]string{"--work", "/usr/jobs"}, 2, "the system is in /usr", "--work _work"},
		{[]string{"--work", "/opt/actions-runner"}, 2, "runner-bootstrap keeps its own files", "--work _work"},
		{[]string{"--work", "../jobs"}, 2, "it leads out of the runner's directory", "--work _work"},
	} {
		r := h.installs(t, c.words...)
		if r.Code != c.code || !strings.Contains(r.Stderr, c.said) || !strings.Contains(r.Stderr, c.hint) || strings.Count(r.Stderr, "\n") > 2 {
			t.Errorf("%v: %s\nwant exit code %d, %q and %q", c.words, r, c.code, c.said, c.hint)
		}
	}
	if n := h.archives(); n > 0 {
		t.Errorf("the archive was asked for %d times", n)
	}
	for _, left := range []string{"/opt/actions-runner", "/var/lib/runner-bootstrap/instances", "/srv/full/web-1", "/srv/ro/jobs", "/opt/noexec/runners"} {
		if h.Exists(left) {
			t.Errorf("%s was made", left)
		}
	}
	h.Must("umount", "/opt/noexec", "/srv/noexec", "/srv/ro")
}

// workFolder is made for the account, is emptied after each job of an ephemeral runner, and goes with it, but for what
// somebody has mounted in it.
func (h *host) workFolder(t *testing.T) {
	if r := h.installs(t, "--ephemeral", "--work", "/srv/new/jobs"); r.Code != 0 {
		t.Fatalf("installing: %s", r)
	}
	if owner := h.Must("stat", "-c", "%U %a", "/srv/new", "/srv/new/jobs"); owner != "root 755\nrunner 755" {
		t.Errorf("made: %s", owner)
	}
	for range 2 {
		output := ends(t, h.server.QueueJob(name, githubtest.Job{Name: "look", Script: "pwd; ls -A ..; touch ../trace"}), "succeeded")
		if !strings.HasPrefix(output, "/srv/new/jobs/") || strings.Contains(output, "trace") {
			t.Errorf("the job saw\n%s", output)
		}
		h.Must("sh", "-ec", "for i in $(seq 100); do test -e /srv/new/jobs/trace || exit 0; sleep 0.1; done; exit 1")
	}
	h.Must("sh", "-ec", "mkdir -p /srv/data /srv/new/jobs/cache; touch /srv/data/precious; mount --bind /srv/data /srv/new/jobs/cache")
	if said := h.Must(program, "uninstall", "--token-file", token, "--log-format", "text"); said != "" {
		t.Errorf("uninstall printed %s", said)
	}
	if !h.Exists("/srv/data/precious") || h.Must("ls", "-A", "/srv/new/jobs") != "cache" {
		t.Errorf("left: %s", h.Must("find", "/srv/data", "/srv/new"))
	}
	h.Must("sh", "-ec", "umount /srv/new/jobs/cache; rm -r /srv/new")
}

// noSandbox is a host on which systemd cannot set up what the unit asks for.
func (h *host) noSandbox(t *testing.T) {
	h.Write("/etc/systemd/system/"+unit+".d/broken.conf", "[Service]\nReadWritePaths=/not/there\n", 0o644)
	r := h.installs(t)
	if r.Code != 8 || !strings.Contains(r.Stderr, "its sandbox cannot be set up on this host (systemd's 226/NAMESPACE)") ||
		!strings.Contains(r.Stderr, "/not/there") || !strings.Contains(r.Stderr, "--allow all") {
		t.Errorf("installing: %s", r)
	}
	for line := range strings.Lines(r.Stderr) {
		if strings.Contains(line, "sandbox") && len(line) > 700 {
			t.Errorf("it has %d characters: %s", len(line), line)
		}
	}
	h.Must("rm", "-r", "/etc/systemd/system/"+unit+".d")
	h.Must("systemctl", "daemon-reload")
	h.Must(program, "uninstall", "--token-file", token)
}

// lateByTable has the runner and its record on mounts that come 12 seconds late, as a slow disk's do.
func (h *host) lateByTable(t *testing.T) {
	h.Write("/etc/systemd/system/late.service", "[Unit]\nDefaultDependencies=no\n[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/sleep 12\n", 0o644)
	const table = "/data/runners /opt/actions-runner none bind,nofail,x-systemd.requires=late.service 0 0\n" +
		"/data/state /var/lib/runner-bootstrap none bind,nofail,x-systemd.requires=late.service 0 0\n"
	before := h.Read("/etc/fstab")
	h.Write("/etc/fstab", before+table, 0o644)
	h.Must("sh", "-ec", "mkdir -p /data/runners /data/state /opt/actions-runner /var/lib/runner-bootstrap; chmod 700 /data/state; systemctl daemon-reload; mount -a")
	if r := h.installs(t); r.Code != 0 {
		t.Fatalf("installing: %s", r)
	}
	h.comesBack(t)
	if journal := h.Journal(); strings.Contains(journal, "is its file system mounted late?") {
		t.Errorf("systemd did not wait for the mounts:\n%s", journal)
	}
	h.Must("systemctl", "stop", unit)
	h.Write("/etc/fstab", before, 0o644)
	h.Must("rm", "/etc/systemd/system/late.service")
}

// lateByScript has them where systemd knows of no mount.
func (h *host) lateByScript(t *testing.T) {
	h.Write("/etc/systemd/system/late.service", "[Service]\nExecStart=/bin/sh -c 'sleep 12; "+
		"mount --bind /data/runners /opt/actions-runner; mount --bind /data/state /var/lib/runner-bootstrap'\n"+
		"Type=simple\nRemainAfterExit=yes\n[Install]\nWantedBy=multi-user.target\n", 0o644)
	h.Must("systemctl", "enable", "late.service")
	h.comesBack(t)
	if journal := h.Journal(); !strings.Contains(journal, "is its file system mounted late?") {
		t.Errorf("nothing was said of it:\n%s", journal)
	}
	h.Must(program, "uninstall", "--token-file", token)
}

// comesBack reboots, and waits for the runner to listen and work.
func (h *host) comesBack(t *testing.T) {
	t.Helper()
	witnesses := len(h.server.Witnesses())
	h.Reboot()
	h.server.DropSessions(name)
	h.listensAgain(t, "a late mount", witnesses)
	ends(t, h.server.QueueJob(name, githubtest.Job{Name: "look", Script: "true"}), "succeeded")
}
