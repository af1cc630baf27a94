package main

import (
	"context"
	"os"
	"os/signal"

	"github.com/runner-bootstrap/runner-bootstrap/internal/supervise"
)

// ignoreBrokenPipe has nothing to do: Windows has no such signal.
func ignoreBrokenPipe() {}

// hearSignals has an interrupt end the context that it returns, and be the order to end
// at once as well: Windows has no other signal. End gives it back.
func hearSignals(ctx context.Context) (stopping context.Context, orders <-chan supervise.Order, end func()) {
	heard := make(chan os.Signal, 1)
	signal.Notify(heard, os.Interrupt)
	stopping, stop := context.WithCancel(ctx)
	made, ended := make(chan supervise.Order, 1), make(chan struct{})
	go func() {
		select {
		case <-ended:
		case <-heard:
			stop()
			made <- supervise.Order{Kind: supervise.StopNow, Reason: "interrupt"}
		}
	}()
	return stopping, made, func() {
		signal.Stop(heard)
		stop()
		close(ended)
	}
}
