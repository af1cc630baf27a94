package jobobject

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

// lookEach is how often a job object is looked at whose program has ended.
const lookEach = 100 * time.Millisecond

// Command is a program to start.
type Command struct {
	Argv   []string // the program, by its absolute path, and its arguments
	Env    []string // "KEY=VALUE"
	Dir    string   // where it starts, an absolute path
	Output *os.File // gets what it writes; nil: nobody does
	// Outlive are exit codes after which what it has started goes on until End.
	Outlive []int
}

// Life is a program with all that it has started.
type Life struct {
	cmd     *exec.Cmd
	job     *Job
	outlive []int
	over    chan struct{} // the program has ended
	gone    chan struct{}
	ended   chan struct{} // End was called
	once    sync.Once
}

// Run starts a program in a job object of its own. The error is that of [exec.Cmd.Start] where it cannot be started.
func Run(c Command) (*Life, error) {
	//nolint:noctx,gosec // it is interrupted, and has time for it; the program is what it is for
	cmd := exec.Command(c.Argv[0], c.Argv[1:]...)
	cmd.Dir, cmd.Env = filepath.Clean(c.Dir), c.Env
	if c.Output != nil {
		cmd.Stdout, cmd.Stderr = c.Output, c.Output
	}
	job, err := Start(cmd)
	if err != nil {
		return nil, err
	}
	life := &Life{
		cmd: cmd, job: job, outlive: c.Outlive, over: make(chan struct{}), gone: make(chan struct{}), ended: make(chan struct{}),
	}
	go life.watch()
	return life, nil
}

func (l *Life) watch() {
	_ = l.cmd.Wait() // how it ended is read from its state
	close(l.over)
	if !slices.Contains(l.outlive, l.Code()) {
		_ = l.job.Kill() // End says why that fails
	}
	defer close(l.gone)
	for {
		if left, err := l.job.Active(); err == nil && left == 0 {
			return
		}
		select {
		case <-l.ended:
			return
		case <-time.After(lookEach):
		}
	}
}

// PID is the program as Windows numbers it.
func (l *Life) PID() int { return l.cmd.Process.Pid }

// Ended is closed when the program has ended.
func (l *Life) Ended() <-chan struct{} { return l.over }

// Gone is closed when the program has ended and nothing that it has started runs any more.
func (l *Life) Gone() <-chan struct{} { return l.gone }

// Code is the program's exit code; it is to be read when the program has ended.
func (l *Life) Code() int { return l.cmd.ProcessState.ExitCode() }

// Interrupt sends the program a Ctrl-C. One that has ended already is success.
func (l *Life) Interrupt() error {
	select {
	case <-l.over:
		return nil
	default:
		return Interrupt(l.cmd.Process.Pid)
	}
}

// End kills the program and all that it has started. After success nothing of it runs; it may be repeated.
func (l *Life) End(ctx context.Context) error {
	if err := l.job.Kill(); err != nil {
		return err
	}
	for {
		left, err := l.job.Active()
		if err != nil {
			return err
		}
		if left == 0 {
			break
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for the end of %d processes: %w", left, context.Cause(ctx))
		case <-time.After(lookEach / 10):
		}
	}
	l.once.Do(func() { close(l.ended) })
	select {
	case <-l.over:
		return l.job.Close()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
