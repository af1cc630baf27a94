package svc

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"
)

func TestRun(t *testing.T) {
	sentinel := errors.New("broken")
	untilAsked := func(ctx context.Context) error {
		select {
		case <-ctx.Done():
			return sentinel
		case <-time.After(10 * time.Second):
			return errors.New("never asked to end")
		}
	}
	undisturbed := func(ctx context.Context) error {
		select {
		case <-ctx.Done():
			return errors.New("asked to end")
		case <-time.After(100 * time.Millisecond):
			return nil
		}
	}
	for _, c := range []struct {
		name string
		body func(ctx context.Context) error
		stop bool // the caller's context ends while body runs
		want error
	}{
		{"ends by itself", func(context.Context) error { return nil }, false, nil},
		{"fails by itself", func(context.Context) error { return sentinel }, false, sentinel},
		{"left alone", undisturbed, false, nil},
		{"caller gives up", untilAsked, true, sentinel},
	} {
		// A test is started by a person or by a service manager; both ways have to be seen.
		for how, run := range map[string]func(context.Context, string, func(context.Context) error) error{"as started": Run, "managed": runManaged} {
			t.Run(c.name+" "+how, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				body := func(ctx context.Context) error {
					if c.stop {
						cancel()
					}
					return c.body(ctx)
				}
				ended := make(chan error, 1)
				go func() {
					ended <- run(ctx, "a", body)
				}()
				select {
				case err := <-ended:
					if !errors.Is(err, c.want) || c.want == nil && err != nil {
						t.Errorf("error is %v, not %v", err, c.want)
					}
				case <-time.After(10 * time.Second):
					t.Fatal("Run does not return")
				}
			})
		}
	}
}

func TestRunRefused(t *testing.T) {
	err := runManaged(t.Context(), "", func(context.Context) error { return nil })
	if err == nil || !strings.Contains(err.Error(), `running service ""`) {
		t.Errorf("error is %v", err)
	}
}

// TestProgram has a service manager call, where the other tests have a caller that gives up.
func TestProgram(t *testing.T) {
	sentinel := errors.New("broken")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	p := &program{
		run: func() error {
			<-ctx.Done()
			return sentinel
		},
		stop:  cancel,
		ended: make(chan struct{}),
	}
	if err := p.Start(nil); err != nil || p.stopping.Load() {
		t.Errorf("started: %v, stopping: %v", err, p.stopping.Load())
	}
	if err := p.Stop(nil); !errors.Is(err, sentinel) || !p.stopping.Load() {
		t.Errorf("stopped: %v, stopping: %v", err, p.stopping.Load())
	}
}
