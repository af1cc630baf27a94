package register

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
)

// What is finished, and what GitHub has deleted by itself, is told by the record, the agent's last word and the registration.
func TestFinished(t *testing.T) {
	t.Parallel()
	type change func(*instance.Record, *instance.Report)
	for name, c := range map[string]struct {
		change change
		kept   bool // a registration
		want   instance.Outcome
		spent  bool
	}{
		"one job, done":         {want: instance.Served, spent: true},
		"brought":               {change: func(r *instance.Record, _ *instance.Report) { r.Ephemeral, r.PreRegistered = false, true }, want: instance.Served, spent: true},
		"being removed":         {change: func(r *instance.Record, _ *instance.Report) { r.Phase = instance.Removing }, want: instance.Served, spent: true},
		"persistent, max-jobs":  {change: func(r *instance.Record, _ *instance.Report) { r.Ephemeral = false }, want: instance.Served},
		"idle for too long":     {change: func(_ *instance.Record, p *instance.Report) { p.Outcome = instance.Unused }, want: instance.Unused},
		"too old":               {change: func(_ *instance.Record, p *instance.Report) { p.Outcome = instance.Aged }, want: instance.Aged},
		"stopped":               {change: func(_ *instance.Record, p *instance.Report) { p.Outcome = instance.Stopped }},
		"preempted":             {change: func(_ *instance.Record, p *instance.Report) { p.Outcome = instance.Preempted }},
		"ended with an error":   {change: func(_ *instance.Record, p *instance.Report) { p.Outcome = "" }},
		"killed":                {change: func(_ *instance.Record, p *instance.Report) { p.State = instance.Busy }},
		"still registered":      {kept: true},
		"its removal is owed":   {change: func(r *instance.Record, _ *instance.Report) { r.PendingDeletes = []int64{7} }},
		"joining again":         {change: func(r *instance.Record, _ *instance.Report) { r.Renewing = true }},
		"half installed":        {change: func(r *instance.Record, _ *instance.Report) { r.Phase = instance.Registering }},
		"a report of long ago":  {change: func(_ *instance.Record, p *instance.Report) { *p = instance.Report{} }},
		"a word of another age": {change: func(_ *instance.Record, p *instance.Report) { p.Outcome = "retired" }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			store := instance.NewStore(filepath.Join(dir, "state"))
			record := instance.Record{
				Name: "web-1", ScopeURL: "https://github.com/octo-org", Dir: filepath.Join(dir, "web-1"), Phase: instance.Installed,
				Identity: instance.Identity{Ephemeral: true}, Registration: instance.Registration{RunnerID: 7},
			}
			report := instance.Report{State: instance.Ended, Outcome: instance.Served}
			if c.change != nil {
				c.change(&record, &report)
			}
			if err := os.MkdirAll(filepath.Join(dir, "state", "instances", "web-1"), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := store.SaveReport(record.Name, report); err != nil {
				t.Fatal(err)
			}
			if c.kept {
				files := map[string][]byte{".runner": []byte(`{"agentId":7,"agentName":"web-1"}`), ".credentials": []byte("{}")}
				if err := instance.KeptRegistration(store, record.Name).Keep(files); err != nil {
					t.Fatal(err)
				}
			}
			if got := KeptOf(store, record).Finished(); got != c.want {
				t.Errorf("finished: %q, want %q", got, c.want)
			}
			if got := KeptOf(store, record).Spent(); got != c.spent {
				t.Errorf("spent: %t, want %t", got, c.spent)
			}
		})
	}
}
