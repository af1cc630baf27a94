//go:build !windows

package transient

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/svc"
	"github.com/runner-bootstrap/runner-bootstrap/internal/svc/systemd"
)

// Handle is a unit that a [Unit] has described, perhaps in an earlier process.
type Handle struct{ Name string }

// State is what systemd says of one.
type State struct {
	Present bool   // systemd has it in memory
	Active  bool   // something of it may run
	PID     int    // of its main program, also when that has ended; 0 before it was started
	Call    string // systemd's name for this one start of it
	Group   string // its control group
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
	out, stderr, err := systemd.Ask(ctx, "systemctl", append(words, "--", unit)...)
	if err != nil {
		return "", &svc.Error{Op: op, Unit: unit, Output: stderr, Err: err}
	}
	return out, nil
}

// Look asks systemd.
func (h *Handle) Look(ctx context.Context) (State, error) {
	out, err := control(ctx, "looking at", h.file(), "show",
		"--property=LoadState,ActiveState,ExecMainPID,ExecMainCode,ExecMainStatus,InvocationID,ControlGroup")
	if err != nil {
		return State{}, err
	}
	values := map[string]string{}
	for line := range strings.Lines(out) {
		if key, value, ok := strings.Cut(strings.TrimRight(line, "\r\n"), "="); ok {
			values[key] = value
		}
	}
	state := State{Present: values["LoadState"] == "loaded", Call: values["InvocationID"], Group: values["ControlGroup"]}
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

// loaded is what the unit does, in systemd's word, without making systemd look for one that it has forgotten: it would say in
// its log that it does not find it. Empty: it has none of that name.
func (h *Handle) loaded(ctx context.Context) (active string, err error) {
	out, err := control(ctx, "looking for", h.file(), "list-units", "--all", "--full", "--plain", "--no-legend")
	if fields := strings.Fields(out); len(fields) > 2 {
		active = fields[2]
	}
	return active, err
}

// over tells whether nothing of a unit that does this may run.
func over(active string) bool { return active == "" || active == "inactive" || active == "failed" }

// End kills all that is left of the unit, and has systemd forget it. Nothing of it runs afterwards. It may be repeated, and nothing
// there is success.
//
// It does not wait for a job of systemd's that waits itself: while the service that was named by Before is stopped, that job waits for
// the end of the service, which is the one that waits here. What systemd has not forgotten then it forgets when the service has
// ended.
func (h *Handle) End(ctx context.Context) error {
	active, err := h.loaded(ctx)
	for err == nil && !over(active) {
		// Who has just ended cannot be killed; that is what the next look finds out.
		_, killErr := control(ctx, "killing", h.file(), "kill", "--kill-who=all", "--signal=SIGKILL")
		if _, err := control(ctx, "ending", h.file(), "stop", "--no-block"); err != nil {
			if again, lookErr := h.loaded(ctx); lookErr == nil && again == "" {
				return nil // it has ended meanwhile, and is forgotten
			}
			return errors.Join(err, killErr)
		}
		if active, err = h.settled(ctx); err != nil || over(active) {
			break
		}
		state, err := h.Look(ctx)
		if err != nil {
			return err
		}
		if Empty(state.Group) {
			if waits, err := h.waits(ctx); err != nil || waits {
				return err
			}
		}
	}
	if err != nil {
		return err
	}
	return h.forget(ctx)
}

// waits tells whether systemd has a job for the unit that waits for another one. A busy systemd takes its time for one that does not.
func (h *Handle) waits(ctx context.Context) (bool, error) {
	out, err := control(ctx, "looking for jobs of", h.file(), "list-jobs", "--full", "--plain", "--no-legend")
	fields := strings.Fields(out) // number, unit, type, state
	return len(fields) > 3 && fields[1] == h.file() && fields[3] == "waiting", err
}

const (
	// jobWait is how long systemd's job is waited for, as long as it does not wait for another.
	jobWait = 500 * time.Millisecond
	moment  = 5 * time.Millisecond
)

// settled is what the unit does when it has ended, or has not within a while.
func (h *Handle) settled(ctx context.Context) (active string, err error) {
	for end := time.Now().Add(jobWait); time.Now().Before(end); <-time.After(moment) {
		if active, err = h.loaded(ctx); err != nil || over(active) {
			break
		}
	}
	return active, err
}

// Empty tells whether no process is in a control group, as [State.Group] names it, or in one below it, in whichever hierarchy
// systemd has it. No group is empty.
func Empty(group string) bool {
	if group == "" {
		return true
	}
	for _, hierarchy := range []string{"", "unified", "systemd"} {
		inhabited := false
		// One that is gone is empty.
		_ = filepath.WalkDir(filepath.Join("/sys/fs/cgroup", hierarchy, group), func(path string, entry fs.DirEntry, err error) error {
			if err == nil && entry.Name() == "cgroup.procs" {
				text, err := os.ReadFile(path) //nolint:gosec // there are no links in what the kernel shows
				inhabited = inhabited || err == nil && len(text) > 0
			}
			return nil
		})
		if inhabited {
			return false
		}
	}
	return true
}

// Stop is End for one whose main program may say goodbye, within its grace.
func (h *Handle) Stop(ctx context.Context) error {
	active, err := h.loaded(ctx)
	if err != nil {
		return err
	}
	if !over(active) {
		if _, err := control(ctx, "stopping", h.file(), "stop"); err != nil {
			return err
		}
	}
	return h.forget(ctx)
}

// forget has a failure forgotten: systemd keeps a unit for it, and its name.
func (h *Handle) forget(ctx context.Context) error {
	active, err := h.loaded(ctx)
	if err != nil || active == "" {
		return err
	}
	if !over(active) {
		return fmt.Errorf("ending unit %q: it is %s", h.file(), active)
	}
	_, err = control(ctx, "resetting the failures of", h.file(), "reset-failed")
	if again, lookErr := h.loaded(ctx); lookErr == nil && again == "" {
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
