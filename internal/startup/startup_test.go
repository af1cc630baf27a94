package startup

import (
	"errors"
	"testing"

	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/supervise"
)

// Nobody waits for a listener whose runner GitHub has deleted; what else keeps one from coming up may pass.
func TestNoStartMendsADeletedRunner(t *testing.T) {
	t.Parallel()
	for reason, final := range map[string]bool{
		supervise.ErrRegistrationEnd.Error():      true,
		"another session of this runner exists":   false,
		"the listener met an error that may pass": false,
	} {
		err := Startup{}.refused(instance.Report{Reason: reason})
		if !errors.Is(err, ErrNotListening) || errors.Is(err, supervise.ErrRegistrationEnd) != final {
			t.Errorf("%s: %v, final: %t", reason, err, !final)
		}
	}
}
