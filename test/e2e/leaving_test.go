//go:build e2e && linux

package e2e_test

import (
	"net/http"
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
	h.Must("ip", "address", "add", "169.254.169.254/32", "dev", "lo")
	cloud := &metadata{}
	web := &http.Server{Handler: cloud, ReadHeaderTimeout: time.Minute}
	at := h.ListenAt(t, "169.254.169.254:80")
	done := make(chan error, 1)
	go func() { done <- web.Serve(at) }()
	t.Cleanup(func() {
		_ = web.Close()
		<-done
	})
	say := func(what *pointer, text string) { what.Store(&text) }

	say(&cloud.state, "Warmed:Stopped")
	h.Must(program, "install", "--url", h.server.URL()+"/octo-org", "--name", name, "--token-file", token,
		"--drain-timeout", "1h", "--preemption", "aws")
	early := h.server.QueueJob(name, githubtest.Job{Name: "early", Script: "true"})
	h.waits(t, "warm pool")
	time.Sleep(15 * time.Second) // three questions later it still does
	h.waits(t, "warm pool")
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
