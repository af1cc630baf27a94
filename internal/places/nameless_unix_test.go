//go:build unix

package places

import (
	"os"
	"testing"
)

// TestBriefly: a file that needs a name for a moment has none afterwards, and can be used.
func TestBriefly(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file, err := briefly(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if _, err := file.WriteString("x"); err != nil {
		t.Error(err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
		t.Errorf("it left %v, %v", entries, err)
	}
}
