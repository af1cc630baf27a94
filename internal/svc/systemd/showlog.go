package systemd

import (
	"context"
	"io"
	"os/exec"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/svc"
)

// WriteLog writes the unit's log to out, oldest line first, as the journal shows it to people. With follow it begins with the
// last lines, goes on with those that come, and returns nil when ctx ends.
func (s *Service) WriteLog(ctx context.Context, out, errs io.Writer, follow bool) error {
	path, err := s.host.find("journalctl")
	if err != nil {
		return err
	}
	args := []string{"--no-pager", "--no-hostname", "--unit=" + s.file()}
	if follow {
		args = append(args, "--follow")
	}
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Stdout, cmd.Stderr = out, errs
	apart(cmd)
	cmd.WaitDelay = time.Second
	err = cmd.Run()
	switch {
	case follow && ctx.Err() != nil:
		return nil //nolint:nilerr // it was to be followed until then
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case err != nil:
		return &svc.Error{Op: "reading the log of", Unit: s.file(), Err: err}
	}
	return nil
}
