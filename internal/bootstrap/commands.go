package bootstrap

import (
	"context"
	"errors"
	"os"

	"github.com/runner-bootstrap/runner-bootstrap/internal/control"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
)

// tell gives a command to the agent of a record: on its control socket, and by a
// signal where it does not take it there. It may be of an earlier version, or on a host
// that let it make no socket. The error is [instance.ErrElsewhere] where no signal gets there.
func tell(ctx context.Context, record instance.Record, agent instance.Holder, command control.Command) error {
	if record.Control != "" {
		state, err := control.Tell(ctx, record.Control, command)
		if err == nil && state.PID == agent.PID {
			return nil
		}
		if ctx.Err() != nil {
			return err
		}
	}
	process, err := agent.Process()
	if err == nil {
		err = errors.Join(signal(process, command), process.Release())
	}
	if errors.Is(err, os.ErrProcessDone) {
		return nil
	}
	return err
}
