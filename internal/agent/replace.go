package agent

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/runner-bootstrap/runner-bootstrap/internal/download"
	"github.com/runner-bootstrap/runner-bootstrap/internal/folders"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/inuse"
	"github.com/runner-bootstrap/runner-bootstrap/internal/supervise"
)

// replace puts the version that GitHub offers into a runner root whose version
// GitHub refuses; the runner can then no longer do it itself. The registration
// and everything else in the root stay. [supervise.ErrNothingNewer] if there is
// no other version. After a failure either the old or the new version is there.
func (k *keeper) replace(ctx context.Context) error {
	record, err := k.store.Load(k.name)
	if err != nil {
		return err
	}
	platform, err := download.Host()
	if err != nil {
		return err
	}
	chosen, err := k.offered(ctx, record, platform)
	if err != nil {
		return err
	}
	before := k.running(record)
	if chosen.Asset.Version == before {
		return supervise.ErrNothingNewer
	}
	k.log.Warn("GitHub refuses this runner version, and it is replaced", "runner", k.name, "version", before, "by", chosen.Asset.Version)
	return bring(ctx, k, record, chosen.Asset)
}

// bring puts another version into a runner root. The registration and everything else in the root stay. After a failure
// either the old or the new version is there.
func bring(ctx context.Context, k *keeper, record instance.Record, asset download.Asset) (err error) {
	before := k.running(record)
	log := k.log.With("runner", k.name, "version", before, "by", asset.Version)
	next := record.NextDir()
	if err := k.place(ctx, record, asset, next); err != nil {
		return err
	}
	if record.Rooted() {
		err = swapRooted(record.Dir, next)
	} else {
		err = k.swap(record.Dir, next, asset.Version, before)
	}
	if err != nil {
		return fmt.Errorf("replacing the runner in %q: %w", record.Dir, err)
	}
	log.Info("the runner version is replaced")
	_, err = k.store.Update(ctx, k.name, func(r *instance.Record) {
		r.Version, r.SHA256 = asset.Version, asset.SHA256
	})
	return errors.Join(err, k.fetcher.Discard(ctx, next))
}

// offered is the newest version that GitHub offers for the runner's scope.
func (k *keeper) offered(ctx context.Context, record instance.Record, platform download.Platform) (download.Choice, error) {
	chooser := &download.Chooser{
		Cache: k.fetcher.Cache, Log: k.log, Source: download.Source{Mirror: record.Source.Mirror}, Platform: platform, Latest: true,
	}
	return k.asks(chooser).Choose(ctx)
}

// running is the version that the listener has told, else what was installed.
func (k *keeper) running(record instance.Record) string {
	if report, err := k.store.LoadReport(k.name); err == nil && report.Version != "" {
		return report.Version
	}
	return record.Version
}

// swap brings a root to what next holds, as the runner's own update does it: bin
// and externals become links to folders that have the version in their names
// (actions/runner, update.sh.template). The links come last, bin's after that of
// what it needs.
func (k *keeper) swap(root, next, version, before string) error {
	parent, err := os.OpenRoot(filepath.Dir(root))
	if err != nil {
		return err
	}
	defer parent.Close()
	to, from := filepath.Base(root), filepath.Base(next)
	entries, err := fs.ReadDir(parent.FS(), from)
	if err != nil {
		return err
	}
	linked := []string{"externals", "bin"}
	for _, entry := range entries {
		if slices.Contains(linked, entry.Name()) || entry.IsDir() {
			continue
		}
		if err := inuse.RenameIn(parent, filepath.Join(from, entry.Name()), filepath.Join(to, entry.Name())); err != nil {
			return err
		}
	}
	for _, name := range linked {
		if err := k.swapFolder(parent, root, from, name, version, before); err != nil {
			return err
		}
	}
	return nil
}

func (k *keeper) swapFolder(parent *os.Root, root, from, name, version, before string) error {
	to := filepath.Base(root)
	folder, link := filepath.Join(to, name), filepath.Join(to, "."+name+".link")
	versioned := name + "." + version
	for _, old := range []string{versioned, filepath.Base(link)} {
		if err := removeIn(parent, to, old); err != nil {
			return err
		}
	}
	if err := inuse.RenameIn(parent, filepath.Join(from, name), filepath.Join(to, versioned)); err != nil {
		return err
	}
	if err := folders.Link(parent, filepath.Join(root, versioned), link); err != nil {
		return err
	}
	if err := k.user.Own(filepath.Join(root, "."+name+".link")); err != nil {
		return err
	}
	if info, err := parent.Lstat(folder); err == nil && info.IsDir() {
		old := folder + "." + before
		if err := removeIn(parent, to, filepath.Base(old)); err != nil {
			return err
		}
		if err := inuse.RenameIn(parent, folder, old); err != nil {
			return err
		}
	}
	return folders.ReplaceLink(parent, link, folder)
}
