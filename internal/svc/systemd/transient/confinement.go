//go:build !windows

package transient

import (
	"path"
	"slices"
	"strings"

	"github.com/runner-bootstrap/runner-bootstrap/internal/svc"
	"github.com/runner-bootstrap/runner-bootstrap/internal/svc/systemd"
)

// Confinement is what a [Unit] may see and do, for a program that runs what strangers wrote. The zero value is none.
type Confinement struct {
	Enabled bool
	// Writable are clean absolute paths that can be written, and are there though they lie in what is hidden. Below /dev they
	// are devices.
	Writable []string
	// Hidden are clean absolute paths that exist, of which nothing is to be seen but what is in Writable.
	Hidden []string
	// Home is the account's home; empty: none. HomeFrom is the folder that stands in its place; empty: its own.
	Home, HomeFrom string
	// HostTemp leaves the host's /tmp, /var/tmp, /dev/shm and /run/lock.
	HostTemp bool
	Sudo     bool // as in [svc.Sandbox], but for what is hidden; D-Bus is reached as well
	Docker   bool // as in [svc.Sandbox]
	DBus     bool // the system's bus is reached
}

func (c Confinement) hostTemp() bool { return c.Docker || c.HostTemp }

// render gives the properties of a confinement, as a systemd of that version knows them. Most are those of [svc.Sandbox.render],
// and have their reasons there. Beside these, as what runs here is no administrator of this host:
//
//   - TemporaryFileSystem=/dev/shm and /run/lock: own, as /tmp and /var/tmp are by PrivateTmp. PrivateIPC: semaphores, message queues and
//     memory of System V and POSIX likewise; before systemd 248 those of the account are at least removed (RemoveIPC).
//   - CapabilityBoundingSet is empty: nothing here is ever root. For an account without a name it has what becoming that needs.
//   - InaccessiblePaths, and TemporaryFileSystem with BindPaths where something in a folder stays: systemd's own socket, D-Bus and
//     the sockets of users' managers, each of which starts programs elsewhere; the spools of cron and at; the sockets of container
//     engines; and what the caller names.
//   - ProtectHome=tmpfs: of all homes there is the account's own, or the folder that stands for it.
//
// And ProtectProc is not among them: with it nobody but root can read /proc/1/cgroup, which GitHub's runner does before a job with
// containers, and other programs do to learn whether they are in one. What it would hide, the names and arguments of others'
// processes, all accounts of a host can see anyway; environment, memory and descriptors of another account's process stay closed
// without it. PrivatePIDs, of systemd 257, would hide them, but makes the program the first of a namespace: when it ends the
// kernel kills all it has left, an update of the runner too (Outlive).
//
// With sudo the homes stay, since a program that has become root writes to root's; and system calls are not filtered, as systemd has
// every filter for an account bring NoNewPrivileges along.
func (c Confinement) render(version int, nameless bool, line func(key, value string)) {
	if !c.Enabled {
		return
	}
	line("KeyringMode", "private")
	if !c.hostTemp() {
		line("PrivateTmp", "yes")
		line("TemporaryFileSystem", "/dev/shm:mode=1777")
		line("TemporaryFileSystem", "/run/lock:mode=1777")
	}
	if version >= privateIPC {
		line("PrivateIPC", "yes")
	} else {
		line("RemoveIPC", "yes")
	}
	c.renderView(line)
	if c.Sudo {
		return
	}
	line("RestrictRealtime", "yes")
	line("SystemCallErrorNumber", "EPERM")
	line("SystemCallFilter", systemd.JobCalls)
	line("NoNewPrivileges", "yes")
	if nameless {
		line("CapabilityBoundingSet", "CAP_SETGID CAP_SETPCAP CAP_SETUID")
	} else {
		line("CapabilityBoundingSet", "")
	}
	line("ProtectSystem", "strict")
	line("ReadOnlyPaths", "/run")
	line("PrivateMounts", "yes")
	line("PrivateDevices", "yes")
	_, devices := tell(c.Writable)
	systemd.RenderDevices(line, devices)
	for _, what := range []string{"KernelTunables", "KernelModules", "ControlGroups"} {
		line("Protect"+what, "yes")
	}
	if version >= protectKernelLogs {
		line("ProtectKernelLogs", "yes")
	}
	if version >= protectClock {
		line("ProtectClock", "yes")
	}
	line("RestrictAddressFamilies", systemd.AddressFamilies)
	line("SystemCallArchitectures", systemd.Architectures)
}

// The versions of systemd that brought what not every one has.
const (
	protectKernelLogs = 244
	protectClock      = 245
	privateIPC        = 248
)

// renderView has the lines about files.
func (c Confinement) renderView(line func(key, value string)) {
	files, _ := tell(c.Writable)
	hidden := slices.Clone(c.Hidden)
	if !c.DBus && !c.Sudo {
		hidden = append(hidden, "/run/dbus", "/run/systemd/private", "/run/user")
	}
	if !c.Sudo {
		hidden = append(hidden, "/var/spool/cron", "/var/spool/at", "/var/spool/atjobs")
		line("ProtectHome", "tmpfs")
	}
	if !c.Docker {
		hidden = append(hidden, "/run/docker.sock", "/run/containerd", "/run/podman", "/run/crio")
	}
	for _, name := range hidden {
		if holds(name, files) || c.Home != "" && svc.Below(c.Home, name) {
			line("TemporaryFileSystem", word(name)+":ro")
		} else {
			line("InaccessiblePaths", word("-"+name))
		}
	}
	if c.Home != "" && c.HomeFrom != "" {
		line("BindPaths", word("-"+c.HomeFrom)+":"+word(c.Home))
	} else if c.Home != "" {
		files = append(files, c.Home)
	}
	for _, name := range files {
		line("BindPaths", word("-"+name))
	}
	// What accounts may be given on a host beside their own.
	shared := []string{"/opt/hostedtoolcache", "/var/cache"}
	if c.hostTemp() {
		shared = append(shared, "/run/lock", "/tmp", "/var/tmp") // one of its own would give way to the host's
	}
	for _, name := range append(shared, files...) {
		line("ReadWritePaths", word("-"+name))
	}
}

// holds tells whether one of the paths lies in a folder.
func holds(folder string, paths []string) bool {
	return slices.ContainsFunc(paths, func(name string) bool { return svc.Below(name, folder) })
}

// tell tells files from devices.
func tell(writable []string) (files, devices []string) {
	for _, name := range writable {
		if svc.Below(path.Clean(name), "/dev") {
			devices = append(devices, name)
		} else {
			files = append(files, name)
		}
	}
	return files, devices
}

// word quotes a path for a property that is given on a command line, where specifiers are not read, but colons are.
func word(text string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text) + `"`
}
