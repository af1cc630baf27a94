package svc

import (
	"strings"
)

// Sandbox keeps a program that runs as root, and the jobs that it starts under an account of their own, from what
// they have no business with. The zero value is no sandbox.
//
// Whatever one host needs beside it belongs into a drop-in (systemctl edit), which Install and Uninstall leave alone.
type Sandbox struct {
	Enabled bool
	// Apart says that jobs run in units of their own, see [JobsApart]: then this is about the program alone, whatever jobs may.
	Apart bool
	// Writable are clean absolute paths that stay writable when nearly everything else becomes read-only. One that
	// does not exist when the unit is started is left out until the next start. A path below /dev is a device node
	// that jobs may use.
	Writable []string
	// Sudo lets jobs become root by setuid programs such as sudo. Most of the sandbox goes with it: a job that is
	// root can leave it by way of systemd, and expects to administer its host.
	Sudo bool
	// Docker is for jobs that ask a Docker daemon for containers. It includes HostTemp, since the daemon, which does
	// not see a private /tmp, would mount the host's in the place of the job's; and every process of the host can be
	// looked at, as the runner reads /proc/1/cgroup before each job with a container. A job that can ask the daemon can
	// have anything done as root: what is left of the sandbox is against accidents.
	Docker bool
	// HostTemp leaves the host's own /tmp and /var/tmp, for a runner that lives in one of them.
	HostTemp bool
}

// PrivateTemp tells whether a path below /tmp or /var/tmp is another one in the sandbox than outside.
func (s Sandbox) PrivateTemp() bool { return s.Enabled && !s.Docker && !s.HostTemp }

// Below says whether name, which is clean, stands for something in folder, however deep.
func Below(name, folder string) bool { return strings.HasPrefix(name, folder+"/") }
