//go:build e2e && linux

package e2e_test

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/test/e2e/machine"
	"github.com/runner-bootstrap/runner-bootstrap/test/e2e/stage"
)

// TestClone: two machines are started from the disk of one that has a runner. The one that has kept its machine-id goes on as that
// runner. The other one starts nothing, leaves what GitHub lists, and becomes a runner of its own when it is told to.
func TestClone(t *testing.T) {
	t.Parallel()
	listener := stage.Listener(t, t.TempDir())
	base := machine.Boot(t, machine.Options{Copy: map[string]string{machine.Build(t, "cmd/runner-bootstrap"): program}})
	h := &host{Machine: base, server: serve(t, base, listener)}
	h.Write(token, h.server.Token()+"\n", 0o600)
	h.Must(program, "install", "--url", h.server.URL()+"/octo-org", "--name", name, "--token-file", token,
		"--preemption", "off", "--deregister-on-stop", "--on-exit", "touch /root/exited", "--metadata", "off")
	h.ready(t)
	record := h.Read("/var/lib/runner-bootstrap/instances/web-1/record.json")
	id := strings.TrimSpace(h.Read("/etc/machine-id"))
	if !strings.Contains(record, `"machine": {`) || strings.Contains(record, id) {
		t.Errorf("of machine %s the record says\n%s", id, record)
	}
	h.Crash()
	h.server.DropSessions(name) // GitHub does, some time after it lost sight of a listener
	// As it is when a disk is copied: the runner is still listed

	first := &host{server: h.server, Machine: base.BootImage(t, machine.Options{Before: func(m *machine.Machine) {
		m.Put("/etc/machine-id", id+"\n", 0o444)
	}})}
	first.ready(t)
	listed := h.server.Runners("")[0].ID

	second := &host{server: h.server, Machine: base.BootImage(t, machine.Options{Before: func(m *machine.Machine) {
		m.Put("/etc/machine-id", strings.Repeat("1", 32)+"\n", 0o444)
	}})}
	second.isCopy(t)
	ends(t, first.job(t, "true"), "succeeded")
	// Its end is nobody's end.
	second.Must("systemctl", "stop", unit)
	if r := second.Run(t.Context(), program, "uninstall"); r.Code != 0 || !strings.Contains(r.Stderr, "GitHub was not told") {
		t.Errorf("uninstall: %s", r)
	}
	for _, left := range []string{"/opt/actions-runner/web-1", "/var/lib/runner-bootstrap/instances", filepath.Join("/etc/systemd/system", unit), "/root/exited"} {
		if second.Exists(left) {
			t.Errorf("%s is on the copy", left)
		}
	}
	if all := h.server.Runners(""); len(all) != 1 || all[0].ID != listed || all[0].Status != "online" {
		t.Errorf("GitHub lists %+v", all)
	}
	second.PowerOff()

	third := &host{server: h.server, Machine: base.BootImage(t, machine.Options{Before: func(m *machine.Machine) {
		m.Put("/etc/machine-id", strings.Repeat("2", 32)+"\n", 0o444)
	}})}
	third.isCopy(t)
	install := []string{program, "install", "--url", h.server.URL() + "/octo-org", "--token-file", token, "--preemption", "off", "--metadata", "off"}
	if r := third.Run(t.Context(), append(install, "--name", name, "--replace")...); r.Code != 7 || !strings.Contains(r.Stderr, "at work") {
		t.Errorf("under the name of the first: %s", r)
	}
	third.Must(append(install, "--name", "web-2")...)
	if all := h.server.Runners(""); len(all) != 2 || all[0].ID != listed || all[0].Status != "online" || all[1].Name != "web-2" {
		t.Errorf("GitHub lists %+v", all)
	}
	third.Reboot()
	third.listens(t)
	third.Must(program, "uninstall", "--token-file", token)
	first.ready(t) // alone
	first.Must(program, "uninstall", "--token-file", token)
	if all := h.server.Runners(""); len(all) != 0 {
		t.Errorf("GitHub lists %+v", all)
	}
}

// TestCopyBootsAsItsOwn: a machine whose image makes it a runner is copied with the runner on its disk. The copy becomes a runner of
// its own when it boots, with the same account for its jobs, and stays that.
func TestCopyBootsAsItsOwn(t *testing.T) {
	t.Parallel()
	deb, listener := makePackage(t), stage.Listener(t, t.TempDir())
	const packed = "/root/runner-bootstrap.deb"
	base := machine.Boot(t, machine.Options{Kind: machine.Debian13, Copy: map[string]string{deb: packed}})
	base.Must("systemctl", "start", "network-online.target")
	h := &host{Machine: base, server: serve(t, base, listener)}
	h.Write(token, h.server.Token()+"\n", 0o600)
	h.Must("dpkg", "--install", packed)
	h.Must("hostname", "first")
	h.Write("/etc/runner-bootstrap/config.yaml",
		"url: "+h.server.URL()+"/octo-org\nname: '{hostname}'\ntoken-file: "+token+"\npreemption: 'off'\nmetadata: 'off'\n", 0o600)
	h.Must("systemctl", "enable", "--now", firstBoot)
	h.listen(t, 1)
	h.until(t, "the first boot's unit ends", func() bool {
		return strings.TrimSpace(h.Must("systemctl", "show", "--property=ActiveState", "--value", firstBoot)) == "inactive"
	})
	h.Crash()
	first := h.server.Runners("")[0]
	if first.Name != "first" {
		t.Fatalf("GitHub lists %+v", first)
	}

	second := &host{server: h.server, Machine: base.BootImage(t, machine.Options{Before: func(m *machine.Machine) {
		m.Put("/etc/machine-id", strings.Repeat("1", 32)+"\n", 0o444)
		m.Put("/etc/hostname", "second\n", 0o644)
	}})}
	listens := func() bool {
		all := h.server.Runners("")
		return len(all) == 2 && all[0].ID == first.ID && all[1].Name == "second" && all[1].Status == "online"
	}
	second.until(t, "the copy is a runner of its own", listens)
	second.until(t, "the first boot's unit ends", func() bool {
		return strings.TrimSpace(second.Must("systemctl", "show", "--property=ActiveState", "--value", firstBoot)) == "inactive"
	})
	record := second.Must("cat", "/var/lib/runner-bootstrap/instances/second/record.json")
	if !strings.Contains(record, `"user": "runner"`) || second.Exists("/var/lib/runner-bootstrap/instances/first") {
		t.Errorf("its record is\n%s", record)
	}
	second.Reboot()
	second.until(t, "it is that after a reboot", listens)
	if met := strings.TrimSpace(second.Must("systemctl", "show", "--property=ConditionResult", "--value", firstBoot)); met != "no" {
		t.Errorf("the first boot's unit ran at its second one\n%s", second.Journal())
	}
	second.Must("runner-bootstrap", "uninstall")
	if all := h.server.Runners(""); len(all) != 1 || all[0].ID != first.ID {
		t.Errorf("GitHub lists %+v", all)
	}
}

// listens waits until the runner of this machine does so, beside others that GitHub lists.
func (h *host) listens(t *testing.T) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for !strings.Contains(h.Run(t.Context(), program, "status").Stdout, "idle since") {
		if time.Now().After(deadline) {
			t.Fatalf("it does not listen\n%s", h.Journal())
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// isCopy wants a machine to say that it is one, and to have started nothing.
func (h *host) isCopy(t *testing.T) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for h.property("ActiveState") != "failed" {
		if time.Now().After(deadline) {
			t.Fatalf("its service is %s\n%s", h.property("ActiveState"), h.Journal())
		}
		time.Sleep(100 * time.Millisecond)
	}
	if code, restarts := h.property("ExecMainStatus"), h.property("NRestarts"); code != "3" || restarts != "0" {
		t.Errorf("its service ended with %s after %s restarts\n%s", code, restarts, h.Journal())
	}
	const sentence = "this machine is a copy of the one that it was installed on: it has another machine-id"
	if !strings.Contains(h.Journal(), sentence) {
		t.Errorf("the journal does not say so:\n%s", h.Journal())
	}
	r := h.Run(t.Context(), program, "status", "--json")
	var all []struct {
		Copied   bool     `json:"copied"`
		Problems []string `json:"problems"`
	}
	if err := json.Unmarshal([]byte(r.Stdout), &all); err != nil || r.Code != 9 || len(all) != 1 || !all[0].Copied || all[0].Problems[0] != sentence {
		t.Errorf("status: %s, %v", r, err)
	}
	if !strings.Contains(r.Stderr, "install --url "+h.server.URL()+"/octo-org --name '{hostname}-{random}'") {
		t.Errorf("status has the hint %s", r.Stderr)
	}
	if r := h.Run(t.Context(), program, "doctor"); !strings.Contains(r.Stdout, sentence) {
		t.Errorf("doctor: %s", r)
	}
	if r := h.Run(t.Context(), program, "drain"); r.Code != 3 || !strings.Contains(r.Stderr, sentence) {
		t.Errorf("drain: %s", r)
	}
	if r := h.Run(t.Context(), program, "run", "--name", name); r.Code != 3 || !strings.Contains(r.Stderr, sentence) {
		t.Errorf("run: %s", r)
	}
}
