package lifehost

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/svc/scm"
)

// Command is a program to start, and who keeps it.
type Command struct {
	Service string // which is installed, and at rest
	Argv    []string
	Env     []string
	Dir     string
	Output  *os.File
	Outlive []int         // see jobobject
	Grace   time.Duration // how long the program may take to end when this process has ended
	// SIDs are the accounts that may open the pipe beside SYSTEM and administrators: that of the service, and this process's.
	SIDs []string
}

// Stop returns when the service of a life is at rest: what it has started is ended by then.
func Stop(ctx context.Context, name string) error { return scm.Halt(ctx, name, hostGrace) }

// Start has a service start a program. After a failure the service is at rest. The error is a [*RefusedError] where the service has
// not been able to start the program.
func Start(ctx context.Context, c Command) (*Life, error) {
	life, err := start(ctx, c)
	if err != nil {
		return nil, errors.Join(err, Stop(context.WithoutCancel(ctx), c.Service))
	}
	go life.hear()
	return life, nil
}

// RefusedError says why a service has not started a program.
type RefusedError struct {
	Said  string
	Cause syscall.Errno // 0: it has no number
}

func (e *RefusedError) Error() string { return e.Said }

// Unwrap gives Windows' reason.
func (e *RefusedError) Unwrap() error {
	if e.Cause == 0 {
		return nil
	}
	return e.Cause
}

func start(ctx context.Context, c Command) (*Life, error) {
	ctx, cancel := context.WithTimeout(ctx, pipeTime)
	defer cancel()
	p, err := newPipe(accessFor(c.SIDs))
	if err != nil {
		return nil, err
	}
	failed := make(chan error, 1)
	go func() {
		err := scm.Start(ctx, c.Service, p.name)
		if err != nil {
			cancel()
		}
		failed <- err
	}()
	file, err := p.accept(ctx)
	if err != nil {
		cancel() // the start is not waited for either
	}
	if started := <-failed; started != nil || err != nil {
		if file != nil {
			_ = file.Close() // nothing was said on it
		}
		if started != nil && !errors.Is(started, context.Canceled) {
			err = started // which has ended the waiting
		}
		return nil, err
	}
	life := &Life{
		service: c.Service, talk: newTalk(file, maxReport),
		over: make(chan struct{}), gone: make(chan struct{}), empty: make(chan struct{}),
	}
	// A host that says nothing is given up: reading fails then.
	stop := context.AfterFunc(ctx, func() { _ = file.Close() })
	if err := life.begin(c); err != nil {
		if !stop() {
			err = context.Cause(ctx) // which is why nothing was heard
		}
		_ = file.Close() // what has failed is known
		return nil, err
	}
	if !stop() {
		return nil, context.Cause(ctx)
	}
	return life, nil
}

// accessFor lets SYSTEM, administrators and some accounts open a pipe.
func accessFor(sids []string) string {
	text := "D:P(A;;GA;;;SY)(A;;GA;;;BA)"
	for _, sid := range sids {
		if sid != "" {
			text += "(A;;GRGW;;;" + sid + ")"
		}
	}
	return text
}

// Life is a program that a service has started, with all that comes from it.
type Life struct {
	service string
	talk    *talk
	main    int
	mu      sync.Mutex // of what is said
	over    chan struct{}
	gone    chan struct{}
	empty   chan struct{} // the host has ended all, or is not there any more
	code    int
}

// begin has the host start the program. The host is the process that the service manager has started, and nobody else.
func (l *Life) begin(c Command) error {
	pid, err := client(l.talk.file)
	if err != nil {
		return err
	}
	now, err := scm.Look(l.service)
	if err != nil {
		return err
	}
	if now.PID != int(pid) {
		return fmt.Errorf("process %d answers in the place of the service, which is process %d", pid, now.PID)
	}
	output, err := give(c.Output, pid)
	if err != nil {
		return err
	}
	begin := beginning{
		Argv: c.Argv, Env: c.Env, Dir: c.Dir, Output: output, Outlive: c.Outlive, Grace: c.Grace,
	}
	if err := l.talk.out.Encode(order{Begin: &begin}); err != nil {
		return fmt.Errorf("telling the service what to start: %w", err)
	}
	var said report
	if err := l.talk.hear(&said); err != nil {
		return fmt.Errorf("waiting for the service's word: %w", err)
	}
	switch {
	case said.Failed != "":
		return &RefusedError{Said: said.Failed, Cause: said.Errno}
	case said.Main <= 0:
		return errors.New("the service does not say which process it has started")
	}
	l.main = said.Main
	return nil
}

// hear takes in what the host says until it says nothing more.
func (l *Life) hear() {
	l.code = -1
	over, gone, empty := once(l.over), once(l.gone), once(l.empty)
	for {
		var said report
		if l.talk.hear(&said) != nil {
			break // the host has ended
		}
		if said.Ended != nil {
			l.code = *said.Ended
			over()
		}
		if said.Gone || said.Empty {
			gone()
		}
		if said.Empty {
			empty()
		}
	}
	over() // one that was killed has taken all of its life with it
	gone()
	empty()
}

func once(c chan struct{}) func() { return sync.OnceFunc(func() { close(c) }) }

func (l *Life) say(o order) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.talk.out.Encode(o)
}

// PID is the program as Windows numbers it.
func (l *Life) PID() int { return l.main }

// Ended is closed when the program has ended.
func (l *Life) Ended() <-chan struct{} { return l.over }

// Gone is closed when the program has ended and nothing that it has started runs any more.
func (l *Life) Gone() <-chan struct{} { return l.gone }

// Code is the program's exit code, to be read when it has ended; -1 where nobody can say.
func (l *Life) Code() int { return l.code }

// Interrupt has the service send the program a Ctrl-C. One that has ended already is success.
func (l *Life) Interrupt() error {
	select {
	case <-l.over:
		return nil
	default:
	}
	if err := l.say(order{Interrupt: true}); err != nil {
		return fmt.Errorf("telling service %q to interrupt its program: %w", l.service, err)
	}
	return nil
}

// End has the service end the program and all that it has started, and stops it. It may be repeated.
func (l *Life) End(ctx context.Context) error {
	// One that does not take it is stopped, and then killed.
	_ = l.say(order{End: true})
	gently, cancel := context.WithTimeout(ctx, hostGrace)
	select {
	case <-l.empty:
	case <-gently.Done():
	}
	cancel()
	if err := Stop(ctx, l.service); err != nil {
		return fmt.Errorf("ending service %q: %w", l.service, err)
	}
	<-l.over                // the other end is gone, and so hear has ended
	_ = l.talk.file.Close() // its other end is gone
	return nil
}
