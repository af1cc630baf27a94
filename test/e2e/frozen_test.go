//go:build e2e && linux

package e2e_test

import (
	"strings"
	"testing"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/githubtest"
	"github.com/runner-bootstrap/runner-bootstrap/test/e2e/machine"
	"github.com/runner-bootstrap/runner-bootstrap/test/e2e/stage"
)

// TestFrozen: a machine that does not run for a while, idle or with a job, goes on with the same agent and exactly one runner.
// GitHub has ended its session meanwhile. A job that GitHub has not given up is finished; one that it has given up ends
// nothing but itself. RUNNER_BOOTSTRAP_TEST_FREEZE is for how many seconds the machine is frozen.
func TestFrozen(t *testing.T) {
	t.Parallel()
	freeze := time.Duration(number(t, "RUNNER_BOOTSTRAP_TEST_FREEZE", 40)) * time.Second
	listener, built := stage.Listener(t, t.TempDir()), machine.Build(t, "cmd/runner-bootstrap")
	for _, kind := range []string{"persistent", "ephemeral"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			m := machine.Boot(t, machine.Options{Kind: machine.Debian13, Cgroup2: true, Copy: map[string]string{built: program}})
			m.Must("systemctl", "start", "network-online.target")
			server := stage.ServeAs(t, m, githubtest.ArchiveSpec{Version: stage.Version, Listener: listener, Padding: 1 << 20},
				githubtest.Config{JobTTL: freeze + 20*time.Second})
			h := &host{Machine: m, server: server}
			m.Write(token, h.server.Token()+"\n", 0o600)
			defer func() {
				if t.Failed() {
					t.Log(h.Journal())
				}
			}()
			install := []string{
				program, "install", "--url", server.URL() + "/octo-org", "--name", name, "--token-file", token, "--preemption", "off",
				"--drain-timeout", "25s",
			}
			if kind == "ephemeral" {
				install = append(install, "--ephemeral")
			}
			h.Must(install...)
			h.ready(t)
			agent := h.property("MainPID")

			h.frozen(freeze)
			h.ready(t)
			ends(t, h.job(t, "true"), "succeeded")
			h.ready(t)

			job := h.job(t, "sleep 1000 & "+waiting+"; kill $!")
			h.frozen(freeze)
			h.until(t, "GitHub sees its listener again", func() bool { return server.Runners("")[0].Status == "online" })
			time.Sleep(5 * time.Second) // for whatever would be done to it by mistake
			h.Must("touch", "/srv/go")
			ends(t, job, "succeeded")
			h.Must("rm", "/srv/go")
			h.ready(t)

			// The time of a drain does not pass either.
			job = h.job(t, waiting)
			h.Must("systemctl", "kill", "--kill-whom=main", "--signal=USR1", unit)
			h.frozen(freeze)
			time.Sleep(5 * time.Second)
			h.Must("touch", "/srv/go")
			ends(t, job, "succeeded")
			h.Must("rm", "/srv/go")
			h.Must(program, "drain", "--resume")
			h.ready(t)

			lost := h.job(t, waiting)
			h.frozen(freeze + 25*time.Second)
			ends(t, lost, "lost")
			h.Must("touch", "/srv/go")
			h.ready(t)
			ends(t, h.job(t, "true"), "succeeded")
			h.ready(t)

			h.Must("rm", "/srv/go")
			if now := h.property("MainPID"); now != agent || h.property("NRestarts") != "0" {
				t.Errorf("its agent is process %s, and was %s\n%s", now, agent, h.Journal())
			}
			if !strings.Contains(h.Journal(), "this machine did not run for a while") {
				t.Errorf("the journal does not say so\n%s", h.Journal())
			}
			h.Must(program, "uninstall", "--token-file", token)
			h.unlisted(t)
		})
	}
}

// waiting is a job that goes on until somebody says that it may end.
const waiting = "while [ ! -e /srv/go ]; do sleep 0.1; done"

// frozen has nothing of the machine run for so long.
func (h *host) frozen(d time.Duration) {
	h.Freeze(true)
	time.Sleep(d)
	h.Freeze(false)
}
