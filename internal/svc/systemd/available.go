package systemd

import (
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"strings"

	"github.com/runner-bootstrap/runner-bootstrap/internal/svc"
)

// Available returns nil where a service can be installed: on Linux with a running systemd and its systemctl.
// Otherwise it returns an [*UnavailableError]. It does not ask for privileges.
func Available() error {
	switch runtime.GOOS {
	case "linux":
		return systemdIn(os.DirFS("/"), findProgram)
	case "darwin":
		return &svc.UnavailableError{Found: "launchd (macOS)"}
	case "windows":
		return &svc.UnavailableError{Found: "the Windows service manager"}
	default:
		return &svc.UnavailableError{Found: "an operating system called " + runtime.GOOS}
	}
}

// systemdIn asks the file system of a Linux host, given without the leading slash, as sd_booted(3) does.
func systemdIn(root fs.FS, find func(program string) (string, error)) error {
	if !folder(root, "run/systemd/system") {
		return &svc.UnavailableError{Found: otherInit(root)}
	}
	if _, err := find("systemctl"); err != nil {
		return &svc.UnavailableError{Found: fmt.Sprintf("systemd without its program (%v)", err)}
	}
	return nil
}

// otherInit names what runs a Linux host without systemd. A container's mark comes after OpenRC's, as OpenRC
// may well run inside one, and before the first process, as that may be any program there.
func otherInit(root fs.FS) string {
	if folder(root, "run/openrc") {
		return "OpenRC"
	}
	first := ""
	if content, err := fs.ReadFile(root, "proc/1/comm"); err == nil {
		first = strings.TrimSpace(string(content))
	}
	for _, mark := range []string{".dockerenv", "run/.containerenv", "run/systemd/container"} {
		if _, err := fs.Stat(root, mark); err != nil {
			continue
		}
		if first == "" {
			return "a container without an init system"
		}
		return fmt.Sprintf("a container without an init system (its first process is %q)", first)
	}
	switch first {
	case "":
		return "a host whose first process cannot be read"
	case "init":
		return "an init system other than systemd"
	default:
		return fmt.Sprintf("%q as the first process", first)
	}
}

func folder(root fs.FS, name string) bool {
	info, err := fs.Stat(root, name)
	return err == nil && info.IsDir()
}
