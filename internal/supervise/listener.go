package supervise

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/folders"
	"github.com/runner-bootstrap/runner-bootstrap/internal/jail"
	"github.com/runner-bootstrap/runner-bootstrap/internal/register"
)

const (
	// tail is how long the last lines of an ended listener are waited for. Its
	// children, the self-update above all, may keep the pipe open longer.
	tail = 500 * time.Millisecond
	// endTime is how long the end of a life is waited for: only what hangs in the kernel needs any.
	endTime = time.Minute
	// maxLine bounds one line of output.
	maxLine = 64 << 10
)

// runListener starts the listener, in a life of its own, and returns how it ended. When ctx ends, the
// listener is stopped. The error is for a listener that could not be started.
func (s *supervisor) runListener(ctx context.Context) (ending, error) {
	output, input, err := os.Pipe()
	if err != nil {
		return ending{}, err
	}
	defer output.Close()
	spec := s.Life
	spec.Argv = []string{filepath.Join(s.Root, "bin", listenerName), "run", "--startuptype", "service"}
	spec.Env, spec.Dir, spec.User, spec.Output = s.environment(), s.Root, s.User, input
	// The script of a self-update has to outlive the listener.
	spec.Grace, spec.Outlive, spec.OutliveTime = s.StopTimeout, []int{codeUpdating, codeUpdatingOnce}, s.Backoff.Update
	s.begin()
	s.launched, s.awaited = time.Now(), time.Time{}
	var life jail.Life
	err = s.during(ctx, func(ctx context.Context) (err error) {
		life, err = s.Jail.Start(ctx, spec)
		return err
	})
	// The listener has its own copy; with ours open the pipe would never end.
	if closeErr := input.Close(); err != nil || closeErr != nil {
		return ending{}, errors.Join(err, closeErr)
	}
	s.life = life
	main := life.Main()
	s.Log.Info("listener started", "pid", main.PID, "user", s.User.Name)
	if main.Start != 0 { // if this process is killed, the next supervisor has to know
		s.change(func(now *Change) { now.Listener = main })
	}
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		s.forward(output)
	}()
	over := make(chan struct{})
	var exit jail.Exit
	go func() {
		defer close(over)
		exit, err = life.Wait()
	}()
	if !s.await(ctx, over, s.mustStop) {
		s.stop(ctx, life, over)
	}
	// What is left of it has lost its listener. Only a self-update has to outlive it.
	if exit.Code != codeUpdating && exit.Code != codeUpdatingOnce {
		s.endLife(ctx)
	}
	select {
	case <-drained:
	case <-time.After(tail):
	}
	if err != nil {
		return ending{}, err
	}
	return s.ending(exit), nil
}

// mustStop tells whether the listener is to be stopped now: a running job may
// finish, one that has just come may begin, and an ephemeral runner then ends by
// itself.
func (s *supervisor) mustStop() bool {
	if !s.stopping() {
		return false
	}
	now := time.Now()
	switch done := s.doneAt(); {
	case s.stopNow:
		return true
	case s.snapshot().State == Busy:
		s.awaited = time.Time{}
		return s.draining() && !now.Before(s.end())
	case s.ephemeral && !done.IsZero():
		return !now.Before(done.Add(s.StopTimeout))
	default:
		end := s.end()
		late := !end.IsZero() && !now.Before(end)
		return late || !takesJob(s, now)
	}
}

// stop ends the listener as GitHub's own service does: an interrupt, on which
// it cancels its job and closes its session, and after a while the hard way.
func (s *supervisor) stop(ctx context.Context, life jail.Life, over <-chan struct{}) {
	s.Log.Info("stopping the listener", "pid", life.Main().PID, "timeout", s.StopTimeout)
	if err := life.Interrupt(); err != nil {
		s.Log.Warn("cannot ask the listener to end", "error", err)
	}
	limit := time.NewTimer(s.StopTimeout)
	defer limit.Stop()
	for {
		select {
		case <-over:
			return
		case o := <-s.Orders:
			hurried := s.stopNow && o.Kind == StopNow
			s.handleCommand(o)
			if !hurried {
				continue
			}
			s.Log.Warn("killing the listener, as it was asked to end at once again")
		case <-limit.C:
			s.Log.Warn("the listener did not end, killing it", "timeout", s.StopTimeout)
		}
		s.endLife(ctx)
		<-over
		return
	}
}

// endLife ends what the listener and its jobs have left running, so that nothing of one
// job sees the next registration. It tells whether nothing is left; otherwise it is to be
// tried again.
func (s *supervisor) endLife(ctx context.Context) bool {
	if s.life == nil {
		return true
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), endTime)
	defer cancel()
	if err := s.life.End(ctx); err != nil {
		s.Log.Warn("cannot end what a job has left running", "error", err)
		return false
	}
	s.life = nil
	return true
}

func (s *supervisor) ending(exit jail.Exit) ending {
	words := s.lastWords(exit)
	s.change(func(now *Change) { now.ExitCode, now.LastWords, now.Trouble = &exit.Code, words, Trouble{} })
	s.jobIsLost()
	s.Log.Info("listener ended", "exit_code", exit.Code)
	end := ending{code: exit.Code, ephemeral: s.ephemeral}
	s.tell(&end)
	return end
}

// forward reads the output until every holder of the pipe has closed it. Of a
// line that is too long only the beginning counts.
func (t *tracker) forward(output io.Reader) {
	lines := bufio.NewReaderSize(output, maxLine)
	begins := true
	for {
		line, continued, err := lines.ReadLine()
		if err != nil {
			return
		}
		if text := strings.TrimSpace(string(line)); begins && text != "" {
			t.read(text)
		}
		begins = !continued
	}
}

// environment is what the listener starts with. Its PATH is the one in the
// file .path, which config.sh has written and an operator may have edited, as
// with the stock service; the listener itself loads .env, which is too late for
// what .NET reads when it starts.
func (s *supervisor) environment() []string {
	environment := append(s.User.Environment(s.Root, s.Environment...), "ACTIONS_RUNNER_RETURN_VERSION_DEPRECATED_EXIT_CODE=1")
	text, err := register.ReadFile(s.Root, ".path")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		s.Log.Warn("cannot read .path", "error", err)
	}
	path, _, _ := strings.Cut(string(text), "\n")
	if path = strings.TrimSpace(path); path != "" {
		environment = append(environment, "PATH="+path)
	}
	return environment
}

// CheckListener tells whether root holds a listener that user can start.
func CheckListener(root string) error {
	tree, err := os.OpenRoot(root)
	if err != nil {
		return fmt.Errorf("looking for the listener: %w", err)
	}
	defer tree.Close()
	// After a self-update bin is an absolute link, which a confined look-up
	// refuses to follow; that one is enough to know.
	if folders.IsLink(tree, "bin") {
		return nil
	}
	if _, err := tree.Stat(filepath.Join("bin", listenerName)); err != nil {
		return fmt.Errorf("looking for the listener: %w", err)
	}
	return nil
}
