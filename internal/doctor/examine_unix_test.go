//go:build unix

package doctor

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestExamineDoesNotHang: a file that is never read to its end stands for a network file system without its server.
func TestExamineDoesNotHang(t *testing.T) {
	t.Parallel()
	h := here(t)
	fifo := filepath.Join(h.Paths.Cache, "a", "entry.json")
	if err := os.MkdirAll(filepath.Dir(fifo), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	ended := make(chan []Finding, 1)
	go func() { ended <- h.Examine(ctx) }()
	select {
	case all := <-ended:
		hung := slices.IndexFunc(all, func(f Finding) bool { return f.Check == "disk" })
		if hung < 0 || all[hung].State != Failed || !strings.Contains(all[hung].Found, "no answer") || all[hung].Fix == "" {
			t.Errorf("a check that hangs is not told of: %+v", all)
		}
		if !slices.ContainsFunc(all, func(f Finding) bool { return f.Check == "privileges" && f.State == OK }) {
			t.Errorf("the others are lost: %+v", all)
		}
	case <-time.After(20 * time.Second):
		t.Error("it waits for a check that hangs")
	}
	// A check that still reads gets the end of the file.
	for range 3 {
		if writer, err := os.OpenFile(fifo, os.O_WRONLY|unix.O_NONBLOCK, 0); err == nil {
			writer.Close()
		}
	}
	if err := os.Remove(fifo); err != nil {
		t.Error(err)
	}
}
