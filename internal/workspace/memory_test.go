package workspace_test

import (
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/workspace"
)

// A job can leave any number of files, and the agent that tidies up after it stays small. Not
// parallel: memory is the whole process's.
func TestMemoryOfTidy(t *testing.T) {
	if testing.Short() {
		t.Skip("it makes 90,000 files")
	}
	const many, most = 30_000, 8 << 20
	root := t.TempDir()
	plant(t, root, "bin/", "_diag/pages/", "_work/_temp/", "_diag/Runner_1.log")
	for n := range many {
		for _, folder := range []string{"_diag/x", "_work/_temp/x", "_work/_update"} {
			file, err := os.Create(filepath.Join(root, folder+strconv.Itoa(n)))
			check(t, err)
			check(t, file.Close())
		}
	}
	age(t, filepath.Join(root, "_diag/Runner_1.log"), 10*day) // its idle runner has nothing to say
	runtime.GC()
	var before, now runtime.MemStats
	runtime.ReadMemStats(&before)
	done := make(chan error, 1)
	go func() {
		_, err := workspace.Tidy(t.Context(), root, "", workspace.DefaultLimits(), time.Now())
		done <- err
	}()
	var largest uint64
	for tick := time.NewTicker(5 * time.Millisecond); ; {
		select {
		case err := <-done:
			tick.Stop()
			check(t, err)
			if largest > before.HeapAlloc+most {
				t.Errorf("it holds %d KiB", (largest-before.HeapAlloc)>>10)
			}
			entries, err := os.ReadDir(filepath.Join(root, "_diag"))
			if check(t, err); len(entries) != 4096+2 {
				t.Errorf("%d logs are left, want 4096, the open one, and a folder", len(entries))
			}
			check(t, os.Remove(filepath.Join(root, "_diag/Runner_1.log")))
			return
		case <-tick.C:
			runtime.GC() // what is held counts, not what waits to be collected
			runtime.ReadMemStats(&now)
			largest = max(largest, now.HeapAlloc)
		}
	}
}
