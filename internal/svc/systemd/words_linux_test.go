package systemd

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/runner-bootstrap/runner-bootstrap/internal/svc"
)

// Systemd is asked first, since it stops services in order; a host without it, or one on which it refuses, has another
// program for that.
func TestPowerOffCommand(t *testing.T) {
	for name, c := range map[string]struct {
		before func(f *fake)
		want   []string
	}{
		"systemd":              {func(*fake) {}, []string{"systemctl poweroff"}},
		"systemd that refuses": {func(f *fake) { f.put("fail-poweroff", "no") }, []string{"systemctl poweroff", "poweroff"}},
		"no systemd": {func(f *fake) {
			if err := os.Remove(filepath.Join(f.folder, "systemctl")); err != nil {
				f.t.Fatal(err)
			}
		}, []string{"poweroff"}},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t, fakeInstaller{})
			c.before(f)
			words := svc.PowerOffCommand()
			cmd := exec.CommandContext(t.Context(), words[0], words[1:]...)
			cmd.Env = []string{"PATH=" + f.folder, fakeFolder + "=" + f.folder} // nothing that would end this host
			if out, err := cmd.CombinedOutput(); (err != nil) != (name == "systemd that refuses") {
				t.Errorf("%v: %s", err, out)
			}
			f.called(c.want...)
			if name == "systemd" && f.read("poweroff-words") != "--no-block poweroff" {
				t.Errorf("systemd is asked for %q, which waits for the end of its caller", f.read("poweroff-words"))
			}
		})
	}
}
