package plan

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/runner-bootstrap/runner-bootstrap/internal/download"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/register"
)

// named is the version that a source names, by its number or its archive, and the digest that is to prove it; empty where it names
// none.
func named(source download.Source) (version, digest string) {
	version = source.Version
	if version == "" && source.Archive != "" {
		_, version, _ = download.ParseFilename(filepath.Base(source.Archive))
	}
	if version == "" {
		return "", ""
	}
	return version, source.SHA256
}

// asksOther tells whether a request asks for another version than the runner was made of.
func asksOther(p *planner) bool {
	version, digest := named(p.Request.Source)
	other := version != p.Record.Version || digest != "" && !strings.EqualFold(digest, p.Record.SHA256)
	return version != "" && p.Record.Version != "" && other
}

// madeAgain tells whether what is unpacked is to be removed, and made of another version: nothing at GitHub, and no agent, knows of it
// yet.
func madeAgain(p *planner) bool {
	_, err := register.KeptOf(p.maker.Store, p.Record).Find()
	return asksOther(p) && errors.Is(err, register.ErrNotConfigured) && p.Record.RunnerID == 0 && !running(p.maker.Store, p.plan.Name)
}

// planExchange has what is unpacked stay, unless another version is asked for: that one is fetched now, and its agent puts it into
// place between two jobs. What an earlier install has asked for, and is not there yet, is still to come, unless this one wants
// otherwise.
func planExchange(ctx context.Context, p *planner) error {
	source, record := p.Request.Source, &p.Record
	version, _ := named(source)
	stays := !asksOther(p)
	switch {
	case stays && record.Wanted.None():
		p.plan.keep(FetchPhase, p.plan.Dir, "unpacked already")
		return nil
	case version == "" && !p.Request.Earlier.Reset, stays && record.Wanted.Of(record.Version, record.SHA256):
		source = download.Source{
			Version: record.Wanted.Version, SHA256: record.Wanted.SHA256, Mirror: source.Mirror, MirrorHeaders: source.MirrorHeaders,
		}
	case stays:
		p.plan.keep(FetchPhase, p.plan.Dir, "unpacked already")
		p.version = fmt.Sprintf("%s stays, and %s does not come", record.Version, record.Wanted.Version)
		record.Wanted = instance.Wanted{}
		return nil
	}
	if err := planReceive(ctx, p, source); err != nil {
		return err
	}
	record.Wanted = instance.Wanted{Version: p.plan.Asset.Version, SHA256: p.plan.Asset.SHA256}
	p.version = fmt.Sprintf("%s -> %s", runs(p), record.Wanted.Version)
	if !p.Found.Source.Pinned {
		warnOfUpdate(p, false)
	}
	return nil
}

// runs is the version of the runner: one that updates itself is another one than it was made of.
func runs(p *planner) string {
	report, err := p.maker.Store.LoadReport(p.plan.Name)
	if err != nil || report.Version == "" || p.Record.Rooted() {
		return p.Record.Version
	}
	return report.Version
}

// planVersion has another version take the place of what is there.
func planVersion(p *planner) {
	if p.version == "" {
		return
	}
	reason := p.version
	if !p.plan.ChangesIn(RegisterPhase) && !p.Record.Wanted.None() {
		reason += ", between two jobs"
	}
	p.plan.change(VersionPhase, p.plan.Name, reason)
}
