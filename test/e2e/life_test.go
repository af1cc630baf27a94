//go:build e2e && linux

package e2e_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/githubtest"
	"github.com/runner-bootstrap/runner-bootstrap/test/e2e/machine"
	"github.com/runner-bootstrap/runner-bootstrap/test/e2e/stage"
)

// TestLife leads ephemeral runners and persistent ones through what happens to a
// service: stops, drains, kills, a hang, reboots, power-offs.
func TestLife(t *testing.T) {
	t.Parallel()
	listener := stage.Listener(t, t.TempDir())
	built := machine.Build(t, "cmd/runner-bootstrap")
	for _, o := range systems(machine.Debian12) {
		t.Run(o.Kind, func(t *testing.T) {
			t.Parallel()
			o.Copy = map[string]string{built: program}
			m := machine.Boot(t, o)
			m.Must("systemctl", "start", "network-online.target")
			h := &host{Machine: m, server: serve(t, m, listener)}
			m.Write(token, h.server.Token()+"\n", 0o600)
			h.Must(program, "install", "--url", h.server.URL()+"/octo-org", "--name", name, "--token-file", token,
				"--ephemeral", "--deregister-on-stop", "--drain-timeout", "1m", "--preemption", "off", "--env", "COLOUR=green")
			for _, step := range []struct {
				name string
				do   func(*host, *testing.T)
			}{
				{"the unit", (*host).judged},
				{"a job that looks for secrets", (*host).searched},
				{"a stop while a job runs", (*host).drained},
				{"a supervisor that hangs", (*host).hangs},
				{"a killed listener", (*host).healed},
				{"a reboot", (*host).rebooted},
				{"a power-off", (*host).poweredOff},
				{"several runners", (*host).several},
				{"a preemption", (*host).preempted},
			} {
				if !t.Run(step.name, func(t *testing.T) { step.do(&host{Machine: m.For(t), server: h.server}, t) }) {
					t.Log(h.Journal())
				}
			}
			h.noSecret(t)
			h.Must(program, "uninstall", "--all", "--token-file", token)
			if left := h.server.Runners(""); len(left) != 0 {
				t.Errorf("GitHub lists %v", left)
			}
		})
	}
}

// judged: systemd finds nothing wrong with the unit, and little exposed.
func (h *host) judged(t *testing.T) {
	if r := h.Run(t.Context(), "systemd-analyze", "verify", unit); r.Code != 0 || r.Stdout+r.Stderr != "" {
		t.Errorf("systemd-analyze verify: %s", r)
	}
	h.ready(t)
	for name, most := range map[string]string{unit: "30", "listener." + unit: "42"} {
		r := h.Run(t.Context(), "systemd-analyze", "security", "--threshold="+most, "--no-pager", name)
		if r.Code != 0 {
			t.Errorf("systemd-analyze security: %s", r)
		}
		_, score, _ := strings.Cut(r.Stdout, "Overall exposure level for ")
		t.Logf("systemd-analyze security: %s", strings.TrimSpace(score))
	}
	if bound := h.property("TasksMax"); bound != "512" {
		t.Errorf("the agent may have %s tasks", bound)
	}
	if status := h.property("StatusText"); status != "idle" {
		t.Errorf("systemd knows it as %q", status)
	}
	// In a folder that the sandbox lets it write, and nobody else.
	if mode := h.Must("stat", "-c", "%F %a %U", "/run/runner-bootstrap", "/run/runner-bootstrap/"+name+".sock"); mode != "directory 700 root\nsocket 600 root" {
		t.Errorf("its control socket is %q", mode)
	}
}

func (h *host) property(name string) string {
	return strings.TrimSpace(h.Must("systemctl", "show", "--property="+name, "--value", unit))
}

// ready waits until exactly one runner listens.
func (h *host) ready(t *testing.T) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for {
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		result := h.Run(ctx, program, "status", "--token-file", token)
		cancel()
		if result.Code == 0 && strings.Contains(result.Stdout, "idle since") {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("it does not listen:\n%s\n%s", result, h.Journal())
		}
		time.Sleep(100 * time.Millisecond)
	}
	if all := h.server.Runners(""); len(all) != 1 || all[0].Status != "online" {
		t.Errorf("GitHub lists %v", all)
	}
}

// gone waits until GitHub lists no runner.
func (h *host) gone(t *testing.T) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for len(h.server.Runners("")) > 0 {
		if time.Now().After(deadline) {
			t.Fatalf("GitHub lists %v\n%s", h.server.Runners(""), h.Journal())
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func (h *host) job(t *testing.T, script string) *githubtest.JobRun {
	t.Helper()
	job := h.server.QueueJob(name, githubtest.Job{Name: "work", Script: script})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if _, err := job.WaitStarted(ctx); err != nil {
		t.Fatalf("%v\n%s", err, h.Journal())
	}
	return job
}

func ends(t *testing.T, job *githubtest.JobRun, want string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	conclusion, err := job.Wait(ctx)
	if err != nil || conclusion != want {
		t.Errorf("the job %s, want %s: %v\n%s", conclusion, want, err, job.Output())
	}
	return job.Output()
}

// searched: a job sees no token in its environment, in any process's arguments or
// environment, nor in any file that it can read.
func (h *host) searched(t *testing.T) {
	output := ends(t, h.job(t, `env
		for f in /proc/[0-9]*/cmdline /proc/[0-9]*/environ; do tr '\0' '\n' <$f; done 2>/dev/null
		ls -l /proc/[0-9]*/fd 2>/dev/null
		find / -xdev -type f -readable -size -1024k ! -path '/proc/*' ! -path '/sys/*' ! -path '/usr/*' ! -path '/var/lib/dpkg/*' \
			! -path '/opt/*/bin/*' ! -path '/opt/*/externals/*' ! -name '.credentials*' ! -name .runner -exec cat {} + 2>/dev/null |
			tr -cd '[:print:]\n'`), "succeeded")
	current := h.server.Runners("")
	for _, secret := range h.server.Secrets() {
		if len(secret) >= 16 && strings.Contains(output, secret) {
			t.Errorf("the job found the secret %.6s...", secret)
		}
	}
	if len(output) < 10_000 {
		t.Errorf("the job hardly found anything:\n%s", output)
	}
	h.ready(t)
	// A job changes none of the runner's files, and what it adds does not outlive it.
	ends(t, h.job(t, `cd "$RUNNER_WORKSPACE/.." && cd .. && touch evil && mkdir -p _work/left || exit 1
		(echo LD_PRELOAD=/tmp/x >>.env) && exit 2
		mv bin/Runner.Listener bin/evil && exit 3
		cp /bin/true bin/Runner.Listener && exit 4
		mv bin bin.old && exit 5
		echo evil >bin/evil && exit 6
		(echo evil >config.sh) && exit 7
		echo done`), "succeeded")
	h.ready(t)
	root := "/opt/actions-runner/" + name
	for _, left := range []string{"/evil", "/bin/evil", "/_work/left"} {
		if h.Exists(root + left) {
			t.Errorf("%s outlives the job that made it", left)
		}
	}
	if text := h.Read(root + "/.env"); strings.Contains(text, "LD_PRELOAD") || !strings.Contains(text, "COLOUR=green") {
		t.Errorf("the next job has the variables %q", text)
	}
	if again := h.server.Runners(""); len(current) == 1 && len(again) == 1 && current[0].ID == again[0].ID {
		t.Error("it is not registered again after its job")
	}
}

// drained: a stop lets the running job finish, and the runner leaves GitHub.
func (h *host) drained(t *testing.T) {
	h.ready(t)
	job := h.job(t, `while ! test -e /opt/actions-runner/`+name+`/_work/go; do sleep 0.1; done`)
	// GitHub knows of the job a moment before the supervisor does.
	for deadline := time.Now().Add(30 * time.Second); !strings.HasPrefix(h.property("StatusText"), "busy"); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("it is %q", h.property("StatusText"))
		}
	}
	h.Must("systemctl", "stop", "--no-block", unit)
	for deadline := time.Now().Add(30 * time.Second); !strings.Contains(h.property("StatusText"), "draining"); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("it is %q", h.property("StatusText"))
		}
	}
	h.Must("setpriv", "--reuid=runner", "--regid=runner", "--clear-groups", "touch", "/opt/actions-runner/"+name+"/_work/go")
	ends(t, job, "succeeded")
	h.gone(t)
	for deadline := time.Now().Add(30 * time.Second); h.property("ActiveState") != "inactive"; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("it is %s", h.property("ActiveState"))
		}
	}
	if result := h.property("Result"); result != "success" {
		t.Errorf("the service ended with %q", result)
	}
	h.Must("systemctl", "start", unit)
	h.ready(t)
}

// hangs: a supervisor that shows no sign of life is killed and started again.
func (h *host) hangs(t *testing.T) {
	h.Write("/run/systemd/system/"+unit+".d/quick.conf", "[Service]\nWatchdogSec=4s\nRestartSec=1s\n", 0o644)
	h.Must("systemctl", "daemon-reload")
	h.Must("systemctl", "restart", unit)
	h.ready(t)
	pid := h.property("MainPID")
	time.Sleep(9 * time.Second) // twice the time: it is not killed for nothing
	if now := h.property("MainPID"); now != pid {
		t.Fatalf("it was killed though it is in order:\n%s", h.Journal())
	}
	h.Must("kill", "-STOP", pid)
	for deadline := time.Now().Add(30 * time.Second); h.property("NRestarts") == "0"; time.Sleep(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("nobody noticed:\n%s", h.Journal())
		}
	}
	h.server.DropSessions(name)
	h.ready(t)
	h.Must("rm", "-r", "/run/systemd/system/"+unit+".d")
	h.Must("systemctl", "daemon-reload")
}

// healed: the listener is killed, then both.
func (h *host) healed(t *testing.T) {
	for _, kill := range [][]string{
		{"pkill", "-KILL", "-f", "Runner.Listener run"},
		{"systemctl", "kill", "--signal=KILL", unit},
	} {
		starts := len(h.server.Witnesses())
		h.Must(kill...)
		h.server.DropSessions(name)
		for deadline := time.Now().Add(time.Minute); len(h.server.Witnesses()) == starts; time.Sleep(50 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("after %v: %s", kill, h.Journal())
			}
		}
		h.ready(t)
		if n := len(strings.Fields(h.Must("pgrep", "-f", "Runner.Listener run"))); n != 1 {
			t.Errorf("after %v there are %d listeners", kill, n)
		}
	}
}

func (h *host) rebooted(t *testing.T) {
	before := len(h.server.Requests())
	h.Reboot()
	h.ready(t)
	deleted := 0
	for _, r := range h.server.Requests()[before:] {
		if r.Method == http.MethodDelete && strings.Contains(r.Path, "/actions/runners/") {
			deleted++
		}
	}
	if deleted == 0 {
		t.Error("it did not leave GitHub when the machine went down")
	}
}

func (h *host) poweredOff(t *testing.T) {
	h.PowerOff()
	if left := h.server.Runners(""); len(left) != 0 {
		t.Errorf("GitHub lists %v of a machine that is off", left)
	}
	h.PowerOn()
	h.ready(t)
}

// metadata answers like the service of AWS, which gives notice once there is one.
type metadata struct{ notice, state pointer }

type pointer = atomic.Pointer[string]

func (m *metadata) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	notice, state := m.notice.Load(), m.state.Load()
	switch {
	case r.Method == http.MethodPut && r.URL.Path == "/latest/api/token" && r.Header.Get("X-aws-ec2-metadata-token-ttl-seconds") != "":
		w.Header().Set("X-aws-ec2-metadata-token-ttl-seconds", "21600")
		_, _ = io.WriteString(w, "the-token")
	case !strings.HasPrefix(r.URL.Path, "/latest/"):
		w.WriteHeader(http.StatusNotFound)
	case r.Header.Get("X-aws-ec2-metadata-token") != "the-token":
		w.WriteHeader(http.StatusUnauthorized)
	case r.URL.Path == "/latest/meta-data/spot/instance-action" && notice != nil:
		_, _ = io.WriteString(w, *notice)
	case r.URL.Path == "/latest/meta-data/autoscaling/target-lifecycle-state" && state != nil:
		_, _ = io.WriteString(w, *state)
	case r.URL.Path == "/latest/dynamic/instance-identity/document":
		_, _ = io.WriteString(w, `{"instanceId": "i-0abc", "region": "eu-central-1", "availabilityZone": "eu-central-1a", "instanceType": "m7g.large"}`)
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

// named: a name and labels take what the cloud knows of the machine.
func (h *host) named(t *testing.T) {
	t.Helper()
	h.Must(program, "install", "--url", h.server.URL()+"/octo-org", "--name", "at-{instance_id}", "--labels", "{zone},{instance_type},in-{region}",
		"--metadata", "required", "--no-service", "--token-file", token)
	var found bool
	for _, runner := range h.server.Runners("") {
		found = found || runner.Name == "at-i-0abc" && strings.Contains(fmt.Sprint(runner.Labels), "eu-central-1a") &&
			strings.Contains(fmt.Sprint(runner.Labels), "m7g.large") && strings.Contains(fmt.Sprint(runner.Labels), "in-eu-central-1 ")
	}
	if !found {
		t.Errorf("GitHub lists %+v", h.server.Runners(""))
	}
	h.Must(program, "uninstall", "--name", "at-i-0abc", "--token-file", token)
}

// preempted: AWS gives notice, the running job may finish until shortly before the
// time, and the runner leaves GitHub and does not come back.
func (h *host) preempted(t *testing.T) {
	h.Must("ip", "address", "add", "169.254.169.254/32", "dev", "lo")
	cloud := &metadata{}
	web := &http.Server{Handler: cloud, ReadHeaderTimeout: time.Minute}
	listener := h.ListenAt(t, "169.254.169.254:80")
	go func() { _ = web.Serve(listener) }()
	defer web.Close()
	h.named(t)
	h.Must(program, "install", "--url", h.server.URL()+"/octo-org", "--name", name, "--token-file", token,
		"--ephemeral", "--deregister-on-stop", "--drain-timeout", "1h", "--preemption", "aws")
	h.Must(program, "uninstall", "--name", "many", "--token-file", token)
	h.ready(t)
	job := h.job(t, "sleep 300")
	at := time.Now().Add(25 * time.Second)
	notice := `{"action": "terminate", "time": "` + at.UTC().Format(time.RFC3339) + `"}`
	cloud.notice.Store(&notice)
	ends(t, job, "canceled")
	h.gone(t)
	if time.Now().After(at) {
		t.Errorf("it left GitHub %v after the machine would have been gone", time.Since(at))
	}
	for deadline := time.Now().Add(30 * time.Second); h.property("ActiveState") != "inactive"; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("it is %s", h.property("ActiveState"))
		}
	}
}

// several runners of one host, an account each; then fewer.
func (h *host) several(t *testing.T) {
	count := func(n int) {
		t.Helper()
		t.Log(h.Must(program, "install", "--url", h.server.URL()+"/octo-org", "--name", "many", "--count", strconv.Itoa(n),
			"--user-per-runner", "--allow", "docker", "--token-file", token, "--preemption", "off"))
		if all := h.server.Runners(""); len(all) != n+1 {
			t.Errorf("GitHub lists %v", all)
		}
		units := strings.Fields(h.Must("sh", "-c", "systemctl list-units --plain --no-legend 'actions.runner.octo-org.many*' | cut -d ' ' -f 1"))
		if len(units) != n {
			t.Errorf("there are the services %q", units)
		}
	}
	count(3)
	users := h.Must("sh", "-c", "ps -eo user:20,args | grep '[R]unner.Listener run' | cut -d ' ' -f 1 | sort")
	if got := strings.Fields(users); strings.Join(got, " ") != "runner runner-1 runner-2 runner-3" {
		t.Errorf("the listeners run as %q", got)
	}
	job := h.server.QueueJob("many-2", githubtest.Job{Name: "look", Script: "id -un; cat /opt/actions-runner/many-3/.runner"})
	if output := ends(t, job, "failed"); !strings.Contains(output, "runner-2\n") || !strings.Contains(output, "No such file") {
		t.Errorf("the job saw %q", output)
	}
	count(1)
}
