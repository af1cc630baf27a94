package systemd

import (
	"errors"
	"fmt"
	"path"
	"strings"

	"github.com/runner-bootstrap/runner-bootstrap/internal/pattern"
	"github.com/runner-bootstrap/runner-bootstrap/internal/svc"
)

// renderSandbox writes the lines of the sandbox. The program is root; it needs to become the account of the jobs, to end
// that account's processes, and to write its files. Jobs are compilers, interpreters, browsers and debuggers. What
// each line is for, and what it breaks:
//
//   - KeyringMode=private: keys in the kernel's keyring are not shared with other services.
//   - PrivateTmp: /tmp and /var/tmp of the service's own, empty at each start and removed at its end. Who waits for a
//     socket or a file of a job in the host's /tmp does not find it.
//   - RestrictRealtime: a realtime loop would stop the host. "chrt --fifo" and audio servers go without; "chrt --batch"
//     works.
//   - SystemCallFilter, with EPERM instead of the default, a kill: what only an administrator's program calls. The list
//     leaves @debug (LeakSanitizer, valgrind, gdb, strace), @mount (namespaces) and @privileged (setuid, chown). It leaves
//     @resources as well: without sched_setaffinity, which is among them, .NET ends at once ("Failed to create CoreCLR"),
//     and with it the runner itself, pwsh and dotnet; the others are nice, ionice, taskset, numactl and the NUMA support
//     of a JVM, by which an account only does to itself what it may do anyway. @clock has the reading of adjtimex too.
//     @cpu-emulation has modify_ldt, without which 16-bit programs in Wine fail.
//   - NoNewPrivileges: a setuid program, or one with capabilities, gives nothing more than its caller has: no sudo, su,
//     fusermount (AppImages extract themselves), and no newuidmap, thus no rootless containers of more than one user.
//   - CapabilityBoundingSet: what root needs for the above (CAP_DAC_OVERRIDE to work in folders of the account). Jobs
//     have none of it, but a program with another capability in its file, as ping may have, cannot be executed.
//     A new user namespace begins with all of them, over itself.
//   - ProtectSystem=strict: all but /dev, /proc, /sys and ReadWritePaths is read-only, for root too. The folders
//     which accounts may be given beside their own are listed with "-", as hosts lack some of them. ReadOnlyPaths=/run,
//     since the lines about /proc and /sys below would have systemd except it; sockets in it are reached all the same.
//   - ProtectHome=read-only: strict leaves /home, /root and /run/user to this line. The account's own home has to be in
//     Writable.
//   - PrivateMounts: what is mounted in here is not seen outside; implied by the others.
//   - PrivateDevices: no disks, no memory, no consoles. Three devices that any account may be given are put back:
//     /dev/kvm (emulators), /dev/fuse and /dev/net/tun (of use in user namespaces), all of the class misc. A
//     GPU or a serial port has to be in Writable.
//   - ProtectClock, ProtectKernelTunables, ProtectKernelModules, ProtectKernelLogs, ProtectControlGroups: for root,
//     what file modes forbid to jobs anyway. /usr/lib/modules is not to be seen: no builds of kernel modules. The
//     mounts over parts of /proc have the kernel refuse a new /proc in a user namespace: bwrap needs
//     "--ro-bind /proc /proc" in place of "--proc /proc", and unshare does without --mount-proc.
//   - ProtectProc=invisible: a job sees the processes of its own account alone: "ps -p 1" and /proc/1/cgroup are not
//     there, and jobs with containers need Docker. The program sees all, for the kernel exempts group 0.
//   - RestrictAddressFamilies: no packet sockets, no exotic protocols, whose code in the kernel is the least used.
//     Tests for CAN, Bluetooth, VSOCK or AF_ALG fail as on a kernel without them.
//   - SystemCallArchitectures: the host's own and its 32-bit sibling, since 32-bit builds run their tests; x32 is out.
//
// What was run as a job under all of these lines together, on systemd 252 and 257, with no other difference to a job without
// a sandbox than those named above: a .NET program, node with threads, git with gc and worktrees, Python with processes,
// gcc with the address and thread sanitizers (these stay in test/e2e, TestDotNet); g++, gdb, strace, valgrind, Go, Ruby,
// Perl, CMake, Ninja, make -j, Chromium with and without a sandbox of its own, bwrap, unshare, podman info, sqlite, script;
// and on 252 npm, Java with NUMA, Rust, PHP, PostgreSQL and Redis.
//
// And why some do not stand there: MemoryDenyWriteExecute ends every JIT; RestrictNamespaces the sandboxes of
// browsers; RestrictSUIDSGID chmod g+s on folders, and openat2, without which newer versions of bwrap do not start;
// LockPersonality setarch, ThreadSanitizer and gdb without address randomisation; ProtectHostname the naming of a
// container; ProcSubset the reading of /proc/cpuinfo; IPAddressDeny, PrivateNetwork and UMask jobs at large.
//
// With sudo, the lines that are left are those that apt-get, sysctl, modprobe, mount, swapoff, podman and dmesg, called as
// root, do not meet.
func renderSandbox(s svc.Sandbox, line func(key, value string)) {
	if !s.Enabled {
		return
	}
	line("KeyringMode", "private")
	if !hostTemp(s) {
		line("PrivateTmp", "yes")
	}
	line("RestrictRealtime", "yes")
	line("SystemCallErrorNumber", "EPERM")
	if s.Apart {
		renderAlone(s, line)
		return
	}
	if s.Sudo {
		line("SystemCallFilter", "~@clock @raw-io @reboot")
		return
	}
	writable, devices := pathsOf(s)
	line("SystemCallFilter", JobCalls)
	renderRoot(line, writable)
	RenderDevices(line, devices)
	if !s.Docker {
		line("ProtectProc", "invisible")
	}
	line("SystemCallArchitectures", Architectures)
}

// renderRoot writes the lines that bind root, with jobs in this unit and without.
func renderRoot(line func(key, value string), writable []string) {
	line("NoNewPrivileges", "yes")
	line("CapabilityBoundingSet", "CAP_CHOWN CAP_DAC_OVERRIDE CAP_FOWNER CAP_KILL CAP_SETGID CAP_SETUID")
	line("ProtectSystem", "strict")
	line("ProtectHome", "read-only")
	line("ReadOnlyPaths", "/run")
	line("ReadWritePaths", optional(writable))
	line("PrivateMounts", "yes")
	line("PrivateDevices", "yes")
	for _, what := range []string{"Clock", "KernelTunables", "KernelModules", "KernelLogs", "ControlGroups"} {
		line("Protect"+what, "yes")
	}
	line("RestrictAddressFamilies", AddressFamilies)
}

// renderAlone writes the lines for a program whose jobs run in units of their own. It talks to GitHub and to webhooks over the
// network; to systemd, which starts and ends these units, to the journal and to logind over sockets in /run; it makes and
// removes files below its own folders, gives them to accounts, ends processes of accounts, and looks at all there are. What
// it is told to run (--on-exit, --token-command) runs under the same lines, may be any interpreter, and asks systemd for what
// it may not do itself. Beside the lines of [renderRoot], whose reasons stand over [renderSandbox]:
//
//   - SystemCallFilter: with @debug and @mount as well. It is a list of what is refused, as that of what is let through would
//     have to know the calls of every newer libc.
//   - ProtectProc=invisible: as above; what runs under it with another group than root's sees its own alone.
//   - RestrictNamespaces, LockPersonality, ProtectHostname: no job is here that needs any of these.
//   - SystemCallArchitectures=native: nor are there 32-bit builds.
//   - No devices but those that every program has.
//
// Without MemoryDenyWriteExecute, since commands may be interpreters; RestrictSUIDSGID, which takes openat2 away, by which files are
// opened without following links; ProcSubset, as the boot's id and mounts are read; and UMask, as folders are made with modes of
// their own. ProtectHome stays read-only: credentials that are named by path may lie in a home.
func renderAlone(s svc.Sandbox, line func(key, value string)) {
	var writable []string
	if hostTemp(s) {
		writable = append(writable, "/tmp", "/var/tmp")
	}
	line("SystemCallFilter", programCalls)
	renderRoot(line, append(writable, s.Writable...))
	line("ProtectHostname", "yes")
	line("ProtectProc", "invisible")
	line("RestrictNamespaces", "yes")
	line("LockPersonality", "yes")
	line("SystemCallArchitectures", "native")
}

// The values that the sandbox of a service and the confinement of a transient unit have in common.
const (
	JobCalls        = "~@clock @cpu-emulation @module @obsolete @raw-io @reboot @swap"
	programCalls    = JobCalls + " @debug @mount"
	AddressFamilies = "AF_UNIX AF_INET AF_INET6 AF_NETLINK"
	Architectures   = "native x86 arm"
)

// RenderDevices puts back what PrivateDevices takes away.
func RenderDevices(line func(key, value string), devices []string) {
	line("BindPaths", optional(append([]string{"/dev/fuse", "/dev/kvm", "/dev/net/tun"}, devices...)))
	line("DeviceAllow", "char-misc rw")
	for _, device := range devices {
		line("DeviceAllow", device+" rw")
	}
}

// pathsOf tells files from devices, and adds to the files what is writable on every host.
func pathsOf(s svc.Sandbox) (writable, devices []string) {
	writable = []string{"/opt/hostedtoolcache", "/run/lock", "/run/user", "/var/cache"}
	if hostTemp(s) {
		writable = append(writable, "/tmp", "/var/tmp")
	}
	for _, name := range s.Writable {
		if svc.Below(name, "/dev") {
			devices = append(devices, name)
		} else {
			writable = append(writable, name)
		}
	}
	return writable, devices
}

// optional lists paths that need not exist.
func optional(paths []string) string {
	words := make([]string, len(paths))
	for i, name := range paths {
		words[i] = quote("-" + escapeSpecifiers(name))
	}
	return strings.Join(words, " ")
}

// deviceName leaves out the colon, which means something in BindPaths, and what would need quotes in DeviceAllow.
var deviceName = pattern.New(`^/dev/[0-9A-Za-z._/-]+$`)

func validateSandbox(u svc.Unit) error {
	if !u.Sandbox.Enabled {
		return nil
	}
	for _, name := range u.Sandbox.Writable {
		err := svc.CheckText(name)
		switch {
		case err != nil:
		case !path.IsAbs(name) || path.Clean(name) != name:
			err = errors.New("not a clean absolute path")
		case name == "/":
			err = errors.New("would leave nothing protected")
		case name == "/dev" || svc.Below(name, "/dev") && !deviceName.MatchString(name):
			err = errors.New("not the name of a device")
		}
		if err != nil {
			return fmt.Errorf("writable path %q: %w", name, err)
		}
	}
	if hostTemp(u.Sandbox) {
		return nil
	}
	for _, name := range append([]string{u.Executable, u.Directory}, u.Sandbox.Writable...) {
		if svc.Below(name, "/tmp") || svc.Below(name, "/var/tmp") {
			return fmt.Errorf("path %q: not there in a sandbox, which has a temporary folder of its own", name)
		}
	}
	return nil
}

// hostTemp tells whether the host's own temporary folders stay.
func hostTemp(s svc.Sandbox) bool { return s.Docker || s.HostTemp }
