package systemd

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/svc"
)

const (
	// logTail is how much of the unit's log an [Error] carries.
	logTail = 10
	// aftermath bounds what is done after the caller's context may have ended: reading the log, undoing.
	aftermath = 30 * time.Second
	// settle is how long a unit may take, on top of its own timeout, from the end of its stop to a final state.
	settle = 30 * time.Second
	// glance is how often a stopping unit is looked at.
	glance = 100 * time.Millisecond
)

// hurry is the signal that tells the unit's program not to wait for the work it has under way.
const hurry = "SIGINT"

// kardianos/service is not asked to start, stop and restart: its calls take no context, so a stop could not be
// given up, and of systemctl's answer they keep the exit status alone.

// Start starts the unit, and clears the memory of earlier failures first, so that systemd's start limit cannot
// refuse a person. On success the program was executed, or with Notify said that it is ready; whether it stays is for
// State to say. If ctx ends before, systemd goes on starting it; the [Error] then has the end of the log all the same.
func (s *Service) Start(ctx context.Context) error {
	state, err := s.State(ctx)
	if err != nil {
		return err
	}
	if state.Active == svc.Running {
		return nil
	}
	if err := s.forgive(ctx, state); err != nil {
		return err
	}
	return s.change(ctx, "starting", "start")
}

// Restart stops the unit if it runs, and starts it, as Start does.
func (s *Service) Restart(ctx context.Context) error {
	state, err := s.State(ctx)
	if err != nil {
		return err
	}
	if err := s.forgive(ctx, state); err != nil {
		return err
	}
	return s.change(ctx, "restarting", "restart")
}

// Stop stops the unit and returns when systemd calls it stopped, failed or absent. If ctx ends before, systemd goes
// on stopping it.
func (s *Service) Stop(ctx context.Context, how svc.StopMode) error {
	if how == svc.Now {
		return s.stopNow(ctx)
	}
	return s.stop(ctx)
}

func (s *Service) stop(ctx context.Context) error {
	state, err := s.State(ctx)
	if err != nil {
		return err
	}
	if idle(state) {
		return nil
	}
	if err := s.change(ctx, "stopping", "stop"); err != nil {
		return err
	}
	// systemctl has waited for its own request; another one may have taken its place.
	ctx, cancel := context.WithTimeout(ctx, s.unit.StopTimeout+settle)
	defer cancel()
	ticker := time.NewTicker(glance)
	defer ticker.Stop()
	for {
		if state, err = s.State(ctx); err != nil {
			return err
		}
		if idle(state) {
			return nil
		}
		select {
		case <-ctx.Done():
			return &svc.Error{Op: "stopping", Unit: s.file(), Output: state.Detail, Err: ctx.Err()}
		case <-ticker.C:
		}
	}
}

func (s *Service) stopNow(ctx context.Context) error {
	state, err := s.State(ctx)
	if err != nil {
		return err
	}
	if idle(state) {
		return nil
	}
	// The stop comes first: after an end by the signal alone, systemd might start the unit again.
	if err := s.change(ctx, "stopping", "stop", "--no-block"); err != nil {
		return err
	}
	if err := s.hurry(ctx); err != nil {
		return err
	}
	return s.stop(ctx) // the same stop, this time to its end
}

// hurry signals the unit's main process. That none is left to be told is no failure.
func (s *Service) hurry(ctx context.Context) error {
	// systemd 252 and later call it --kill-whom, and still know the older name.
	_, err := s.systemctl(ctx, "signalling", "kill", "--kill-who=main", "--signal="+hurry, "--", s.file())
	if err == nil {
		return nil
	}
	state, stateErr := s.State(ctx)
	if stateErr == nil && (idle(state) || state.MainPID == 0) {
		return nil
	}
	return errors.Join(err, stateErr)
}

// Log returns the last lines of the unit's journal, oldest first.
func (s *Service) Log(ctx context.Context, lines int) ([]string, error) {
	if lines < 1 {
		return nil, fmt.Errorf("reading the log of unit %q: %d lines asked for", s.file(), lines)
	}
	out, stderr, err := s.host.run(ctx, "journalctl", "--no-pager", "--quiet", "--output=cat",
		"--lines="+strconv.Itoa(lines), "--unit="+s.file())
	if err != nil {
		return nil, &svc.Error{Op: "reading the log of", Unit: s.file(), Output: stderr, Err: err}
	}
	if out == "" {
		return nil, nil
	}
	return strings.Split(out, "\n"), nil
}

// forgive resets systemd's memory of failures and its count of starts. A unit at rest is left out: systemd may
// not hold it in memory, has then nothing to reset, and answers with an error.
func (s *Service) forgive(ctx context.Context, state svc.State) error {
	if state.Active == svc.Stopped || state.Active == svc.Absent {
		return nil
	}
	_, err := s.systemctl(ctx, "resetting the failures of", "reset-failed", "--", s.file())
	return err
}

// change asks for another state. When it is refused, the reason is more often in the unit's log than in
// systemctl's answer, so the error carries both.
func (s *Service) change(ctx context.Context, op, verb string, options ...string) error {
	_, err := s.systemctl(ctx, op, slices.Concat([]string{verb}, options, []string{"--", s.file()})...)
	var refused *svc.Error
	if !errors.As(err, &refused) {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), aftermath)
	defer cancel()
	lines, logErr := s.Log(ctx, logTail)
	if logErr != nil {
		lines = []string{logErr.Error()}
	}
	if failed := s.sandboxFailure(ctx, op, lines); failed != nil {
		return failed
	}
	if refused.Output != "" {
		lines = append([]string{refused.Output}, lines...)
	}
	refused.Output = strings.Join(lines, "\n")
	return refused
}

// systemctl runs it and returns what it printed; a refusal is an *Error with its stderr.
func (s *Service) systemctl(ctx context.Context, op string, args ...string) (string, error) {
	out, stderr, err := s.host.run(ctx, "systemctl", append([]string{"--no-ask-password", "--no-pager"}, args...)...)
	if err != nil {
		return "", &svc.Error{Op: op, Unit: s.file(), Output: stderr, Err: err}
	}
	return out, nil
}

// Ask runs one of systemd's programs to its end. The error says how it ended, and stderr what it had to say of that.
func Ask(ctx context.Context, program string, args ...string) (stdout, stderr string, err error) {
	return systemdHost().run(ctx, program, args...)
}

// run runs one of systemd's programs to its end.
func (h host) run(ctx context.Context, program string, args ...string) (stdout, stderr string, err error) {
	path, err := h.find(program)
	if err != nil {
		return "", "", err
	}
	for range struckTries {
		stdout, stderr, err = once(ctx, path, args...)
		if ctx.Err() != nil {
			return stdout, stderr, context.Cause(ctx) // rather than "signal: killed", which is only how it was ended
		}
		if !struck(err) {
			break
		}
	}
	return stdout, stderr, err
}

// struckTries is how often a program is run that is ended by what was meant for us.
const struckTries = 3

func once(ctx context.Context, path string, args ...string) (stdout, stderr string, err error) {
	var out, errs bytes.Buffer
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Stdout, cmd.Stderr = &out, &errs
	apart(cmd)
	cmd.Env = append(cmd.Environ(), "LC_ALL=C") // what it says ends up in our errors, which are in English
	cmd.WaitDelay = time.Second
	err = cmd.Run()
	return strings.TrimSpace(out.String()), strings.TrimSpace(errs.String()), err
}

// sandboxFailure tells whether the sandbox is why a unit has not come up; nil if not. lines are the end of its log.
func (s *Service) sandboxFailure(ctx context.Context, op string, lines []string) error {
	if !s.unit.Sandbox.Enabled {
		return nil
	}
	state, err := s.State(ctx)
	if err != nil {
		return nil //nolint:nilerr // then the refusal itself is told
	}
	step, known := svc.SandboxSteps()[state.ExitStatus]
	if !known {
		return nil
	}
	failed := &svc.SandboxError{Op: op, Unit: s.file(), Step: fmt.Sprintf("%d/%s", state.ExitStatus, step)}
	for _, line := range slices.Backward(lines) {
		// What systemd itself says of a unit begins with its name. Other lines are of its programs, and those before of other starts.
		reason, systemds := strings.CutPrefix(line, s.file()+": ")
		if systemds && strings.HasPrefix(reason, "Failed to ") {
			failed.Reason = reason[:min(len(reason), maxReason)]
			break
		}
	}
	return failed
}

// maxReason bounds what is repeated of systemd's words.
const maxReason = 200
