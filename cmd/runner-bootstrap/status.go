package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/runner-bootstrap/runner-bootstrap/internal/account"
	"github.com/runner-bootstrap/runner-bootstrap/internal/bootstrap"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/places"
	"github.com/runner-bootstrap/runner-bootstrap/internal/shell"
	"github.com/runner-bootstrap/runner-bootstrap/internal/status"
	"github.com/runner-bootstrap/runner-bootstrap/internal/svc"
	"github.com/runner-bootstrap/runner-bootstrap/internal/terminal"
)

// errUnhealthy means that status found something that is not as it should be.
var errUnhealthy = errors.New("not healthy")

// unhealthyRunnerError is a runner that is not as it should be.
type unhealthyRunnerError struct{ status.Runner }

func (e *unhealthyRunnerError) Error() string {
	return fmt.Sprintf("runner %q is %v: %s", e.Name, errUnhealthy, strings.Join(e.Problems, "; "))
}

func (e *unhealthyRunnerError) Unwrap() error { return errUnhealthy }

// statusOptions are what status takes.
type statusOptions struct {
	credential credentialOptions
	name       nameOptions
	place      placeOptions
	network    networkOptions
	output     outputOptions
	call       callOptions
}

func (o *statusOptions) groups() []group {
	return []group{&o.credential, &o.name, &o.place, &o.network, &o.output, &o.call}
}

func newStatus(call *session) *cobra.Command {
	o := &statusOptions{}
	return call.command("status", "Compare what was installed with the service and with GitHub", `
Shows the record, the service, the listener and, with a token, what GitHub says
of each runner of this host, and names where they disagree. It ends with exit
code 9 if they do. If GitHub cannot be asked, what this host knows is printed all
the same, and the exit code says why.`, o.groups(), call.withHostAnyway(bind(call, o, runStatus)))
}

func runStatus(ctx context.Context, call *session, host *bootstrap.Host, o *statusOptions) error {
	name := meant(call, o.name.name)
	if name != "" {
		if err := instance.CheckName(name); err != nil {
			return err
		}
	}
	witnesses := status.Witnesses{Store: host.Store, Service: services{}.witness, Connect: host.Connect, Machine: host.Machine}
	all, failed := witnesses.Look(ctx, host.Store.Called(name))
	if errors.Is(failed, instance.ErrUnknown) {
		return fmt.Errorf("%w: %w", errUnhealthy, failed)
	}
	if failed != nil && len(all) == 0 {
		return failed
	}
	var err error
	if o.output.json {
		err = printJSON(call.out, all)
	} else {
		err = printStatus(call.out, all)
	}
	// What could not be looked at weighs more than what was seen: the rest is not known.
	if err = errors.Join(err, failed); err != nil {
		return err
	}
	for _, one := range all {
		if !one.Healthy {
			return &unhealthyRunnerError{one}
		}
	}
	return nil
}

func printStatus(out io.Writer, all []status.Runner) error {
	if len(all) == 0 {
		_, err := fmt.Fprintln(out, "there is no runner on this host")
		return err
	}
	if len(all) > 1 {
		return printStatuses(out, all)
	}
	one := all[0]
	facts := [][2]string{
		{"runner", fmt.Sprintf("%s (%s), version %s%s", one.Name, idWords(one.RunnerID), one.Version, comes(one.Wanted))},
		{"scope", one.ScopeURL},
		{"dir", one.Dir + ", jobs run as " + one.User},
		{"service", serviceLine(one.Service)},
		{"listener", listenerLine(one.Listener)},
		{"github", gitHubLine(one.GitHub)},
	}
	if weaker := one.Listener.Weaker; weaker != "" {
		facts = append(facts, [2]string{"jobs", fmt.Sprintf("confined by %s alone: %s", one.Listener.ConfinedBy, weaker)})
	}
	if one.Update == instance.UpdateRunner && one.Service.Name != "" {
		facts = append(facts, [2]string{"updates", "by the runner itself: jobs can change its files"})
	}
	if one.SudoRule != "" {
		facts = append(facts, [2]string{"sudo", one.SudoRule})
	}
	if one.Agent.Replaced {
		facts = append(facts, [2]string{"agent", agentLine(one)})
	}
	for _, problem := range one.Problems {
		facts = append(facts, [2]string{"problem", problem})
	}
	return terminal.Facts(out, facts)
}

// printStatuses is for several: a line for each, and then what is to be told of any.
func printStatuses(out io.Writer, all []status.Runner) error {
	err := terminal.Table(out, listHead+"\tSERVICE\tGITHUB", func(line func(string, ...any)) {
		for _, one := range all {
			line(listRow+"\t%s\t%s", append(listCells(one), one.Service.State, one.GitHub.State)...)
		}
	})
	l := lines{out: out, err: err}
	tell := func(what, name, text string) {
		l.add("%s", terminal.Fitted(fmt.Sprintf("%-8s %s: %s", what, name, terminal.OneCell(text)), terminal.Columns(out)))
	}
	for _, one := range all {
		if one.Agent.Replaced {
			tell("agent", one.Name, agentLine(one))
		}
		for _, problem := range one.Problems {
			tell("problem", one.Name, problem)
		}
	}
	return l.err
}

// agentLine is for an agent that is not what is installed.
func agentLine(s status.Runner) string {
	return fmt.Sprintf("runner-bootstrap %s goes on running, and another is installed; "+
		"it takes over with: %s", firstOf(s.Agent.Version, "of before"), asCalled("runner-bootstrap restart --name "+s.Name))
}

func idWords(id int64) string {
	if id == 0 {
		return "not registered"
	}
	return "id " + strconv.FormatInt(id, 10)
}

func serviceLine(s status.Service) string {
	if s.Name == "" {
		return s.State
	}
	line := s.State + ", " + s.Name
	if s.Restarts > 0 {
		line += ", restarted " + strconv.Itoa(s.Restarts) + " times"
	}
	return line
}

func listenerLine(l status.Listener) string {
	line := string(l.State)
	if l.Job != "" {
		line += " on " + l.Job
	}
	if l.Draining {
		line += ", draining"
	}
	if l.Since != nil {
		line += " since " + l.Since.Format("2006-01-02 15:04:05 MST")
	}
	if l.Trouble != "" && l.Trouble != l.State {
		line += ", " + string(l.Trouble) // a job goes on without GitHub
	}
	if l.PID != 0 {
		line += ", supervised by process " + strconv.Itoa(l.PID)
	}
	for _, words := range []string{l.Reason, l.TroubleWords, l.LastWords} {
		if words != "" {
			line += " (" + words + ")"
		}
	}
	return line
}

func gitHubLine(g status.GitHub) string {
	if g.State == status.Unchecked {
		return g.State + " (give --token-file)"
	}
	line := g.State
	if g.Error != "" {
		line += " (" + g.Error + ")"
	}
	if g.Busy {
		line += ", busy"
	}
	if len(g.Labels) > 0 {
		line += ", labels " + strings.Join(g.Labels, ",")
	}
	return line
}

func hintUnhealthy(call *session, err error) string {
	var failed *checksError
	if errors.As(err, &failed) {
		return failed.fix
	}
	var unhealthy *unhealthyRunnerError
	if errors.As(err, &unhealthy) {
		return call.hintUnhealthyRunner(unhealthy.Runner)
	}
	return call.here("status") // there is no runner of that name
}

// hintUnhealthyRunner brings a runner back, or shows what is wrong with it. It never takes
// one away that may be well again in a moment.
func (call *session) hintUnhealthyRunner(s status.Runner) string {
	_, gone := os.Stat(s.Dir)
	late := places.Unmounted(s.Dir)
	switch {
	case s.Copied:
		return installOfOwn(call, s.ScopeURL)
	case s.Phase == instance.Removing:
		return call.here("uninstall", "--name", s.Name)
	case s.Listener.State == status.Finished && s.Service.State == string(svc.Failed): // what was to come after its end
		return showLog(call, s.Service.Name, s.Name)
	case s.Listener.State == status.Finished:
		return call.here("uninstall", "--name", s.Name, "--token-file", "FILE")
	case s.Listener.Faulty:
		return on(call).Do(shell.ShowReadOnly)
	case s.Disk.Silent:
		return on(call).Do(shell.ShowMounts)
	case s.Disk.Full:
		return hintSpace(call, nil)
	case late != "":
		return on(call).Mend(on(call).Do(shell.Mount, late))
	case s.Phase != instance.Installed, errors.Is(gone, fs.ErrNotExist), s.GitHub.State == status.Absent:
		words := []string{"install", "--url", s.ScopeURL, "--name", s.Name, "--token-file", "FILE"}
		if s.Service.Name == "" {
			words = append(words, "--no-service")
		}
		return call.here(words...)
	case s.Service.Name == "" && s.Listener.PID == 0:
		return call.here("run", "--name", s.Name)
	case s.Listener.Trouble == instance.Conflict:
		return on(call).Words("runner-bootstrap", "runners", "get", s.Name, "--url", s.ScopeURL, "--token-file", "FILE")
	case s.Listener.Trouble != "":
		return call.here("doctor", "--url", s.ScopeURL)
	case s.Service.Name == "":
		return call.here("status", "--name", s.Name, "--json")
	case s.Service.State == string(svc.Failed), s.Service.State == string(svc.Stopped):
		restart := call.here("restart", "--name", s.Name)
		if !account.Privileged() {
			restart = rooted(call, restart)
		}
		return restart
	}
	return showLog(call, s.Service.Name, s.Name)
}

// comes says which version takes the place of the one that is there.
func comes(version string) string {
	if version == "" {
		return ""
	}
	return "; " + version + " comes between two jobs"
}
