package agent

import (
	"errors"
	"log/slog"
	"path/filepath"
	"testing"

	"github.com/runner-bootstrap/runner-bootstrap/internal/account"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
)

// That a job may have changed a runner's directory outlives the report that said so: the agent that read it may be killed before it has
// mended anything, and the next one finds a report of its own making.
func TestUsedOutlivesTheReport(t *testing.T) {
	t.Parallel()
	for state, want := range map[instance.State]bool{instance.Busy: true, instance.Idle: false} {
		for _, ephemeral := range []bool{true, false} {
			store, record := instance.NewStore(t.TempDir()), instance.Record{Name: "web-1", Dir: filepath.Join(t.TempDir(), "web-1")}
			record.Ephemeral = ephemeral
			if err := errors.Join(store.Save(record), store.SaveReport("web-1", instance.Report{State: state})); err != nil {
				t.Fatal(err)
			}
			k := &keeper{store: store, name: "web-1", user: account.User{Self: true}, log: slog.New(slog.DiscardHandler)}
			if got := toMend(t.Context(), k, record); got != want {
				t.Errorf("after %s it is to be mended: %t", state, got)
			}
			err := store.SaveReport("web-1", instance.Report{State: instance.Starting})
			next, loadErr := store.Load("web-1")
			if err := errors.Join(err, loadErr); err != nil {
				t.Fatal(err)
			}
			if got := toMend(t.Context(), k, next); got != (want && ephemeral) {
				t.Errorf("ephemeral %t, after %s and another start it is to be mended: %t", ephemeral, state, got)
			}
			if err := k.noteUsed(t.Context(), next, false); err != nil {
				t.Error(err)
			}
			if next, err = store.Load("web-1"); err != nil || next.Used {
				t.Errorf("after it was mended it is used: %t, %v", next.Used, err)
			}
		}
	}
}
