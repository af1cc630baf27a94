package svc

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// Active says what a unit is doing.
type Active string

// What a unit may be doing. A unit that waits to be restarted after a crash counts as starting, and so does one whose
// program runs and has not said yet that it is ready; MainPID tells them apart.
const (
	Absent   Active = "absent"
	Running  Active = "running"
	Starting Active = "starting"
	Stopping Active = "stopping"
	Stopped  Active = "stopped"
	Failed   Active = "failed"
)

// State is what systemd says about a unit.
type State struct {
	Installed  bool   // systemd has read a unit of this name
	Enabled    bool   // and will start it at boot
	Active     Active // a unit may run on after its file is gone: then it is not Installed
	Detail     string // systemd's own words, for example "loaded activating auto-restart"
	MainPID    int    // 0 when no process runs
	Restarts   int    // how often systemd restarted it by itself since it was last started
	ExitStatus int    // of the last process that ended; 128 and the signal for a killed one
	UnitPath   string // the file that systemd reads; empty when there is none
	// AsDescribed tells whether that file's text is what Install would write; false for a service opened by [Named].
	AsDescribed bool

	stale bool // the file is newer than what systemd holds in memory
}

// properties are asked by name, so that a newer systemd may have as many others as it likes.
const properties = "LoadState,UnitFileState,ActiveState,SubState,NRestarts,MainPID,ExecMainCode,ExecMainStatus," +
	"FragmentPath,NeedDaemonReload"

// State asks systemd. A unit that systemd does not know is a State too, not an error.
func (s *Service) State(ctx context.Context) (State, error) {
	if err := s.host.available(); err != nil {
		return State{}, err
	}
	out, err := s.systemctl(ctx, "looking at", "show", "--property="+properties, "--", s.file())
	if err != nil {
		return State{}, err
	}
	state, err := parseState(out)
	if err != nil {
		return State{}, fmt.Errorf("looking at unit %q: %w", s.file(), err)
	}
	// A file that cannot be read is not as described: Install says what is wrong with it.
	text, err := os.ReadFile(state.UnitPath)
	state.AsDescribed = err == nil && s.text != "" && string(text) == s.text
	return state, nil
}

// Up tells whether it runs, or is about to.
func (st State) Up() bool { return st.Active == Running || st.Active == Starting }

// parseState reads the answer of systemctl show: one KEY=VALUE on each line, in any order.
func parseState(out string) (State, error) {
	values := map[string]string{}
	for line := range strings.Lines(out) {
		if key, value, ok := strings.Cut(strings.TrimRight(line, "\r\n"), "="); ok {
			values[key] = value
		}
	}
	load, active := values["LoadState"], values["ActiveState"]
	state := State{
		Installed: load == "loaded" && values["FragmentPath"] != "",
		Enabled:   values["UnitFileState"] == "enabled",
		Detail:    strings.Join([]string{load, active, values["SubState"]}, " "),
		UnitPath:  values["FragmentPath"],
		stale:     values["NeedDaemonReload"] == "yes",
	}
	var err error
	if state.Active, err = activeOf(load, active); err != nil {
		return State{}, err
	}
	if state.MainPID, err = number(values, "MainPID"); err != nil {
		return State{}, err
	}
	if state.Restarts, err = number(values, "NRestarts"); err != nil {
		return State{}, err
	}
	if state.ExitStatus, err = exitStatus(values); err != nil {
		return State{}, err
	}
	return state, nil
}

func activeOf(load, active string) (Active, error) {
	switch active {
	case "active", "reloading", "refreshing":
		return Running, nil
	case "activating":
		return Starting, nil
	case "deactivating":
		return Stopping, nil
	case "failed":
		return Failed, nil
	case "inactive", "maintenance":
		if load == "not-found" {
			return Absent, nil
		}
		return Stopped, nil
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
