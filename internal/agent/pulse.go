package agent

import (
	"context"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/retry"
)

const (
	pulseEach = 5 * time.Second
	// pulseMissed is how many naps a supervisor may say nothing: three minutes. Stopping a listener, and what it has left,
	// is what it does longest without a word.
	pulseMissed = 36
	// maxStacks bounds what is told of one that hangs.
	maxStacks = 64 << 10
)

// pulse notices that a supervisor hangs. It counts naps instead of reading a clock: on a machine that did not run
// for hours one nap has passed, whatever its clock says, and a supervisor that did not run with it is no hang.
// The service manager cannot tell the two apart, so its watchdog is for what ours cannot see.
type pulse struct {
	beats atomic.Int64 // since the supervisor began; zero before
	ended atomic.Bool
}

// beat says that the supervisor is in order.
func (p *pulse) beat() { p.beats.Add(1) }

// end says that it has ended, and that nothing is to be missed any more.
func (p *pulse) end() { p.ended.Store(true) }

// missed waits until the supervisor hangs, and returns where everything in this process stands; empty if ctx ended before.
func (p *pulse) missed(ctx context.Context) string {
	last, silent := p.beats.Load(), 0
	for silent < pulseMissed {
		if retry.Sleep(ctx, pulseEach) != nil {
			return ""
		}
		now := p.beats.Load()
		if silent++; now != last || now == 0 || p.ended.Load() {
			last, silent = now, 0
		}
	}
	stacks := make([]byte, maxStacks)
	return string(stacks[:runtime.Stack(stacks, true)])
}
