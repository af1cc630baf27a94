//go:build unix

package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/runner-bootstrap/runner-bootstrap/internal/supervise"
)

// orderSignals are the signals that ask a supervisor for something. SIGTERM and
// SIGINT also end its context.
func orderSignals() []os.Signal {
	return []os.Signal{syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGTERM, os.Interrupt}
}

// ignoreBrokenPipe has writing to a pipe without a reader fail, instead of ending this
// process. The signal is caught and not ignored, since programs that we start would
// inherit that: jobs expect that "yes | head" ends.
func ignoreBrokenPipe() { signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE) }

// orders makes orders of signals.
func orders(ctx context.Context, heard <-chan os.Signal) <-chan supervise.Order {
	made := make(chan supervise.Order)
	go func() {
		ending := false
		for {
			var order supervise.Order
			select {
			case <-ctx.Done():
				return
			case s := <-heard:
				switch {
				case s == syscall.SIGUSR1:
					order = supervise.Order{Kind: supervise.Drain, Reason: "SIGUSR1"}
				case s == syscall.SIGUSR2:
					order = supervise.Order{Kind: supervise.Resume, Reason: "SIGUSR2"}
				case s == os.Interrupt, ending:
					order = supervise.Order{Kind: supervise.StopNow, Reason: s.String()}
				default:
					ending = true
					continue
				}
			}
			select {
			case <-ctx.Done():
				return
			case made <- order:
			}
		}
	}()
	return made
}
