package machine

import "syscall"

// hostID is empty: the disk of a Mac carries no identifier of its own.
func hostID() string { return "" }

// firmwareID is derived from what ioreg calls IOPlatformUUID.
func firmwareID() string {
	uuid, err := syscall.Sysctl("kern.uuid")
	if err != nil {
		return ""
	}
	return derivedUUID(uuid)
}

func oneProgram() bool { return false }
