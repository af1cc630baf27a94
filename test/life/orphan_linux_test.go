package life

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/githubtest"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
)

// hold is how long GitHub takes for a request in which the program is killed: longer than the next call needs to plan.
const hold = 1500 * time.Millisecond

// killedDuring starts the program and kills it while its config.sh waits for GitHub's answer. The config.sh lives on.
func (h *host) killedDuring(method, pattern string, words ...string) {
	h.t.Helper()
	h.server.Fault(githubtest.Fault{Method: method, Path: pattern, Delay: hold, Times: 1})
	c, err := h.start(words...)
	if err != nil {
		h.t.Fatal(err)
	}
	h.eventually(patience, "GitHub is not asked", func() error {
		for _, r := range h.server.Requests() {
			if r.Method == method && matches(pattern, r.Path) && r.Status == 0 {
				return nil
			}
		}
		return fmt.Errorf("no %s %s under way", method, pattern)
	})
	if err := syscall.Kill(c.Process.Pid, syscall.SIGKILL); err != nil {
		h.t.Fatal(err)
	}
	<-c.over
}

func matches(pattern, name string) bool {
	matched, err := path.Match(pattern, name)
	return err == nil && matched
}

const registering = "/actions/runners/register"

// An install that follows a killed one waits for the config.sh that lives on, before it looks at anything.
func TestInstallWaitsForOrphan(t *testing.T) {
	t.Parallel()
	for _, m := range modes() {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			h := newHost(t)
			words := []string{"--token-file", h.token}
			if m.ephemeral {
				words = append(words, "--ephemeral")
			}
			h.killedDuring("POST", registering, h.installWords(words...)...)
			h.install(words...)
			h.knowsItself()
		})
	}
}

// knowsItself checks that the record names the one runner that GitHub lists.
func (h *host) knowsItself() {
	h.t.Helper()
	record, err := h.store.Load(runnerName)
	if ids := h.listed(); err != nil || !slices.Equal(ids, []int64{record.RunnerID}) || record.Phase != instance.Installed {
		h.t.Errorf("the record has id %d, phase %s; GitHub lists %v (%v)", record.RunnerID, record.Phase, ids, err)
	}
}

// What config.sh has registered just before its install was killed is taken over with its id: otherwise nobody could
// take it away. The moment is too short to be met, so the record is set to what it says then.
func TestInstallAdoptsRegistration(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	words := []string{"--token-file", h.token, "--deregister-on-stop"}
	h.install(words...)
	_, err := h.store.Update(t.Context(), runnerName, func(r *instance.Record) { r.Phase, r.RunnerID = instance.Registering, 0 })
	if err != nil {
		t.Fatal(err)
	}
	h.install(words...)
	h.knowsItself()
	run := h.run()
	h.comesUp(1, patience)
	h.stops(run)
	if ids := h.listed(); len(ids) != 0 {
		t.Errorf("it leaves GitHub when it stops, and GitHub lists %v", ids)
	}
}

// A listener that is killed while it deletes its registration, or a job, has deleted the credentials and not yet what
// says that it is configured. That is but the listener's copy: the next one is given another.
func TestHalfForgotten(t *testing.T) {
	t.Parallel()
	for _, m := range modes() {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			h := newHost(t)
			m.install(h)
			before := h.listed()
			settings, err := os.ReadFile(filepath.Join(h.kept(), ".runner"))
			if err != nil {
				t.Fatal(err)
			}
			h.put(".runner", string(settings))
			run := h.run()
			h.comesUp(1, patience)
			if ids := h.listed(); !slices.Equal(ids, before) {
				t.Errorf("GitHub lists %v, before %v", ids, before)
			}
			h.stops(run)
		})
	}
}

// A runner whose uninstall was killed is not brought back by its supervisor: it belongs to the next uninstall.
func TestRunRefusesHalfRemoved(t *testing.T) {
	t.Parallel()
	for _, m := range modes()[1:] {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			h := newHost(t)
			m.install(h)
			remove := []string{"uninstall", "--name", runnerName, "--token-file", h.token}
			h.killedDuring("DELETE", "/orgs/"+organization+"/actions/runners/*", remove...)
			if err := h.noneLeft(patience); err != nil {
				t.Fatal(err)
			}
			run := h.run()
			select {
			case <-run.over:
				if code := run.ProcessState.ExitCode(); code != 3 {
					t.Errorf("run ended with %d, want 3", code)
				}
			case <-time.After(3 * time.Second):
				t.Error("run does not refuse it")
			}
			if ids := h.listed(); len(ids) != 0 {
				t.Errorf("it was removed, and GitHub lists %v again", ids)
			}
			if record, err := h.store.Load(runnerName); err != nil || record.Phase != instance.Removing {
				t.Errorf("phase %s (%v), want %s", record.Phase, err, instance.Removing)
			}
			if code := h.call(remove...); code != 0 {
				t.Errorf("the repeated uninstall ended with %d", code)
			}
		})
	}
}
