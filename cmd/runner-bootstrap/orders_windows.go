package main

import (
	"context"
	"os"

	"github.com/runner-bootstrap/runner-bootstrap/internal/supervise"
)

// ignoreBrokenPipe has nothing to do: Windows has no such signal.
func ignoreBrokenPipe() {}

// orderSignals are none: Windows has no signals to ask with but the one that ends
// the context.
func orderSignals() []os.Signal { return []os.Signal{os.Interrupt} }

// orders makes an interrupt the order to hurry.
func orders(ctx context.Context, heard <-chan os.Signal) <-chan supervise.Order {
	made := make(chan supervise.Order, 1)
	go func() {
		select {
		case <-ctx.Done():
		case <-heard:
			made <- supervise.Order{Kind: supervise.StopNow, Reason: "interrupt"}
		}
	}()
	return made
}
