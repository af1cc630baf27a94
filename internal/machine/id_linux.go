package machine

import (
	"errors"
	"io/fs"
	"os"
	"strings"
)

const (
	machineIDFile = "/etc/machine-id"
	dbusIDFile    = "/var/lib/dbus/machine-id" // where there is no systemd
	// productUUIDFile is for root alone.
	productUUIDFile = "/sys/class/dmi/id/product_uuid"
	// containerFile is where systemd says which kind of container it has booted in.
	containerFile = "/run/systemd/container"
)

// hostID is derived from the machine-id. An image has none, or the word "uninitialized".
func hostID() string {
	for _, file := range []string{machineIDFile, dbusIDFile} {
		if id := derived(strings.ToLower(read(file))); id != "" {
			return id
		}
	}
	return ""
}

// firmwareID is what the firmware calls this machine. A container sees that of its host.
func firmwareID() string {
	if read(containerFile) != "" {
		return ""
	}
	return derivedUUID(read(productUUIDFile))
}

// oneProgram tells whether this is a container of Docker, Podman or Kubernetes.
func oneProgram() bool {
	for _, mark := range []string{"/.dockerenv", "/run/.containerenv", "/var/run/secrets/kubernetes.io"} {
		if _, err := os.Lstat(mark); !errors.Is(err, fs.ErrNotExist) {
			return true
		}
	}
	switch read(containerFile) {
	case "docker", "podman", "oci", "rkt":
		return true
	}
	return false
}

// read gives the text of a small file of the system, without what stands around it; empty if it cannot be read.
func read(file string) string {
	text, err := os.ReadFile(file)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text))
}
