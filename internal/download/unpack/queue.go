package unpack

import "sync"

// task is a folder to go through, or one file that is big enough to be a task of
// its own.
type task struct {
	folder int32
	file   int32 // entry; none if negative
}

// queue holds the tasks of several workers, who add to it while they work.
type queue struct {
	mu      sync.Mutex
	change  sync.Cond
	folders [][]task // of each worker, who takes the last one first: it has the folders above that open
	files   []task
	open    int // given out or waiting
	stopped bool
}

func newQueue(workers int, first task) *queue {
	q := &queue{folders: make([][]task, workers), open: 1}
	q.folders[0] = []task{first}
	q.change.L = &q.mu
	return q
}

func (q *queue) add(worker int, t task) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.open++
	if t.file < 0 {
		q.folders[worker] = append(q.folders[worker], t)
	} else {
		q.files = append(q.files, t)
	}
	q.change.Signal()
}

// next waits for a task. There is none when all are done, or after stop. The big
// files go first, lest one worker be left with them at the end.
func (q *queue) next(worker int) (task, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for {
		if q.stopped || q.open == 0 {
			return task{}, false
		}
		if t, ok := pop(&q.files); ok {
			return t, true
		}
		if t, ok := pop(&q.folders[worker]); ok {
			return t, true
		}
		// The first folder of another has the most in it.
		for other, theirs := range q.folders {
			if len(theirs) > 0 {
				q.folders[other] = theirs[1:]
				return theirs[0], true
			}
		}
		q.change.Wait()
	}
}

func pop(tasks *[]task) (t task, ok bool) {
	if n := len(*tasks); n > 0 {
		t, ok, *tasks = (*tasks)[n-1], true, (*tasks)[:n-1]
	}
	return t, ok
}

// done says that a task which was taken is done.
func (q *queue) done() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.open--; q.open == 0 {
		q.change.Broadcast()
	}
}

func (q *queue) stop() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.stopped = true
	q.change.Broadcast()
}
