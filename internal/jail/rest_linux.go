package jail

import (
	"sync"
	"time"
)

// rest is what a program has left running, of which nobody tells when it has ended: it is looked for.
type rest struct {
	look, over *sync.Once
	none       chan struct{} // closed when there is nothing
	ended      chan struct{} // closed when nobody asks any more
}

// restPoll is how often is looked.
const restPoll = 200 * time.Millisecond

func newRest() rest {
	return rest{look: new(sync.Once), over: new(sync.Once), none: make(chan struct{}), ended: make(chan struct{})}
}

// gone is closed when empty is true some time after the channel over is closed, or the life was ended.
func (r rest) gone(over <-chan struct{}, empty func() bool) <-chan struct{} {
	r.look.Do(func() {
		go func() {
			defer close(r.none)
			select {
			case <-over:
			case <-r.ended:
				return
			}
			tick := time.NewTicker(restPoll)
			defer tick.Stop()
			for !empty() {
				select {
				case <-tick.C:
				case <-r.ended:
					return
				}
			}
		}()
	})
	return r.none
}

// end ends the looking: the life was ended, and there is nothing.
func (r rest) end() { r.over.Do(func() { close(r.ended) }) }
