package runnerdir

import (
	"errors"

	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/inuse"
	"github.com/runner-bootstrap/runner-bootstrap/internal/removal"
)

// exchangeByThree lets two directories change places by three renames. If it is
// killed in between, b is missing for good: an install puts it right.
func exchangeByThree(a, b string) error {
	away := instance.Away(a)
	if err := removal.Path(away); err != nil {
		return err
	}
	if err := inuse.Rename(b, away); err != nil {
		return err
	}
	if err := inuse.Rename(a, b); err != nil {
		return errors.Join(err, inuse.Rename(away, b))
	}
	return inuse.Rename(away, a)
}
