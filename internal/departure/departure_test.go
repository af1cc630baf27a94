package departure

import (
	"log/slog"
	"math"
	"testing"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/metadata"
	"github.com/runner-bootstrap/runner-bootstrap/internal/supervise"
)

// Which order a notice makes: what names no time is bounded by the drain timeout alone.
func TestHeed(t *testing.T) {
	t.Parallel()
	now := time.Now()
	soon := metadata.Notice{Cloud: metadata.AWS, Reason: "it goes", At: now.Add(25 * time.Hour), Left: 2 * time.Minute}
	hook := metadata.Notice{Cloud: metadata.AWS, Reason: "its group ends it", Asks: true}
	google := metadata.Notice{Cloud: metadata.GoogleCloud, Reason: "preempted", Left: 30 * time.Second}
	late := metadata.Notice{Cloud: metadata.Azure, Reason: "it goes", At: now.Add(-time.Hour), Left: -time.Hour}
	sleep := metadata.Notice{Cloud: metadata.AWS, Kind: metadata.Sleeps, Reason: "it sleeps", At: now, Left: 2 * time.Minute}
	never := metadata.Notice{Cloud: metadata.AWS, Reason: "it goes", At: time.Time{}.Add(1), Left: math.MinInt64}
	ages := metadata.Notice{Cloud: metadata.AWS, Reason: "it goes", At: now, Left: math.MaxInt64}
	warm := metadata.Notice{Cloud: metadata.AWS, Kind: metadata.Waits, Reason: "it waits", Asks: true}
	for name, c := range map[string]struct {
		before, notice metadata.Notice
		kind           supervise.OrderKind
		left           time.Duration // until the deadline; zero for none
		up             time.Duration // of this machine; zero for unknown
		none           bool
	}{
		"by their clock, not ours": {notice: soon, kind: supervise.Preempt, left: 105 * time.Second},
		"no time":                  {notice: hook, kind: supervise.Preempt},
		"what all machines have":   {notice: google, kind: supervise.Preempt, left: 15 * time.Second},
		"over its time":            {notice: late, kind: supervise.Preempt, left: -time.Hour - 15*time.Second},
		"over, and up then":        {notice: late, up: 2 * time.Hour, kind: supervise.Preempt, left: -time.Hour - 15*time.Second},
		"before it was up":         {notice: late, up: time.Minute, kind: supervise.Preempt, left: 15 * time.Second},
		"before all times":         {notice: never, kind: supervise.Preempt, left: math.MinInt64},
		"before all times, and up": {notice: never, up: time.Hour, kind: supervise.Preempt, left: 105 * time.Second},
		"after all times":          {notice: ages, kind: supervise.Preempt, left: math.MaxInt64 - 15*time.Second},
		"a sleep":                  {notice: sleep, kind: supervise.Hold, left: 105 * time.Second},
		"a warm pool":              {notice: warm, kind: supervise.Hold},
		"a time after none":        {before: hook, notice: soon, kind: supervise.Preempt, left: 105 * time.Second},
		"gone after a sleep":       {before: sleep, notice: hook, kind: supervise.Preempt},
		"awake":                    {before: sleep, kind: supervise.Release},
		"in service":               {before: warm, kind: supervise.Release},
		"called off":               {before: hook, none: true},
	} {
		w := &Watcher{Log: slog.New(slog.DiscardHandler), standing: c.before}
		if c.up > 0 {
			w.Age = func() (time.Duration, bool) { return c.up, true }
		}
		order, is := w.heed(c.notice, now)
		if is == c.none {
			t.Errorf("%s: an order: %v", name, is)
			continue
		}
		if c.none {
			continue
		}
		left := time.Duration(0)
		if !order.Deadline.IsZero() {
			left = order.Deadline.Sub(now)
		}
		if order.Kind != c.kind || left != c.left || order.Reason == "" {
			t.Errorf("%s: %+v, %s left", name, order, left)
		}
		if w.standing != c.notice {
			t.Errorf("%s: what stands is %+v", name, w.standing)
		}
	}
}

// Where nothing is to be watched, nothing is asked.
func TestOff(t *testing.T) {
	t.Parallel()
	for _, preemption := range []string{"", Off, "gcp", "azure"} {
		w := &Watcher{Preemption: preemption, Log: slog.New(slog.DiscardHandler)}
		if held := w.Held(t.Context()); held != "" {
			t.Errorf("%q: held, as %s", preemption, held)
		}
		if preemption == "" || preemption == Off {
			w.Run(t.Context()) // and ends
		}
	}
}
