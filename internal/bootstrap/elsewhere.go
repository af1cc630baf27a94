package bootstrap

import (
	"fmt"

	"github.com/runner-bootstrap/runner-bootstrap/internal/github"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
)

// heldElsewhere tells whether GitHub sees a listener that is not this host's: a just-in-time configuration may have been given to
// two machines, of which the first has the session.
func heldElsewhere(u *uninstaller, runner github.Runner) bool {
	if !u.record.PreRegistered || !runner.Online() || u.removal.Force || u.stopped {
		return false
	}
	report, alive, err := instance.LastReport(u.host.Store, u.removal.Name)
	if err != nil || !alive {
		return err == nil
	}
	return !report.State.Holds()
}

// leftElsewhere says that such a runner stays at GitHub.
func leftElsewhere(u *uninstaller) string {
	u.host.Log.Warn("another machine is at work as this runner, by the same just-in-time configuration: GitHub goes on listing it",
		"runner", u.removal.Name, "id", u.id)
	return fmt.Sprintf("id %d is left to the machine that is at work as it", u.id)
}
