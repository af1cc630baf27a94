package plan

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/runner-bootstrap/runner-bootstrap/internal/download"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/openfile"
	"github.com/runner-bootstrap/runner-bootstrap/internal/places"
	"github.com/runner-bootstrap/runner-bootstrap/internal/refusal"
	"github.com/runner-bootstrap/runner-bootstrap/internal/register"
	"github.com/runner-bootstrap/runner-bootstrap/internal/supervise"
)

// configuredIn says which runner of somebody's a directory holds; empty where it is none.
func configuredIn(dir string) string {
	if _, err := os.Lstat(filepath.Join(dir, ".runner")); err != nil {
		return ""
	}
	const text = "GitHub's own programs have configured a runner in it"
	name, err := openfile.Read(filepath.Join(dir, ".service"), maxServiceName) // they write there what they have installed
	if service := strings.TrimSpace(string(name)); err == nil && service != "" {
		return fmt.Sprintf("%s, with the service %q; it is left alone", text, service)
	}
	return text + "; it is left alone"
}

// maxServiceName bounds the file that has the name of a service.
const maxServiceName = 4 << 10

// planFetch asks what is on offer only when something has to be fetched: newer versions
// come to the runner later.
func (p *planner) planFetch(ctx context.Context) error {
	if err := decideUpdate(p); err != nil {
		return err
	}
	if _, err := os.Lstat(p.plan.Dir); err == nil && !p.copies(p.plan.Dir) {
		if !p.known {
			return &refusal.Error{
				Object: fmt.Sprintf("directory %q", p.plan.Dir), Reason: ErrForeignDir, Detail: configuredIn(p.plan.Dir), Name: p.plan.Dir,
			}
		}
		// Between its old and its new version it may have no listener, where its agent was killed: the next one goes on with it.
		if p.whole = supervise.CheckListener(p.plan.Dir) == nil || !p.Record.Wanted.None(); p.whole {
			if p.whole = !madeAgain(p); p.whole {
				return planExchange(ctx, p)
			}
		} else if _, err := register.KeptOf(p.maker.Store, p.Record).Find(); !errors.Is(err, register.ErrNotConfigured) {
			return &refusal.Error{Object: fmt.Sprintf("directory %q", p.plan.Dir), Reason: ErrDamaged, Name: p.plan.Name}
		}
	}
	return planReceive(ctx, p, p.Request.Source)
}

// planReceive chooses what is to be fetched, and looks whether there is room for it. Where a runner is there that it is for, that is all
// that is done with it in this phase.
func planReceive(ctx context.Context, p *planner, source download.Source) error {
	// A runner that nobody brings newer versions to is soon too old, so it begins with the
	// newest one.
	p.Chooser = &download.Chooser{
		Cache: p.maker.Cache, Log: p.maker.Log, Source: source, Platform: p.plan.Platform,
		Latest: p.Request.Identity.DisableUpdate || p.Record.Update == instance.UpdateOff,
	}
	chosen, err := p.Chooser.Asks(p.Request.Scope, p.maker.Connect, p.maker.Anonymous).Choose(ctx)
	if err != nil {
		return err
	}
	// How many bytes it takes is known when the archive is: the fetch looks for them.
	need := places.Need{Files: places.Usual().Files}
	if err := places.Check(places.ForInstall(p.maker.Paths, need, chosen.Cached), p.JobUser); err != nil {
		return err
	}
	p.plan.Asset, p.plan.Cached = &chosen.Asset, chosen.Cached
	step := Step{Phase: FetchPhase, Change: !p.whole || !chosen.Cached, Object: chosen.Asset.Filename, Reason: chosen.Reason}
	p.plan.Steps = append(p.plan.Steps, step)
	return nil
}
