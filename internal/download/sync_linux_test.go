package download

import (
	"os"
	"path/filepath"
	"testing"
)

// TestSyncLater: what is fetched counts at once, and after the next start of the host only if it has come to the disk before.
func TestSyncLater(t *testing.T) {
	t.Parallel()
	archive := runner(t, "linux-x64", 1000)
	dir := t.TempDir()
	file := filepath.Join(dir, "actions-runner-linux-x64-2.337.0.tar.gz")
	if err := os.WriteFile(file, content(t, archive), 0o600); err != nil {
		t.Fatal(err)
	}
	platform, version, _ := ParseFilename(filepath.Base(file))
	asset := Asset{Platform: platform, Version: version, Filename: filepath.Base(file), SHA256: archive.SHA256, File: file}
	f := &Fetcher{Cache: Cache{Dir: filepath.Join(dir, "cache")}, SyncLater: true}
	fetch := func(want bool) Entry {
		t.Helper()
		entry, cached, err := f.Fetch(t.Context(), asset, func(int64, int64) {})
		if err != nil || cached != want {
			t.Fatalf("it was in the cache: %v, %v, want %v", cached, err, want)
		}
		return entry
	}
	entry := fetch(false)
	if _, err := os.Lstat(filepath.Join(entry.Dir, unsyncedFile)); err == nil {
		fetch(true) // which finds it on its way already
	}
	if len(f.syncing) != 1 {
		t.Errorf("%d are waited for", len(f.syncing))
	}
	mark := filepath.Join(entry.Dir, unsyncedFile)
	synced := func() {
		t.Helper()
		if _, err := os.Lstat(mark); !os.IsNotExist(err) {
			t.Errorf("it is not known to be on the disk: %v", err)
		}
	}
	for range 2 {
		if err := f.Sync(dir); err != nil {
			t.Fatal(err)
		}
		synced()
	}

	// The process was killed before it was.
	if err := markUnsynced(entry.Dir); err != nil {
		t.Fatal(err)
	}
	if _, found := f.Cache.Find(asset); !found {
		t.Error("it does not count in this boot")
	}
	f.SyncLater = false
	fetch(true)
	synced()

	// The host was cut off before it was, with and without what the mark had in it.
	for _, boot := range []string{"another", ""} {
		if err := os.WriteFile(mark, []byte(boot), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, found := f.Cache.Find(asset); found {
			t.Errorf("it counts in another boot than %q", boot)
		}
		fetch(false)
		synced()
	}
	if err := os.WriteFile(mark, []byte("another"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Cache.Prune(9, false); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(f.Cache.Dir); err != nil || len(left) > 0 {
		t.Errorf("of what cannot be counted on %v is left, %v", left, err)
	}

	f.Cache.Volatile, f.SyncLater = true, true
	fetch(false)
	synced()
	if len(f.syncing) > 0 {
		t.Error("a volatile cache is waited for")
	}
}
