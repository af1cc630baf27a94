package doctor

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/runner-bootstrap/runner-bootstrap/internal/shell"
)

// ErrPackagesLocked is matched by every [*heldError].
var ErrPackagesLocked = errors.New("the package database is in use")

// heldError says who uses the package database.
type heldError struct {
	File    string
	PID     int    // 0 if it cannot be told
	Program string // likewise ""
}

func (e *heldError) Error() string {
	return fmt.Sprintf("locking %q: %v by %s", e.File, ErrPackagesLocked, e.holder())
}

func (e *heldError) holder() string {
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
func (e *heldError) Is(target error) bool { return target == ErrPackagesLocked }

// lockFiles are what package managers lock; none of them exists on every host.
func lockFiles() []string {
	return []string{
		"/var/lib/dpkg/lock-frontend", "/var/lib/dpkg/lock", "/var/lib/apt/lists/lock", "/var/cache/apt/archives/lock",
		"/var/lib/rpm/.rpm.lock", "/usr/lib/sysimage/rpm/.rpm.lock", "/run/zypp.pid",
	}
}

// packagesHeld returns a [*heldError] while somebody uses the package database. Files that cannot be read are no proof.
func packagesHeld() error {
	for _, file := range lockFiles() {
		if held := heldBy(file); held != nil {
			return held
		}
	}
	return nil
}

func (h Host) packages(context.Context) []Finding {
	const check = "packages"
	err := packagesHeld()
	var held *heldError
	if !errors.As(err, &held) {
		return one(check, OK, "locks of package managers", "none is held", "")
	}
	state := Warning
	if h.Repairs {
		state = Failed
	}
	fix := "sudo fuser -v " + shell.Quote(held.File)
	if held.PID != 0 {
		fix = fmt.Sprintf("ps -fp %d", held.PID)
	}
	return one(check, state, held.File, strings.TrimPrefix(held.Error(), fmt.Sprintf("locking %q: ", held.File)), fix)
}
