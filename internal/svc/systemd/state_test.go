//go:build !windows

package systemd

import (
	"errors"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/runner-bootstrap/runner-bootstrap/internal/svc"
)

func TestParseState(t *testing.T) {
	const path = "/etc/systemd/system/a.service"
	for _, c := range []struct {
		name, out string
		want      seen
	}{
		{
			"absent", "LoadState=not-found\nActiveState=inactive\nSubState=dead\nUnitFileState=\nFragmentPath=\nNRestarts=0\nMainPID=0\n",
			seen{State: svc.State{Active: svc.Absent, Detail: "not-found inactive dead"}},
		},
		{
			"running", "MainPID=42\nNRestarts=3\nExecMainCode=0\nExecMainStatus=0\nLoadState=loaded\nActiveState=active\nSubState=running\n" +
				"UnitFileState=enabled\nFragmentPath=" + path + "\nNeedDaemonReload=no",
			seen{State: svc.State{Installed: true, Enabled: true, Active: svc.Running, Detail: "loaded active running", MainPID: 42, Restarts: 3, UnitPath: path}},
		},
		{
			"waiting after a kill", "LoadState=loaded\nActiveState=activating\nSubState=auto-restart\nUnitFileState=disabled\nExecMainCode=2\n" +
				"ExecMainStatus=9\nFragmentPath=" + path + "\nNeedDaemonReload=yes\n",
			seen{State: svc.State{Installed: true, Active: svc.Starting, Detail: "loaded activating auto-restart", ExitStatus: 137, UnitPath: path}, stale: true},
		},
		{
			"not ready yet", "LoadState=loaded\nActiveState=activating\nSubState=start\nUnitFileState=enabled\nMainPID=42\nExecMainCode=0\n" +
				"ExecMainStatus=0\nNRestarts=1\nFragmentPath=" + path,
			seen{State: svc.State{Installed: true, Enabled: true, Active: svc.Starting, Detail: "loaded activating start", MainPID: 42, Restarts: 1, UnitPath: path}},
		},
		{
			"failed with a code", "LoadState=loaded\nActiveState=failed\nSubState=failed\nExecMainCode=1\nExecMainStatus=78\nFragmentPath=" + path,
			seen{State: svc.State{Installed: true, Active: svc.Failed, Detail: "loaded failed failed", ExitStatus: 78, UnitPath: path}},
		},
		{
			"removed while running", "LoadState=not-found\nActiveState=active\nSubState=running\nMainPID=7\n",
			seen{State: svc.State{Active: svc.Running, Detail: "not-found active running", MainPID: 7}},
		},
		{
			"empty unit", "LoadState=masked\nActiveState=inactive\nSubState=dead\nUnitFileState=masked\nFragmentPath=" + path,
			seen{State: svc.State{Active: svc.Stopped, Detail: "masked inactive dead", UnitPath: path}},
		},
		{
			"stopping, old systemd", "LoadState=loaded\r\nActiveState=deactivating\r\nSubState=stop-sigterm\r\nNRestarts=\r\nUnitFileState=enabled-runtime\r\n",
			seen{State: svc.State{Active: svc.Stopping, Detail: "loaded deactivating stop-sigterm"}},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := parseState(c.out)
			if err != nil || got != c.want {
				t.Errorf("got %+v, %v\nwant %+v", got, err, c.want)
			}
		})
	}
	for _, c := range []struct{ name, out, want string }{
		{"nothing", "", "ActiveState"},
		{"unknown word", "ActiveState=dreaming", `"dreaming" is not known`},
		{"not a process", "ActiveState=active\nMainPID=x", "MainPID"},
		{"not a count", "ActiveState=active\nNRestarts=x", "NRestarts"},
		{"not a status", "ActiveState=active\nExecMainStatus=x", "ExecMainStatus"},
		{"not a code", "ActiveState=active\nExecMainCode=x", "ExecMainCode"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := parseState(c.out); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error is %v, without %q", err, c.want)
			}
		})
	}
}

func TestAvailable(t *testing.T) {
	folder := &fstest.MapFile{Mode: fs.ModeDir | 0o755}
	comm := func(name string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(name + "\n")} }
	found := func(string) (string, error) { return "/bin/systemctl", nil }
	missing := func(name string) (string, error) { return "", errors.New("no " + name) }
	for _, c := range []struct {
		name string
		host fstest.MapFS
		find func(string) (string, error)
		want string // what was found instead; available if empty
	}{
		{"systemd", fstest.MapFS{"run/systemd/system": folder}, found, ""},
		{"systemd in a container", fstest.MapFS{"run/systemd/system": folder, "run/systemd/container": comm("docker")}, found, ""},
		{"systemd without systemctl", fstest.MapFS{"run/systemd/system": folder}, missing, "systemd without its program (no systemctl)"},
		{"systemctl without systemd", fstest.MapFS{"run/systemd": folder, "proc/1/comm": comm("busybox")}, found, `"busybox" as the first process`},
		{"mark is a file", fstest.MapFS{"run/systemd/system": comm("x"), "proc/1/comm": comm("init")}, found, "an init system other than systemd"},
		{"OpenRC", fstest.MapFS{"run/openrc": folder, "run/.containerenv": comm("")}, found, "OpenRC"},
		{"Docker", fstest.MapFS{".dockerenv": comm(""), "proc/1/comm": comm("bash")}, missing, `a container without an init system (its first process is "bash")`},
		{"container without proc", fstest.MapFS{"run/.containerenv": comm("")}, missing, "a container without an init system"},
		{"nothing to see", fstest.MapFS{}, missing, "a host whose first process cannot be read"},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := systemdIn(c.host, c.find)
			if c.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			var unavailable *svc.UnavailableError
			if !errors.As(err, &unavailable) || !errors.Is(err, svc.ErrUnavailable) || unavailable.Found != c.want {
				t.Errorf("error is %v, not about %q", err, c.want)
			}
			if err != nil && !strings.Contains(err.Error(), "only systemd is supported so far") {
				t.Errorf("error does not say what is supported: %v", err)
			}
		})
	}
}
