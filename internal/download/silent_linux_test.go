package download

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/folders"
	"github.com/runner-bootstrap/runner-bootstrap/internal/mounttest"
)

// TestSilentArchive: an archive may lie on a server that is away. It is not waited for.
func TestSilentArchive(t *testing.T) {
	if !mounttest.Own(t) {
		return
	}
	at := t.TempDir()
	device := mounttest.Hang(t, at)
	defer device.Close() // ends all that waits for it
	file := filepath.Join(at, "actions-runner-linux-x64-2.337.0.tar.gz")
	platform, version, _ := ParseFilename(filepath.Base(file))
	asset := Asset{Platform: platform, Version: version, Filename: filepath.Base(file), SHA256: strings.Repeat("a", 64), File: file}
	begin := time.Now()
	_, _, err := (&Fetcher{Cache: Cache{Dir: t.TempDir()}}).Fetch(t.Context(), asset, nil)
	if !errors.Is(err, folders.ErrSilent) || !strings.Contains(err.Error(), file) || time.Since(begin) > 30*time.Second {
		t.Errorf("%v after %v, want %v", err, time.Since(begin).Round(time.Second), folders.ErrSilent)
	}
}
