package reaper

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"syscall"
	"time"
)

// errLeft is returned when processes live on although they were killed: they
// hang in the kernel, belong to somebody else, or multiply faster than they
// can be found.
var errLeft = errors.New("processes are left")

const (
	// interval is how often processes are looked at while they are waited for.
	interval = 20 * time.Millisecond
	// killing bounds the rounds of SIGKILL. The kernel ends a process within
	// milliseconds, or does not for as long as a device hangs.
	killing = 5 * time.Second
)

// hunt ends the processes that find finds.
type hunt struct {
	// find returns those that run now. None says that the search was sure to
	// find one if there was one; there may be nothing to find without it.
	find func() (running []Process, none bool, err error)
	ask  syscall.Signal   // what they get before SIGKILL, once each
	seen map[Process]bool // those that were signalled, without their user, which may change
	last error            // why a process could not be signalled
}

// until asks all that can be found to end and waits until they have. It
// returns false when the time is over or ctx ended before.
func (h *hunt) until(ctx context.Context, grace time.Duration) (gone bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, grace)
	defer cancel()
	return h.rounds(ctx, h.ask)
}

// kill kills all that can be found until there is nothing to find. It returns
// false when they are more than it can master, or ctx ended before.
func (h *hunt) kill(ctx context.Context) (gone bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, killing)
	defer cancel()
	return h.rounds(ctx, syscall.SIGKILL)
}

func (h *hunt) rounds(ctx context.Context, signal syscall.Signal) (gone bool, err error) {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		running, none, err := h.find()
		if err != nil || none {
			return none, err
		}
		for _, p := range running {
			h.send(p, signal)
		}
		for waiting := true; waiting; {
			select {
			case <-ctx.Done():
				return false, nil
			case <-ticker.C:
			}
			// Who was asked has time for it. Who is killed has not, and may have forked.
			waiting = signal != syscall.SIGKILL && slices.ContainsFunc(running, Process.alive)
		}
	}
}

func (h *hunt) send(p Process, signal syscall.Signal) {
	switch err := p.Signal(signal); {
	case errors.Is(err, os.ErrProcessDone):
	case err != nil:
		h.last = fmt.Errorf("sending %q to process %d: %w", signal, p.PID, err)
	default:
		h.seen[Process{PID: p.PID, Start: p.Start}] = true
	}
}

// result counts those that were signalled and are gone.
func (h *hunt) result(gone bool, err error) (ended int, _ error) {
	for p := range h.seen {
		if !p.alive() {
			ended++
		}
	}
	switch {
	case err != nil:
		return ended, err
	case gone:
		return ended, nil
	case h.last != nil:
		return ended, fmt.Errorf("%w: %w", errLeft, h.last)
	}
	return ended, errLeft
}
