package main

import (
	"context"
	"errors"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/plan"
	"github.com/runner-bootstrap/runner-bootstrap/internal/register"
	"github.com/runner-bootstrap/runner-bootstrap/internal/retry"
)

// mending says whether time mends what stops an install. Each cause has its own: see [meanings].
type mending int

const (
	_ mending = iota // nobody has decided
	// never: a person has to change something.
	never
	// later: a machine that nobody watches tries again, as what is missing may come, or what is in the way go. A person is
	// told at once.
	later
	// soon: it belongs to the first minutes of a machine, or to a bad day of GitHub's. A person's install tries again
	// too, while --timeout allows.
	soon
)

// serviceLook is the longest pause where a machine waits until it is in service.
const serviceLook = 20 * time.Second

// patienceOptions say for how long an install tries what may mend itself.
type patienceOptions struct{ keepTrying bool }

func (o *patienceOptions) options() []option {
	return []option{{
		name: "keep-trying", once: true, commands: "install",
		usage: "for machines that nobody watches: try again, with growing pauses, until there is a runner " +
			"or an error that waiting cannot mend; --timeout is then for each attempt",
		on: &o.keepTrying,
	}}
}

// patience tries again for one call.
type patience struct {
	call   *session
	keep   bool // for as long as it takes
	pauses retry.Backoff
}

// patiently does it again after a cause that time mends.
func patiently(call *session, attempt func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		if optionsOf[outputOptions](call).dryRun {
			return attempt(ctx) // it answers what is now
		}
		ctx, stop := interruptible(ctx, func() {})
		defer stop()
		pauses := retry.Backoff{First: 2 * time.Second, Most: 30 * time.Second}
		p := patience{call: call, keep: optionsOf[patienceOptions](call).keepTrying, pauses: pauses}
		if p.keep {
			p.pauses = retry.Backoff{First: 5 * time.Second, Most: 5 * time.Minute}
		} else {
			var cancel func()
			ctx, cancel = context.WithTimeout(ctx, optionsOf[callOptions](call).timeout)
			defer cancel()
		}
		return p.repeat(ctx, attempt)
	}
}

// repeat ends with the last cause that says something: that the time was over while it was tried once more does not.
func (p patience) repeat(ctx context.Context, attempt func(context.Context) error) error {
	call := p.call
	restore := keepVariables()
	var before error
	for n := 1; ; n++ {
		err := attempt(ctx)
		switch when := mends(call, err); {
		case err == nil || call.interrupted:
			return err
		case ctx.Err() != nil && before != nil && errors.Is(err, context.DeadlineExceeded):
			return before
		case ctx.Err() != nil, when == never, when == later && !p.keep:
			return err
		}
		pause := p.pauses.Jitter(n)
		if errors.Is(err, plan.ErrNotInService) {
			pause = min(pause, serviceLook) // jobs may be waiting by then, and the cloud does not mind
		}
		if end, bounded := ctx.Deadline(); bounded {
			pause = min(pause, time.Until(end)*3/4)
		}
		p.tellWait(err, before, pause)
		if retry.Sleep(ctx, pause) != nil {
			call.interrupted = errors.Is(ctx.Err(), context.Canceled)
			if call.interrupted {
				return ctx.Err()
			}
			return err
		}
		before = err
		restore()
	}
}

// keepVariables remembers the secrets of the environment: each attempt takes them out of it.
func keepVariables() (restore func()) {
	values := map[string]string{}
	for _, name := range secretVariables() {
		values[name] = os.Getenv(name)
	}
	return func() {
		for name, value := range values {
			_ = os.Setenv(name, value) // it was a name and a value before
		}
	}
}

// tellWait says once what is waited for, and again when that changes; each attempt is for those who read what is told beside that.
func (p patience) tellWait(err, before error, pause time.Duration) {
	tell := p.call.console.log.Warn
	if before != nil && kindOf(err) == kindOf(before) {
		tell = p.call.console.log.Info
	}
	about := []any{"cause", strings.ReplaceAll(err.Error(), "\n", " "), "pause", pause.Round(time.Second / 10).String()}
	if !p.keep {
		about = append(about, "timeout", optionsOf[callOptions](p.call).timeout.String())
	}
	tell("this may pass by itself; trying again", about...)
}

// kindOf is by what causes are told apart: the words of one may have numbers in them.
func kindOf(err error) string {
	if m := meaningOf(err); m != nil {
		return m.of.Error()
	}
	return err.Error()
}

// mends tells whether time mends what an install has failed with.
func mends(call *session, err error) mending {
	var usage *usageError
	switch m := meaningOf(err); {
	case err == nil || call.interrupted:
		return never
	case errors.As(err, &usage):
		return max(usage.when, never)
	case errors.Is(err, register.ErrTokenRefused) && !call.issued.registration.Empty():
		return never // it is the only one there is
	case lacking(err):
		return later // a server that does not know the operation will not learn it by tonight
	case m != nil:
		return m.when
	default:
		return later // nobody expected it, so it may pass; and a service manager may be busy with the boot
	}
}

func lacking(err error) bool {
	refused := refusedBy(err)
	return refused != nil && refused.Status == http.StatusNotImplemented
}
