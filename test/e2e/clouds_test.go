//go:build e2e && linux

package e2e_test

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/download"
	"github.com/runner-bootstrap/runner-bootstrap/internal/githubtest"
	"github.com/runner-bootstrap/runner-bootstrap/test/e2e/machine"
	"github.com/runner-bootstrap/runner-bootstrap/test/e2e/stage"
)

// anyCloud is the metadata service of one cloud at a time, as the real ones answer.
type anyCloud struct {
	metadata // of AWS

	which     atomic.Pointer[string]
	preempted atomic.Bool // at Google
}

func (c *anyCloud) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch which := c.which.Load(); {
	case which == nil:
		w.WriteHeader(http.StatusServiceUnavailable)
	case *which == "google":
		c.google(w, r)
	case *which == "azure":
		c.azure(w, r)
	default:
		if r.URL.Path == "/latest/meta-data/instance-id" && r.Header.Get("X-aws-ec2-metadata-token") == "the-token" {
			_, _ = io.WriteString(w, "i-0abc")
			return
		}
		c.metadata.ServeHTTP(w, r)
	}
}

func (c *anyCloud) google(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Metadata-Flavor") != "Google" {
		w.WriteHeader(http.StatusForbidden)
		return
	}
	w.Header().Set("Metadata-Flavor", "Google")
	said, known := map[string]string{
		"/computeMetadata/v1/": "instance/\n", "/computeMetadata/v1/instance/id": "1234", "/computeMetadata/v1/instance/maintenance-event": "NONE",
		"/computeMetadata/v1/instance/zone":         "projects/1/zones/europe-west3-a",
		"/computeMetadata/v1/instance/machine-type": "projects/1/machineTypes/e2-standard-2",
		"/computeMetadata/v1/instance/preempted":    strings.ToUpper(fmt.Sprint(c.preempted.Load())),
	}[r.URL.Path]
	if !known {
		w.WriteHeader(http.StatusNotFound)
	}
	_, _ = io.WriteString(w, said)
}

func (*anyCloud) azure(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.Header.Get("Metadata") != "true" || r.Header.Get("X-Forwarded-For") != "":
		w.WriteHeader(http.StatusBadRequest)
	case r.URL.Path == "/metadata/instance/compute":
		_, _ = io.WriteString(w, `{"vmId": "0a-1b", "location": "westeurope", "zone": "1", "vmSize": "Standard_D2s_v5"}`)
	case r.URL.Path == "/metadata/instance/compute/name":
		_, _ = io.WriteString(w, "runners_0")
	case r.URL.Path == "/metadata/scheduledevents":
		_, _ = io.WriteString(w, `{"DocumentIncarnation": 1, "Events": []}`)
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

// awsCommand takes what the real one takes of what our example says to it, and refuses the rest as that does: 252 for a call
// that it does not understand, 254 for what the service refuses. /root/hook is there while a lifecycle action waits.
const awsCommand = `#!/usr/bin/python3
import os, sys, urllib.request
words = sys.argv[1:]
def end(code, text):
    print(text, file=sys.stderr)
    sys.exit(code)
if words[:2] == ["secretsmanager", "get-secret-value"]:
    if words[2:] != ["--region", "eu-central-1", "--secret-id", "arn:aws:secretsmanager:eu-central-1:123456789012:secret:runner-token",
                     "--query", "SecretString", "--output", "text"]:
        end(252, "aws: error: " + repr(words))
    sys.stdout.write(urllib.request.urlopen("@URL@/secret").read().decode())
    sys.exit()
verbs = {"record-lifecycle-action-heartbeat": "RecordLifecycleActionHeartbeat", "complete-lifecycle-action": "CompleteLifecycleAction"}
if words[:1] != ["autoscaling"] or len(words) < 2 or words[1] not in verbs:
    end(252, "aws: error: argument operation: Invalid choice")
given = dict(zip(words[2::2], words[3::2]))
for needed in ["--lifecycle-hook-name", "--auto-scaling-group-name"] + ["--lifecycle-action-result"] * (words[1][0] == "c"):
    if needed not in given:
        end(252, "aws: error: the following arguments are required: " + needed)
known = ["--region", "--auto-scaling-group-name", "--lifecycle-hook-name", "--instance-id", "--lifecycle-action-result"][:4 + (words[1][0] == "c")]
if len(words) % 2 or set(given) - set(known):
    end(252, "aws: error: Unknown options")
if "--region" not in given and "AWS_DEFAULT_REGION" not in os.environ:
    end(253, "You must specify a region.")
def refuse(text):
    end(254, "An error occurred (ValidationError) when calling the %s operation: %s" % (verbs[words[1]], text))
if given["--auto-scaling-group-name"] != "runners" or given["--lifecycle-hook-name"] != "let-the-job-finish":
    refuse("No such hook")
if given.get("--lifecycle-action-result", "CONTINUE") not in ("CONTINUE", "ABANDON"):
    refuse("Invalid result")
if given.get("--instance-id") != "i-0abc" or not os.path.exists("/root/hook"):
    refuse("No active Lifecycle Action found with instance ID " + given.get("--instance-id", ""))
with open("/root/told", "a") as told:
    told.write(words[1].split("-")[0] + "\n")
if words[1][0] == "c":
    os.remove("/root/hook")
`

// TestExamplesOfClouds: an image is made by the steps of the Packer template, while another package manager is at work, and machines
// start from it with what the Terraform examples tell them.
func TestExamplesOfClouds(t *testing.T) {
	t.Parallel()
	deb, listener := makePackage(t), stage.Listener(t, t.TempDir())
	m := machine.Boot(t, machine.Options{Kind: machine.Debian13Cloud, Copy: map[string]string{
		deb: "/root/up/runner-bootstrap/runner-bootstrap.deb", "../../scripts/install.sh": "/root/up/runner-bootstrap/install.sh",
		"../../packaging/packer/bake.sh": "/root/up/script_1.sh", "../../packaging/packer/seal.sh": "/root/up/script_2.sh",
	}, Before: func(m *machine.Machine) { m.Put("/etc/cloud/cloud-init.disabled", "", 0o644) }}) // who bakes it comes by another way
	h := &host{Machine: m, server: serve(t, m, listener)}
	url := shop(t, m, filepath.Dir(deb), h.server.Token())
	cloud := &anyCloud{}
	h.answers(t, cloud)
	h.baked(t)
	m.PowerOff()
	for _, c := range []struct {
		cloud string
		does  func(*host, *testing.T, *anyCloud)
	}{{"aws", (*host).scaledIn}, {"google", (*host).comesAndGoes}, {"azure", (*host).joinsAgain}} {
		t.Run(c.cloud, func(t *testing.T) {
			cloud.which.Store(&c.cloud)
			text, err := os.ReadFile("../../packaging/terraform/tests/expected/" + c.cloud + ".yaml")
			if err != nil {
				t.Fatal(err)
			}
			given := strings.ReplaceAll(string(text), "https://github.com/octo-org", h.server.URL()+"/octo-org")
			if c.cloud == "aws" {
				given += leaveFile(t)
			}
			one := &host{server: h.server, Machine: m.BootImage(t, machine.Options{Before: func(m *machine.Machine) {
				seed(m, given)
				m.Put("/usr/local/bin/aws", strings.ReplaceAll(awsCommand, "@URL@", url), 0o755)
				for _, command := range []string{"gcloud", "az"} {
					m.Put("/usr/local/bin/"+command, "#!/bin/sh\ncase $* in *--username*) exit 1 ;; *secret*) exec curl -fsS "+url+"/secret ;; esac\n", 0o755)
				}
			}})}
			one.finished(t)
			one.listen(t, 1)
			c.does(one, t, cloud)
		})
	}
}

// leaveFile is what the AWS example gives to a machine beside the rest: a test of the module holds it to this form.
func leaveFile(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../packaging/terraform/examples/aws-autoscaling-group/leave.sh")
	if err != nil {
		t.Fatal(err)
	}
	file := "  - path: /var/lib/cloud/scripts/per-boot/leave-group\n    permissions: \"0755\"\n    content: |\n"
	header := "#!/bin/sh\nGROUP='runners' HOOK='let-the-job-finish' REGION='eu-central-1' SECONDS_WITHOUT=15 DRAIN_MINUTES=30\n"
	for line := range strings.Lines(header + string(text)) {
		file += "      " + line
	}
	return file
}

// asPacker runs a script as the template has it run.
func (h *host) asPacker(t *testing.T, script string, variables ...string) string {
	t.Helper()
	template, err := os.ReadFile("../../packaging/packer/runner.pkr.hcl")
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`(?m)^  execute = "(.*)"$`).FindSubmatch(template)
	if found == nil {
		t.Fatal("the template does not say how scripts are run")
	}
	var words []string
	for _, variable := range variables {
		name, value, _ := strings.Cut(variable, "=")
		words = append(words, name+"='"+value+"'")
	}
	command := strings.NewReplacer("{{ .Path }}", script, "{{ .Vars }}", strings.Join(words, " "), `\"`, `"`).Replace(string(found[1]))
	r := h.Run(t.Context(), "sh", "-c", command)
	if r.Code != 0 {
		t.Fatalf("%s: %s", command, r)
	}
	return r.Stdout + r.Stderr
}

// locked has a package manager's locks held, and for some seconds more once apt-get has begun, however busy this host is.
func (h *host) locked(seconds int, files ...string) {
	h.Must("systemd-run", "--quiet", "python3", "-c", fmt.Sprintf(`
import fcntl, glob, sys, time
held = [open(name, "w") for name in sys.argv[1:]]
for file in held:
    fcntl.lockf(file, fcntl.LOCK_EX)
open("/run/locked", "w")
def begun():
    for name in glob.glob("/proc/[0-9]*/comm"):
        try:
            if open(name).read() == "apt-get\n":
                return True
        except OSError: # it has ended
            pass
for i in range(3000):
    if begun():
        break
    time.sleep(0.1)
time.sleep(%d)`, seconds), files[0], files[len(files)-1])
	h.Must("sh", "-ec", "i=0; until test -e /run/locked; do i=$((i+1)); test $i -lt 600; sleep 0.1; done; rm /run/locked")
}

// baked makes an image of the machine by the template's steps.
func (h *host) baked(t *testing.T) {
	t.Helper()
	h.Must("rm", "/etc/cloud/cloud-init.disabled")
	h.Must("sh", "-c", "mv /root/up/* /tmp && rmdir /root/up && chmod 700 /tmp/runner-bootstrap")
	h.Must("sh", "-c", "mkdir -p /root/.ssh && echo ssh-ed25519 AAAA packer >/root/.ssh/authorized_keys && echo ls >/root/.bash_history")
	h.locked(8, "/var/lib/dpkg/lock-frontend", "/var/lib/dpkg/lock")
	mirror := h.server.ArchiveURL() + "/actions/runner/releases/download/v" + stage.Version
	platform, err := download.Host()
	if err != nil {
		t.Fatal(err)
	}
	digest := h.Must("sh", "-c", "curl -fsS "+mirror+"/"+download.Filename(platform, stage.Version)+" | sha256sum | cut -c 1-64")
	program := []string{"RUNNER_BOOTSTRAP_RUNNER_VERSION=" + stage.Version, "RUNNER_BOOTSTRAP_SHA256=" + digest, "RUNNER_BOOTSTRAP_MIRROR=" + mirror}
	said := h.asPacker(t, "/tmp/script_1.sh", append(program, "PROGRAM_VERSION=", "CHECKSUMS_SHA256=", "PACKAGES=", "FIX=", "FIRSTBOOT=")...)
	if !strings.Contains(said, "/var/lib/dpkg/lock-frontend") {
		t.Errorf("baking: %s", said)
	}
	h.locked(12, "/var/cache/apt/archives/lock")
	said = h.asPacker(t, "/tmp/script_2.sh", program...)
	if !strings.Contains(said, "seal.sh: waiting for a lock that another package manager holds") || !strings.Contains(said, "nothing was found that an image") {
		t.Errorf("sealing: %s", said)
	}
	for _, file := range []string{"/root/.ssh/authorized_keys", "/root/.bash_history", "/tmp/runner-bootstrap", "/tmp/script_2.sh", "/var/lib/dbus/machine-id"} {
		if h.Exists(file) && h.Must("sh", "-c", "[ -L "+file+" ] || echo there") != "" {
			t.Errorf("%s is in the image", file)
		}
	}
	if id := h.Read("/etc/machine-id"); id != "" {
		t.Errorf("the image has the identity %q", id)
	}
}

// known wants GitHub to list one runner of that name with that label.
func (h *host) known(t *testing.T, name, label string) {
	t.Helper()
	all := h.server.Runners("")
	if len(all) != 1 || all[0].Name != name || !strings.Contains(fmt.Sprint(all[0].Labels), label) {
		t.Errorf("GitHub lists %+v, want %s with the label %s", all, name, label)
	}
}

// nobody waits until GitHub lists no runner.
func (h *host) nobody(t *testing.T) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); len(h.server.Runners("")) > 0; time.Sleep(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("GitHub lists %+v\n%s", h.server.Runners(""), h.Journal())
		}
	}
}

// scaledIn: while the job goes on, the group hears that it is to wait; and that it need not, when the runner has left.
func (h *host) scaledIn(t *testing.T, cloud *anyCloud) {
	h.known(t, "i-0abc", "eu-central-1a")
	job := h.server.QueueJob("i-0abc", githubtest.Job{Name: "long", Script: "sleep 25"})
	if _, err := job.WaitStarted(t.Context()); err != nil {
		t.Fatal(err)
	}
	h.Write("/root/hook", "", 0o600)
	terminated := "Terminated"
	cloud.state.Store(&terminated)
	ends(t, job, "succeeded")
	told := h.Read("/root/told")
	if beats := strings.Count(told, "record\n"); beats < 4 || strings.Contains(told, "complete") {
		t.Errorf("while the job went on the group was told\n%s\n%s", told, h.Journal())
	}
	h.nobody(t)
	for deadline := time.Now().Add(30 * time.Second); h.Exists("/root/hook"); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("the group waits on\n%s", h.Journal())
		}
	}
	if told = h.Read("/root/told"); strings.Count(told, "complete\n") != 1 || !strings.HasSuffix(told, "complete\n") {
		t.Errorf("in the end the group was told\n%s", told)
	}
}

// comesAndGoes: one job, and the machine switches itself off.
func (h *host) comesAndGoes(t *testing.T, _ *anyCloud) {
	h.known(t, "1234", "europe-west3-a")
	ends(t, h.server.QueueJob("1234", githubtest.Job{Name: "only", Script: "true"}), "succeeded")
	select {
	case <-h.Ended():
	case <-time.After(time.Minute):
		t.Fatalf("the machine is still on\n%s", h.Journal())
	}
	if left := h.server.Runners(""); len(left) != 0 {
		t.Errorf("GitHub lists %+v of a machine that is off", left)
	}
}

// joinsAgain: after a job there is the next registration.
func (h *host) joinsAgain(t *testing.T, _ *anyCloud) {
	h.known(t, "0a-1b", "gpu")
	for _, name := range []string{"first", "second"} {
		ends(t, h.server.QueueJob("0a-1b", githubtest.Job{Name: name, Script: "true"}), "succeeded")
	}
	h.PowerOff()
	h.nobody(t)
}
