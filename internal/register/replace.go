package register

import (
	"context"
	"errors"
	"fmt"

	"github.com/runner-bootstrap/runner-bootstrap/internal/github"
)

// Offline tells whether nobody has the runner: no listener is connected, and no job is said to run. GitHub goes on calling one busy
// whose machine has lost its network.
func Offline(runner github.Runner) bool { return !runner.Online() && !runner.Busy }

// StateOf is a runner in words: "7, online, busy".
func StateOf(runner github.Runner) string {
	text := fmt.Sprintf("%d, %s", runner.ID, runner.Status)
	if runner.Busy {
		text += ", busy"
	}
	return text
}

// Vacate deletes the runners called name that may be replaced, which allowed tells of each as GitHub lists it at this moment. It is
// done right before a registration, since a plan may be minutes old: what is refused now is left as it is, and nothing is registered.
// Each is asked for once more by its id, as the list may lag. It returns those that it has deleted.
func Vacate(ctx context.Context, client *github.Client, name string, allowed func(github.Runner) error) ([]github.Runner, error) {
	listed, err := client.Runners(ctx, name)
	if err != nil {
		return nil, err
	}
	for _, runner := range listed {
		if err := allowed(runner); err != nil {
			return nil, err
		}
	}
	var gone []github.Runner
	for _, runner := range listed {
		now, err := client.Runner(ctx, runner.ID)
		if errors.Is(err, github.ErrNotFound) {
			continue
		}
		if err == nil {
			err = allowed(now)
		}
		if err == nil {
			err = client.DeleteRunner(ctx, now.ID)
		}
		if err != nil && !errors.Is(err, github.ErrNotFound) {
			return gone, err
		}
		gone = append(gone, now)
	}
	return gone, nil
}
