package transient

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/runner-bootstrap/runner-bootstrap/internal/svc"
)

// Handle is a unit that a [Unit] has described, perhaps in an earlier process.
type Handle struct{ Name string }

// State is what systemd says of one.
type State struct {
	Present bool   // systemd has it in memory
	Active  bool   // something of it may run
	PID     int    // of its main program, also when that has ended; 0 before it was started
	Call    string // systemd's name for this one start of it
	Exited  bool   // the main program has ended
	Code    int    // what it exited with; -1 when it was killed
	Signal  int    // by what
}

// exitedByCode is what ExecMainCode says of a program that has exited (CLD_EXITED of waitid(2)).
const exitedByCode = 1

func (h *Handle) file() string { return h.Name + ".service" }

// control asks systemd for something about a unit.
func control(ctx context.Context, op, unit, verb string, options ...string) (string, error) {
	words := append([]string{"--no-ask-password", "--no-pager", verb}, options...)
	out, stderr, err := svc.Ask(ctx, "systemctl", append(words, "--", unit)...)
	if err != nil {
		return "", &svc.Error{Op: op, Unit: unit, Output: stderr, Err: err}
	}
	return out, nil
}

// Look asks systemd.
func (h *Handle) Look(ctx context.Context) (State, error) {
	out, err := control(ctx, "looking at", h.file(), "show",
		"--property=LoadState,ActiveState,ExecMainPID,ExecMainCode,ExecMainStatus,InvocationID")
	if err != nil {
		return State{}, err
	}
	values := map[string]string{}
	for line := range strings.Lines(out) {
		if key, value, ok := strings.Cut(strings.TrimRight(line, "\r\n"), "="); ok {
			values[key] = value
		}
	}
	state := State{Present: values["LoadState"] == "loaded", Call: values["InvocationID"]}
	switch values["ActiveState"] {
	case "inactive", "failed":
	default:
		state.Active = true
	}
	pid, pidErr := strconv.Atoi(cmp.Or(values["ExecMainPID"], "0"))
	code, codeErr := strconv.Atoi(cmp.Or(values["ExecMainCode"], "0"))
	status, statusErr := strconv.Atoi(cmp.Or(values["ExecMainStatus"], "0"))
	if err := errors.Join(pidErr, codeErr, statusErr); err != nil {
		return State{}, fmt.Errorf("looking at unit %q: %w", h.file(), err)
	}
	state.PID, state.Exited = pid, code != 0
	switch {
	case code == exitedByCode:
		state.Code = status
	case code != 0:
		state.Code, state.Signal = -1, status
	}
	return state, nil
}

// End kills all that is left of the unit, and has systemd forget it. Nothing of it runs afterwards. It may be repeated, and nothing
// there is success.
func (h *Handle) End(ctx context.Context) error {
	state, err := h.Look(ctx)
	if err != nil {
		return err
	}
	if state.Active {
		// Who has just ended cannot be killed; that is what the stop finds out.
		_, killErr := control(ctx, "killing", h.file(), "kill", "--kill-who=all", "--signal=SIGKILL")
		if _, err := control(ctx, "ending", h.file(), "stop"); err != nil {
			return errors.Join(err, killErr)
		}
	}
	return h.forget(ctx)
}

// Stop is End for one whose main program may say goodbye, within its grace.
func (h *Handle) Stop(ctx context.Context) error {
	state, err := h.Look(ctx)
	if err != nil {
		return err
	}
	if state.Active {
		if _, err := control(ctx, "stopping", h.file(), "stop"); err != nil {
			return err
		}
	}
	return h.forget(ctx)
}

// forget has a failure forgotten: systemd keeps a unit for it, and its name.
func (h *Handle) forget(ctx context.Context) error {
	state, err := h.Look(ctx)
	if err != nil || !state.Present {
		return err
	}
	if state.Active {
		return fmt.Errorf("ending unit %q: it is still there", h.file())
	}
	_, err = control(ctx, "resetting the failures of", h.file(), "reset-failed")
	if again, lookErr := h.Look(ctx); lookErr == nil && !again.Present {
		return nil // it was gone before
	}
	return err
}

// EnvironmentText is an environment ("KEY=VALUE") in the form of an EnvironmentFile (systemd.exec(5)). It fails for what has no
// place in one: the error names the variable, and not its value.
func EnvironmentText(environment []string) (string, error) {
	var text strings.Builder
	escaped := strings.NewReplacer(`\`, `\\`, `"`, `\"`, "`", "\\`", `$`, `\$`)
	for _, variable := range environment {
		name, value, ok := strings.Cut(variable, "=")
		if !ok || name == "" || strings.Trim(name, nameCharacters) != "" || strings.ContainsRune(value, 0) {
			return "", fmt.Errorf("writing variable %q: systemd does not take it", name)
		}
		text.WriteString(name + `="` + escaped.Replace(value) + "\"\n")
	}
	return text.String(), nil
}

const nameCharacters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_"
