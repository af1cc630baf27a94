package main

import "github.com/runner-bootstrap/runner-bootstrap/internal/supervise"

// queued passes orders on, one after the other, until ended is closed. It takes in the next ones meanwhile, however many: who hears what
// a supervisor is told is not kept waiting by one that is busy.
func queued(said <-chan supervise.Order, ended <-chan struct{}) <-chan supervise.Order {
	passed := make(chan supervise.Order)
	go func() {
		var waiting []supervise.Order
		for {
			var taken chan<- supervise.Order
			var next supervise.Order
			if len(waiting) > 0 {
				taken, next = passed, waiting[0]
			}
			select {
			case <-ended:
				return
			case taken <- next:
				waiting = waiting[1:]
			case order := <-said:
				waiting = append(waiting, order)
			}
		}
	}()
	return passed
}
