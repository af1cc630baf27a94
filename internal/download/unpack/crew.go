package unpack

import (
	"context"
	"sync"
)

// crew runs work so many times at once and returns the first error, which ends
// the context of all. It returns when all have returned.
func crew(ctx context.Context, workers int, work func(ctx context.Context) error) error {
	within, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var all sync.WaitGroup
	for range workers {
		all.Go(func() {
			if err := work(within); err != nil {
				cancel(err) // the first one stays
			}
		})
	}
	all.Wait()
	return context.Cause(within)
}
