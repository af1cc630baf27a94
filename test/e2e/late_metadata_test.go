//go:build e2e && linux

package e2e_test

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/githubtest"
	"github.com/runner-bootstrap/runner-bootstrap/test/e2e/machine"
	"github.com/runner-bootstrap/runner-bootstrap/test/e2e/stage"
)

// lateCloud says nothing, or that it is switched off, before it answers.
type lateCloud struct {
	metadata
	silent, off atomic.Bool
}

func (c *lateCloud) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case c.silent.Load():
		<-r.Context().Done()
	case c.off.Load():
		w.WriteHeader(http.StatusForbidden)
	default:
		c.metadata.ServeHTTP(w, r)
	}
}

// TestMetadataLate: on a machine that has just booted, nobody takes the silence of its metadata service for a word. It turns out to be in
// a warm pool: GitHub has heard of no runner, and one that it knew has taken no job. A service that is switched off is not waited for.
func TestMetadataLate(t *testing.T) {
	t.Parallel()
	s := stage.Set(t, machine.Options{Kind: machine.Debian13, Cgroup2: true}, githubtest.ArchiveSpec{
		Version: stage.Version, Listener: stage.Listener(t, t.TempDir()), Padding: 1 << 20,
	})
	s.Must("systemctl", "start", "network-online.target")
	h := &host{Machine: s.Machine, server: s.Server}
	cloud := &lateCloud{}
	say := func(text string) { cloud.state.Store(&text) }
	say("Warmed:Running")
	cloud.silent.Store(true)
	h.answers(t, cloud)
	install := []string{program, "install", "--url", h.server.URL() + "/octo-org", "--name", name, "--token-file", token, "--preemption", "aws"}

	h.Must(append([]string{"systemd-run", "--quiet", "--unit=first", "--property=Type=exec"}, append(install, "--keep-trying")...)...)
	h.until(t, "it says what it waits for", func() bool {
		said := h.Run(t.Context(), "journalctl", "--unit=first").Stdout
		return strings.Contains(said, "does not say yet whether this machine is in service; waiting for it")
	})
	time.Sleep(15 * time.Second)
	h.unlisted(t)
	cloud.silent.Store(false)
	h.waits(t, "warm pool")
	h.unlisted(t)
	say("InService")
	h.ready(t)

	// It boots again.
	say("Warmed:Stopped")
	cloud.silent.Store(true)
	h.Reboot()
	h.waits(t, "does not say yet")
	early := h.server.QueueJob(name, githubtest.Job{Name: "early", Script: "true"})
	time.Sleep(15 * time.Second)
	cloud.silent.Store(false)
	h.waits(t, "warm pool")
	say("InService")
	ends(t, early, "succeeded")
	h.Must(program, "uninstall", "--token-file", token)

	cloud.off.Store(true)
	began := time.Now()
	if r := h.Run(t.Context(), install...); r.Code != 0 || !strings.Contains(r.Stderr, "does not wait") || time.Since(began) > 30*time.Second {
		t.Errorf("with a service that is switched off, after %s: %s", time.Since(began), r)
	}
	h.ready(t)
}
