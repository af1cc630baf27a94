package jail

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/runner-bootstrap/runner-bootstrap/internal/account"
	"github.com/runner-bootstrap/runner-bootstrap/internal/jobobject"
	"github.com/runner-bootstrap/runner-bootstrap/internal/lifehost"
	"github.com/runner-bootstrap/runner-bootstrap/internal/reaper"
	"github.com/runner-bootstrap/runner-bootstrap/internal/removal"
	"github.com/runner-bootstrap/runner-bootstrap/internal/svc"
)

// processArguments is how many arguments there are where this program was started for a small part of its own, its name with them.
const processArguments = 3

// First is to be called before anything else, by each program that starts lives, with its own arguments. In a process that has a
// small part in a life, and was started for that, it returns when that is over, with the code to exit with; in every other it does
// nothing, and is false.
func First(arguments []string) (code int, first bool) {
	if code, is := jobobject.Interrupter(arguments); is {
		return code, true
	}
	if len(arguments) == processArguments && arguments[1] == svc.HostWord {
		//nolint:forbidigo // there is no other program in such a process
		return lifehost.Keep(arguments[2], os.Environ()), true
	}
	return 0, false
}

// Choose takes services, each with an account of its own, where the agent is a service itself. The error is about the folder.
func Choose(_ context.Context, o Options) (Maker, error) {
	if err := os.MkdirAll(o.Folder, 0o700); err != nil {
		return nil, fmt.Errorf("making the folder of lives: %w", err)
	}
	if o.Unit == "" {
		return byJob{}, nil
	}
	return byService{}, nil
}

// Clear removes the folder, in which lives have nothing here.
func Clear(_ context.Context, folder string) error { return removal.Path(folder) }

// Tasks is 0: nothing bounds them here.
func Tasks() int { return 0 }

// byJob starts a program in a job object, as the account of this process.
type byJob struct{}

func (byJob) Name() string { return JobObject }

func (byJob) Weaker() []string {
	return []string{"jobs run as the account that has started this program, and may do all that it may"}
}

// Prepare does nothing: there is nothing that a life needs beside its program.
func (byJob) Prepare(int) error { return nil }

// EndStale does nothing: the kernel ends a life with the process that has started it.
func (byJob) EndStale(context.Context, string) error { return nil }

func (byJob) Start(ctx context.Context, spec Spec) (Life, error) {
	if !spec.User.Self && spec.User.Name != "" {
		cause := fmt.Errorf("%w: only a service is started as %q", fs.ErrPermission, spec.User.Name)
		return nil, &StartError{Program: spec.Argv[0], Cause: cause}
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := spec.begins(0); err != nil {
		return nil, err
	}
	life, err := jobobject.Run(jobobject.Command{
		Argv: spec.Argv, Env: spec.Env, Dir: spec.Dir, Output: spec.Output, Outlive: spec.Outlive,
	})
	if err != nil {
		return nil, &StartError{Program: spec.Argv[0], Cause: err}
	}
	return kept{life}, nil
}

// byService has a service for each life, which was installed with the agent's and has the account of the jobs. It is started for the
// life, and stops with it.
type byService struct{ byJob }

func (byService) Name() string     { return Service }
func (byService) Weaker() []string { return nil }

// EndStale ends the service of an earlier life, which ends by itself soon after the agent that has started it.
func (byService) EndStale(ctx context.Context, name string) error {
	if err := lifehost.Stop(ctx, name); err != nil {
		return fmt.Errorf("ending what an earlier life of %q has left: %w", name, err)
	}
	return nil
}

func (m byService) Start(ctx context.Context, spec Spec) (Life, error) {
	if spec.User.Self {
		return m.byJob.Start(ctx, spec)
	}
	us, err := account.Lookup("")
	if err != nil {
		return nil, err
	}
	if err := m.EndStale(ctx, spec.Name); err != nil {
		return nil, err
	}
	if err := spec.begins(0); err != nil {
		return nil, err
	}
	life, err := lifehost.Start(ctx, lifehost.Command{
		Service: spec.Name, Argv: spec.Argv, Env: spec.Env, Dir: spec.Dir, Output: spec.Output, Outlive: spec.Outlive,
		Grace: spec.Grace, SIDs: []string{us.SID, spec.User.SID},
	})
	if err != nil {
		failed := &StartError{Program: spec.Argv[0], Cause: err}
		if refused := (*lifehost.RefusedError)(nil); !errors.As(err, &refused) {
			failed.Step = "service " + spec.Name
		}
		return nil, failed
	}
	return kept{life}, nil
}

// keptLife is a life that others keep.
type keptLife interface {
	PID() int
	Interrupt() error
	Ended() <-chan struct{}
	Gone() <-chan struct{}
	Code() int
	End(ctx context.Context) error
}

// kept is one in the words of this package.
type kept struct{ keptLife }

func (l kept) Main() reaper.Process { return reaper.Process{PID: l.PID()} }

func (l kept) Wait() (Exit, error) {
	<-l.Ended()
	return Exit{Code: l.Code()}, nil
}
