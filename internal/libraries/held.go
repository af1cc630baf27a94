package libraries

import (
	"errors"
	"fmt"
)

// ErrPackagesLocked is matched by every [*HeldError].
var ErrPackagesLocked = errors.New("the package database is in use")

// HeldError says who uses the package database.
type HeldError struct {
	File    string
	PID     int    // 0 if it cannot be told
	Program string // likewise ""
}

func (e *HeldError) Error() string {
	return fmt.Sprintf("locking %q: %v by %s", e.File, ErrPackagesLocked, e.Holder())
}

// Holder is who uses it, for a person.
func (e *HeldError) Holder() string {
	switch {
	case e.PID == 0:
		return "a process that cannot be seen"
	case e.Program == "":
		return fmt.Sprintf("process %d", e.PID)
	default:
		return fmt.Sprintf("process %d (%s)", e.PID, e.Program)
	}
}

// Is matches [ErrPackagesLocked].
func (e *HeldError) Is(target error) bool { return target == ErrPackagesLocked }

// lockFiles are what package managers lock; none of them exists on every host.
func lockFiles() []string {
	return []string{
		"/var/lib/dpkg/lock-frontend", "/var/lib/dpkg/lock", "/var/lib/apt/lists/lock", "/var/cache/apt/archives/lock",
		"/var/lib/rpm/.rpm.lock", "/usr/lib/sysimage/rpm/.rpm.lock", "/run/zypp.pid",
	}
}

// Held returns a [*HeldError] while somebody uses the package database. Files that cannot be read are no proof.
func Held() error {
	for _, file := range lockFiles() {
		if held := heldBy(file); held != nil {
			return held
		}
	}
	return nil
}
