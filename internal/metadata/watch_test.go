package metadata

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestParseCloud(t *testing.T) {
	t.Parallel()
	for _, cloud := range []Cloud{AWS, GoogleCloud, Azure} {
		if got, err := ParseCloud(string(cloud)); err != nil || got != cloud {
			t.Errorf("%q: got %q and %v", cloud, got, err)
		}
	}
	for _, name := range []string{"", "AWS", "aws ", "auto", "google", "openstack"} {
		if got, err := ParseCloud(name); err == nil || got != "" || !strings.Contains(err.Error(), `known are "aws", "gcp" and "azure"`) {
			t.Errorf("%q: got %q and %v, want an error with the known ones", name, got, err)
		}
	}
}

func TestAwaitUnknownCloud(t *testing.T) {
	t.Parallel()
	if _, err := Await(t.Context(), "auto", Notice{}, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), `unknown cloud "auto"`) {
		t.Errorf("got %v, want an error about the cloud", err)
	}
}

// TestAwaitWhereNoNoticeIs holds that nobody waits for ever for what cannot come.
func TestAwaitWhereNoNoticeIs(t *testing.T) {
	t.Parallel()
	if _, err := Await(t.Context(), OpenStack, Notice{}, slog.New(slog.DiscardHandler)); err == nil || err.Error() != `cloud "openstack" gives no notice` {
		t.Errorf("got %v, want an error that says it plainly", err)
	}
}

// TestRealValues holds what the other tests set otherwise.
func TestRealValues(t *testing.T) {
	t.Parallel()
	for _, cloud := range []Cloud{AWS, GoogleCloud, Azure} {
		w := newWatch(cloud, newService(), slog.New(slog.DiscardHandler))
		if w.pace != 5*time.Second || w.longest != 30*time.Second || w.source == nil {
			t.Errorf("%s: asked every %s, after errors %s at last, by %T", cloud, w.pace, w.longest, w.source)
		}
	}
}

// script is a source that does one thing each turn, and gives notice when it has done all.
type script struct {
	begin time.Time
	turns []func() error
	asked []time.Duration // since begin
}

var errScript = errors.New("script failed")

func fails() error  { return errScript }
func silent() error { return nil }
func beside() error { return &besideError{errScript} }

func (s *script) ask(ctx context.Context) (*Notice, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.asked = append(s.asked, time.Since(s.begin))
	if len(s.asked) > len(s.turns) {
		return &Notice{Reason: "end of script"}, nil
	}
	return nil, s.turns[len(s.asked)-1]()
}

// record is a log that may be written while it is read.
type record struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (r *record) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.Write(p)
}

func (r *record) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.String()
}

func (r *record) count(text string) int { return strings.Count(r.String(), text) }

func (r *record) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(r, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

func TestPace(t *testing.T) {
	t.Parallel()
	slow := func() error { time.Sleep(60 * time.Second); return nil }
	slower := func() error { time.Sleep(2 * time.Second); return nil }
	slowFailure := func() error { time.Sleep(3 * time.Second); return errScript }
	for name, c := range map[string]struct {
		turns []func() error
		want  []int // seconds
	}{
		"at once":                       {nil, []int{0}},
		"every 5 s":                     {[]func() error{silent, silent, silent}, []int{0, 5, 10, 15}},
		"from begin to begin":           {[]func() error{slower, slower}, []int{0, 5, 10}},
		"a question that waits":         {[]func() error{silent, slow, slow}, []int{0, 5, 65, 125}},
		"errors":                        {[]func() error{fails, fails, fails, fails, fails, fails}, []int{0, 5, 15, 35, 65, 95, 125}},
		"errors that take their time":   {[]func() error{slowFailure, slowFailure}, []int{0, 8, 21}},
		"errors beside an answer":       {[]func() error{beside, beside, beside}, []int{0, 5, 10, 15}},
		"as before after errors":        {[]func() error{fails, fails, silent, silent}, []int{0, 5, 15, 20, 25}},
		"errors after errors were over": {[]func() error{fails, fails, silent, fails, fails}, []int{0, 5, 15, 20, 25, 35}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := &script{begin: time.Now(), turns: c.turns}
				w := newWatch(AWS, newService(), slog.New(slog.DiscardHandler))
				w.source = s
				notice, err := w.run(t.Context(), Notice{})
				if err != nil || notice.Reason != "end of script" {
					t.Errorf("got %+v and %v", notice, err)
				}
				var got []int
				for _, at := range s.asked {
					got = append(got, int(at/time.Second))
				}
				if !slices.Equal(got, c.want) {
					t.Errorf("asked after %v s, want %v", got, c.want)
				}
			})
		})
	}
}

func TestErrorsAreLoggedOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		other := func() error { return errors.New("another thing failed") }
		var log record
		w := newWatch(Azure, newService(), log.logger())
		w.source = &script{begin: time.Now(), turns: []func() error{fails, fails, silent, fails, other, other, other, fails}}
		if _, err := w.run(t.Context(), Notice{}); err != nil {
			t.Fatal(err)
		}
		for text, want := range map[string]int{
			"level=WARN": 3, "level=DEBUG": 4, "script failed": 4, "another thing failed": 3, "cloud=azure": 7,
		} {
			if got := log.count(text); got != want {
				t.Errorf("%d lines with %q, want %d in\n%s", got, text, want, log.String())
			}
		}
	})
}

// both is a source that gives notice, though something else that it asked failed.
type both struct{}

func (both) ask(context.Context) (*Notice, error) { return &Notice{Reason: "both"}, errScript }

func TestNoticeDespiteError(t *testing.T) {
	t.Parallel()
	var log record
	w := newWatch(AWS, newService(), log.logger())
	w.source = both{}
	if notice, err := w.run(t.Context(), Notice{}); err != nil || notice.Reason != "both" {
		t.Errorf("got %+v and %v, want the notice", notice, err)
	}
	if log.count("script failed") != 1 {
		t.Errorf("the error was not logged once: %s", log.String())
	}
}

func TestContextEndsThePause(t *testing.T) {
	t.Parallel()
	for name, turn := range map[string]func() error{"silent": silent, "failing": fails} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				begin := time.Now()
				ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
				defer cancel()
				s := &script{begin: begin, turns: []func() error{turn, turn}}
				w := newWatch(AWS, newService(), slog.New(slog.DiscardHandler))
				w.source = s
				if _, err := w.run(ctx, Notice{}); !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("got %v, want the error of the context", err)
				}
				if took := time.Since(begin); took != 3*time.Second || len(s.asked) != 1 {
					t.Errorf("asked %d times and ended after %s, want once and 3s", len(s.asked), took)
				}
			})
		})
	}
}

func TestEndedContextAsksNothing(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var log record
	w := newWatch(AWS, newService(), log.logger())
	w.source = both{}
	if notice, err := w.run(ctx, Notice{}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %+v and %v, want the error of the context", notice, err)
	}
	if log.String() != "" {
		t.Errorf("logged %s", log.String())
	}
}

// TestOver: what stood is over when there is nothing twice in a row; a sleep also where nobody answers for ten minutes.
func TestOver(t *testing.T) {
	t.Parallel()
	stands := func() error { return errStands }
	many := func(turn func() error, n int) []func() error { return slices.Repeat([]func() error{turn}, n) }
	for name, c := range map[string]struct {
		kind  Kind
		turns []func() error
		want  time.Duration
	}{
		"at once":               {Sleeps, []func() error{silent, silent}, 5 * time.Second},
		"after a while":         {Waits, append(many(stands, 3), silent, silent), 20 * time.Second},
		"one answer is none":    {Waits, []func() error{silent, stands, silent, fails, silent, silent}, 25 * time.Second},
		"nobody answers":        {Sleeps, many(fails, 100), 10 * time.Minute},
		"nobody answers at all": {Waits, append(many(fails, 100), silent, silent), 2935*time.Second + 10*time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				standing := Notice{Cloud: AWS, Kind: c.kind, Reason: "stands"}
				begin := time.Now()
				w := newWatch(AWS, newService(), slog.New(slog.DiscardHandler))
				w.source = &standingScript{script{begin: begin, turns: c.turns}, standing}
				notice, err := w.run(t.Context(), standing)
				if off := (time.Since(begin) - c.want).Abs(); notice != (Notice{}) || err != nil || off > 40*time.Second || c.want < time.Minute && off > 0 {
					t.Errorf("got %+v and %v after %s, want %s", notice, err, time.Since(begin), c.want)
				}
			})
		})
	}
}

var errStands = errors.New("it stands")

// standingScript is a script in which errStands is a notice.
type standingScript struct {
	script
	notice Notice
}

func (s *standingScript) ask(ctx context.Context) (*Notice, error) {
	notice, err := s.script.ask(ctx)
	if errors.Is(err, errStands) {
		return &s.notice, nil
	}
	return notice, err
}
