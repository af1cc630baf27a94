package lifehost

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/windows"

	"github.com/runner-bootstrap/runner-bootstrap/internal/jobobject"
	"github.com/runner-bootstrap/runner-bootstrap/internal/svc/scm"
)

// hostGrace is how long a host that was told to end is waited for before it is killed.
const hostGrace = 20 * time.Second

// Keep is a process that keeps one life, as a service under the account of the jobs: it starts the program that the agent names, and
// ends with the agent. What comes over the pipe is all that it knows, beside its own environment.
func Keep(service string, environment []string) (code int) {
	err := scm.Run(service, scm.Body{
		Run: func(ctx context.Context, arguments []string, _ <-chan uint32) error {
			return keepLife(ctx, arguments, environment)
		},
		Final: func(error) (int, bool) { return 1, true },
	})
	if err != nil {
		return 1
	}
	return 0
}

func keepLife(ctx context.Context, arguments, environment []string) error {
	if len(arguments) != 1 || !strings.HasPrefix(arguments[0], `\\.\pipe\`) {
		return errors.New("this service is started by its agent, and by nobody else")
	}
	file, err := os.OpenFile(arguments[0], os.O_RDWR|windows.O_FILE_FLAG_OVERLAPPED, 0)
	if err != nil {
		return fmt.Errorf("reaching the agent: %w", err)
	}
	// It is left open until this process has ended: the reading below is given up by nothing else.
	t := newTalk(file, maxOrder)
	orders := t.orders()
	var o order
	select {
	case o = <-orders:
	case <-ctx.Done():
	}
	if o.Begin == nil {
		return errors.New("the agent has not said what to start")
	}
	life, err := beginHosted(o.Begin, environment)
	if err != nil {
		said := report{Failed: err.Error()}
		errors.As(err, &said.Errno)
		return errors.Join(err, t.out.Encode(said))
	}
	if err := t.out.Encode(report{Main: life.PID()}); err != nil {
		return errors.Join(err, life.End(context.WithoutCancel(ctx)))
	}
	return attend(ctx, t, orders, life, o.Begin.Grace)
}

func beginHosted(b *beginning, environment []string) (*jobobject.Life, error) {
	var output *os.File
	if b.Output != 0 {
		output = os.NewFile(b.Output, "output")
		defer output.Close() // the program has its own
	}
	return jobobject.Run(jobobject.Command{
		Argv: b.Argv, Env: ownFirst(environment, b.Env), Dir: b.Dir, Output: output, Outlive: b.Outlive,
	})
}

// ofAccount are the variables that the service manager gives a process by its account, and which the agent can only guess.
func ofAccount() []string {
	return []string{"APPDATA", "HOMEDRIVE", "HOMEPATH", "LOCALAPPDATA", "TEMP", "TMP", "USERDOMAIN", "USERNAME", "USERPROFILE"}
}

// ownFirst is the environment of a program: what the agent wants, and what this process has of its account.
func ownFirst(own, wanted []string) []string {
	var environment []string
	has := map[string]bool{}
	for _, variable := range own {
		name, _, _ := strings.Cut(variable, "=")
		if name = strings.ToUpper(name); slices.Contains(ofAccount(), name) {
			environment, has[name] = append(environment, variable), true
		}
	}
	for _, variable := range wanted {
		name, _, _ := strings.Cut(variable, "=")
		if !has[strings.ToUpper(name)] {
			environment = append(environment, variable)
		}
	}
	return environment
}

// orders are what the agent says, until it says nothing more.
func (t *talk) orders() <-chan order {
	said := make(chan order)
	go func() {
		defer close(said)
		for {
			var o order
			if t.hear(&o) != nil {
				return // the agent has ended
			}
			said <- o
		}
	}()
	return said
}

// attend does what the agent says until the life is over, and the agent has said so.
func attend(ctx context.Context, t *talk, orders <-chan order, life *jobobject.Life, grace time.Duration) error {
	over, gone := life.Ended(), life.Gone()
	for {
		select {
		case <-over:
			over = nil
			_ = t.out.Encode(ended(life)) // an agent that is gone is seen by its orders
		case <-gone:
			gone = nil
			_ = t.out.Encode(report{Gone: true}) // likewise
		case <-ctx.Done():
			return leave(life, grace)
		case o, alive := <-orders:
			switch {
			case !alive:
				return leave(life, grace)
			case o.Interrupt:
				_ = life.Interrupt() // it is killed when it does not end
			case o.End:
				err := life.End(context.WithoutCancel(ctx))
				said := ended(life)
				said.Empty = err == nil
				err = errors.Join(err, t.out.Encode(said))
				// The agent has this service stopped next, which is not to meet an end of its own.
				select {
				case <-ctx.Done():
				case <-orders:
				case <-time.After(hostGrace):
				}
				return err
			}
		}
	}
}

func ended(life *jobobject.Life) report {
	code := life.Code()
	return report{Ended: &code}
}

// leave ends a life that nobody waits for any more.
func leave(life *jobobject.Life, grace time.Duration) error {
	if life.Interrupt() == nil {
		select {
		case <-life.Ended():
		case <-time.After(grace):
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), hostGrace)
	defer cancel()
	return life.End(ctx)
}
