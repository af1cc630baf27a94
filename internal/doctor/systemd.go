package doctor

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/runner-bootstrap/runner-bootstrap/internal/svc"
	"github.com/runner-bootstrap/runner-bootstrap/internal/svc/systemd"
)

const (
	// systemdNeeded knows what the unit cannot do without, ProtectSystem=strict and ReadWritePaths; an older one would
	// start jobs with neither, or not at all. systemdWhole knows every line of the sandbox.
	systemdNeeded = 232
	systemdWhole  = 247
)

func (h Host) systemd(ctx context.Context) []Finding {
	const check = "systemd"
	if !h.Service {
		return skipped(check, "--no-service")
	}
	err := systemd.Available()
	var other *svc.UnavailableError
	if errors.As(err, &other) {
		return one(check, Failed, "service manager", "found "+other.Found+", and only systemd is supported so far", h.Again("--no-service"))
	}
	if err != nil {
		return one(check, Failed, "service manager", err.Error(), h.Again("--no-service"))
	}
	ctx, cancel := context.WithTimeout(ctx, networkTime)
	defer cancel()
	return h.judgeSystemd(systemd.Version(ctx))
}

func (h Host) judgeSystemd(version int, err error) []Finding {
	const check = "systemd"
	object := strings.Join(svc.ShowVersion(), " ")
	switch {
	case errors.Is(err, systemd.ErrVersion):
		return one(check, Warning, object, "it does not tell its version", object)
	case err != nil:
		return one(check, Failed, object, "it does not tell its version: "+err.Error(), object)
	case version < systemdNeeded:
		return one(check, Failed, object, fmt.Sprintf("version %d: the service needs %d", version, systemdNeeded), h.Again("--no-service"))
	case version < systemdWhole:
		return one(check, Warning, object, fmt.Sprintf("version %d: parts of the service's sandbox need %d", version, systemdWhole), object)
	}
	return one(check, OK, object, fmt.Sprintf("version %d", version), "")
}
