package life

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/runner-bootstrap/runner-bootstrap/internal/githubtest"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
)

// What a job does to its runner's directory: it may end its own listener, and gains no other.
func attacks() map[string]string {
	return map[string]string{
		"removes the programs": "rm -rf bin externals 2>/dev/null",
		"replaces the listener": `rm -rf bin 2>/dev/null; mkdir -p bin
			printf '#!/bin/sh\ntouch %s\nwhile :; do echo "Listening for Jobs"; sleep 1; done\n' "$PWD/fake" >bin/Runner.Listener; chmod 755 bin/Runner.Listener`,
		"spoils the registration": "echo '{' >.runner; rm -rf .credentials*; mkdir -p .credentials_rsaparams/x .credentials/y",
		"is another runner":       `echo '{"agentId":102,"agentName":"db-1"}' >.runner_migrated; echo '{"agentId":102,"agentName":"db-1"}' >.runner`,
	}
}

// killListener ends the parent of the worker that a job is started by.
const killListener = `kill -KILL "$(cut -d ' ' -f 4 /proc/$PPID/stat)"`

// A runner comes back whatever a job has made of its directory, and takes jobs by GitHub's own program.
func TestJobSpoilsItsRunner(t *testing.T) {
	t.Parallel()
	for attack, script := range attacks() {
		for _, m := range modes() {
			if attack == "replaces the listener" && (!m.ephemeral || os.Geteuid() != 0) {
				continue // a persistent runner keeps what is the account's, and so does one whose jobs are ours
			}
			t.Run(attack+"/"+m.name, func(t *testing.T) {
				t.Parallel()
				h := newHost(t)
				m.install(h)
				before := h.listed()
				run := h.run()
				h.comesUp(1, patience)
				h.server.QueueJob(runnerName, githubtest.Job{Script: "cd " + h.root() + "\n" + script + "\n" + killListener})
				h.eventually(4*patience, "it does not come back", func() error {
					if r := h.report(); r.State != instance.Idle || r.Starts < 2 {
						return fmt.Errorf("state %s, starts %d", r.State, r.Starts)
					}
					return nil
				})
				if got, err := h.job("true", patience); err != nil || got != "succeeded" {
					t.Errorf("the next job: %s, %v\n%s", got, err, h.tail())
				}
				if _, err := os.Lstat(filepath.Join(h.root(), "fake")); !errors.Is(err, os.ErrNotExist) {
					t.Errorf("the job's program was started: %v", err)
				}
				if ids := h.listed(); !m.ephemeral && !slices.Equal(ids, before) {
					t.Errorf("GitHub lists %v, before %v", ids, before)
				}
				h.stops(run)
			})
		}
	}
}

// leaveBehind puts things where the next job would come across them.
const leaveBehind = "mkdir -p _work/left evil && echo secret | tee _work/left/file evil/file .proxy >/dev/null"

// What jobs of a runner that stays have left is not there for the job of the runner that it becomes, which is for one job each, whatever
// was started meanwhile.
func TestFirstOfMany(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	words := []string{"--token-file", h.token}
	h.install(words...)
	run := h.run()
	h.comesUp(1, patience)
	if got, err := h.job("cd "+h.root()+" && "+leaveBehind, patience); err != nil || got != "succeeded" {
		t.Fatalf("the job that leaves something: %s, %v\n%s", got, err, h.tail())
	}
	h.stops(run)
	run = h.run() // which knows of no job
	h.comesUp(1, patience)
	h.stops(run)
	h.install(append(words, "--ephemeral", "--replace")...)
	look := "! test -e _work/left"
	if os.Geteuid() == 0 { // otherwise the directory is the job's own
		look += " && ! test -e evil && ! test -e .proxy"
	}
	run = h.run()
	h.comesUp(1, patience)
	if got, err := h.job("cd "+h.root()+" && "+look, patience); err != nil || got != "succeeded" {
		t.Errorf("the first job for itself finds what others have left: %s, %v\n%s", got, err, h.tail())
	}
	h.stops(run)
}
