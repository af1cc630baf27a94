package workers

import (
	"context"
	"sync"
)

// Queue holds the tasks of several workers, who add to it while they work.
type Queue[Task any] struct {
	mu      sync.Mutex
	change  sync.Cond
	own     [][]Task // of each worker
	first   []Task   // before those
	open    int      // given out or waiting
	stopped bool
}

// NewQueue is for so many workers, and has one task to begin with.
func NewQueue[Task any](workers int, begin Task) *Queue[Task] {
	q := &Queue[Task]{own: make([][]Task, workers), open: 1}
	q.own[0] = []Task{begin}
	q.change.L = &q.mu
	return q
}

// Add adds a task that a worker has found. That worker does its last task first, as it has at hand what that needs; a worker
// without tasks takes the first one of another, in which there is the most to do.
func (q *Queue[Task]) Add(worker int, t Task) { q.add(&q.own[worker], t) }

// AddFirst adds a task that is to be done before all of [Queue.Add], by the first worker who is free: a big one, with which
// no worker is to be left alone at the end.
func (q *Queue[Task]) AddFirst(t Task) { q.add(&q.first, t) }

func (q *Queue[Task]) add(to *[]Task, t Task) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.open++
	*to = append(*to, t)
	q.change.Signal()
}

// Work does tasks until all are done, one fails or the context ends.
func (q *Queue[Task]) Work(ctx context.Context, worker int, do func(Task) error) error {
	defer context.AfterFunc(ctx, q.stop)()
	for {
		t, ok := q.next(worker)
		if !ok {
			return ctx.Err()
		}
		if err := do(t); err != nil {
			return err
		}
		q.done()
	}
}

// next waits for a task. There is none when all are done, or after stop.
func (q *Queue[Task]) next(worker int) (t Task, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for !q.stopped && q.open > 0 {
		if t, ok = pop(&q.first); ok {
			return t, true
		}
		if t, ok = pop(&q.own[worker]); ok {
			return t, true
		}
		for other, theirs := range q.own {
			if len(theirs) > 0 {
				q.own[other] = theirs[1:]
				return theirs[0], true
			}
		}
		q.change.Wait()
	}
	return t, false
}

func pop[Task any](tasks *[]Task) (t Task, ok bool) {
	if n := len(*tasks); n > 0 {
		t, ok, *tasks = (*tasks)[n-1], true, (*tasks)[:n-1]
	}
	return t, ok
}

// done says that a task which was taken is done.
func (q *Queue[Task]) done() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.open--; q.open == 0 {
		q.change.Broadcast()
	}
}

func (q *Queue[Task]) stop() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.stopped = true
	q.change.Broadcast()
}
