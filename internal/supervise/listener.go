package supervise

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/reaper"
	"github.com/runner-bootstrap/runner-bootstrap/internal/register"
)

const (
	// tail is how long the last lines of an ended listener are waited for. Its
	// children, the self-update above all, may keep the pipe open longer.
	tail = 500 * time.Millisecond
	// maxLine bounds one line of output.
	maxLine = 64 << 10
)

// runListener starts the listener and returns how it ended. When ctx ends, the
// listener is stopped. The error is for a listener that could not be started.
func (s *supervisor) runListener(ctx context.Context) (ending, error) {
	output, input, err := os.Pipe()
	if err != nil {
		return ending{}, err
	}
	defer output.Close()
	//nolint:noctx // when the context ends it is asked to end, and has time for it
	cmd := exec.Command(filepath.Join(s.Root, "bin", listenerName), "run", "--startuptype", "service")
	cmd.Dir = s.Root
	cmd.Env = s.environment()
	cmd.Stdout, cmd.Stderr = input, input
	s.User.As(cmd)
	tie(cmd)

	s.begin()
	started, ended := make(chan error, 1), make(chan error, 1)
	go func() {
		// The kernel ties the listener's life to the thread that started it, so
		// that thread must live until the listener has ended.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			ended <- cmd.Wait()
		}
	}()
	err = <-started
	// The listener has its own copy; with ours open the pipe would never end.
	if closeErr := input.Close(); err != nil || closeErr != nil {
		return ending{}, errors.Join(err, closeErr)
	}
	s.Log.Info("listener started", "pid", cmd.Process.Pid, "user", s.User.Name)
	s.child = cmd.Process.Pid
	s.identify(s.child)
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		s.forward(output)
	}()
	over := make(chan struct{})
	go func() {
		err = <-ended
		close(over)
	}()
	if !s.await(ctx, over, s.mustStop) {
		s.stop(cmd, over)
	}
	// What is left of its process group has lost its listener. Only a self-update
	// has to outlive it.
	if code := cmd.ProcessState.ExitCode(); code != codeUpdating && code != codeUpdatingOnce {
		killGroup(cmd.Process)
	}
	select {
	case <-drained:
	case <-time.After(tail):
	}
	return s.ending(cmd, err)
}

// identify notes which process the listener is: if this one is killed, the next
// supervisor has to know.
func (t *tracker) identify(pid int) {
	if listener, err := reaper.Look(pid); err == nil {
		t.change(func(now *Change) { now.Listener = listener })
	}
}

// mustStop tells whether the listener is to be stopped now: a running job may
// finish, and an ephemeral runner then ends by itself.
func (s *supervisor) mustStop() bool {
	if !s.stopping() {
		return false
	}
	now := time.Now()
	switch done := s.doneAt(); {
	case s.stopNow:
		return true
	case s.snapshot().State == Busy:
		return s.draining() && !now.Before(s.deadline)
	case s.ephemeral && !done.IsZero():
		return !now.Before(done.Add(s.StopTimeout))
	default:
		return true
	}
}

// stop ends the listener as GitHub's own service does: an interrupt, on which
// it cancels its job and closes its session, and after a while the hard way.
func (s *supervisor) stop(cmd *exec.Cmd, over <-chan struct{}) {
	s.Log.Info("stopping the listener", "pid", cmd.Process.Pid, "timeout", s.StopTimeout)
	if err := askToEnd(cmd.Process); err != nil && !errors.Is(err, os.ErrProcessDone) {
		s.Log.Warn("cannot ask the listener to end", "error", err)
	}
	select {
	case <-over:
	case <-time.After(s.StopTimeout):
		s.Log.Warn("the listener did not end, killing it", "timeout", s.StopTimeout)
		killGroup(cmd.Process)
		<-over
	}
}

func (s *supervisor) ending(cmd *exec.Cmd, err error) (ending, error) {
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return ending{}, err
	}
	code := cmd.ProcessState.ExitCode()
	words := s.lastWords(cmd.ProcessState)
	s.change(func(now *Change) { now.ExitCode, now.LastWords, now.Trouble = &code, words, Trouble{} })
	s.Log.Info("listener ended", "exit_code", code)
	end := ending{code: code, ephemeral: s.ephemeral}
	s.tell(&end)
	return end, nil
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
	if info, err := tree.Lstat("bin"); err == nil && info.Mode()&fs.ModeSymlink != 0 {
		return nil
	}
	if _, err := tree.Stat(filepath.Join("bin", listenerName)); err != nil {
		return fmt.Errorf("looking for the listener: %w", err)
	}
	return nil
}
