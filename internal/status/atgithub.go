package status

import (
	"context"
	"strings"

	"github.com/runner-bootstrap/runner-bootstrap/internal/github"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/register"
)

// lookAtGitHub asks GitHub. What it refuses for a scope, or a network that does not
// lead there, is in silent: it is the same for the next runner.
func (w Witnesses) lookAtGitHub(ctx context.Context, record instance.Record, s *Runner, silent map[string]error) error {
	s.GitHub = GitHub{State: Unchecked}
	if w.Connect == nil {
		return nil
	}
	runners, err := []github.Runner(nil), silent[record.ScopeURL]
	if err == nil {
		runners, err = w.listed(ctx, record)
	}
	if err != nil {
		silent[record.ScopeURL] = err
		s.GitHub = GitHub{State: unknown, Error: err.Error()}
		s.problem("GitHub cannot be asked: %v", err)
		return err
	}
	s.GitHub.State = Absent
	for _, runner := range runners {
		if runner.ID != record.RunnerID {
			continue
		}
		s.GitHub.State, s.GitHub.Busy = runner.Status, runner.Busy
		for _, label := range runner.Labels {
			s.GitHub.Labels = append(s.GitHub.Labels, label.Name)
		}
		s.compareLabels(record, runner.Labels)
	}
	s.compareGitHub(record)
	return nil
}

// listed is what GitHub lists of the runner.
func (w Witnesses) listed(ctx context.Context, record instance.Record) ([]github.Runner, error) {
	scope, err := register.ScopeOf(record)
	if err != nil {
		return nil, err
	}
	return w.Connect(scope).Runners(ctx, record.Name)
}

func (s *Runner) compareGitHub(record instance.Record) {
	up := s.Listener.State == instance.Idle || s.Listener.State == instance.Busy
	switch {
	case s.Copied: // what GitHub lists is the other machine's
	case s.finished && s.GitHub.State != Absent:
		s.problem("it has finished, and GitHub still lists it (id %d, %s)", record.RunnerID, s.GitHub.State)
	case s.GitHub.State == Absent && record.RunnerID != 0 && !s.finished && !s.betweenLives(record):
		s.problem("GitHub does not list it (id %d)", record.RunnerID)
	case s.GitHub.State == "offline" && up:
		s.problem("its listener is %s, GitHub calls it offline", s.Listener.State)
	case s.GitHub.State == "online" && s.Listener.State == stopped:
		s.problem("its listener is stopped, GitHub calls it online: another host may hold its registration")
	}
}

// compareLabels notes as a problem which labels GitHub lacks; those that somebody
// has added are none.
func (s *Runner) compareLabels(record instance.Record, listed []github.Label) {
	if lacks := github.Lacks(listed, register.AskedLabels(record)); len(lacks) > 0 {
		s.problem("its labels differ: GitHub does not list %s", strings.Join(lacks, ", "))
	}
}
