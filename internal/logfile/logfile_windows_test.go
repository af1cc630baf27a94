package logfile

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Somebody who reads the log lets nobody rename it: the log goes on in the same file, and the older ones stay.
func TestLogIsHeld(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "a.log")
	w := open(t, path)
	defer w.Close()
	lines(t, w, 0, 15)
	reader, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	lines(t, w, 15, 40)
	// Refused once, which takes the two seconds that a scanner is waited for.
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("25 lines took %s", took)
	}
	shows(t, path, 0, 40)
	if err := reader.Close(); err != nil {
		t.Fatal(err)
	}
	w.again = time.Time{}
	lines(t, w, 40, 41)
	shows(t, path, 0, 41)
	if info, err := os.Stat(path); err != nil || info.Size() > 100 {
		t.Errorf("the log was not turned: %v", err)
	}
}
