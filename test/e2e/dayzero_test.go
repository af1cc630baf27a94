//go:build e2e && linux

package e2e_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/test/e2e/machine"
	"github.com/runner-bootstrap/runner-bootstrap/test/e2e/stage"
)

const firstBoot = "runner-bootstrap-firstboot.service"

// makePackage makes our deb for this host, and returns its path.
func makePackage(t *testing.T) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), "packages")
	cmd := exec.CommandContext(t.Context(), "../../scripts/package.sh", "1.2.3", out, "linux/"+runtime.GOARCH)
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("making the package: %v\n%s", err, text)
	}
	return filepath.Join(out, "runner-bootstrap_linux_"+runtime.GOARCH+".deb")
}

// shop serves, in the machine's network, what a cloud has: files to fetch, and the
// secret manager that knows the token.
func shop(t *testing.T, m *machine.Machine, folder, secret string) (url string) {
	t.Helper()
	listener := m.Listen(t)
	mux := http.NewServeMux()
	mux.Handle("/files/", http.StripPrefix("/files/", http.FileServer(http.Dir(folder))))
	mux.HandleFunc("/secret", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, secret) })
	server := &http.Server{Handler: mux, ReadHeaderTimeout: time.Minute}
	done := make(chan error, 1)
	go func() { done <- server.Serve(listener) }()
	t.Cleanup(func() {
		_ = server.Close()
		<-done
	})
	return "http://" + listener.Addr().String()
}

// quickstart is what README.md shows for one of the ways, for this GitHub, with more
// words replaced.
func (h *host) quickstart(t *testing.T, way string, replaced ...string) string {
	t.Helper()
	text, err := os.ReadFile("../../packaging/quickstart/" + way + ".sh")
	if err != nil {
		t.Fatal(err)
	}
	return strings.NewReplacer(append(replaced, "https://github.com/OWNER/REPO", h.server.URL()+"/octo-org/hello")...).Replace(string(text))
}

// userData renders user data by a quickstart with more options, on this host.
func userData(t *testing.T, command string, words ...string) string {
	t.Helper()
	folder := t.TempDir()
	command = strings.Replace(command, " cloud-init ", " cloud-init '"+strings.Join(words, "' '")+"' ", 1)
	cmd := exec.CommandContext(t.Context(), "sh", "-ec", command)
	cmd.Dir = folder
	cmd.Env = []string{"PATH=" + filepath.Dir(machine.Build(t, "cmd/runner-bootstrap")) + ":" + os.Getenv("PATH"), "HOME=" + folder}
	if said, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("rendering the user data: %v\n%s", err, said)
	}
	text, err := os.ReadFile(filepath.Join(folder, "user-data"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// seed gives a machine that is off its user data, as a cloud does.
func seed(m *machine.Machine, text string) {
	const folder = "/var/lib/cloud/seed/nocloud/"
	m.Put(folder+"user-data", text, 0o600)
	m.Put(folder+"meta-data", "instance-id: i-"+strconv.FormatInt(time.Now().UnixNano(), 36)+"\nlocal-hostname: cloudy\n", 0o644)
	// It has the loopback interface alone, and no server that gives addresses.
	// And no ssh, whose keys could not be made.
	m.Put("/etc/cloud/cloud.cfg.d/99-lab.cfg", "datasource_list: [NoCloud, None]\nnetwork: {config: disabled}\nssh_genkeytypes: []\n", 0o644)
}

// TestCloudInit: a machine that has nothing of ours boots from our user data, becomes
// a runner that works, comes back after a reboot, and leaves GitHub when it goes.
func TestCloudInit(t *testing.T) {
	t.Parallel()
	deb, listener := makePackage(t), stage.Listener(t, t.TempDir())
	content, err := os.ReadFile(deb)
	if err != nil {
		t.Fatal(err)
	}
	digest := sha256.Sum256(content)
	h := &host{}
	var text string
	began := time.Now()
	h.Machine = machine.Boot(t, machine.Options{Kind: machine.Debian13Cloud, Before: func(m *machine.Machine) {
		h.server = serve(t, m, listener)
		url := shop(t, m, filepath.Dir(deb), h.server.Token())
		text = userData(t, h.quickstart(t, "cloud-init", "COMMAND", "curl -fsS "+url+"/secret"), "--name", name,
			"--package", url+"/files/"+filepath.Base(deb), "--package-sha256", hex.EncodeToString(digest[:]),
			"--labels", "gpu,on-{hostname}", "--deregister-on-stop", "--preemption", "off")
		seed(m, text)
		began = time.Now()
	}})
	h.finished(t)
	h.healthy(t)
	t.Logf("from power-on to listening: %s", time.Since(began).Round(100*time.Millisecond))
	h.schema(t, text)
	if runners := h.server.Runners(""); len(runners) != 1 || !strings.Contains(fmt.Sprint(runners[0].Labels), "on-cloudy") {
		t.Errorf("GitHub lists %+v", runners)
	}
	if output := ends(t, h.job(t, "id -un"), "succeeded"); output != "runner\n" {
		t.Errorf("the job ran as %q", output)
	}
	for _, secret := range h.server.Secrets() {
		if strings.Contains(text, secret) {
			t.Error("a secret is in the user data")
		}
	}
	h.Reboot()
	h.healthy(t)
	ends(t, h.job(t, "true"), "succeeded")
	h.PowerOff()
	if left := h.server.Runners(""); len(left) != 0 {
		t.Errorf("GitHub lists %v after the power-off", left)
	}
}

// finished waits for cloud-init, and shows its log if it is not content.
func (h *host) finished(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	if r := h.Run(ctx, "cloud-init", "status", "--wait", "--long"); r.Code != 0 {
		log := h.Run(t.Context(), "tail", "-n", "60", "/var/log/cloud-init-output.log")
		t.Fatalf("cloud-init: %s\n%s", r, log.Stdout)
	}
}

// schema asks cloud-init itself whether user data is as it should be.
func (h *host) schema(t *testing.T, text string) {
	t.Helper()
	all := map[string]string{"the test's": text}
	examples, err := filepath.Glob("../../packaging/cloud-init/*.yaml")
	if err != nil || len(examples) == 0 {
		t.Fatalf("no examples: %v", err)
	}
	for _, example := range examples {
		content, err := os.ReadFile(example)
		if err != nil {
			t.Fatal(err)
		}
		all[filepath.Base(example)] = string(content)
	}
	for what, content := range all {
		h.Write("/root/user-data.yaml", content, 0o600)
		if r := h.Run(t.Context(), "cloud-init", "schema", "--config-file", "/root/user-data.yaml"); r.Code != 0 || strings.Contains(r.Stdout+r.Stderr, "rror") {
			t.Errorf("user data %s: %s", what, r)
		}
	}
}

// healthy waits until the runner listens, as its own machine sees it.
func (h *host) healthy(t *testing.T) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for {
		r := h.Run(t.Context(), "runner-bootstrap", "status")
		if r.Code == 0 && strings.Contains(r.Stdout, "idle since") {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("it does not listen: %s\n%s", r, h.Journal())
		}
		time.Sleep(100 * time.Millisecond)
	}
	if all := h.server.Runners(""); len(all) != 1 || all[0].Status != "online" {
		t.Errorf("GitHub lists %v", all)
	}
}

// TestImage: a machine is baked, looked over, and a second one that boots from
// it becomes a runner without a byte of an archive.
func TestImage(t *testing.T) {
	t.Parallel()
	deb, listener := makePackage(t), stage.Listener(t, t.TempDir())
	const packed = "/root/runner-bootstrap.deb"
	m := machine.Boot(t, machine.Options{Kind: machine.Debian13Cloud, Copy: map[string]string{deb: packed}, Before: func(m *machine.Machine) {
		m.Put("/etc/cloud/cloud-init.disabled", "", 0o644) // who bakes it comes by another way
	}})
	h := &host{Machine: m, server: serve(t, m, listener)}
	url := shop(t, m, filepath.Dir(deb), h.server.Token())
	m.Must("systemctl", "start", "network-online.target")
	cold := h.byHand(t, url)
	m.Must("dpkg", "--install", packed)
	m.Must("rm", packed)

	m.Write("/etc/runner-bootstrap/config.yaml", "url: "+h.server.URL()+"/octo-org\nname: '"+name+"'\npreemption: 'off'\n"+
		"token-command: curl -fsS "+url+"/secret\n", 0o600)
	m.Must("systemctl", "enable", firstBoot)
	h.forgets(t)
	if r := m.Run(t.Context(), "sh", "-ec", h.quickstart(t, "image")); r.Code != 0 || !strings.Contains(r.Stderr, "nothing was found that an image") {
		t.Fatalf("sealing: %s", r)
	}
	m.PowerOff()

	before := len(h.server.Requests())
	h.Machine = m.BootImage(t, machine.Options{})
	h.healthy(t)
	for _, r := range h.server.Requests()[before:] {
		if r.Root == "archive" {
			t.Errorf("the first boot sent %s %s to the archives", r.Method, r.Path)
		}
	}
	t.Logf("from install to listening: %s cold, %s from the image", cold.Round(10*time.Millisecond), h.lasted(firstBoot).Round(10*time.Millisecond))
	ends(t, h.job(t, "true"), "succeeded")

	// Its second boot installs nothing.
	before = len(h.server.Requests())
	h.Reboot()
	h.healthy(t)
	for _, r := range h.server.Requests()[before:] {
		if r.Root != "runner" && r.Method != http.MethodGet {
			t.Errorf("the second boot sent %s %s", r.Method, r.Path)
		}
	}
	h.Must("runner-bootstrap", "uninstall")
}

// byHand is what a person types on a fresh host, and then without a trace. It tells
// how long the install took.
func (h *host) byHand(t *testing.T, url string) time.Duration {
	t.Helper()
	h.Write("/usr/local/bin/gh", "#!/bin/sh\nexec cat "+token+"\n", 0o755)
	h.Write(token, h.server.Token()+"\n", 0o600)
	pinned := h.Must("sh", "-c", "curl -fsS "+url+"/files/checksums.txt | sha256sum | cut -c 1-64")
	var took time.Duration
	for line := range strings.Lines(h.quickstart(t, "host",
		"https://github.com/runner-bootstrap/runner-bootstrap/releases/download/vVERSION", url+"/files",
		"SHA256", pinned, "--version VERSION", "--version 1.2.3",
		"sudo sh", "sudo RUNNER_BOOTSTRAP_INSTALL_MIRROR="+url+"/files sh",
		"bootstrap install", "bootstrap install --name cold --preemption off")) {
		began := time.Now()
		r := h.Run(t.Context(), "sh", "-ec", line)
		took = time.Since(began)
		// The machine has no ICU, which the simulated runner does not need.
		sound := r.Code == 0 || strings.Contains(line, "doctor") && r.Code == 9 && strings.Contains(r.Stdout, "ok       token")
		if !sound {
			t.Fatalf("typing %q: %s", line, r)
		}
	}
	h.notSealed(t, "cold, and each copy would be the same runner", "--url", h.server.URL()+"/octo-org/hello", "--token-file", token)
	h.Must("runner-bootstrap", "uninstall", "--token-file", token)
	h.Must("rm", "-r", "/var/cache/runner-bootstrap", token, "/checksums.txt", "/install.sh", "/usr/local/bin/gh", "/usr/local/bin/runner-bootstrap")
	return took
}

// notSealed: a host that is not clean is refused, with the reason.
func (h *host) notSealed(t *testing.T, reason string, words ...string) {
	t.Helper()
	words = append([]string{"runner-bootstrap", "prepare", "--seal", "--log-format", "lines"}, words...)
	if r := h.Run(t.Context(), words...); r.Code != 3 || !strings.Contains(r.Stderr, reason) {
		t.Errorf("sealing: %s\nwant exit code 3 and %q", r, reason)
	}
}

// lasted is how long the main process of a unit ran.
func (h *host) lasted(unit string) time.Duration {
	moment := func(property string) time.Duration {
		text := strings.TrimSpace(h.Must("systemctl", "show", "--property="+property, "--value", unit))
		microseconds, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return 0
		}
		return time.Duration(microseconds) * time.Microsecond
	}
	return moment("ExecMainExitTimestampMonotonic") - moment("ExecMainStartTimestampMonotonic")
}
