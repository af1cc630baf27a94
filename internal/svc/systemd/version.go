package systemd

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/runner-bootstrap/runner-bootstrap/internal/pattern"
	"github.com/runner-bootstrap/runner-bootstrap/internal/svc"
)

// ErrVersion says that systemd has answered, and not with a version that can be read.
var ErrVersion = errors.New("no version")

// versionLine is how the answer begins.
var versionLine = pattern.New(`^systemd (\d+)\b`)

// Version asks the systemd of this host for its version, a number: 252 for what Debian calls 252.39-1~deb12u1. The error
// matches [ErrVersion] where it answers something else.
func Version(ctx context.Context) (int, error) { return systemdHost().version(ctx) }

func (h host) version(ctx context.Context) (int, error) {
	words := svc.ShowVersion()
	out, stderr, err := h.run(ctx, words[0], words[1:]...)
	if err != nil && stderr != "" {
		err = fmt.Errorf("%w: %s", err, stderr)
	}
	if err != nil {
		return 0, fmt.Errorf("asking systemd: %w", err)
	}
	found := versionLine.FindStringSubmatch(out)
	if found == nil {
		return 0, fmt.Errorf("asking systemd: %w in %q", ErrVersion, out[:min(len(out), maxReason)])
	}
	version, err := strconv.Atoi(found[1])
	if err != nil {
		return 0, fmt.Errorf("asking systemd: %w: %w", ErrVersion, err)
	}
	return version, nil
}

// UnitsVersion is the oldest systemd that gives each life of a program a unit of its own, as package transient describes it.
const UnitsVersion = 245

// JobsApart tells whether jobs run in units of their own on this host, beside that of the program which has them started. Where
// that cannot be told they are thought to run in its unit.
func JobsApart(ctx context.Context) bool { return systemdHost().jobsApart(ctx) }

func (h host) jobsApart(ctx context.Context) bool {
	version, err := h.version(ctx)
	return err == nil && version >= UnitsVersion
}
