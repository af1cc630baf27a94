//go:build e2e && linux

package e2e_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	mathrand "math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/test/e2e/machine"
	"github.com/runner-bootstrap/runner-bootstrap/test/e2e/stage"
)

// number is a number of the environment.
func number(t *testing.T, variable string, otherwise int64) int64 {
	t.Helper()
	text := os.Getenv(variable)
	if text == "" {
		return otherwise
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestPowerCutAtFirstBoot: whenever the power goes in the first boot of a machine with user data of ours, the next boot ends with
// exactly one runner. RUNNER_BOOTSTRAP_TEST_CUTS is how many machines are tried, RUNNER_BOOTSTRAP_TEST_SEED repeats a run.
func TestPowerCutAtFirstBoot(t *testing.T) {
	t.Parallel()
	deb, listener := makePackage(t), stage.Listener(t, t.TempDir())
	digest := digestOf(t, deb)
	seeded := uint64(number(t, "RUNNER_BOOTSTRAP_TEST_SEED", time.Now().UnixNano()))
	t.Logf("RUNNER_BOOTSTRAP_TEST_SEED=%d", seeded)
	chance := mathrand.New(mathrand.NewPCG(seeded, 0))
	for n := range number(t, "RUNNER_BOOTSTRAP_TEST_CUTS", 2) {
		after := time.Duration(1500+chance.IntN(8500)) * time.Millisecond
		t.Run(after.String(), func(t *testing.T) {
			h := &host{}
			h.Machine = machine.Boot(t, machine.Options{Kind: machine.Debian13Cloud, Cut: after, Before: func(m *machine.Machine) {
				h.server = serve(t, m, listener)
				url := shop(t, m, filepath.Dir(deb), h.server.Token())
				seed(m, userData(t, h.quickstart(t, "cloud-init", "COMMAND", "curl -fsS "+url+"/secret"), "--name", name,
					"--package", url+"/files/"+filepath.Base(deb), "--package-sha256", digest, "--preemption", "off"))
			}})
			t.Logf("cut %d: GitHub lists %d runners", n, len(h.server.Runners("")))
			h.server.DropSessions(name)
			h.PowerOn()
			h.healthy(t)
		})
	}
}

func digestOf(t *testing.T, file string) string {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	digest := sha256.Sum256(content)
	return hex.EncodeToString(digest[:])
}

// TestShippedUserData: each example of ours makes a machine a runner, as it stands but for the addresses and the programs of clouds.
func TestShippedUserData(t *testing.T) {
	t.Parallel()
	deb, listener := makePackage(t), stage.Listener(t, t.TempDir())
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	h := &host{}
	var url string
	controller := map[string]string{machine.Build(t, "cmd/runner-bootstrap"): "/root/controller"}
	h.Machine = machine.Boot(t, machine.Options{Kind: machine.Debian13Cloud, Copy: controller, Before: func(m *machine.Machine) {
		h.server = serve(t, m, listener)
		h.server.AddApp("Iv23liExample", &key.PublicKey, "octo-org")
		url = shop(t, m, filepath.Dir(deb), h.server.Token())
		m.Put("/etc/cloud/cloud-init.disabled", "", 0o644)
		block := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})
		m.Put("/usr/local/bin/aws", "#!/bin/sh\ncat <<'END'\n"+string(block)+"END\n", 0o755)
		for _, cloud := range []string{"gcloud", "az", "vault"} {
			m.Put("/usr/local/bin/"+cloud, "#!/bin/sh\nexec curl -fsS "+url+"/secret\n", 0o755)
		}
		// No cloud takes this machine away.
		m.Put("/etc/systemd/system/"+firstBoot+".d/alone.conf", "[Service]\nEnvironment=RUNNER_BOOTSTRAP_PREEMPTION=off\n", 0o644)
	}})
	h.inCloud(t) // some have the machine's id in their names
	example, err := os.ReadFile("../../packaging/cloud-init/jitconfig.example")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		folder, file string
		runners      int
	}{
		{"cloud-init", "app.yaml", 1},
		{"cloud-init", "jit.yaml", 1},
		{"terraform/tests/expected", "release.yaml", 1},
		{"cloud-init", "several.yaml", 4},
		{"cloud-init", "baked.yaml", 1},
	} {
		t.Run(c.file, func(t *testing.T) {
			h := &host{Machine: h.For(t), server: h.server}
			text, err := os.ReadFile("../../packaging/" + c.folder + "/" + c.file)
			if err != nil {
				t.Fatal(err)
			}
			ask := "curl -fsS " + url + "/secret"
			jit := example
			if c.file == "jit.yaml" {
				jit = []byte(h.Must("/root/controller", "jitconfig", "--url", h.server.URL()+"/octo-org", "--name", "job-7", "--token-command", ask))
			}
			given := strings.NewReplacer(strings.TrimSpace(string(example)), strings.TrimSpace(string(jit)),
				"https://github.com/octo-org", h.server.URL()+"/octo-org",
				"https://github.com/runner-bootstrap/runner-bootstrap/releases/download/v1.2.3/runner-bootstrap_linux_amd64.deb", url+"/files/"+filepath.Base(deb),
				"https://github.com/runner-bootstrap/runner-bootstrap/releases/download/v1.2.3", url+"/files",
				"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", digestOf(t, filepath.Join(filepath.Dir(deb), "checksums.txt")),
				"2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae", digestOf(t, deb)).Replace(string(text))
			h.Must("rm", "-f", "/etc/cloud/cloud-init.disabled")
			h.PowerOff()
			seed(h.Machine, given)
			h.PowerOn()
			h.listen(t, c.runners)
			h.settled(t)
			h.Must("rm", "/etc/runner-bootstrap/config.yaml") // its name is one too many for --all
			h.Must("runner-bootstrap", "uninstall", "--all", "--token-command", ask)
			h.Must("cloud-init", "clean")
			if c.file != "several.yaml" { // the image that has the program is the next one's
				h.Must("dpkg", "--purge", "runner-bootstrap")
			}
		})
	}
}

// listen waits until so many runners are online.
func (h *host) listen(t *testing.T, runners int) {
	t.Helper()
	deadline := time.Now().Add(2 * time.Minute)
	for {
		online := 0
		for _, r := range h.server.Runners("") {
			if r.Status == "online" {
				online++
			}
		}
		if online == runners {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d runners listen, of %d\n%s", online, runners, h.Journal())
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// settled waits until the first boot has done its work: a runner may listen a little before its install ends.
func (h *host) settled(t *testing.T) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); h.Exists("/var/lib/runner-bootstrap-firstboot/begun"); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("the first boot goes on\n%s", h.Journal())
		}
	}
}
