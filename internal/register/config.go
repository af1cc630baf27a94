package register

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/github"
)

const (
	// grace is how long config.sh may take to end when it is asked to.
	grace = 10 * time.Second
	// maxLines bounds what is remembered of its output.
	maxLines = 200
	maxLine  = 1 << 20
)

// config runs config.sh from the runner root, as it looks for libraries
// relative to where it was started. It gets no standard input: where it would
// ask, it fails.
func (r Runner) config(ctx context.Context, verb string, arguments []string, token github.Secret) error {
	cmd := exec.CommandContext(ctx, filepath.Join(r.Root, "config.sh"), arguments...)
	cmd.Dir = r.Root
	cmd.Env = append(r.User.Environment(r.Root, r.Environment...), tokenVariable+"="+token.Reveal())
	if r.Hold != nil {
		cmd.ExtraFiles = []*os.File{r.Hold}
	}
	r.User.As(cmd)
	cmd.Cancel = func() error { return interrupt(cmd.Process) }
	cmd.WaitDelay = grace

	output, err := cmd.StdoutPipe()
	if err != nil {
		return fmt.Errorf("%s the runner: %w", verb, err)
	}
	cmd.Stderr = cmd.Stdout
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("%s the runner: starting config.sh: %w", verb, err)
	}
	lines := r.follow(bufio.NewScanner(output), token)
	err = cmd.Wait()
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("%s the runner: %w", verb, context.Cause(ctx))
	case errors.As(err, &exit):
		return explain(verb, lines)
	case err != nil:
		return fmt.Errorf("%s the runner: %w", verb, err)
	}
	return nil
}

// follow passes the output on, line by line, until config.sh and its children
// have closed it. The token is not expected in it, and is taken out all the
// same.
func (r Runner) follow(output *bufio.Scanner, token github.Secret) []string {
	var lines []string
	output.Buffer(nil, maxLine)
	for output.Scan() {
		line := strings.TrimSpace(output.Text())
		if !token.Empty() {
			line = strings.ReplaceAll(line, token.Reveal(), token.String())
		}
		if line == "" {
			continue
		}
		r.Log.Debug("config.sh", "line", line)
		if len(lines) < maxLines {
			lines = append(lines, line)
		}
	}
	return lines
}
