package register

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/github"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
)

const (
	// defaultGrace is how long config.sh may take to end when it is asked to,
	// and how long its children may keep its output open after its end.
	defaultGrace = 10 * time.Second
	// maxLines bounds what is remembered of its output: the end, which tells why
	// it failed.
	maxLines = 200
	// maxLine bounds one line; what is beyond is dropped.
	maxLine = 64 << 10
)

// config runs config.sh from the runner root, as it looks for libraries
// relative to where it was started. It gets no standard input: where it would
// ask, it fails. When ctx ends, nothing of it is left.
func (r Runner) config(ctx context.Context, verb string, arguments []string, token github.Secret) error {
	cmd := exec.CommandContext(ctx, filepath.Join(r.Root, "config.sh"), arguments...)
	cmd.Dir = r.Root
	cmd.Env = append(r.User.Environment(r.Root, r.Environment...), tokenVariable+"="+token.Reveal())
	r.User.As(cmd)
	cmd.Cancel = func() error { return interrupt(cmd.Process) }
	cmd.WaitDelay = r.grace
	if cmd.WaitDelay == 0 {
		cmd.WaitDelay = defaultGrace
	}
	said := &transcript{log: r.Log, token: token}
	cmd.Stdout, cmd.Stderr = said, said
	ended, err := instance.StartUnder(cmd, r.Locks...)
	if err != nil {
		return fmt.Errorf("%s the runner: starting config.sh: %w", verb, err)
	}
	defer ended()
	err = cmd.Wait()
	said.end()
	var exit *exec.ExitError
	switch {
	case err == nil, errors.Is(err, exec.ErrWaitDelay) && ctx.Err() == nil:
		return nil
	case ctx.Err() != nil:
		killGroup(cmd.Process)
		return fmt.Errorf("%s the runner: %w", verb, context.Cause(ctx))
	case errors.As(err, &exit):
		return explain(verb, said.lines)
	default:
		return fmt.Errorf("%s the runner: %w", verb, err)
	}
}

// transcript takes in what config.sh prints, line by line. The token is not
// expected in it, and is taken out all the same.
type transcript struct {
	log   *slog.Logger
	token github.Secret
	begun []byte // a line that has not ended yet
	lines []string
}

func (t *transcript) Write(p []byte) (int, error) {
	rest := p
	for {
		line, after, ended := bytes.Cut(rest, []byte("\n"))
		t.begun = append(t.begun, line[:min(len(line), maxLine-len(t.begun))]...)
		if !ended {
			return len(p), nil
		}
		t.end()
		rest = after
	}
}

// end takes the line that was begun as it is.
func (t *transcript) end() {
	line := strings.TrimSpace(string(t.begun))
	t.begun = t.begun[:0]
	if !t.token.Empty() {
		line = strings.ReplaceAll(line, t.token.Reveal(), t.token.String())
	}
	if line == "" {
		return
	}
	t.log.Debug("config.sh", "line", line)
	if len(t.lines) == maxLines {
		t.lines = slices.Delete(t.lines, 0, 1)
	}
	t.lines = append(t.lines, line)
}
