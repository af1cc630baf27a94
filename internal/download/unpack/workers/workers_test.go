package workers

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

var errBroken = errors.New("broken")

// A tree of tasks is done wholly, each task once, by however many.
func TestQueue(t *testing.T) {
	t.Parallel()
	for _, several := range []int{1, 2, 7} {
		q := NewQueue(several, 1)
		var mu sync.Mutex
		var done []int
		err := Run(t.Context(), several, func(ctx context.Context, number int) error {
			return q.Work(ctx, number, func(task int) error {
				mu.Lock()
				done = append(done, task)
				mu.Unlock()
				if task < 512 {
					q.Add(number, 2*task)
					q.AddFirst(2*task + 1)
				}
				return nil
			})
		})
		slices.Sort(done)
		want := make([]int, 1023)
		for i := range want {
			want[i] = i + 1
		}
		if err != nil || !slices.Equal(done, want) {
			t.Errorf("%d workers did %d tasks, %v", several, len(done), err)
		}
	}
}

// One worker stays where it is: what it has found last comes next, and what comes before all does.
func TestQueueOrder(t *testing.T) {
	t.Parallel()
	q := NewQueue(1, "")
	var done []string
	err := q.Work(t.Context(), 0, func(task string) error {
		done = append(done, task)
		switch task {
		case "":
			q.Add(0, "a")
			q.Add(0, "b")
		case "b":
			q.Add(0, "ba")
			q.AddFirst("big")
		}
		return nil
	})
	if want := []string{"", "b", "big", "ba", "a"}; err != nil || !slices.Equal(done, want) {
		t.Errorf("it did %q, want %q, %v", done, want, err)
	}
}

// Who has nothing takes the first of another's.
func TestQueueOfAnother(t *testing.T) {
	t.Parallel()
	q := NewQueue(2, "")
	if _, ok := q.next(0); !ok {
		t.Fatal("there is no task")
	}
	q.Add(0, "a")
	q.Add(0, "b")
	if task, ok := q.next(1); task != "a" || !ok {
		t.Errorf("it takes %q, %v", task, ok)
	}
	if task, ok := q.next(0); task != "b" || !ok {
		t.Errorf("the other one goes on with %q, %v", task, ok)
	}
}

// The first failure ends all, also those who wait for a task.
func TestQueueFails(t *testing.T) {
	t.Parallel()
	q := NewQueue(3, 0)
	err := Run(t.Context(), 3, func(ctx context.Context, number int) error {
		return q.Work(ctx, number, func(int) error { return errBroken })
	})
	if !errors.Is(err, errBroken) {
		t.Errorf("error %v, want %v", err, errBroken)
	}
}

// So does the end of the context.
func TestQueueIsCancelled(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	q := NewQueue(2, 0)
	err := Run(ctx, 2, func(ctx context.Context, number int) error {
		return q.Work(ctx, number, func(int) error {
			<-ctx.Done()
			return nil
		})
	})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v, want %v", err, context.DeadlineExceeded)
	}
}

// Each has a number of its own, and the first error counts.
func TestRun(t *testing.T) {
	t.Parallel()
	var seen [5]atomic.Bool
	err := Run(t.Context(), len(seen), func(ctx context.Context, number int) error {
		seen[number].Store(true)
		if number == 3 {
			return errBroken
		}
		<-ctx.Done()
		return ctx.Err()
	})
	if !errors.Is(err, errBroken) {
		t.Errorf("error %v, want %v", err, errBroken)
	}
	for number := range seen {
		if !seen[number].Load() {
			t.Errorf("there was no worker %d", number)
		}
	}
}
