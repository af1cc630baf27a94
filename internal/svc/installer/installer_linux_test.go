package installer

import (
	"reflect"
	"testing"
)

// TestInstallerIsSystemds proves that the library's part does not depend on what this host runs.
func TestInstallerIsSystemds(t *testing.T) {
	made, err := OfUnit("a", "a test", "/bin/a", "text")
	if err != nil {
		t.Fatal(err)
	}
	if kind := reflect.TypeOf(made).String(); kind != "*service.systemd" {
		t.Errorf("installer is a %s", kind)
	}
}
