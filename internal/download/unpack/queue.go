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
	folders []task // the last one first: near to where the worker is
	files   []task
	open    int // given out or waiting
	stopped bool
}

func newQueue(first task) *queue {
	q := &queue{folders: []task{first}, open: 1}
	q.change.L = &q.mu
	return q
}

func (q *queue) add(t task) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.open++
	if t.file < 0 {
		q.folders = append(q.folders, t)
	} else {
		q.files = append(q.files, t)
	}
	q.change.Signal()
}

// next waits for a task. There is none when all are done, or after stop. The big
// files go first, lest one worker be left with them at the end.
func (q *queue) next() (task, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for {
		from := &q.files
		if len(*from) == 0 {
			from = &q.folders
		}
		switch n := len(*from); {
		case q.stopped || q.open == 0:
			return task{}, false
		case n > 0:
			t := (*from)[n-1]
			*from = (*from)[:n-1]
			return t, true
		}
		q.change.Wait()
	}
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
