package agent

import (
	"context"
	"fmt"
	"os/exec"
	"runtime"
	"strings"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/account"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/supervise"
	"github.com/runner-bootstrap/runner-bootstrap/internal/svc"
)

// PowerOff is the value of on-exit that switches the host off.
const PowerOff = "poweroff"

// exitTime bounds what --on-exit runs.
const exitTime = time.Minute

// onExit runs what the owner of the host wants to happen when its runner has
// ended of its own accord. The command sees which runner it was and why.
func (k *keeper) onExit(ctx context.Context, record instance.Record, outcome supervise.Outcome) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), exitTime)
	defer cancel()
	words := []string{"/bin/sh", "-c", record.OnExit}
	if runtime.GOOS == "windows" {
		words = []string{"cmd", "/C", record.OnExit}
	}
	if record.OnExit == PowerOff {
		words = svc.PowerOffCommand()
	}
	cmd := exec.CommandContext(ctx, words[0], words[1:]...)
	us, err := account.Lookup("")
	if err != nil {
		return fmt.Errorf("%w: %w", ErrOnExit, err)
	}
	cmd.Env = us.Environment("/", "RUNNER_NAME="+record.Name, "RUNNER_DIR="+record.Dir, "RUNNER_END="+string(outcome))
	cmd.Dir = "/"
	cmd.WaitDelay = time.Second
	k.log.Info("running what is to happen on exit", "runner", k.name, "command", words[0])
	if output, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %w: %s", ErrOnExit, err, strings.TrimSpace(string(output)))
	}
	return nil
}
