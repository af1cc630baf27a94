//go:build e2e && linux

package e2e_test

import (
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/githubtest"
	"github.com/runner-bootstrap/runner-bootstrap/test/e2e/machine"
	"github.com/runner-bootstrap/runner-bootstrap/test/e2e/stage"
)

// TestIllAtBoot: GitHub answers 503 to everything for the first 25 seconds. An install by hand, with its usual timeout, and one that
// nobody watches both come to a runner.
func TestIllAtBoot(t *testing.T) {
	t.Parallel()
	s := stage.Set(t, machine.Options{Kind: machine.Debian13, Cgroup2: true}, githubtest.ArchiveSpec{
		Version: stage.Version, Listener: stage.Listener(t, t.TempDir()), Padding: 1 << 20,
	})
	s.Must("systemctl", "start", "network-online.target")
	for _, words := range [][]string{{}, {"--keep-trying"}} {
		h := &host{Machine: s.Machine, server: s.Server}
		h.server.Fault(githubtest.Fault{Status: http.StatusServiceUnavailable})
		const ill = 25 * time.Second
		began, well := time.Now(), make(chan struct{})
		go func() {
			defer close(well)
			time.Sleep(ill)
			h.server.ClearFaults()
		}()
		install := []string{program, "install", "--url", h.server.URL() + "/octo-org", "--name", name, "--token-file", token, "--preemption", "off"}
		r := h.Run(t.Context(), append(install, words...)...)
		took := time.Since(began)
		<-well
		if r.Code != 0 || took < ill || !strings.Contains(r.Stderr, "this may pass by itself") {
			t.Errorf("install %v, after %s: %s", words, took, r)
		}
		t.Logf("install %v: %s", words, took.Round(time.Second))
		h.ready(t)
		h.Must(program, "uninstall", "--token-file", token)
	}
}

// TestUserDataAgain: a cloud runs the user data of a machine again, as it is and changed, on the same disk, as a new instance of the
// same machine-id. There is one runner, always the same; what would make another one of it is refused, and changes nothing.
func TestUserDataAgain(t *testing.T) {
	t.Parallel()
	deb, listener := makePackage(t), stage.Listener(t, t.TempDir())
	h, url := &host{}, ""
	rendered := func(words ...string) string {
		return userData(t, h.quickstart(t, "cloud-init", "COMMAND", "curl -fsS "+url+"/secret"), append([]string{
			"--name", name, "--package", url + "/files/" + filepath.Base(deb), "--package-sha256", digestOf(t, deb), "--preemption", "off",
		}, words...)...)
	}
	h.Machine = machine.Boot(t, machine.Options{Kind: machine.Debian13Cloud, Before: func(m *machine.Machine) {
		h.server = serve(t, m, listener)
		url = shop(t, m, filepath.Dir(deb), h.server.Token())
		seed(m, rendered())
	}})
	h.finished(t)
	h.healthy(t)
	id := h.server.Runners("")[0].ID
	same := func(what string) {
		t.Helper()
		h.healthy(t)
		if all := h.server.Runners(""); len(all) != 1 || all[0].ID != id || strings.Contains(fmt.Sprint(all[0].Labels), "other") {
			t.Errorf("%s: GitHub lists %+v", what, all)
		}
	}
	state := func(property string) string {
		return strings.TrimSpace(h.Must("systemctl", "show", "--property="+property, "--value", firstBoot))
	}
	again := func(text string) {
		t.Helper()
		h.PowerOff()
		seed(h.Machine, text)
		h.PowerOn()
		h.finished(t)
		h.until(t, "the first boot's unit has ended", func() bool {
			said := h.Run(t.Context(), "journalctl", "--boot", "--unit="+firstBoot).Stdout
			return strings.Contains(said, "Deactivated successfully") || strings.Contains(said, "Failed with result")
		})
	}

	again(rendered())
	if result, left := state("Result"), h.Must("ls", "-A", "/var/lib/runner-bootstrap-firstboot"); result != "success" || left != "" {
		t.Errorf("the same again: %s, left is %q", result, left)
	}
	same("the same again")

	again(rendered("--labels", "other", "--no-default-labels"))
	if code := state("ExecMainStatus"); code != "7" || !strings.Contains(h.Journal(), "the runner is registered with other options: labels") {
		t.Errorf("other options: exit code %s\n%s", code, h.Journal())
	}
	same("other options")
	h.Reboot()
	same("a reboot after other options")

	// And back.
	again(rendered())
	if result := state("Result"); result != "success" {
		t.Errorf("the first again: %s", result)
	}
	same("the first again")
	ends(t, h.job(t, "true"), "succeeded")
	h.Must("runner-bootstrap", "uninstall")
	h.unlisted(t)
}

// TestOneJITConfigurationTwice: two machines boot with one just-in-time configuration. The first one to come has the job; the other
// says why it has none, ends when the configuration has served, and takes nothing away.
func TestOneJITConfigurationTwice(t *testing.T) {
	t.Parallel()
	listener := stage.Listener(t, t.TempDir())
	base := machine.Boot(t, machine.Options{Copy: map[string]string{machine.Build(t, "cmd/runner-bootstrap"): program}})
	h := &host{Machine: base, server: serve(t, base, listener)}
	h.Write(token, h.server.Token()+"\n", 0o600)
	const file = "/root/jit"
	h.Write(file, h.Must(program, "jitconfig", "--url", h.server.URL()+"/octo-org", "--name", name, "--token-file", token)+"\n", 0o600)
	h.PowerOff()
	boot := func(id string) *host {
		return &host{server: h.server, Machine: base.BootImage(t, machine.Options{Before: func(m *machine.Machine) {
			m.Put("/etc/machine-id", strings.Repeat(id, 32)+"\n", 0o444)
		}})}
	}
	first, second := boot("1"), boot("2")
	install := []string{program, "install", "--url", h.server.URL() + "/octo-org", "--jitconfig-file", file, "--preemption", "off", "--metadata", "off"}
	first.Must(install...)
	id := h.server.Runners("")[0].ID
	r := second.Run(t.Context(), install...)
	if r.Code != 8 || !strings.Contains(r.Stderr, "another session of this runner exists") {
		t.Errorf("the second install: %s", r)
	}
	online := func(what string) {
		t.Helper()
		if all := h.server.Runners(""); len(all) != 1 || all[0].ID != id || all[0].Status != "online" {
			t.Errorf("%s: GitHub lists %+v", what, all)
		}
	}
	online("after the second install")
	r = second.Run(t.Context(), program, "uninstall", "--token-file", token)
	if r.Code != 0 || !strings.Contains(r.Stderr, "another machine is at work as this runner") {
		t.Errorf("the second's uninstall: %s", r)
	}
	online("after the second's uninstall")

	ends(t, h.server.QueueJob(name, githubtest.Job{Name: "work", Script: "true"}), "succeeded")
	// It has served: nobody has to wait for anything.
	r = second.Run(t.Context(), append([]string{"timeout", "2m"}, append(install, "--keep-trying")...)...)
	if r.Code != 7 || !strings.Contains(r.Stderr, "GitHub no longer knows this runner") {
		t.Errorf("an install after the job: %s", r)
	}
}

// TestReadOnlyRoot: on a root that nothing can be written to an install is refused before it has begun, and says so.
func TestReadOnlyRoot(t *testing.T) {
	t.Parallel()
	s := stage.Set(t, machine.Options{Kind: machine.Debian13, Cgroup2: true}, githubtest.ArchiveSpec{
		Version: stage.Version, Listener: stage.Listener(t, t.TempDir()), Padding: 1 << 20,
	})
	s.Must("systemctl", "start", "network-online.target")
	h := &host{Machine: s.Machine, server: s.Server}
	install := []string{program, "install", "--url", h.server.URL() + "/octo-org", "--name", name, "--token-file", token, "--preemption", "off"}
	readOnly := `mount --rbind / /mnt && mount -o remount,bind,ro /mnt && exec chroot /mnt "$@"`
	r := h.Run(t.Context(), append([]string{"unshare", "--mount", "sh", "-c", readOnly, "sh"}, install...)...)
	if r.Code != 3 || !strings.Contains(r.Stderr, "read-only") || !strings.Contains(r.Stderr, "remount,rw") {
		t.Errorf("install: %s", r)
	}
	h.unlisted(t)
	if h.Exists("/opt/actions-runner") || h.Exists("/var/lib/runner-bootstrap/instances") {
		t.Error("something of it is there")
	}
	h.Must(install...)
	h.ready(t)
	h.Must(program, "uninstall", "--token-file", token)
	h.unlisted(t)
}
