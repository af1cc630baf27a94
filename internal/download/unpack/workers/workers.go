// Package workers has several goroutines do one piece of work, in parts that some of them may find while others work.
package workers

import (
	"context"
	"sync"
)

// Run runs work so many times at once, each with a number of its own from 0 on, and
// returns the first error, which ends the context of all. It returns when all have returned.
func Run(ctx context.Context, workers int, work func(ctx context.Context, number int) error) error {
	within, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var all sync.WaitGroup
	for number := range workers {
		all.Go(func() {
			if err := work(within, number); err != nil {
				cancel(err) // the first one stays
			}
		})
	}
	all.Wait()
	return context.Cause(within)
}
