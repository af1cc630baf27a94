//go:build e2e && linux

package hostile_test

import (
	"context"
	"strings"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/githubtest"
)

// spoilsListener: whatever a job does to its listener, the runner comes back with the one that was verified.
func spoilsListener(s *scene) {
	const (
		kill = "\npkill -KILL -x Runner.Listener"
		fake = `printf '#!/bin/sh\necho "Listening for Jobs"; exec sleep 3131\n' >x && chmod 755 x && mv -f x bin/Runner.Listener` + kill
	)
	for _, tr := range trees() {
		attacks := map[string]string{"another listener": fake}
		if tr.owner == account {
			attacks["no listener"] = "rm -rf bin" + kill
		}
		for what, script := range attacks {
			s.t.Logf("files of %s: %s", tr.owner, what)
			s.installTree(tr, "--ephemeral")
			s.loses(inFolder(script))
			s.runsAsVerified()
			if left := s.processes(account); strings.Contains(left, "sleep 3131") {
				s.t.Errorf("with files of %s the listener of a job was started:\n%s", tr.owner, left)
			}
			s.uninstall()
		}
		s.restarts(tr)
	}
}

// restarts: a job spoils the registration, and the agent is started again during it.
func (s *scene) restarts(tr tree) {
	s.t.Helper()
	s.installTree(tr, "--ephemeral")
	end := s.begin(name, inFolder("rm -f .runner; echo garbage >.runner; echo spoilt; sleep 60"))
	s.eventually("the job does not begin", func() error {
		if s.Run(s.t.Context(), "grep", "-q", "garbage", folder+"/.runner").Code != 0 {
			return errLeft
		}
		return nil
	})
	if s.byHand {
		s.Run(s.t.Context(), "systemctl", "kill", "--signal=KILL", "by-hand.service")
		s.eventually("it does not end", func() error {
			if s.Run(s.t.Context(), "systemctl", "is-active", "--quiet", "by-hand").Code == 0 {
				return errLeft
			}
			return nil
		})
		s.start()
	} else {
		s.Must("systemctl", "kill", "--signal=KILL", s.unit())
	}
	end()
	s.runsAsVerified()
	s.uninstall()
}

// loses runs a job whose end GitHub may not hear of.
func (s *scene) loses(script string) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), 90*time.Second)
	defer cancel()
	conclusion, err := s.Server.QueueJob(name, githubtest.Job{Name: "attack", Script: script}).Wait(ctx)
	if err != nil {
		s.t.Fatalf("the job %s: %v\n%s", conclusion, err, tail(s.Journal(), 30))
	}
}
