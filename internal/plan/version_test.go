//go:build unix

package plan_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/runner-bootstrap/runner-bootstrap/internal/download"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/plan"
	"github.com/runner-bootstrap/runner-bootstrap/internal/secret"
)

// Another version comes to a runner that is there, which stays registered, and whose service goes on. What an earlier install has asked
// for is still to come, until another one wants otherwise.
func TestPlanExchange(t *testing.T) {
	t.Parallel()
	const old, newest = "2.336.0", "2.338.0"
	a, b := strings.Repeat("a", 64), strings.Repeat("b", 64)
	pending := instance.Wanted{Version: newest, SHA256: b, Problem: "no space"}
	mirrored := func(version, digest string) download.Source {
		return download.Source{Version: version, SHA256: digest, Mirror: "https://mirror.example.com/runners"}
	}
	for name, c := range map[string]struct {
		pending instance.Wanted
		pinned  bool
		source  download.Source
		reset   bool
		set     func(w *world)
		fetch   string // what begins what the plan is to do; empty: it keeps what is unpacked
		version string // and in the phase of the version
		wanted  instance.Wanted
	}{
		"none":      {source: download.Source{}},
		"the same":  {source: mirrored(old, a), pinned: true},
		"its other": {source: mirrored(old, ""), pinned: true},
		"a newer one": {
			source: mirrored(newest, b), fetch: "change actions-runner-", version: old + " -> " + newest + ", between two jobs",
			wanted: instance.Wanted{Version: newest, SHA256: b},
		},
		"an older one": {
			source: mirrored("2.335.0", b), pinned: true, fetch: "change actions-runner-", version: old + " -> 2.335.0, between two jobs",
			wanted: instance.Wanted{Version: "2.335.0", SHA256: b},
		},
		"another content": {
			source: mirrored(old, b), pinned: true, fetch: "change actions-runner-", version: old + " -> " + old + ", between two jobs",
			wanted: instance.Wanted{Version: old, SHA256: b},
		},
		"by an archive": {
			source: download.Source{Archive: "actions-runner-PLATFORM-" + newest + ".tar.gz", SHA256: b}, fetch: "change actions-runner-",
			version: old + " -> " + newest + ", between two jobs", wanted: instance.Wanted{Version: newest, SHA256: b},
		},
		"by the archive of before, which is gone": {source: download.Source{Archive: "gone/actions-runner-PLATFORM-" + old + ".tar.gz"}, pinned: true},
		"by an archive of any name":               {source: download.Source{Archive: "gone.tar.gz"}, pinned: true},
		"pending, and nothing else is asked for": {
			pending: pending, pinned: true, source: mirrored("", ""), fetch: "change actions-runner-",
			version: old + " -> " + newest + ", between two jobs", wanted: instance.Wanted{Version: newest, SHA256: b},
		},
		"pending, and asked for again": {
			pending: pending, pinned: true, source: mirrored(newest, b), fetch: "change actions-runner-",
			version: old + " -> " + newest + ", between two jobs", wanted: instance.Wanted{Version: newest, SHA256: b},
		},
		"pending, half-way": {
			pending: pending, pinned: true, source: mirrored(newest, b), fetch: "change actions-runner-",
			set:     func(w *world) { mustDo(w.t, os.RemoveAll(w.root("bin"))) },
			version: old + " -> " + newest + ", between two jobs", wanted: instance.Wanted{Version: newest, SHA256: b},
		},
		"pending, and a third one is asked for": {
			pending: pending, pinned: true, source: mirrored("2.339.0", a), fetch: "change actions-runner-",
			version: old + " -> 2.339.0, between two jobs", wanted: instance.Wanted{Version: "2.339.0", SHA256: a},
		},
		"pending, and the old one is asked for": {
			pending: pending, pinned: true, source: mirrored(old, a), version: old + " stays, and " + newest + " does not come",
		},
		"pending, and all is forgotten": {
			pending: pending, source: mirrored("", ""), reset: true, version: old + " stays, and " + newest + " does not come",
		},
		"of a runner that has updated itself": {
			source: mirrored(newest, b), fetch: "change actions-runner-", version: "2.337.5 -> " + newest + ", between two jobs",
			set: func(w *world) {
				mustDo(w.t, w.maker.Store.SaveReport(runnerName, instance.Report{Version: "2.337.5"}))
			},
			wanted: instance.Wanted{Version: newest, SHA256: b},
		},
		"before it is registered, under its agent": {
			source: mirrored(newest, b), fetch: "change actions-runner-", version: old + " -> " + newest + ", between two jobs",
			set: func(w *world) {
				mustDo(w.t, instance.KeptRegistration(w.maker.Store, runnerName).Drop())
				w.change(func(r *instance.Record) { r.RunnerID, r.Credential.TokenFile = 0, "/token" })
				w.supervised()
			},
			wanted: instance.Wanted{Version: newest, SHA256: b},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			r := w.request()
			r.RegistrationToken = secret.New("ABC") // so that GitHub is not asked
			r.Life.Preemption = "off"
			r.Source = mirrored(old, a)
			w.installed(r)
			w.change(func(r *instance.Record) {
				r.Version, r.SHA256, r.Wanted, r.Source.Pinned, r.Source.Mirror = old, a, c.pending, c.pinned, c.source.Mirror
			})
			if c.set != nil {
				c.set(w)
			}
			before, err := w.maker.Store.Load(runnerName)
			mustDo(t, err)
			r.Credential = before.Credential
			r.Source, r.Earlier.Reset = c.source, c.reset
			if r.Source.Archive != "" {
				platform, err := download.Host()
				mustDo(t, err)
				r.Source.Archive = w.base + "/" + strings.ReplaceAll(r.Source.Archive, "PLATFORM", platform.String())
				if c.fetch != "" {
					w.write(filepath.Base(r.Source.Archive), "")
				}
			}
			made := w.plan(r)
			if c.fetch == "" {
				c.fetch = "keep " + w.root() + " (unpacked already)"
			}
			if c.version != "" {
				c.version = "change web-1 (" + c.version + ")"
			}
			if got := step(made, plan.FetchPhase); !strings.HasPrefix(got, c.fetch) {
				t.Errorf("phase fetch: the plan is to %q, want %q", got, c.fetch)
			}
			wants(t, made, plan.VersionPhase, c.version)
			if got := made.Details.Record; got.Wanted != c.wanted || got.Version != old || got.Source.Pinned != (r.Source.Version+r.Source.Archive != "") {
				t.Errorf("the record is to be %+v", got.Origin)
			}
			if made.ChangesIn(plan.RegisterPhase) || c.wanted.Version != "" && c.source.Version+c.source.Archive != "" && (made.ChangesIn(plan.ServicePhase) || made.ChangesIn(plan.LifePhase)) {
				t.Errorf("the plan is %+v", made.Steps)
			}
		})
	}
}

// A runner that is registered again takes the new version with that.
func TestPlanExchangeWithARegistration(t *testing.T) {
	t.Parallel()
	w := newWorld(t).withGitHub()
	w.installed(w.request())
	w.change(func(r *instance.Record) { r.Version = "2.336.0" })
	r := w.request()
	r.Identity.Ephemeral, r.Replace, r.Source.Version = true, plan.ReplaceAlways, version
	made := w.plan(r)
	wants(t, made, plan.VersionPhase, "change web-1 (2.336.0 -> 2.337.0)")
	if !made.Details.LeaveFirst || made.Details.Record.Wanted.Version != version || !made.ChangesIn(plan.ServicePhase) {
		t.Errorf("the plan is %+v", made.Steps)
	}
	r.Replace = plan.ReplaceNone
	w.refused(r, plan.ErrDiffers)
}
