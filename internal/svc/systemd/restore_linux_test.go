package systemd

import (
	"context"
	"testing"
)

func TestUndo(t *testing.T) {
	f := newFake(t, fakeInstaller{})
	f.lay(map[string]string{"a.service": "before", wantsLink: ""}, 0o644)
	f.put("active", "active")
	state, err := f.State(t.Context())
	if err != nil || !state.Up() || !state.Installed || state.AsDescribed {
		t.Fatalf("found %+v, %v", state, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	change, err := f.Install(ctx)
	if err != nil || !change.Made || change.Undo == nil {
		t.Fatalf("made %v, can be undone %v, error %v", change.Made, change.Undo != nil, err)
	}
	if state, err := f.State(t.Context()); err != nil || !state.AsDescribed {
		t.Errorf("installed: %+v, %v", state, err)
	}
	if again, err := f.Install(t.Context()); again.Made || again.Undo != nil || err != nil {
		t.Errorf("nothing was different: made %v, can be undone %v, error %v", again.Made, again.Undo != nil, err)
	}
	f.calls()
	cancel() // an undo is for when the caller's time is over, too
	if err := change.Undo(ctx); err != nil {
		t.Error(err)
	}
	f.called("systemctl daemon-reload")
	if units := f.units(); units["a.service"] != "before" || units[wantsLink] == "" {
		t.Errorf("the units are %q", units)
	}
}

// Where there was nothing, or the same text, there is nothing to go back to.
func TestUndoOfNothing(t *testing.T) {
	f := newFake(t, fakeInstaller{})
	if change, err := f.Install(t.Context()); !change.Made || change.Undo != nil || err != nil {
		t.Errorf("a new unit: made %v, can be undone %v, error %v", change.Made, change.Undo != nil, err)
	}
	same := newFake(t, fakeInstaller{})
	same.lay(map[string]string{"a.service": same.Text()}, 0o644)
	if change, err := same.Install(t.Context()); !change.Made || change.Undo != nil || err != nil {
		t.Errorf("the same text, not enabled: made %v, can be undone %v, error %v", change.Made, change.Undo != nil, err)
	}
}

// TestRestoreOfOneThatWasNotEnabled: a unit that somebody had disabled is not started at the next boot because an install failed.
func TestRestoreOfOneThatWasNotEnabled(t *testing.T) {
	f := newFake(t, fakeInstaller{})
	f.lay(map[string]string{"a.service": "before"}, 0o644)
	found, err := f.State(t.Context())
	if err != nil || found.Enabled || !found.Installed {
		t.Fatalf("found %+v, %v", found, err)
	}
	change, err := f.Install(t.Context())
	if err != nil || change.Undo == nil {
		t.Fatalf("can be undone %v, error %v", change.Undo != nil, err)
	}
	if units := f.units(); units[wantsLink] == "" {
		t.Fatalf("it was not enabled: %q", units)
	}
	if err := change.Undo(t.Context()); err != nil {
		t.Error(err)
	}
	if units := f.units(); units["a.service"] != "before" || units[wantsLink] != "" {
		t.Errorf("the units are %q", units)
	}
}
