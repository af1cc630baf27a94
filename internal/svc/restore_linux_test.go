package svc

import (
	"strings"
	"testing"
)

func TestRestore(t *testing.T) {
	f := newFake(t, fakeInstaller{})
	f.lay(map[string]string{"a.service": "before", wantsLink: ""}, 0o644)
	f.put("active", "active")
	found, err := f.Find(t.Context())
	if err != nil || !found.Up() || !found.Installed {
		t.Fatalf("found %+v, %v", found, err)
	}
	if changed, err := f.Restore(t.Context(), found); changed || err != nil {
		t.Errorf("nothing was different: changed %v, error %v", changed, err)
	}
	if _, err := f.Install(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.calls()
	if changed, err := f.Restore(t.Context(), found); !changed || err != nil {
		t.Errorf("changed %v, error %v", changed, err)
	}
	f.called("systemctl daemon-reload")
	if units := f.units(); units["a.service"] != "before" || units[wantsLink] == "" {
		t.Errorf("the units are %q", units)
	}
}

func TestRestoreOfNothing(t *testing.T) {
	f := newFake(t, fakeInstaller{})
	found, err := f.Find(t.Context())
	if err != nil || found.Up() {
		t.Fatalf("found %+v, %v", found, err)
	}
	if changed, err := f.Restore(t.Context(), found); changed || err == nil || !strings.Contains(err.Error(), "there was none") {
		t.Errorf("changed %v, error %v", changed, err)
	}
}

// TestRestoreOfOneThatWasNotEnabled: a unit that somebody had disabled is not started at the next boot because an install failed.
func TestRestoreOfOneThatWasNotEnabled(t *testing.T) {
	f := newFake(t, fakeInstaller{})
	f.lay(map[string]string{"a.service": "before"}, 0o644)
	found, err := f.Find(t.Context())
	if err != nil || found.Enabled || !found.Installed {
		t.Fatalf("found %+v, %v", found, err)
	}
	if _, err := f.Install(t.Context()); err != nil {
		t.Fatal(err)
	}
	if units := f.units(); units[wantsLink] == "" {
		t.Fatalf("it was not enabled: %q", units)
	}
	if changed, err := f.Restore(t.Context(), found); !changed || err != nil {
		t.Errorf("changed %v, error %v", changed, err)
	}
	if units := f.units(); units["a.service"] != "before" || units[wantsLink] != "" {
		t.Errorf("the units are %q", units)
	}
}
