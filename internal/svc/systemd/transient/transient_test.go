//go:build !windows

package transient

import (
	"slices"
	"strings"
	"testing"
	"time"
)

func TestEnvironmentText(t *testing.T) {
	t.Parallel()
	got, err := EnvironmentText([]string{"A=b", "EMPTY=", `ODD=a "b" \ $HOME ` + "`id`\nnext", "LIKE=a=b"})
	want := "A=\"b\"\nEMPTY=\"\"\nODD=\"a \\\"b\\\" \\\\ \\$HOME \\`id\\`\nnext\"\nLIKE=\"a=b\"\n"
	if err != nil || got != want {
		t.Errorf("it is %q, %v, want %q", got, err, want)
	}
	for _, bad := range []string{"", "=x", "no value", "a-b=secret", "ü=secret", "A=secret\x00"} {
		if _, err := EnvironmentText([]string{"A=b", bad}); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

// What one unit asks systemd for; what that makes of it is seen in test/e2e.
func TestTransientProperties(t *testing.T) {
	t.Parallel()
	unit := Unit{
		Name: "listener.x", Argv: []string{"/a"}, Directory: "/", UID: 5, GID: 6, Groups: []int{6, 7}, Before: "x", Tasks: 9,
		Grace: 1500 * time.Millisecond, Outlive: []int{3, 4},
		Confinement: Confinement{
			Enabled: true, Writable: []string{"/srv/a b:c", "/dev/ttyS0"}, Hidden: []string{"/srv", "/etc/x"}, Home: "/home/x", HomeFrom: "/f",
		},
	}
	modern := Host{Version: 257, CountsTasks: true}
	has := func(host Host, property string) bool {
		return slices.Contains(unit.properties(host), "--property="+property)
	}
	for _, want := range []string{
		"User=5", "Group=6", "SupplementaryGroups=7", "KillMode=mixed", "KillSignal=SIGINT", "TimeoutStopSec=1500ms", "SuccessExitStatus=3 4",
		"TasksMax=9", "Before=x.service", `TemporaryFileSystem="/srv":ro`, `InaccessiblePaths="-/etc/x"`, `BindPaths="-/srv/a b:c"`,
		`ReadWritePaths="-/srv/a b:c"`, `BindPaths="-/f":"/home/x"`, "DeviceAllow=/dev/ttyS0 rw", "CapabilityBoundingSet=", "PrivateIPC=yes",
		"ProtectHome=tmpfs", `InaccessiblePaths="-/run/dbus"`, "NoNewPrivileges=yes",
	} {
		if !has(modern, want) {
			t.Errorf("%s is not in %q", want, unit.properties(modern))
		}
	}
	if has(modern, "LimitNPROC=9") || !has(Host{Version: 257}, "LimitNPROC=9") {
		t.Error("the account's processes are counted where control groups count, or not where they do not")
	}
	if has(Host{Version: 244}, "ProtectClock=yes") || has(Host{Version: 247}, "PrivateIPC=yes") {
		t.Error("an old systemd is asked for what it does not know")
	}
	if slices.ContainsFunc(unit.properties(modern), func(p string) bool { return strings.HasPrefix(p, "--property=ProtectProc=") }) {
		t.Error("/proc/1/cgroup, which GitHub's runner reads, is hidden")
	}
	unit.Confinement.Docker, unit.Confinement.DBus = true, true
	for _, absent := range []string{"PrivateTmp=yes", `InaccessiblePaths="-/run/dbus"`, `InaccessiblePaths="-/run/docker.sock"`} {
		if has(modern, absent) {
			t.Errorf("with Docker and D-Bus there is %s", absent)
		}
	}
	unit.Confinement.Sudo = true
	for _, absent := range []string{"NoNewPrivileges=yes", "ProtectSystem=strict", "ProtectHome=tmpfs", "SystemCallFilter=" + "~@clock @cpu-emulation @module @obsolete @raw-io @reboot @swap"} {
		if has(modern, absent) {
			t.Errorf("with sudo there is %s", absent)
		}
	}
	unit.Nameless = true
	if words := strings.Join(unit.command(), " "); words != "/usr/bin/setpriv --reuid=5 --regid=6 --groups=6,7 --bounding-set=-all --inh-caps=-all -- /a" {
		t.Errorf("an account without a name is given %q", words)
	}
}
