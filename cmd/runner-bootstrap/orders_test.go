package main

import (
	"strconv"
	"testing"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/supervise"
)

// TestQueued: orders are taken in while nobody takes them, and arrive in their order.
func TestQueued(t *testing.T) {
	t.Parallel()
	const many = 20
	said, ended := make(chan supervise.Order), make(chan struct{})
	passed := queued(said, ended)
	for i := range many {
		select {
		case said <- supervise.Order{Kind: supervise.Drain, Reason: strconv.Itoa(i)}:
		case <-time.After(30 * time.Second):
			t.Fatalf("order %d is not taken in", i)
		}
	}
	for i := range many {
		if got := <-passed; got.Reason != strconv.Itoa(i) {
			t.Errorf("order %d is %+v", i, got)
		}
	}
	close(ended)
}
