package bootstrap

import (
	"regexp"
	"slices"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/github"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/svc"
)

const (
	// stopTimeout is how long a listener may take to cancel its job, and
	// unitTimeout how long the whole service may take to stop.
	stopTimeout = 30 * time.Second
	unitTimeout = 2 * time.Minute

	documentation = "https://github.com/runner-bootstrap/runner-bootstrap"
)

// describe gives the unit of a record: this program, supervising.
func (h *Host) describe(service string, record instance.Record) svc.Unit {
	return svc.Unit{
		Name:          service,
		Description:   "GitHub Actions runner " + record.Name + " of " + record.ScopeURL,
		Documentation: documentation,
		Executable:    h.Executable,
		Args:          slices.Concat([]string{"run", "--name", record.Name}, h.Arguments),
		Directory:     record.Dir,
		StopTimeout:   unitTimeout,
		// usage, host, credential, archive, registration: the exit codes of this
		// program that no restart can mend.
		NoRestartStatus: []int{2, 3, 4, 6, 7},
	}
}

var notInService = regexp.MustCompile(`[^0-9A-Za-z._-]`)

// serviceName is the name that GitHub's own installer gives (actions/runner,
// ServiceControlManager): actions.runner.SCOPE.NAME.
func serviceName(scope github.Scope, name string) string {
	return "actions.runner." + notInService.ReplaceAllString(scope.Slug(), "-") + "." + name
}
