//go:build e2e && linux

package hostile_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/githubtest"
)

// tree is in whose hands the files of a runner are.
type tree struct {
	owner   string
	options []string
}

// trees are both: root's, which is the default, and the account's, for a runner that updates itself.
func trees() []tree {
	return []tree{{"root", nil}, {account, []string{"--update", "runner"}}}
}

// installTree is install with files in these hands, which is looked at: otherwise an attack that fails proves nothing.
func (s *scene) installTree(tr tree, more ...string) int64 {
	s.t.Helper()
	id := s.install(slices.Concat(tr.options, more)...)
	if owner := s.Must("stat", "-c", "%U", folder+"/config.sh"); owner != tr.owner {
		s.t.Fatalf("the runner's files belong to %s, want %s", owner, tr.owner)
	}
	return id
}

// within runs the program, and holds it to a time: what waits for somebody else's file, or lock, does not end by itself.
func (s *scene) within(most time.Duration, words ...string) string {
	s.t.Helper()
	begun := time.Now()
	r := s.try(words...)
	if took := time.Since(begun); took > most {
		s.t.Errorf("%q took %v", words, took.Round(time.Millisecond))
	}
	if r.Code != 0 {
		s.t.Errorf("%q: %s", words, r)
	}
	return r.Stdout + r.Stderr
}

// begin has a job run beside what the test does. The function returned waits for its end, and returns what it wrote.
func (s *scene) begin(of, script string) (end func() string) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), 90*time.Second)
	job := s.Server.QueueJob(of, githubtest.Job{Name: "attack", Script: script})
	if _, err := job.WaitStarted(ctx); err != nil {
		cancel()
		s.t.Fatalf("the job was not started: %v\n%s", err, tail(s.Journal(), 30))
	}
	return func() string {
		s.t.Helper()
		defer cancel()
		conclusion, err := job.Wait(ctx)
		if err != nil {
			s.t.Fatalf("the job %s: %v\n%s", conclusion, err, tail(s.Journal(), 30))
		}
		s.t.Logf("the job %s:\n%s", conclusion, tail(job.Output(), 20))
		return job.Output()
	}
}

// runsAsVerified has a job run, and compares what it is run by with what was verified.
func (s *scene) runsAsVerified() {
	s.t.Helper()
	if output := s.job("echo all is well"); !strings.Contains(output, "all is well") {
		s.t.Errorf("a job after it wrote %q", output)
	}
	s.Must("sh", "-ec", `for f in bin/Runner.Listener bin/Runner.Worker config.sh; do
		for good in $(find /var/cache/runner-bootstrap -path "*/$f"); do cmp "$good" "`+folder+`/$f"; done
		test -n "$good"
	done`)
}

// inFolder is a script that begins in the runner's directory.
func inFolder(script string) string { return fmt.Sprintf("cd %s\n%s", folder, script) }
