//go:build !windows

// Package transient starts programs in units of systemd's that are written nowhere, and confines them.
package transient

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/svc"
	"github.com/runner-bootstrap/runner-bootstrap/internal/svc/systemd"
)

// Unit is one that is written nowhere: it begins with Start, and is gone after End. Its main program is told apart from
// what that has left: the unit stays until it is ended, though the program has ended.
type Unit struct {
	Name        string // without ".service"
	Description string
	Argv        []string // the program by its absolute path, and its arguments
	Directory   string
	UID, GID    int
	Groups      []int
	// Nameless says that this host has no account of that number, nor groups of theirs. Systemd takes none of these, so the unit
	// begins as root, and another program becomes them. That the program itself cannot be executed is told by exit code 126
	// or 127 then.
	Nameless bool
	// Environment is a file that systemd reads the whole environment from ([EnvironmentText]), while Start goes on.
	Environment string
	// Output is what its output is written to; empty: nothing. Systemd opens it as root.
	Output string
	// Before is the service, without ".service", that is stopped before this unit when both are; empty: none.
	Before string
	// Grace is how long the main program has to end after an interrupt, when systemd stops the unit.
	Grace time.Duration
	// Outlive are exit codes of the main program after which what it has left goes on until the end of the unit. It is killed
	// after any other but 0.
	Outlive     []int
	Tasks       int // 0: as many as systemd lets it have by default
	Confinement Confinement
}

// Host is what has to be known of a host before a [Unit] is started on it.
type Host struct {
	Version     int  // of systemd
	CountsTasks bool // control groups bound the number of processes
}

// FindHost asks systemd. The error matches [ErrTooOld] where it is older than [systemd.UnitsVersion], and [svc.ErrUnavailable]
// where there is none.
func FindHost(ctx context.Context) (Host, error) {
	if err := systemd.Available(); err != nil {
		return Host{}, err
	}
	version, err := systemd.Version(ctx)
	if err != nil {
		return Host{}, err
	}
	if version < systemd.UnitsVersion {
		return Host{}, fmt.Errorf("%w: %d is before %d", ErrTooOld, version, systemd.UnitsVersion)
	}
	// A slice that there is wherever there are services.
	out, err := control(ctx, "looking at", "system.slice", "show", "--property=TasksCurrent", "--value")
	if err != nil {
		return Host{}, err
	}
	_, err = strconv.ParseInt(out, 10, 64) // the highest number, or words, where nobody counts
	return Host{Version: version, CountsTasks: err == nil}, nil
}

// ErrTooOld says that the systemd of this host is too old for transient units as they are described here.
var ErrTooOld = errors.New("this systemd is too old")

// Never tells whether an error of [FindHost] will be the same the next time: this host has no such units, as
// [svc.JobsApart] says as well. Any other may pass.
func Never(err error) bool {
	return errors.Is(err, ErrTooOld) || errors.Is(err, svc.ErrUnavailable) || errors.Is(err, systemd.ErrVersion)
}

// RefusedError says why a unit's program was not started.
type RefusedError struct {
	Unit string
	Step string // systemd's name for what has failed, for example "203/EXEC"; empty if it has none
	Said string // its words
	// Cause is how systemd-run ended, and the kernel's error where systemd's words end in one.
	Cause error
}

func (e *RefusedError) Error() string {
	text := fmt.Sprintf("starting unit %q: %v", e.Unit, e.Cause)
	if e.Step != "" {
		text += " (systemd's " + e.Step + ")"
	}
	if e.Said != "" {
		text += ": " + e.Said
	}
	return text
}

func (e *RefusedError) Unwrap() error { return e.Cause }

// Is makes errors.Is(err, svc.ErrSandbox) hold where the confinement is to blame.
func (e *RefusedError) Is(target error) bool {
	code, _, _ := strings.Cut(e.Step, "/")
	number, err := strconv.Atoi(code)
	_, sandbox := svc.SandboxSteps()[number]
	return target == svc.ErrSandbox && err == nil && sandbox
}

// properties of the unit, in the words of systemd-run.
func (u Unit) properties(host Host) []string {
	var all []string
	line := func(key, value string) { all = append(all, "--property="+key+"="+value) }
	line("Type", "exec")
	line("RemainAfterExit", "yes")
	line("WorkingDirectory", u.Directory)
	u.account(line)
	if u.Environment != "" {
		line("EnvironmentFile", u.Environment)
	}
	line("StandardInput", "null")
	line("StandardOutput", "null")
	if u.Output != "" {
		line("StandardOutput", "file:"+u.Output)
	}
	line("StandardError", "inherit")
	line("IgnoreSIGPIPE", "no") // as a program is started everywhere else
	line("KillMode", "mixed")
	line("KillSignal", "SIGINT")
	line("TimeoutStopSec", strconv.FormatInt(max(1, u.Grace.Milliseconds()), 10)+"ms")
	if len(u.Outlive) > 0 {
		line("SuccessExitStatus", numbers(u.Outlive))
	}
	line("OOMPolicy", "continue")
	if u.Tasks > 0 {
		line("TasksMax", strconv.Itoa(u.Tasks))
		if !host.CountsTasks {
			line("LimitNPROC", strconv.Itoa(u.Tasks)) // of the account, all together
		}
	}
	if u.Before != "" {
		line("Before", u.Before+".service")
	}
	u.Confinement.render(host.Version, u.Nameless, line)
	return all
}

// account has the lines about who the program runs as. Systemd asks the system for an account's name.
func (u Unit) account(line func(key, value string)) {
	if u.Nameless {
		return
	}
	line("User", strconv.Itoa(u.UID))
	line("Group", strconv.Itoa(u.GID))
	if groups := slices.DeleteFunc(slices.Clone(u.Groups), func(gid int) bool { return gid == u.GID }); len(groups) > 0 {
		line("SupplementaryGroups", numbers(groups))
	}
}

// command is what systemd executes.
func (u Unit) command() []string {
	if !u.Nameless {
		return u.Argv
	}
	groups := "--clear-groups"
	if len(u.Groups) > 0 {
		groups = "--groups=" + strings.ReplaceAll(numbers(u.Groups), " ", ",")
	}
	// Of util-linux, which systemd itself needs.
	words := []string{"/usr/bin/setpriv", "--reuid=" + strconv.Itoa(u.UID), "--regid=" + strconv.Itoa(u.GID), groups}
	return append(append(words, "--bounding-set=-all", "--inh-caps=-all", "--"), u.Argv...)
}

// Start returns when the program was executed, which may have ended since. The error is a [*RefusedError] where systemd could
// not do that; nothing is left of the unit then.
func (u Unit) Start(ctx context.Context, host Host) error {
	if err := errors.Join(svc.CheckName(u.Name), svc.CheckText(u.Description)); err != nil {
		return fmt.Errorf("describing unit %q: %w", u.Name, err)
	}
	if len(u.Argv) == 0 || !path.IsAbs(u.Argv[0]) {
		return fmt.Errorf("describing unit %q: %q is no absolute path of a program", u.Name, u.Argv)
	}
	words := []string{"--quiet", "--no-ask-password", "--unit=" + u.file(), "--description=" + u.Description}
	words = append(words, u.properties(host)...)
	argv := u.command()
	words = append(words, "--", argv[0])
	for _, arg := range argv[1:] {
		words = append(words, strings.ReplaceAll(arg, "$", "$$")) // systemd replaces variables
	}
	_, stderr, err := systemd.Ask(ctx, "systemd-run", words...)
	if err == nil {
		return nil
	}
	// It may be starting all the same.
	after, cancel := context.WithTimeout(context.WithoutCancel(ctx), aftermath)
	defer cancel()
	refused := u.refusal(after, stderr, err)
	if refused == nil && ctx.Err() == nil {
		return nil
	}
	if ctx.Err() != nil {
		return errors.Join(context.Cause(ctx), u.handle().End(after))
	}
	return errors.Join(refused, u.handle().End(after))
}

func (u Unit) file() string { return u.Name + ".service" }

func (u Unit) handle() *Handle { return &Handle{Name: u.Name} }

// refusal finds out why systemd did not start a unit: its program says no more than that, unless it has looked for itself, and the
// log knows the rest. It is nil where the unit's program was executed, and ended badly so soon that systemd took that for a
// start that failed.
func (u Unit) refusal(ctx context.Context, stderr string, err error) error {
	failed := &RefusedError{Unit: u.file(), Said: stderr, Cause: err}
	failed.blame(stderr)
	state, stateErr := u.handle().Look(ctx)
	if stateErr != nil || !state.Exited {
		return failed
	}
	failed.Step = strconv.Itoa(state.Code)
	if name, known := execSteps()[state.Code]; known {
		failed.Step += "/" + name
	}
	// What systemd itself says comes to the journal a moment later.
	for end := time.Now().Add(logPatience); time.Now().Before(end) && ctx.Err() == nil; <-time.After(glance) {
		said, ended := u.handle().stepWords(ctx, state.Call)
		if said != "" {
			failed.Said = said
			failed.blame(said)
			break
		}
		if ended {
			return nil // who fails before the program is executed says so before its end is seen
		}
	}
	return failed
}

// blame takes the kernel's error for the cause where words end in one.
func (e *RefusedError) blame(words string) {
	for text, errno := range map[string]syscall.Errno{
		"no such file or directory": syscall.ENOENT, "permission denied": syscall.EACCES, "operation not permitted": syscall.EPERM,
		"not a directory": syscall.ENOTDIR, "exec format error": syscall.ENOEXEC,
		"is a directory": syscall.EACCES, // systemd's name for what the kernel calls so
	} {
		if strings.HasSuffix(strings.ToLower(words), ": "+text) {
			e.Cause = errno
		}
	}
}

// logPatience is how long systemd's words are waited for.
const logPatience = 2 * time.Second

// execSteps are those of [sandboxSteps], and those that are about the program and its place.
func execSteps() map[int]string {
	steps := svc.SandboxSteps()
	for code, name := range map[int]string{200: "CHDIR", 203: "EXEC", 208: "STDIN", 209: "STDOUT", 216: "GROUP", 217: "USER"} {
		steps[code] = name
	}
	return steps
}

// stepWords are systemd's on what it failed at, in one start of the unit; empty while they are not there. The one who says so is
// gone when the journal looks who it was, so that its lines are not among those of the unit. Ended tells whether the end of the
// process is there.
func (h *Handle) stepWords(ctx context.Context, call string) (said string, ended bool) {
	out, _, err := systemd.Ask(ctx, "journalctl", "--no-pager", "--quiet", "--output=cat", "--lines="+strconv.Itoa(logTail),
		"UNIT="+h.file(), "INVOCATION_ID="+call)
	if err != nil {
		return "", false
	}
	for line := range strings.Lines(out) {
		ended = ended || strings.Contains(line, "Main process exited")
		line = strings.TrimPrefix(strings.TrimSpace(line), h.file()+": ")
		words := strings.HasPrefix(line, "Failed ") || strings.Contains(line, " failed: ")
		if words && !strings.HasPrefix(line, "Failed with ") && !strings.HasPrefix(line, "Failed to start ") {
			return line[:min(len(line), maxReason)], ended // what comes later follows from it
		}
	}
	return "", ended
}

// numbers lists them.
func numbers(all []int) string {
	words := make([]string, len(all))
	for i, n := range all {
		words[i] = strconv.Itoa(n)
	}
	return strings.Join(words, " ")
}

const (
	// aftermath bounds what is done after the caller's context may have ended: reading the log, undoing.
	aftermath = 30 * time.Second
	// glance is how often the log is looked at, of which logTail lines are read; maxReason bounds what is repeated of them.
	glance    = 100 * time.Millisecond
	logTail   = 10
	maxReason = 200
)
