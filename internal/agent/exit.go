package agent

import (
	"context"
	"fmt"
	"log/slog"
	"os/exec"
	"strings"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/account"
	"github.com/runner-bootstrap/runner-bootstrap/internal/departure"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/shell"
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
	cmd := shell.Command(ctx, record.OnExit)
	if record.OnExit == PowerOff {
		words := svc.PowerOffCommand()
		cmd = exec.CommandContext(ctx, words[0], words[1:]...)
	}
	us, err := account.Lookup("")
	if err != nil {
		return fmt.Errorf("%w: %w", ErrOnExit, err)
	}
	cmd.Env = us.Environment("/", "RUNNER_NAME="+record.Name, "RUNNER_DIR="+record.Dir, "RUNNER_END="+string(outcome))
	cmd.Dir = "/"
	cmd.WaitDelay = time.Second
	k.log.Info("running the --on-exit command", "runner", k.name, "why", string(outcome))
	said := &exitOutput{log: k.log.With("runner", k.name)}
	cmd.Stdout, cmd.Stderr = said, said
	err = cmd.Run()
	said.end()
	if err != nil {
		return fmt.Errorf("%w: %w: %s", ErrOnExit, err, said.last)
	}
	return nil
}

// exitOutput tells what the command prints, line by line: nobody else can. Both are bounded.
type exitOutput struct {
	log   *slog.Logger
	part  []byte // of a line whose rest is to come
	lines int
	last  string // line
}

const maxExitLine, maxExitLines = 2000, 200

// Write implements io.Writer.
func (o *exitOutput) Write(text []byte) (int, error) {
	for _, b := range text {
		switch {
		case b == '\n':
			o.end()
		case len(o.part) < maxExitLine:
			o.part = append(o.part, b)
		}
	}
	return len(text), nil
}

// end tells the line that has ended.
func (o *exitOutput) end() {
	line := strings.TrimSpace(string(o.part))
	o.part = o.part[:0]
	if line == "" {
		return
	}
	o.last = line
	switch o.lines++; {
	case o.lines <= maxExitLines:
		o.log.Info("--on-exit", "line", line)
	case o.lines == maxExitLines+1:
		o.log.Warn("the --on-exit command prints more, which is not told")
	}
}

// preempted does what is to be done when the machine is taken away: the last runner of the host runs what its owner
// has asked for, and tells the cloud that nobody is to be waited for any more. That no other is at work is seen after
// this one's own report, so that of two that end at a time one sees it at least.
func preempted(ctx context.Context, k *keeper, record instance.Record, watcher *departure.Watcher) error {
	if other := atWork(k); other != "" {
		k.log.Info("another runner is at work; it says when this machine may go", "runner", k.name, "other", other)
		return nil
	}
	var err error
	if record.OnExit != "" && record.OnExitPreempted {
		err = k.onExit(ctx, record, supervise.Preempted)
	}
	watcher.Ready(context.WithoutCancel(ctx))
	return err
}

// atWork names another runner of this host whose agent has not ended, of those that heed the cloud; empty if there is none.
func atWork(k *keeper) string {
	records, err := k.store.List()
	if err != nil {
		k.log.Warn("cannot see whether other runners of this host are at work", "runner", k.name, "error", err)
	}
	for _, other := range records {
		if other.Name == k.name || other.Preemption == "" || other.Preemption == departure.Off {
			continue
		}
		holder, err := k.store.Running(other.Name)
		report, reportErr := k.store.LoadReport(other.Name)
		if err == nil && !holder.None() && (reportErr != nil || report.Outcome == "") {
			return other.Name
		}
	}
	return ""
}
