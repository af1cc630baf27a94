package agent

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestPulse: silence is missed after three minutes of naps, and only while a supervisor runs.
func TestPulse(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		do   func(p *pulse)
		want time.Duration // until it is missed; zero: not within a day
	}{
		"never begun": {func(*pulse) {}, 0},
		"beats each minute": {func(p *pulse) {
			for range 25 * 60 {
				p.beat()
				time.Sleep(time.Minute)
			}
		}, 0},
		"silent": {func(p *pulse) { p.beat() }, 3*time.Minute + pulseEach},
		"silent after an hour": {func(p *pulse) {
			for range 60 {
				p.beat()
				time.Sleep(time.Minute)
			}
		}, time.Hour + 2*time.Minute + pulseEach},
		"ended": {func(p *pulse) { p.beat(); p.end() }, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), 24*time.Hour)
				defer cancel()
				p, begin := &pulse{}, time.Now()
				go c.do(p)
				stacks := p.missed(ctx)
				took := time.Since(begin)
				if c.want == 0 && stacks != "" || c.want != 0 && ((took-c.want).Abs() > pulseEach || !strings.Contains(stacks, "goroutine ")) {
					t.Errorf("missed after %s, want %s: %.40q", took, c.want, stacks)
				}
				cancel()
				time.Sleep(26 * time.Hour) // until who beats has ended
			})
		})
	}
}
