package agent

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/machine"
	"github.com/runner-bootstrap/runner-bootstrap/internal/metadata"
)

// The agent of a copy ends before it has started, written or told anything.
func TestRunOnACopy(t *testing.T) {
	t.Parallel()
	state := filepath.Join(t.TempDir(), "state")
	store := instance.NewStore(state)
	record := instance.Record{
		Name: "web-1", ScopeURL: "https://github.com/octo-org", Dir: filepath.Join(t.TempDir(), "web-1"), Phase: instance.Installed,
		Life:         instance.Life{DeregisterOnStop: true, OnExit: "touch " + filepath.Join(state, "exited")},
		Registration: instance.Registration{RunnerID: 7, PendingDeletes: []int64{6}},
		Written:      instance.Written{Machine: instance.Machine{ID: "first"}},
	}
	if err := store.Save(record); err != nil {
		t.Fatal(err)
	}
	a := &Agent{Store: store, Log: slog.New(slog.DiscardHandler), Machine: machine.Witness{Here: instance.Machine{ID: "other"}}}
	if err := a.Run(t.Context(), "web-1"); !errors.Is(err, machine.ErrCopied) {
		t.Errorf("error %v", err)
	}
	files, err := os.ReadDir(filepath.Join(state, "instances", "web-1"))
	if err != nil || len(files) != 1 {
		t.Errorf("it has left %v, %v", files, err)
	}
}

// What is learned of a machine is added to a record from before, once.
func TestLearn(t *testing.T) {
	t.Parallel()
	store := instance.NewStore(t.TempDir())
	if err := store.Save(instance.Record{Name: "web-1"}); err != nil {
		t.Fatal(err)
	}
	asked := 0
	a := &Agent{Store: store, Log: slog.New(slog.DiscardHandler), Machine: machine.Witness{
		Here: instance.Machine{ID: "first"},
		Ask: func(context.Context) (metadata.Facts, error) {
			asked++
			return metadata.Facts{Cloud: metadata.AWS, InstanceID: "i-1"}, nil
		},
	}}
	for range 2 {
		record, err := store.Load("web-1")
		if err != nil {
			t.Fatal(err)
		}
		a.learn(t.Context(), record)
	}
	record, err := store.Load("web-1")
	if want := (instance.Machine{ID: "first", Cloud: "aws", Instance: "i-1"}); err != nil || record.Machine != want || asked != 1 {
		t.Errorf("%+v, asked %d times, %v", record.Machine, asked, err)
	}
}
