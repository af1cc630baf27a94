//go:build unix

package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/supervise"
	"github.com/runner-bootstrap/runner-bootstrap/internal/svc"
)

// ignoreBrokenPipe has writing to a pipe without a reader fail, instead of ending this
// process. The signal is caught and not ignored, since programs that we start would
// inherit that: jobs expect that "yes | head" ends.
func ignoreBrokenPipe() { signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE) }

// sameOrder is how long the same signal is no other one: who sends it to a process and to its group, as timeout does, means one.
const sameOrder = 20 * time.Millisecond

// hearSignals is the one who hears the signals of a supervisor, from its first moment on.
// The context that it returns ends with the first SIGTERM, after which the running job may
// finish, or with an interrupt. An interrupt, or whatever comes after SIGTERM, is the order
// to end at once as well. End gives the signals back.
func hearSignals(ctx context.Context, _ <-chan svc.Control) (stopping context.Context, orders <-chan supervise.Order, end func()) {
	heard := make(chan os.Signal, 8)
	signal.Notify(heard, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGTERM, os.Interrupt)
	stopping, stop := context.WithCancel(ctx)
	said, ended := make(chan supervise.Order), make(chan struct{})
	say := func(kind supervise.OrderKind, reason string) {
		select {
		case said <- supervise.Order{Kind: kind, Reason: reason}:
		case <-ended:
		}
	}
	go func() {
		terminated := false
		last, at := os.Signal(nil), time.Time{}
		for {
			var s os.Signal
			select {
			case <-ended:
				return
			case s = <-heard:
			}
			if s == last && time.Since(at) < sameOrder && (s == syscall.SIGTERM || s == os.Interrupt) {
				continue
			}
			last, at = s, time.Now()
			switch {
			case s == syscall.SIGUSR1:
				say(supervise.Drain, "SIGUSR1")
			case s == syscall.SIGUSR2:
				say(supervise.Resume, "SIGUSR2")
			case s == os.Interrupt, terminated:
				stop()
				say(supervise.StopNow, s.String())
			default:
				terminated = true
				stop()
			}
		}
	}()
	return stopping, queued(said, ended), func() {
		signal.Stop(heard)
		stop()
		close(ended)
	}
}
