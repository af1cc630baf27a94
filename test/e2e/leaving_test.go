//go:build e2e && linux

package e2e_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/githubtest"
	"github.com/runner-bootstrap/runner-bootstrap/test/e2e/machine"
	"github.com/runner-bootstrap/runner-bootstrap/test/e2e/stage"
)

// TestLeaving: a machine of an autoscaling group is put into a warm pool, comes into service, hibernates, and is
// scaled in while it works. No job is lost, and none is taken when there should be none.
func TestLeaving(t *testing.T) {
	t.Parallel()
	listener := stage.Listener(t, t.TempDir())
	m := machine.Boot(t, machine.Options{Kind: machine.Debian13, Cgroup2: true, Copy: map[string]string{machine.Build(t, "cmd/runner-bootstrap"): program}})
	m.Must("systemctl", "start", "network-online.target")
	h := &host{Machine: m, server: serve(t, m, listener)}
	m.Write(token, h.server.Token()+"\n", 0o600)
	cloud := h.inCloud(t)
	say := func(what *pointer, text string) { what.Store(&text) }

	say(&cloud.state, "Warmed:Stopped")
	h.Must(program, "install", "--url", h.server.URL()+"/octo-org", "--name", name, "--token-file", token,
		"--drain-timeout", "1h", "--preemption", "aws")
	early := h.server.QueueJob(name, githubtest.Job{Name: "early", Script: "true"})
	h.waits(t, "warm pool")
	time.Sleep(15 * time.Second) // three questions later it still does
	h.waits(t, "warm pool")
	h.unlisted(t)
	say(&cloud.state, "InService")
	ends(t, early, "succeeded")

	say(&cloud.notice, `{"action": "hibernate", "time": "`+time.Now().Add(2*time.Minute).UTC().Format(time.RFC3339)+`"}`)
	h.waits(t, "hibernated")
	later := h.server.QueueJob(name, githubtest.Job{Name: "later", Script: "true"})
	cloud.notice.Store(nil)
	ends(t, later, "succeeded")
	h.ready(t)

	job := h.job(t, "sleep 25")
	say(&cloud.state, "Terminated")
	ends(t, job, "succeeded")
	h.gone(t)
}

// waits until the runner waits for what the cloud says.
func (h *host) waits(t *testing.T, reason string) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) {
		text := h.property("StatusText")
		if strings.HasPrefix(text, "drained") && strings.Contains(text, reason) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("it is %q, want %q:\n%s", text, reason, h.Journal())
		}
	}
}

// inCloud has the metadata service of AWS answer in the machine.
func (h *host) inCloud(t *testing.T) *metadata {
	t.Helper()
	cloud := &metadata{}
	h.answers(t, cloud)
	return cloud
}

// answers has a metadata service answer in the machine, at the address that all clouds have it at.
func (h *host) answers(t *testing.T, cloud http.Handler) {
	t.Helper()
	h.Must("ip", "address", "add", "169.254.169.254/32", "dev", "lo")
	web := &http.Server{Handler: cloud, ReadHeaderTimeout: time.Minute}
	at := h.ListenAt(t, "169.254.169.254:80")
	done := make(chan error, 1)
	go func() { done <- web.Serve(at) }()
	t.Cleanup(func() {
		_ = web.Close() // the test is over
		<-done
	})
}

// unlisted: GitHub knows nothing of the machine's runner.
func (h *host) unlisted(t *testing.T) {
	t.Helper()
	if all := h.server.Runners(""); len(all) != 0 {
		t.Errorf("GitHub lists %+v", all)
	}
}

// TestWarmPool: what is installed on a machine of a warm pool is not at GitHub before the machine is in service: its agent
// registers it then, or, where that has no credential of its own, the install that is tried again.
func TestWarmPool(t *testing.T) {
	t.Parallel()
	s := stage.Set(t, machine.Options{Kind: machine.Debian13, Cgroup2: true}, githubtest.ArchiveSpec{
		Version: stage.Version, Listener: stage.Listener(t, t.TempDir()), Padding: 1 << 20,
	})
	s.Must("systemctl", "start", "network-online.target")
	h := &host{Machine: s.Machine, server: s.Server}
	cloud := h.inCloud(t)
	say := func(text string) { cloud.state.Store(&text) }
	say("Warmed:Running")
	install := []string{program, "install", "--url", h.server.URL() + "/octo-org", "--name", name, "--preemption", "aws"}

	h.Write("/root/registration", h.server.RegistrationToken("octo-org")+"\n", 0o600)
	once := append(slices.Clone(install), "--registration-token-file", "/root/registration")
	if r := h.Run(t.Context(), once...); r.Code != 3 || !strings.Contains(r.Stderr, "this machine is not in service yet") ||
		!strings.Contains(r.Stderr, "--token-file FILE") {
		t.Errorf("with a registration token alone: %s", r)
	}
	h.unlisted(t)
	if r := h.Run(t.Context(), append(slices.Clone(once), "--dry-run")...); r.Code != 0 || !strings.Contains(r.Stdout, "not before the machine is in service") {
		t.Errorf("its plan: %s", r)
	}
	h.Must(append([]string{"systemd-run", "--quiet", "--unit=first", "--property=Type=exec"}, append(once, "--keep-trying")...)...)
	h.until(t, "it waits", func() bool {
		return strings.Contains(h.Run(t.Context(), "journalctl", "--unit=first").Stdout, "this may pass by itself")
	})
	h.unlisted(t)
	say("InService")
	h.until(t, "it is registered", func() bool { return len(h.server.Runners("")) == 1 })
	h.ready(t)
	h.Must(program, "uninstall", "--token-file", token)

	say("Warmed:Running")
	install = append(install, "--token-file", token)
	h.Write("/root/wrong", "ghp_"+strings.Repeat("x", 36)+"\n", 0o600)
	if r := h.Run(t.Context(), append(slices.Clone(install), "--token-file", "/root/wrong")...); r.Code != 4 {
		t.Errorf("with a wrong token: %s", r)
	}
	if r := h.Run(t.Context(), install...); r.Code != 0 || !strings.Contains(r.Stdout+r.Stderr, "waits until this machine is in service") {
		t.Errorf("install: %s", r)
	}
	h.unlisted(t)
	h.waits(t, "warm pool")
	if r := h.Run(t.Context(), install...); r.Code != 0 || !strings.Contains(r.Stdout+r.Stderr, "installed already") {
		t.Errorf("install again: %s", r)
	}
	if r := h.Run(t.Context(), append(slices.Clone(install), "--labels", "gpu")...); r.Code != 0 {
		t.Errorf("install with another label: %s", r)
	}
	if r := h.Run(t.Context(), program, "status"); r.Code != 0 || !strings.Contains(r.Stdout, "warm pool") {
		t.Errorf("status: %s", r)
	}
	h.unlisted(t)
	say("InService")
	h.ready(t)
	if all := h.server.Runners(""); len(all) != 1 || !strings.Contains(fmt.Sprint(all[0].Labels), "gpu") {
		t.Errorf("GitHub lists %+v", all)
	}
	ends(t, h.job(t, "true"), "succeeded")
	h.Must(program, "uninstall", "--token-file", token)
	h.unlisted(t)

	say("Warmed:Running")
	h.Must(install...)
	h.Must(program, "uninstall", "--token-file", token)
	h.unlisted(t)
}

// until waits for what is to come about.
func (h *host) until(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !is(); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waiting until %s took too long\n%s", what, h.Journal())
		}
	}
}
