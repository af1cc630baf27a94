package jail

import (
	"syscall"
	"testing"
)

// What was started ahead is taken, one that was killed is not, and none stays.
func TestPrepare(t *testing.T) {
	oneByOne(t, func(t *testing.T, w *world) {
		if w.maker.Name() != Namespaces {
			if err := w.maker.Prepare(2); err != nil {
				t.Error(err)
			}
			if got, exit := w.runs(t, w.spec("echo here; exit 3")); got != "here\n" || exit.Code != 3 {
				t.Errorf("it says %q, %+v", got, exit)
			}
			return
		}
		m := w.maker.(*byProcess)
		prepare := func(lives int) (numbers []int) {
			if err := m.Prepare(lives); err != nil {
				t.Fatal(err)
			}
			for _, k := range m.spares.waiting {
				numbers = append(numbers, k.cmd.Process.Pid)
			}
			if len(numbers) != lives {
				t.Errorf("of %d there are %d", lives, len(numbers))
			}
			return numbers
		}
		prepare(1)
		first := prepare(3)
		if err := syscall.Kill(first[0], syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		<-m.spares.waiting[0].gone
		keeper := 0
		spec := w.spec("echo out; echo err >&2; readlink /proc/self/fd/0; exit 3")
		spec.Begins = func(pid int) error { keeper = pid; return nil }
		if got, exit := w.runs(t, spec); got != "out\nerr\n/dev/null\n" || exit.Code != 3 || keeper != first[1] {
			t.Errorf("kept by %d of %d, it says %q, %+v", keeper, first, got, exit)
		}
		spec.Output = nil
		life, err := m.Start(t.Context(), spec)
		if err != nil || keeper != first[2] {
			t.Fatalf("without output it is kept by %d of %d: %v", keeper, first, err)
		}
		if exit, err := life.Wait(); err != nil || exit.Code != 3 {
			t.Errorf("without output it ends with %+v, %v", exit, err)
		}
		if err := life.End(t.Context()); err != nil {
			t.Error(err)
		}
		left := prepare(2)
		prepare(0)
		for _, pid := range left {
			if syscall.Kill(pid, 0) == nil {
				t.Errorf("process %d is left", pid)
			}
		}
		if got, _ := w.runs(t, w.spec("echo again")); got != "again\n" {
			t.Errorf("it says %q", got)
		}
	})
}
