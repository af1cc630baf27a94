package places

import (
	"cmp"
	"fmt"
	"os/exec"

	"github.com/runner-bootstrap/runner-bootstrap/internal/account"
	"github.com/runner-bootstrap/runner-bootstrap/internal/shell"
	"github.com/runner-bootstrap/runner-bootstrap/internal/volume"
)

// NoExecHome says, in a sentence, that jobs could not start what they install in the home of their account, and gives the
// command for root that mends it. Empty where they can, and where it cannot be told. They may do without, so that nothing
// is refused for it.
func NoExecHome(user account.User) (found, command string) {
	home := user.OwnHome()
	if user.Planned() {
		home = "/home/" + user.Name // where it will be made
	}
	if home == "" || !volumeAt(home).NoExec {
		return "", ""
	}
	const text = "programs that jobs of account %q install in its home %q cannot be started: it is mounted with noexec"
	return fmt.Sprintf(text, user.Name, home),
		RemountFix(&Error{Path: home, Reason: ErrNoExec, On: volumeAt(home)})
}

// NoSudo says, in a sentence, why sudo will not work for jobs where it is installed, and gives the command for root that mends it.
func NoSudo() (found, command string) {
	path, err := exec.LookPath("sudo")
	if err != nil {
		return "", "" // that it is missing is said where its rules are looked at
	}
	on := volumeAt(path)
	if !on.NoSetuid {
		return "", ""
	}
	return fmt.Sprintf("sudo will not work for jobs: %q is on a file system that is mounted with nosuid", path),
		"mount -o remount,suid " + shell.Quote(cmp.Or(on.Point, path))
}

// volumeAt is the file system that a path is on, or would be. Nothing is held against what cannot be told.
func volumeAt(path string) volume.Volume {
	if dir, err := volume.Existing(path); err == nil {
		path = dir
	}
	v, err := volume.Of(path)
	if err != nil {
		return volume.Volume{}
	}
	return v
}
