package folders

import (
	"errors"
	"time"
)

// ErrSilent is a folder of a file system that does not answer, as one of a server that is away.
var ErrSilent = errors.New("its file system does not answer")

// answerWithin is how long an answer is waited for.
const answerWithin = 5 * time.Second

// Soon does what only asks, and does not wait for it any longer than an answer may take; late gets what comes after that. A call that waits
// for a file system cannot be ended, and stays until that answers, or is unmounted.
func Soon[T any](do func() T, late func(T)) (result T, answered bool) {
	return Within(answerWithin, do, late)
}

// Within is [Soon] for what does more than to ask.
func Within[T any](patience time.Duration, do func() T, late func(T)) (result T, answered bool) {
	const (
		asked = iota
		over
	)
	done, state := make(chan T), make(chan int, 1)
	state <- asked
	go func() {
		value := do()
		if <-state == over {
			late(value)
			return
		}
		done <- value
	}()
	select {
	case result = <-done:
		return result, true
	case <-time.After(patience):
	}
	select {
	case <-state:
		state <- over
		return result, false
	case result = <-done: // at this moment
		return result, true
	}
}
