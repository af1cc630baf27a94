package metadata

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/retry"
)

const (
	// pollInterval is as often as AWS recommends, and less than what Azure allows.
	// The shortest notice that anybody gives is 30 s.
	pollInterval = 5 * time.Second
	// over is how often in a row there is to be nothing until what stood is over: one answer may
	// come from a service that is just starting again.
	over = 2
	// deaf is how often in a row a service that fails is asked about a sleep: that is ten minutes.
	deaf = 22
	// past is how long after its time a sleep that was announced has been: who hears of it then is awake again.
	past = 2 * time.Minute
	// longestPause is how long a service that fails is left alone at last.
	longestPause = 30 * time.Second
)

// besideError is that of a question beside another, more urgent one that was answered, and is not left alone for it.
type besideError struct{ error }

func (e *besideError) Unwrap() error { return e.error }

// source is one cloud's way to give notice. It may return a notice and an error, if
// it asks several things.
type source interface {
	ask(ctx context.Context) (*Notice, error)
}

// watch asks a source again and again.
type watch struct {
	source  source
	pace    time.Duration // from the beginning of a turn to that of the next
	longest time.Duration // the longest pause after errors
	log     *slog.Logger
	told    string // the error that was logged last
}

func newWatch(cloud Cloud, s *service, log *slog.Logger) *watch {
	w := &watch{pace: pollInterval, longest: longestPause, log: log.With("cloud", string(cloud))}
	switch cloud {
	case AWS:
		w.source = &aws{service: s}
	case GoogleCloud:
		w.source = &google{service: s}
	case Azure:
		w.source = &azure{service: s}
	default: // Await lets none through that gives no notice
	}
	return w
}

// run is Await.
func (w *watch) run(ctx context.Context, standing Notice) (Notice, error) {
	failures, nothing := 0, 0
	for ctx.Err() == nil {
		begin := time.Now()
		notice, err := w.source.ask(ctx)
		if err != nil && ctx.Err() == nil {
			w.tell(ctx, err)
		}
		switch {
		case notice != nil && !notice.same(standing):
			return *notice, nil
		case notice != nil:
			failures, nothing = 0, 0
		case err != nil:
			failures, nothing = failures+1, 0
		default:
			failures, nothing = 0, nothing+1
		}
		if standing != (Notice{}) && (nothing >= over || standing.Kind == Sleeps && failures >= deaf) {
			return Notice{}, nil
		}
		wait := time.Until(begin.Add(w.pace)) // a question that waited for its answer has done our waiting
		if beside := (*besideError)(nil); failures > 0 && !errors.As(err, &beside) {
			wait = retry.Backoff{First: w.pace, Most: w.longest}.Wait(failures)
		}
		_ = retry.Sleep(ctx, wait) // that ctx has ended is seen next
	}
	return Notice{}, ctx.Err()
}

// tell logs an error so that a service which fails for days does not fill the log.
func (w *watch) tell(ctx context.Context, err error) {
	level := slog.LevelDebug
	if text := err.Error(); text != w.told {
		level, w.told = slog.LevelWarn, text
	}
	w.log.Log(ctx, level, "the metadata service cannot be asked about preemption", "error", err)
}
