//go:build !linux && !windows

package jail

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"

	"github.com/runner-bootstrap/runner-bootstrap/internal/reaper"
	"github.com/runner-bootstrap/runner-bootstrap/internal/removal"
)

// First does nothing, and is false: only on Linux a life has a first process.
func First([]string) (code int, first bool) { return 0, false }

// Choose gives the only way that there is here. The error is about the folder.
func Choose(_ context.Context, o Options) (Maker, error) {
	if err := os.MkdirAll(o.Folder, 0o700); err != nil {
		return nil, fmt.Errorf("making the folder of lives: %w", err)
	}
	return byGroup{}, nil
}

// Clear removes the folder, in which lives have nothing here.
func Clear(_ context.Context, folder string) error { return removal.Path(folder) }

// Tasks is 0: nothing bounds them here.
func Tasks() int { return 0 }

// byGroup starts a program in a process group of its own, and ends that.
type byGroup struct{}

func (byGroup) Name() string { return Group }

func (byGroup) Weaker() []string {
	return []string{
		"jobs see the processes of this host, its temporary folders and all that the account may read",
		"a job's process that leaves its process group outlives the job",
	}
}

// Prepare does nothing: there is nothing that a life needs beside its program.
func (byGroup) Prepare(int) error { return nil }

func (byGroup) EndStale(context.Context, string) error { return nil }

func (byGroup) Start(ctx context.Context, spec Spec) (Life, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	//nolint:noctx,gosec // it is interrupted, and has time for it; the program is what it is for
	cmd := exec.Command(spec.Argv[0], spec.Argv[1:]...)
	cmd.Dir, cmd.Env = filepath.Clean(spec.Dir), spec.Env
	if spec.Output != nil {
		cmd.Stdout, cmd.Stderr = spec.Output, spec.Output
	}
	spec.User.As(cmd)
	if err := spec.begins(0); err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, &StartError{Program: spec.Argv[0], Cause: err}
	}
	life := &groupLife{cmd: cmd, outlive: spec.Outlive, over: make(chan struct{})}
	go life.wait()
	return life, nil
}

type groupLife struct {
	cmd     *exec.Cmd
	outlive []int
	over    chan struct{}
	once    sync.Once
	exit    Exit
}

func (l *groupLife) wait() {
	defer close(l.over)
	_ = l.cmd.Wait() // how it ended is read from its state
	l.exit = exitOf(l.cmd.ProcessState)
	for _, code := range l.outlive {
		if l.exit.Code == code {
			return
		}
	}
	l.kill()
}

// kill kills the group once: later its number may be another's.
func (l *groupLife) kill() { l.once.Do(func() { killGroup(l.cmd.Process) }) }

func (l *groupLife) Main() reaper.Process  { return reaper.Process{PID: l.cmd.Process.Pid} }
func (l *groupLife) Interrupt() error      { return interrupt(l.cmd.Process) }
func (l *groupLife) Gone() <-chan struct{} { return nil }

func (l *groupLife) Wait() (Exit, error) {
	<-l.over
	return l.exit, nil
}

func (l *groupLife) End(ctx context.Context) error {
	l.kill()
	select {
	case <-l.over:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
