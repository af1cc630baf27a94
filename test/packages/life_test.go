//go:build e2e && linux

package packages

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/download"
	"github.com/runner-bootstrap/runner-bootstrap/internal/githubtest"
	"github.com/runner-bootstrap/runner-bootstrap/test/e2e/machine"
)

const (
	program   = "/usr/bin/runner-bootstrap"
	firstboot = "runner-bootstrap-firstboot.service"
	runner    = "web-1"
	service   = "actions.runner.octo-org.web-1.service"
	token     = "/root/token"
	config    = "/etc/runner-bootstrap/config.yaml"
	record    = "/var/lib/runner-bootstrap/instances/web-1/record.json"
	begun     = "/var/lib/runner-bootstrap-firstboot/begun"
)

// The states of the network and of GitHub, as a machine meets them at its first boot.
const (
	absent  int32 = iota // every connection breaks
	failing              // GitHub answers, but registers nobody
	present
)

// host is a machine with a package, and its GitHub.
type host struct {
	*machine.Machine
	server *githubtest.Server
	github atomic.Int32
}

// life leads the deb through a first boot, an upgrade and a removal, under each systemd.
func life(t *testing.T, out, upgrade string) {
	listener, err := githubtest.BuildListener(t.Context(), t.TempDir(), runtime.GOOS, runtime.GOARCH)
	if err != nil {
		t.Fatal(err)
	}
	deb := "runner-bootstrap_linux_" + runtime.GOARCH + ".deb"
	for _, kind := range []string{machine.Debian12, machine.Debian13} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			m := machine.Boot(t, machine.Options{Kind: kind, Copy: map[string]string{
				filepath.Join(out, deb): "/root/1.0.0.deb", filepath.Join(upgrade, deb): "/root/1.1.0.deb",
				filepath.Join(repository, "packaging/scripts/prerm.sh"): "/root/prerm.sh",
			}})
			m.Must("systemctl", "start", "network-online.target")
			h := &host{Machine: m}
			h.serve(t, listener)
			before := h.files()
			for _, step := range []struct {
				name string
				do   func(*host, *testing.T)
			}{
				{"installed", (*host).installed},
				{"first boot", (*host).firstBoot},
				{"next boot", (*host).nextBoot},
				{"upgrade", (*host).upgraded},
				{"removal with a runner", (*host).removed},
			} {
				passed := t.Run(step.name, func(t *testing.T) { h.Machine = m.For(t); step.do(h, t) })
				h.Machine = m
				if !passed {
					t.Fatal(h.Journal())
				}
			}
			for _, diff := range machine.Diff(before, h.files()) {
				if strings.Contains(diff, "runner-bootstrap") || strings.Contains(diff, "actions") {
					t.Errorf("after a purge: %s", diff)
				}
			}
		})
	}
}

func (h *host) files() map[string]string {
	return h.Files("/etc", "/usr", "/opt", "/var/lib", "/var/cache")
}

func (h *host) serve(t *testing.T, listener string) {
	t.Helper()
	platform, err := download.Host()
	if err != nil {
		t.Fatal(err)
	}
	archive, err := githubtest.NewArchive(githubtest.ArchiveSpec{Platform: platform.String(), Version: "2.337.0", Listener: listener})
	if err != nil {
		t.Fatal(err)
	}
	h.server, err = githubtest.Start(githubtest.Config{
		API: h.Listen(t), Archives: h.Listen(t), Archive: archive,
		Wrap: func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				switch state := h.github.Load(); {
				case state == absent:
					panic(http.ErrAbortHandler)
				case state == failing && r.Method == http.MethodPost:
					w.WriteHeader(http.StatusBadGateway)
				default:
					next.ServeHTTP(w, r)
				}
			})
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.server.Close(); err != nil {
			t.Error(err)
		}
	})
}

func (h *host) there(path string) bool {
	return h.Run(context.Background(), "test", "-e", path, "-o", "-L", path).Code == 0
}

// shown is a property of a unit.
func (h *host) shown(unit, property string) string {
	return h.Must("systemctl", "show", "--property="+property, "--value", unit)
}

// until waits for something that must come.
func (h *host) until(t *testing.T, what string, is func() bool) {
	t.Helper()
	deadline := time.Now().Add(2 * time.Minute)
	for !is() {
		if time.Now().After(deadline) {
			t.Fatalf("%s did not come: the unit is %s, %s restarts, exit code %s\n%s", what, h.shown(firstboot, "ActiveState"),
				h.shown(firstboot, "NRestarts"), h.shown(firstboot, "ExecMainStatus"), h.Journal())
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// installed: the program runs, the unit is right and not enabled, and the configuration is for root alone.
func (h *host) installed(t *testing.T) {
	h.Must("dpkg", "--force-unsafe-io", "-i", "/root/1.0.0.deb")
	if said := h.Must(program, "version"); !strings.HasPrefix(said, "runner-bootstrap 1.0.0 ") {
		t.Errorf("the program says that it is %s", said)
	}
	if r := h.Run(t.Context(), "systemd-analyze", "--man=no", "verify", firstboot); r.Code != 0 || r.Stdout+r.Stderr != "" {
		t.Errorf("systemd-analyze verify: %s", r)
	}
	if r := h.Run(t.Context(), "systemctl", "is-enabled", firstboot); r.Stdout != "disabled\n" {
		t.Errorf("the unit is %s", r)
	}
	if mode := h.Must("stat", "-c", "%U %a", config); mode != "root 600" {
		t.Errorf("%s is %s", config, mode)
	}
	// A configuration that nobody has filled in is a mistake in the call, and no attempt is worth a second.
	h.Must("mkdir", "-p", "/etc/systemd/system/"+firstboot+".d")
	h.Write("/etc/systemd/system/"+firstboot+".d/soon.conf", "[Service]\nRestartSec=100ms\n[Unit]\nStartLimitBurst=1000\n", 0o644)
	h.Must("systemctl", "daemon-reload")
	h.Must("systemctl", "start", firstboot)
	h.until(t, "an end without a configuration", func() bool { return h.shown(firstboot, "ActiveState") == "failed" })
	if code, state, restarts := h.shown(firstboot, "ExecMainStatus"), h.shown(firstboot, "ActiveState"), h.shown(firstboot, "NRestarts"); code != "2" || state != "failed" || restarts != "0" {
		t.Errorf("without a configuration: exit code %s, %s, %s restarts", code, state, restarts)
	}
	if h.there(begun) {
		t.Error("an install that recorded nothing is taken for one to continue")
	}
}

func (h *host) configure(timeout string) {
	h.Write(config, fmt.Sprintf("url: %s/octo-org\nname: %s\ntoken-file: %s\npreemption: off\ntimeout: %s\n", h.server.URL(), runner, token, timeout), 0o600)
}

// firstBoot: the network comes late, then GitHub fails in the middle, and in the end there is one runner.
func (h *host) firstBoot(t *testing.T) {
	h.Write(token, h.server.Token()+"\n", 0o600)
	h.configure("5s")
	h.Must("systemctl", "enable", firstboot)
	h.Must("systemctl", "reset-failed", firstboot)
	h.Must("systemctl", "start", "--no-block", firstboot)
	h.until(t, "a wait for the network", func() bool { return strings.Contains(h.Journal(), "this may pass by itself") })
	if h.there(record) {
		t.Error("there is a record already")
	}
	h.github.Store(failing)
	h.until(t, "a record of what could not be finished", func() bool { return h.there(record) })
	if !h.there(begun) {
		t.Error("nothing says that an install has begun")
	}
	// What ends it from outside does not end the first boot.
	h.Must("systemctl", "kill", "--kill-who=main", "--signal=KILL", firstboot)
	h.until(t, "another start", func() bool { return h.shown(firstboot, "NRestarts") == "1" })
	h.Must("systemctl", "stop", firstboot)
	if !h.there(begun) {
		t.Error("nothing says that an install was stopped in the middle")
	}
	h.configure("5m")
	h.github.Store(present)
	h.Must("systemctl", "start", firstboot)
	h.succeeded(t)
	h.online(t)
	if h.there(begun) {
		t.Error("a finished install is taken for one to continue")
	}
}

// succeeded waits for the end of the first boot's unit.
func (h *host) succeeded(t *testing.T) {
	t.Helper()
	h.until(t, "success", func() bool {
		return h.shown(firstboot, "ActiveState") == "inactive" && h.shown(firstboot, "Result") == "success"
	})
}

// online waits until GitHub sees exactly one runner, which listens.
func (h *host) online(t *testing.T) {
	t.Helper()
	h.until(t, "a runner that listens", func() bool {
		all := h.server.Runners("")
		return len(all) == 1 && all[0].Status == "online"
	})
}

// nextBoot: the unit has nothing to do, unless an install was cut off.
func (h *host) nextBoot(t *testing.T) {
	// The boot waits for nobody: while GitHub is away it comes to its end, and the runner comes with GitHub.
	h.github.Store(absent)
	h.Reboot()
	if state := h.shown(service, "ActiveState"); state != "active" {
		t.Errorf("after a boot without GitHub the service is %s", state)
	}
	h.server.DropSessions(runner)
	h.github.Store(present)
	if met, state := h.shown(firstboot, "ConditionResult"), h.shown(firstboot, "ActiveState"); met != "no" || state != "inactive" {
		t.Errorf("with a runner on the host its condition is met: %s, and it is %s", met, state)
	}
	h.online(t)
	// As a power cut in the first boot leaves it.
	h.Must("touch", begun)
	h.Must("systemctl", "start", firstboot)
	h.succeeded(t)
	if h.there(begun) {
		t.Error("an install that was cut off is not continued")
	}
	h.online(t)
}

// upgraded: the runner goes on undisturbed, and the configuration is as it was.
func (h *host) upgraded(t *testing.T) {
	configured, process := h.Must("cat", config), h.shown(service, "MainPID")
	h.Must("dpkg", "--force-unsafe-io", "-i", "/root/1.1.0.deb")
	if said := h.Must(program, "version"); !strings.HasPrefix(said, "runner-bootstrap 1.1.0-rc.1 ") {
		t.Errorf("the program says that it is %s", said)
	}
	if version := h.Must("dpkg-query", "--show", "--showformat=${Version}", "runner-bootstrap"); version != "1.1.0~rc.1" {
		t.Errorf("the package is %s, which does not come before 1.1.0", version)
	}
	if h.Must("cat", config) != configured {
		t.Error("the configuration was replaced")
	}
	if now := h.shown(service, "MainPID"); now != process || now == "0" {
		t.Errorf("the runner's supervisor was process %s, now it is %s", process, now)
	}
}

// removed: nothing is done to the runner, all is said, and the way back is open even after a purge.
func (h *host) removed(t *testing.T) {
	// As rpm (how many versions stay), apk (a version) and deb call it.
	for argument, warns := range map[string]bool{"1": false, "upgrade": false, "failed-upgrade": false, "0": true, "1.1.0-r0": true, "remove": true} {
		said := h.Run(t.Context(), "sh", "/root/prerm.sh", argument)
		if said.Code != 0 || said.Stdout != "" || strings.Contains(said.Stderr, runner) != warns {
			t.Errorf("prerm %s: %s", argument, said)
		}
	}
	process := h.shown(service, "MainPID")
	h.Must("systemctl", "enable", firstboot)
	said := h.Run(t.Context(), "dpkg", "-r", "runner-bootstrap")
	for _, want := range []string{"WARNING", "stay: " + runner, "runner-bootstrap uninstall --all --token-file FILE", "will fail at their next start"} {
		if said.Code != 0 || !strings.Contains(said.Stderr, want) {
			t.Errorf("a removal does not say %q: %s", want, said)
		}
	}
	for _, unit := range []string{firstboot, strings.TrimSuffix(firstboot, ".service") + ".path"} {
		if h.there("/etc/systemd/system/multi-user.target.wants/" + unit) {
			t.Errorf("%s is gone, and a link to it stays", unit)
		}
	}
	if now := h.shown(service, "MainPID"); now != process || !h.there(record) || !h.there(config) {
		t.Errorf("process %s, now %s; record: %t, configuration: %t", process, now, h.there(record), h.there(config))
	}
	if said = h.Run(t.Context(), "dpkg", "-P", "runner-bootstrap"); said.Code != 0 || !strings.Contains(said.Stderr, "/var/lib/runner-bootstrap stays") {
		t.Errorf("a purge: %s", said)
	}
	if !h.there(record) || h.there("/etc/runner-bootstrap") || h.there("/var/cache/runner-bootstrap") || h.there(filepath.Dir(begun)) {
		t.Error("a purge with a runner on the host took its record, or left the configuration, the cache or what the first boot noted")
	}
	if h.shown(service, "MainPID") != process {
		t.Error("a purge stopped the runner")
	}
	h.online(t)

	h.Must("dpkg", "--force-unsafe-io", "-i", "/root/1.1.0.deb")
	h.Must(program, "uninstall", "--all", "--token-file", token)
	if left := h.server.Runners(""); len(left) != 0 {
		t.Errorf("GitHub lists %v", left)
	}
	h.Must("rm", "-r", "/etc/systemd/system/"+firstboot+".d")
	if said = h.Run(t.Context(), "dpkg", "-P", "runner-bootstrap"); said.Code != 0 || strings.Contains(said.Stderr, "WARNING") || strings.Contains(said.Stderr, "stays") {
		t.Errorf("a purge without a runner: %s", said)
	}
}
