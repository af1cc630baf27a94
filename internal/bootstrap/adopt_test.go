//go:build unix

package bootstrap_test

import (
	"fmt"
	"os"
	"testing"

	"github.com/runner-bootstrap/runner-bootstrap/internal/githubtest"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
)

// A registration that an earlier version has left in the runner's directory alone is taken over by the next install. GitHub
// is asked whether its name and its id belong together, where it answers.
func TestInstallAdoptsWhatAnEarlierVersionHasRegistered(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		named string // at GitHub
		set   func(w *world)
		kept  bool
	}{
		"of its name":          {runnerName, nil, true},
		"another's id":         {"db-1", nil, false},
		"without a credential": {runnerName, func(w *world) { w.host.Connect = nil }, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t).withGitHub()
			w.install(w.atGitHub())
			id := w.server.AddRunner(organization, githubtest.Runner{Name: c.named, Status: "offline"}).ID
			settings := fmt.Sprintf(`{"agentId": %d, "agentName": %q}`, id, runnerName)
			_, err := w.store.Update(t.Context(), runnerName, func(r *instance.Record) { r.RunnerID = id })
			kept := instance.KeptRegistration(w.store, runnerName)
			mustDo(t, err, os.RemoveAll(kept.Folder()), os.WriteFile(w.root(".runner"), []byte(settings), 0o644),
				os.WriteFile(w.root(".credentials"), []byte("{}"), 0o644))
			if c.set != nil {
				c.set(w)
			}
			r := w.brought()
			config := w.jit(runnerName, id, nil)
			r.JIT = &config
			w.install(r)
			text, err := os.ReadFile(kept.Folder() + "/.runner")
			if c.kept != (err == nil) || c.kept && string(text) != settings {
				t.Errorf("%q is kept, %v", text, err)
			}
		})
	}
}
