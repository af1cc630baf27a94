package download

import (
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// removeUnpacked waits until something is unpacked in a cache, and takes away at once what remove gives of it.
func removeUnpacked(t *testing.T, cache string, remove func(staging string) string) {
	t.Helper()
	for range 1000 {
		if left, _ := filepath.Glob(filepath.Join(cache, ".*"+stagingMark+"*", treeDir)); len(left) > 0 {
			gone := filepath.Join(t.TempDir(), "gone")
			if err := os.Rename(remove(filepath.Dir(left[0])), gone); err != nil {
				t.Error(err)
			}
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Error("nothing is unpacked")
}

// A cache may be removed at any time, also while it is filled: then it is filled once more.
func TestFetchIntoWhatIsRemoved(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("Windows moves no folder of which a file is open")
	}
	for name, c := range map[string]struct {
		remove func(staging string) string
		times  int
		says   string
	}{
		"the cache":        {filepath.Dir, 1, ""},
		"what is unpacked": {func(staging string) string { return staging }, 1, ""},
		"its files":        {func(staging string) string { return filepath.Join(staging, treeDir) }, 1, ""},
		"again and again":  {filepath.Dir, 1000, `cache" is not there any more`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var data []byte
			requests := 0
			var f *Fetcher
			f, asset, whole := hosted(t, func(w http.ResponseWriter, r *http.Request) {
				requests++
				if r.Header.Get("Range") != "" { // it goes on behind what is on the disk
					http.ServeContent(w, r, "", time.Time{}, strings.NewReader(string(data)))
					return
				}
				_, _ = w.Write(data[:len(data)/2])
				_ = http.NewResponseController(w).Flush()
				if requests <= c.times {
					removeUnpacked(t, f.Cache.Dir, c.remove)
				}
				_, _ = w.Write(data[len(data)/2:])
			})
			data = whole
			entry, _, err := f.Fetch(t.Context(), asset, func(int64, int64) {})
			if c.says != "" {
				if !errors.Is(err, ErrVanished) || !strings.Contains(err.Error(), c.says) || requests > 2 {
					t.Errorf("%v after %d requests, want one that says %q", err, requests, c.says)
				}
				return
			}
			if err != nil || requests > 2 {
				t.Fatalf("%v after %d requests", err, requests)
			}
			if err := entry.Verify(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

// What is gone already need not be removed.
func TestRemoveWhatIsGone(t *testing.T) {
	t.Parallel()
	c := Cache{Dir: t.TempDir()}
	if err := c.Remove(Entry{Dir: filepath.Join(c.Dir, "gone")}); err != nil {
		t.Error(err)
	}
}
