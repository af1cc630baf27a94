// Package status compares what was done with what is there: it asks the record, the service manager, the agent and GitHub
// about each runner of this host, and says where they disagree. It changes nothing.
package status

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/control"
	"github.com/runner-bootstrap/runner-bootstrap/internal/github"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/machine"
	"github.com/runner-bootstrap/runner-bootstrap/internal/refusal"
	"github.com/runner-bootstrap/runner-bootstrap/internal/register"
	"github.com/runner-bootstrap/runner-bootstrap/internal/supervise"
	"github.com/runner-bootstrap/runner-bootstrap/internal/svc"
)

// Runner is what is true of one runner: the record, the service, the listener
// and GitHub side by side, and where they disagree.
type Runner struct {
	Name     string         `json:"name"`
	ScopeURL string         `json:"scope_url"`
	Dir      string         `json:"dir"`
	User     string         `json:"user"`
	RunnerID int64          `json:"runner_id"`
	Phase    instance.Phase `json:"phase"`
	Version  string         `json:"version"` // what runs, else what was installed
	// Wanted is another version that an install has asked for, and that comes between two jobs; empty: none.
	Wanted   string   `json:"wanted,omitempty"`
	Service  Service  `json:"service"`
	Listener Listener `json:"listener"`
	Agent    Agent    `json:"agent"`
	GitHub   GitHub   `json:"github"`
	// Update says who brings newer versions: "agent", "runner" (itself), or "off" (nobody).
	Update string `json:"update"`
	// SudoRule is the file by which install has let its jobs use sudo; empty: none is.
	SudoRule string `json:"sudo_rule,omitempty"`
	// Copied is set where this host is a copy of the machine that the runner was installed on, and is: nothing of it is
	// started here.
	Copied   bool     `json:"copied"`
	Problems []string `json:"problems"`
	Healthy  bool     `json:"healthy"`
	Disk     Disk     `json:"-"`

	finished bool // it has ended for good, as it was meant to
}

// Disk is what is wrong where a runner's folders are, for who says what to do about it.
type Disk struct {
	Full, Silent bool // that of one of them; Silent: it does not answer
}

// Service is what the service manager says.
type Service struct {
	Name     string `json:"name"` // empty: installed without a service
	State    string `json:"state"`
	Enabled  bool   `json:"enabled"`
	Restarts int    `json:"restarts"`
}

// Listener is what the supervisor says of the listener; State is
// "offline" when there is no supervisor, and "finished" where none is needed.
type Listener struct {
	State    instance.State `json:"state"`
	Since    *time.Time     `json:"since,omitempty"`
	PID      int            `json:"pid,omitempty"`
	Job      string         `json:"job,omitempty"`
	Reason   string         `json:"reason,omitempty"`
	ExitCode *int           `json:"exit_code,omitempty"`
	Starts   int            `json:"starts"`
	Draining bool           `json:"draining"`
	// Faulty says that it is so as something is wrong with its host, which Reason tells.
	Faulty bool `json:"-"`
	// Trouble is what is wrong with its connection to GitHub: "connecting", "conflict" or
	// "reconnecting"; empty if nothing is.
	Trouble      instance.State `json:"trouble,omitempty"`
	TroubleSince *time.Time     `json:"trouble_since,omitempty"`
	TroubleWords string         `json:"trouble_words,omitempty"`
	// ConfinedBy is what keeps jobs from the rest of the host: "systemd", "namespaces", "descendants" or
	// "group". Weaker is what that does not keep out and another would; empty: nothing.
	ConfinedBy string `json:"confined_by,omitempty"`
	Weaker     string `json:"weaker,omitempty"`
	// LastWords is how the listener that ended last did so, and what it printed last.
	LastWords string `json:"last_words,omitempty"`
	// How often it was registered again, and how its jobs have ended.
	Registrations int `json:"registrations"`
	Succeeded     int `json:"jobs_succeeded"`
	Failed        int `json:"jobs_failed"`
	Canceled      int `json:"jobs_canceled"`
}

// Agent is the program of ours that supervises the listener; zero where none does.
type Agent struct {
	Version string `json:"version,omitempty"` // empty from one of before it was told
	// Replaced is set where another program is installed in its place since: that runs from the next start.
	Replaced bool `json:"replaced"`
}

// GitHub is what GitHub says; State is "not checked" without a credential,
// "unknown" if there was no answer, for the reason in Error, "absent" if GitHub does not
// list the runner, else "online" or "offline".
type GitHub struct {
	State  string   `json:"state"`
	Error  string   `json:"error,omitempty"`
	Busy   bool     `json:"busy"`
	Labels []string `json:"labels,omitempty"`
}

// States that are ours, beside those of the service manager and of GitHub.
const (
	stopped = "offline"
	none    = "none"
	unknown = "unknown"

	Absent                   = "absent"      // of a runner that GitHub does not list
	Unchecked                = "not checked" // of one that GitHub was not asked about
	Finished  instance.State = "finished"    // of a listener that is needed no more
)

// ServiceWitness tells how one service is; one that the service manager does not know is absent, and no error.
type ServiceWitness interface {
	State(ctx context.Context) (svc.State, error)
}

// Witnesses are those who know something of a runner.
type Witnesses struct {
	Store *instance.Store
	// Service gives the witness of the service of that name.
	Service func(name string) (ServiceWitness, error)
	// Connect gives the client for a scope; nil: GitHub is not asked.
	Connect func(github.Scope) *github.Client
	// Machine knows whether a runner is this machine's.
	Machine machine.Witness
}

// Look looks at every runner of this host, or at the one called name. What this host knows is there whatever GitHub answers, and
// whatever is wrong with another runner: an error, that of the first of them, comes
// beside it.
func (w Witnesses) Look(ctx context.Context, name string) ([]Runner, error) {
	records, failed := w.Store.List()
	all := []Runner{}
	for _, record := range records {
		if name != "" && record.Name != name {
			continue
		}
		status, err := w.statusOf(ctx, record)
		failed = cmp.Or(failed, err)
		all = append(all, status)
	}
	if name != "" && len(all) == 0 {
		return nil, cmp.Or(failed, fmt.Errorf("%w: %q", instance.ErrUnknown, name))
	}
	// Last, since an answer may be long in coming; and once for each scope where there is none.
	silent := map[string]error{}
	for i := range all {
		at := slices.IndexFunc(records, func(r instance.Record) bool { return r.Name == all[i].Name })
		err := w.lookAtGitHub(ctx, records[at], &all[i], silent)
		if all[i], err = w.settled(ctx, records[at], all[i], err, silent); err != nil {
			failed = cmp.Or(failed, err)
		}
		all[i].Healthy = len(all[i].Problems) == 0
	}
	return all, failed
}

func (w Witnesses) statusOf(ctx context.Context, record instance.Record) (Runner, error) {
	s := Runner{
		Name: record.Name, ScopeURL: record.ScopeURL, Dir: record.Dir, User: record.User,
		RunnerID: record.RunnerID, Phase: record.Phase, Version: record.Version, Wanted: record.Wanted.Version, SudoRule: record.SudoRule,
		Update: cmp.Or(record.Update, instance.UpdateRunner), Problems: []string{},
	}
	s.finished = register.KeptOf(w.Store, record).Finished() != "" || endedByDesign(w.Store, record.Name)
	if err := w.Machine.Check(ctx, record); err != nil {
		s.Copied = true
		s.problem("%v", reasonOf(err))
	}
	var failed error
	for _, look := range []func(context.Context, instance.Record, *Runner) error{
		w.lookAtRecord, w.lookAtRoom, w.lookAtListener, w.lookAtService,
	} {
		if err := look(ctx, record, &s); err != nil {
			s.problem("%v", err)
			failed = cmp.Or(failed, err)
		}
	}
	return s, failed
}

// endedByDesign tells whether the latest agent has ended since a limit was reached, such as --max-jobs.
func endedByDesign(store *instance.Store, name string) bool {
	report, alive, err := instance.LastReport(store, name)
	return err == nil && !alive && report.State == instance.Ended && report.Outcome.Own()
}

// reasonOf is a refusal without its object, which is the runner that is looked at.
func reasonOf(err error) string {
	var refused *refusal.Error
	if !errors.As(err, &refused) {
		return err.Error()
	}
	return refused.Reason.Error() + ": " + refused.Detail
}

func (s *Runner) problem(format string, values ...any) {
	s.Problems = append(s.Problems, fmt.Sprintf(format, values...))
}

func (w Witnesses) lookAtRecord(_ context.Context, record instance.Record, s *Runner) error {
	switch record.Phase {
	case instance.Installed:
	case instance.Removing:
		s.problem("its removal was interrupted")
	default:
		s.problem("its installation was interrupted (%s)", record.Phase)
		return nil
	}
	if _, err := os.Lstat(record.Dir); errors.Is(err, os.ErrNotExist) {
		s.problem("its directory %q is gone", record.Dir)
		return nil
	} else if err != nil {
		return fmt.Errorf("looking at the runner's directory: %w", err)
	}
	if _, err := os.Lstat(record.SudoRule); record.SudoRule != "" && errors.Is(err, os.ErrNotExist) {
		s.problem("its jobs cannot use sudo: %q is gone", record.SudoRule)
	}
	if record.Wanted.Problem != "" {
		s.problem("version %s cannot be put into its place: %s", record.Wanted.Version, record.Wanted.Problem)
	}
	if supervise.CheckListener(record.Dir) != nil {
		s.problem("its directory %q has no listener", record.Dir)
	}
	settings, err := register.KeptOf(w.Store, record).Find()
	switch {
	case errors.Is(err, register.ErrNotConfigured):
		// A supervisor that has a credential is about to register it.
		if agent, err := w.Store.Running(record.Name); !s.finished && (err != nil || agent.None() || record.Credential.Empty()) {
			s.problem("it has no registration")
		}
	case errors.Is(err, os.ErrPermission):
		// The caller may not see it; what GitHub says has to do.
	case err != nil:
		s.problem("its registration cannot be read: %v", err)
	case settings.ID != record.RunnerID:
		s.problem("the registration that is kept is of id %d, not %d", settings.ID, record.RunnerID)
	}
	return nil
}

func (w Witnesses) lookAtListener(ctx context.Context, record instance.Record, s *Runner) error {
	report, alive, silent, err := control.Latest(ctx, w.Store, record)
	if err != nil {
		return err
	}
	if silent {
		s.problem("its agent, process %d, does not answer", report.PID)
	}
	s.Listener = Listener{
		State: stopped, Reason: report.Reason, ExitCode: report.ExitCode, Starts: report.Starts,
		Registrations: report.Registrations, Succeeded: report.Succeeded, Failed: report.Failed, Canceled: report.Canceled,
	}
	if report.Version != "" {
		s.Version = report.Version
	}
	if report.State == instance.Failing || !alive || report.EndedAtOnce > 0 {
		s.Listener.LastWords = report.LastWords
	}
	if alive {
		s.Agent = Agent{Version: report.AgentVersion, Replaced: replaced(report.PID)}
		s.Listener.ConfinedBy, s.Listener.Weaker = report.ConfinedBy, report.Weaker
		s.Listener.Trouble, s.Listener.TroubleSince, s.Listener.TroubleWords = report.Trouble, report.TroubleSince, report.TroubleWords
		s.Listener.State, s.Listener.PID, s.Listener.Job = report.State, report.PID, report.Job
		s.Listener.Since, s.Listener.Draining, s.Listener.Faulty = &report.Since, report.Draining, report.Faulty
		s.judgeListener(report)
	} else if s.finished {
		s.Listener.State, s.Listener.Since, s.Listener.LastWords = Finished, &report.Since, ""
	}
	return nil
}

// judgeListener says what is wrong with a listener that is supervised.
func (s *Runner) judgeListener(report instance.Report) {
	since := ""
	if report.TroubleSince != nil {
		since = " since " + report.TroubleSince.Format(time.RFC3339)
	}
	switch {
	case report.Faulty && report.Draining:
		s.problem("it takes no jobs: %s", report.Reason)
	case report.State == instance.Failing && report.LastWords != "":
		s.problem("its listener keeps ending: %s (%s)", report.Reason, report.LastWords)
	case report.State == instance.Failing:
		s.problem("its listener keeps ending: %s", report.Reason)
	case report.Trouble == instance.Conflict:
		s.problem("its session is held elsewhere%s: %s", since, report.TroubleWords)
	case report.Trouble == instance.Connecting:
		s.problem("its listener cannot connect to GitHub%s: %s", since, report.TroubleWords)
	case report.Trouble != "":
		s.problem("its listener has lost GitHub%s: %s", since, report.TroubleWords)
	case report.State == instance.Starting && report.EndedAtOnce > 0:
		s.problem("its listener has ended at once %s, and is started again (%s)", times(report.EndedAtOnce), report.LastWords)
	case report.State == instance.Starting && time.Since(report.Since) > instance.ComeUp:
		s.problem("its listener was started at %s and does not listen yet", report.Since.Format(time.RFC3339))
	}
}

func times(n int) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}

func (w Witnesses) lookAtService(ctx context.Context, record instance.Record, s *Runner) error {
	s.Service = Service{State: none}
	if record.Service == "" {
		return nil
	}
	service, err := w.Service(record.Service)
	if err != nil {
		return err
	}
	state, err := service.State(ctx)
	if err != nil {
		s.Service = Service{Name: record.Service, State: unknown}
		s.problem("its service cannot be looked at: %v", err)
		return nil
	}
	s.Service = Service{
		Name: record.Service, State: string(state.Active), Enabled: state.Enabled, Restarts: state.Restarts,
	}
	switch {
	case s.finished && state.Active == svc.Stopped: // as it is to be
	case state.Active != svc.Running:
		s.problem("its service is %s", state.Active)
		if s.Listener.Reason != "" {
			s.problem("its listener ended: %s", s.Listener.Reason)
		}
	case s.Listener.State == stopped && !s.finished: // it is the latest word of an agent before
		s.problem("its service has started just now, and its listener has not yet")
	case !state.Enabled:
		s.problem("its service does not start at boot")
	}
	return nil
}
