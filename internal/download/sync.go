package download

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/runner-bootstrap/runner-bootstrap/internal/download/unpack"
	"github.com/runner-bootstrap/runner-bootstrap/internal/inuse"
)

// Sync waits until a runner root, and whatever else was written to its file
// system, is on the disk, and so is what was fetched before, unless the cache is volatile. It may be repeated.
func (f *Fetcher) Sync(root string) error {
	if f.Cache.Volatile {
		return nil
	}
	f.syncBeside()
	var err error
	for _, w := range f.syncing {
		err = errors.Join(err, <-w.done)
	}
	f.syncing = nil
	return errors.Join(err, unpack.Sync(root))
}

// secure brings an entry to the disk that was named before it was there, by this process or by one that was killed.
func (f *Fetcher) secure(entry Entry) error {
	if _, err := os.Lstat(filepath.Join(entry.Dir, unsyncedFile)); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if !f.SyncLater {
		return entry.sync()
	}
	if !slices.ContainsFunc(f.syncing, func(w writing) bool { return w.entry.Dir == entry.Dir }) {
		f.syncing = append(f.syncing, writing{entry: entry})
	}
	return nil
}

// writing is an entry that comes to the disk beside other things; done is nil until that has begun.
type writing struct {
	entry Entry
	done  chan error
}

// syncBeside begins to write to the disk what was fetched. Not before a root is made of it: names that are made while a file
// system writes all it has wait for it, several times as long as making them takes.
func (f *Fetcher) syncBeside() {
	for i := range f.syncing {
		w := &f.syncing[i]
		if w.done != nil {
			continue
		}
		done, entry := make(chan error, 1), w.entry
		w.done = done
		go func() { done <- entry.sync() }()
	}
}

func (e Entry) sync() error {
	if err := unpack.Sync(e.Dir); err != nil {
		return fmt.Errorf("writing the runner to the disk: %w", err)
	}
	// One that stays costs another fetch after the next start of this host.
	_ = inuse.Remove(filepath.Join(e.Dir, unsyncedFile))
	return nil
}

// markUnsynced says that what is in staging may not outlive this boot. The name is made before that of the entry, so that no journal
// has the one without the other. A host that does not tell its boots apart gives an error.
func markUnsynced(staging string) error {
	boot, err := bootID()
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(staging, unsyncedFile), []byte(boot), 0o644) //nolint:gosec // public
}

// lasts tells whether the files of an entry can be counted on: they have come to the disk, or this host was not cut off since.
func lasts(dir string) bool {
	text, err := os.ReadFile(filepath.Join(dir, unsyncedFile))
	if errors.Is(err, fs.ErrNotExist) {
		return true
	}
	boot, bootErr := bootID()
	return err == nil && bootErr == nil && string(text) == boot
}

// bootID tells one boot of this host from another.
func bootID() (string, error) {
	text, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "", err
	}
	boot := strings.TrimSpace(string(text))
	if boot == "" {
		return "", fs.ErrNotExist
	}
	return boot, nil
}
