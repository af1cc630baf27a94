package bootstrap

import (
	"context"

	"github.com/runner-bootstrap/runner-bootstrap/internal/download"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/libraries"
	"github.com/runner-bootstrap/runner-bootstrap/internal/register"
)

// room is where config.sh of a record's runner runs, with files of the cache.
func (h *Host) room(record instance.Record, asset download.Asset, locks ...*instance.Lock) register.Room {
	copies := register.Copies{
		Folders: register.RoomsOf(h.Fetcher.Cache.Dir, h.Paths.Runners),
		Place:   func(ctx context.Context, dir string) error { return h.Fetcher.PlaceBare(ctx, asset, dir) },
		Discard: h.Fetcher.Discard,
	}
	return register.NewRoom(h.Store, record, copies, h.Environment, h.Log, locks...)
}

// sweepRooms removes what killed commands have left of rooms.
func (h *Host) sweepRooms(ctx context.Context) error {
	copies := register.Copies{Folders: register.RoomsOf(h.Fetcher.Cache.Dir, h.Paths.Runners), Discard: h.Fetcher.Discard}
	return register.Room{Copies: copies, Log: h.Log}.Sweep(ctx)
}

// cached finds a record's runner in the cache, or else the newest one that does for taking it
// away from GitHub.
func (h *Host) cached(record instance.Record) (download.Asset, bool) {
	platform, err := download.Host()
	if err != nil {
		return download.Asset{}, false
	}
	asset := download.Asset{Platform: platform, Version: record.Version, SHA256: record.SHA256}
	if entry, found := h.Fetcher.Cache.Find(asset); found {
		return entry.Asset(platform), true
	}
	entries, err := h.Fetcher.Cache.Entries()
	for _, entry := range entries {
		if err == nil && entry.Platform == platform.String() {
			return entry.Asset(platform), true
		}
	}
	return download.Asset{}, false
}

// chooseProgram says of which runner the config.sh is to be, where it has a part in the registration, and looks whether
// this host has what that runner needs.
func chooseProgram(ctx context.Context, i *installer) (download.Asset, error) {
	version, digest := i.record.Target()
	asset := download.Asset{Platform: i.plan.Platform, Version: version, SHA256: digest}
	if usesConfig(i.details, i.kept()) {
		var err error
		if asset, err = chooseAsset(ctx, i); err != nil {
			return asset, err
		}
	}
	return asset, i.host.checkLibraries(asset, i.details.Request.Variables)
}

// chooseAsset says of which runner the config.sh is to be: of the one that is installed. One that has updated itself, or is
// no longer in the cache, is joined by what is on offer now.
func chooseAsset(ctx context.Context, i *installer) (download.Asset, error) {
	if i.plan.Asset != nil {
		return *i.plan.Asset, nil
	}
	record := i.record
	asset := download.Asset{Platform: i.plan.Platform, Version: record.Version, SHA256: record.SHA256}
	report, err := i.host.Store.LoadReport(record.Name)
	same := err != nil || report.Version == "" || report.Version == record.Version || record.Source.Pinned
	if entry, found := i.host.Fetcher.Cache.Find(asset); found && same {
		return entry.Asset(i.plan.Platform), nil
	}
	chooser := &download.Chooser{
		Cache: i.host.Fetcher.Cache, Log: i.host.Log, Source: download.Source{Mirror: record.Source.Mirror},
		Platform: i.plan.Platform,
	}
	chosen, err := chooser.Asks(i.details.Request.Scope, i.host.Connect, i.host.Anonymous).Choose(ctx)
	return chosen.Asset, err
}

// checkLibraries looks whether this host has what the runner needs. It reads the files of the cache: those in the runner's
// directory may be a job's. Without them there is nothing new to be known.
func (h *Host) checkLibraries(asset download.Asset, variables []string) error {
	entry, found := h.Fetcher.Cache.Find(asset)
	if !found {
		return nil
	}
	return libraries.Check(entry.Tree(), libraries.Invariant(variables))
}
