package systemd

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/runner-bootstrap/runner-bootstrap/internal/svc"
)

// properties are asked by name, so that a newer systemd may have as many others as it likes.
const properties = "LoadState,UnitFileState,ActiveState,SubState,NRestarts,MainPID,ExecMainCode,ExecMainStatus," +
	"FragmentPath,NeedDaemonReload"

// State asks systemd. A unit that systemd does not know is a State too, not an error.
func (s *Service) State(ctx context.Context) (svc.State, error) {
	now, err := s.look(ctx)
	return now.State, err
}

// seen is a state with what only systemd has.
type seen struct {
	svc.State
	stale bool // the file is newer than what it holds in memory
}

func (s *Service) look(ctx context.Context) (seen, error) {
	if err := s.host.available(); err != nil {
		return seen{}, err
	}
	out, err := s.systemctl(ctx, "looking at", "show", "--property="+properties, "--", s.file())
	if err != nil {
		return seen{}, err
	}
	state, err := parseState(out)
	if err != nil {
		return seen{}, fmt.Errorf("looking at unit %q: %w", s.file(), err)
	}
	// A file that cannot be read is not as described: Install says what is wrong with it.
	text, err := os.ReadFile(state.UnitPath)
	state.AsDescribed = err == nil && s.text != "" && string(text) == s.text
	return state, nil
}

// parseState reads the answer of systemctl show: one KEY=VALUE on each line, in any order.
func parseState(out string) (seen, error) {
	values := map[string]string{}
	for line := range strings.Lines(out) {
		if key, value, ok := strings.Cut(strings.TrimRight(line, "\r\n"), "="); ok {
			values[key] = value
		}
	}
	load, active := values["LoadState"], values["ActiveState"]
	state := seen{stale: values["NeedDaemonReload"] == "yes", State: svc.State{
		Installed: load == "loaded" && values["FragmentPath"] != "",
		Enabled:   values["UnitFileState"] == "enabled",
		Detail:    strings.Join([]string{load, active, values["SubState"]}, " "),
		UnitPath:  values["FragmentPath"],
	}}
	var err error
	if state.Active, err = activeOf(load, active); err != nil {
		return seen{}, err
	}
	if state.MainPID, err = number(values, "MainPID"); err != nil {
		return seen{}, err
	}
	if state.Restarts, err = number(values, "NRestarts"); err != nil {
		return seen{}, err
	}
	if state.ExitStatus, err = exitStatus(values); err != nil {
		return seen{}, err
	}
	return state, nil
}

func activeOf(load, active string) (svc.Active, error) {
	switch active {
	case "active", "reloading", "refreshing":
		return svc.Running, nil
	case "activating":
		return svc.Starting, nil
	case "deactivating":
		return svc.Stopping, nil
	case "failed":
		return svc.Failed, nil
	case "inactive", "maintenance":
		if load == "not-found" {
			return svc.Absent, nil
		}
		return svc.Stopped, nil
	default:
		return "", fmt.Errorf("reading ActiveState: %q is not known", active)
	}
}

// exitStatus tells an exit from a signal by ExecMainCode, which holds waitid(2)'s si_code: 1 is an exit; in
// every other case ExecMainStatus is the number of a signal.
func exitStatus(values map[string]string) (int, error) {
	code, err := number(values, "ExecMainCode")
	if err != nil {
		return 0, err
	}
	status, err := number(values, "ExecMainStatus")
	if err != nil {
		return 0, err
	}
	if code > 1 {
		return 128 + status, nil
	}
	return status, nil
}

// number reads a count; a property that this systemd does not have (NRestarts before 235) is 0.
func number(values map[string]string, key string) (int, error) {
	value := values[key]
	if value == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(value)
	if err != nil {
		return 0, fmt.Errorf("reading %s: %w", key, err)
	}
	return n, nil
}

// idle tells whether it is at rest.
func idle(st svc.State) bool {
	return st.Active == svc.Stopped || st.Active == svc.Failed || st.Active == svc.Absent
}
