package doctor

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"regexp"
	"strconv"

	"github.com/runner-bootstrap/runner-bootstrap/internal/svc"
)

const (
	// systemdNeeded knows what the unit cannot do without, ProtectSystem=strict and ReadWritePaths; an older one would
	// start jobs with neither, or not at all. systemdWhole knows every line of the sandbox.
	systemdNeeded = 232
	systemdWhole  = 247
)

var systemdVersion = regexp.MustCompile(`^systemd (\d+)`)

func (h Host) systemd(ctx context.Context) []Finding {
	const check = "systemd"
	if !h.Service {
		return skipped(check, "--no-service")
	}
	err := svc.Available()
	var other *svc.UnavailableError
	if errors.As(err, &other) {
		return one(check, Failed, "service manager", "found "+other.Found+", and only systemd is supported so far", h.Again("--no-service"))
	}
	if err != nil {
		return one(check, Failed, "service manager", err.Error(), h.Again("--no-service"))
	}
	ctx, cancel := context.WithTimeout(ctx, networkTime)
	defer cancel()
	program := "systemctl"
	if _, err := exec.LookPath(program); err != nil {
		program = "/usr/bin/systemctl"
	}
	text, err := exec.CommandContext(ctx, program, "--version").Output() //nolint:gosec // one of two names
	if err != nil {
		return one(check, Failed, program, "it does not tell its version: "+err.Error(), "systemctl --version")
	}
	return h.judgeSystemd(string(text))
}

func (h Host) judgeSystemd(text string) []Finding {
	const check, object = "systemd", "systemctl --version"
	found := systemdVersion.FindStringSubmatch(text)
	if found == nil {
		return one(check, Warning, object, "it does not tell its version", object)
	}
	version, err := strconv.Atoi(found[1])
	switch {
	case err != nil || version < systemdNeeded:
		return one(check, Failed, object, fmt.Sprintf("version %s: the service needs %d", found[1], systemdNeeded), h.Again("--no-service"))
	case version < systemdWhole:
		return one(check, Warning, object, fmt.Sprintf("version %d: parts of the service's sandbox need %d", version, systemdWhole), object)
	}
	return one(check, OK, object, fmt.Sprintf("version %d", version), "")
}
