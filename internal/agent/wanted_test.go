//go:build unix

package agent

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/runner-bootstrap/runner-bootstrap/internal/account"
	"github.com/runner-bootstrap/runner-bootstrap/internal/download"
	"github.com/runner-bootstrap/runner-bootstrap/internal/githubtest"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
)

// placed is a runner of the first of some versions, all of which are in a cache that nothing can be fetched into.
func placed(t *testing.T, update string, versions ...string) (k *keeper, assets []download.Asset) {
	t.Helper()
	top := t.TempDir()
	platform, err := download.Host()
	if err != nil {
		t.Fatal(err)
	}
	k = &keeper{
		store: instance.NewStore(filepath.Join(top, "state")), log: quiet(), name: "web-1", user: account.User{Self: true},
		fetcher: &download.Fetcher{Cache: download.Cache{Dir: filepath.Join(top, "cache"), Volatile: true}},
		asks: func(c *download.Chooser) *download.Chooser {
			c.Source = download.Source{Archive: filepath.Join(top, "none")}
			return c
		},
	}
	k.rooted.keeper = k
	for _, version := range versions {
		archive, err := githubtest.NewArchive(githubtest.ArchiveSpec{Platform: platform.String(), Version: version, Dir: top})
		if err != nil {
			t.Fatal(err)
		}
		asset := download.Asset{
			Platform: platform, Version: version, Filename: archive.Filename, SHA256: archive.SHA256, File: filepath.Join(top, archive.Filename),
		}
		if _, _, err := k.fetcher.Ensure(t.Context(), asset, func(int64, int64) {}); err != nil {
			t.Fatal(err)
		}
		assets = append(assets, asset)
	}
	record := instance.Record{Name: "web-1", Dir: filepath.Join(top, "web-1")}
	record.Version, record.SHA256, record.Update = versions[0], assets[0].SHA256, update
	err = errors.Join(k.place(t.Context(), record, assets[0], record.Dir), k.store.Save(record))
	if err == nil {
		err = os.Mkdir(filepath.Join(record.Dir, "_work"), 0o755)
	}
	if err == nil && os.Geteuid() == 0 { // it is not root's
		err = os.Chown(filepath.Join(record.Dir, "_work"), 65534, 65534)
	}
	if err != nil {
		t.Fatal(err)
	}
	return k, assets
}

// change changes what is remembered, and gives it back.
func change(t *testing.T, k *keeper, do func(*instance.Record)) instance.Record {
	t.Helper()
	record, err := k.store.Update(t.Context(), k.name, do)
	if err != nil {
		t.Fatal(err)
	}
	return record
}

// consists wants the runner to consist of one version, and of nothing of another.
func consists(t *testing.T, k *keeper, asset download.Asset) {
	t.Helper()
	record := change(t, k, func(*instance.Record) {})
	if record.Version != asset.Version || record.SHA256 != asset.SHA256 || !record.Wanted.None() {
		t.Errorf("the record says %+v", record.Origin)
	}
	entry, _ := k.fetcher.Cache.Find(asset)
	for _, name := range []string{"config.sh", "bin/Runner.Listener"} {
		if got, want := read(t, filepath.Join(record.Dir, name)), read(t, filepath.Join(entry.Tree(), name)); got != want || want == "" {
			t.Errorf("%s of %s is %q, want %q", name, asset.Version, got, want)
		}
	}
	if _, err := os.Stat(filepath.Join(record.Dir, "_work")); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(record.NextDir()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s is left: %v", record.NextDir(), err)
	}
}

// updates are the ways in which a runner's files may be kept here.
func updates() []string {
	if os.Geteuid() == 0 {
		return []string{instance.UpdateAgent, instance.UpdateRunner}
	}
	return []string{instance.UpdateRunner}
}

// What is wanted takes the place of what is there, and so it does after a kill in the middle of that, in either direction.
func TestExchange(t *testing.T) {
	t.Parallel()
	for _, update := range updates() {
		t.Run(update, func(t *testing.T) {
			t.Parallel()
			k, assets := placed(t, update, "2.337.0", "2.338.0")
			do := func() {
				t.Helper()
				if err := exchange(t.Context(), k); err != nil {
					t.Error(err)
				}
			}
			do()
			consists(t, k, assets[0])
			for _, to := range []download.Asset{assets[1], assets[0], assets[1]} {
				change(t, k, func(r *instance.Record) { r.Wants(to.Version, to.SHA256) })
				do()
				consists(t, k, to)
			}

			// It was killed half-way to the older one, which is not wanted any more.
			record := change(t, k, func(r *instance.Record) {
				r.Wanted = instance.Wanted{Version: assets[0].Version, SHA256: assets[0].SHA256, Begun: true}
				r.Wants(r.Version, r.SHA256)
			})
			entry, _ := k.fetcher.Cache.Find(assets[0])
			half := []byte(read(t, filepath.Join(entry.Tree(), "config.sh")) + "# half")
			file := filepath.Join(record.Dir, "config.sh")
			if err := errors.Join(os.Remove(file), os.WriteFile(file, half, 0o755)); err != nil {
				t.Fatal(err)
			}
			if record.Wanted.None() {
				t.Fatal("it is taken for whole")
			}
			do()
			consists(t, k, assets[1])
		})
	}
}

// A failure is noted, and what has begun; another version that is wanted meanwhile is not overtaken.
func TestExchangeFails(t *testing.T) {
	t.Parallel()
	for _, update := range updates() {
		k, assets := placed(t, update, "2.337.0", "2.338.0")
		record := change(t, k, func(r *instance.Record) { r.Wants("2.339.0", strings.Repeat("a", 64)) })
		if err := bring(t.Context(), k, record, assets[1]); !errors.Is(err, errOtherWanted) {
			t.Errorf("error %v", err)
		}
		if err := exchange(t.Context(), k); !errors.Is(err, download.ErrUnnamed) {
			t.Errorf("error %v", err)
		}
		record = change(t, k, func(*instance.Record) {})
		if record.Wanted.Problem == "" || record.Wanted.Begun || record.Version != "2.337.0" {
			t.Errorf("the record says %+v", record.Origin)
		}
		// A copy that is made for another registration is the best that can be had, and it says why.
		record = change(t, k, func(r *instance.Record) { r.Wanted.Problem = "" })
		if asset, err := k.sameAgain(t.Context(), record); err != nil || asset.Version != "2.337.0" {
			t.Errorf("%+v, %v", asset, err)
		}
		record = change(t, k, func(r *instance.Record) { r.Wants(assets[1].Version, assets[1].SHA256) })
		if record.Wanted.Problem != "" {
			t.Errorf("the record says %+v", record.Origin)
		}
		if asset, err := k.sameAgain(t.Context(), record); err != nil || asset.Version != "2.338.0" {
			t.Errorf("%+v, %v", asset, err)
		}
		stopped, cancel := context.WithCancel(t.Context())
		cancel()
		noteProblem(stopped, k, record.Wanted, errMismatch)
		noteProblem(t.Context(), k, instance.Wanted{Version: "2.336.0"}, errMismatch)
		if record = change(t, k, func(*instance.Record) {}); record.Wanted.Problem != "" {
			t.Errorf("the record says %+v", record.Origin)
		}
		if err := os.RemoveAll(record.Dir); err != nil {
			t.Fatal(err)
		}
		if err := exchange(t.Context(), k); err == nil {
			t.Error("without a directory")
		}
		if record = change(t, k, func(*instance.Record) {}); record.Wanted.Problem == "" || !record.Wanted.Begun {
			t.Errorf("the record says %+v", record.Origin)
		}
	}
}

var errMismatch = errors.New("not to be noted")

// What an agent has received by itself does not come to a runner that an install has pinned since.
func TestPinnedMeanwhile(t *testing.T) {
	t.Parallel()
	k, assets := placed(t, instance.UpdateRunner, "2.337.0", "2.338.0")
	v := &versions{keeper: k, next: assets[1]}
	change(t, k, func(r *instance.Record) { r.Source.Pinned = true })
	if v.due() < lookEach {
		t.Error("it asks for newer ones")
	}
	if err := refresh(k, v)(t.Context()); err != nil {
		t.Error(err)
	}
	consists(t, k, assets[0])
	change(t, k, func(r *instance.Record) { r.Source.Pinned = false })
	if err := refresh(k, v)(t.Context()); err != nil {
		t.Error(err)
	}
	consists(t, k, assets[1])
}

// One that has updated itself to what is wanted is not made of it again.
func TestExchangedByItself(t *testing.T) {
	t.Parallel()
	k, assets := placed(t, instance.UpdateRunner, "2.337.0", "2.338.0")
	record := change(t, k, func(r *instance.Record) { r.Wants(assets[1].Version, assets[1].SHA256) })
	before := read(t, filepath.Join(record.Dir, "bin/Runner.Listener"))
	if err := errors.Join(k.store.SaveReport(k.name, instance.Report{Version: "2.338.0"}), exchange(t.Context(), k)); err != nil {
		t.Fatal(err)
	}
	record = change(t, k, func(*instance.Record) {})
	if record.Version != "2.338.0" || !record.Wanted.None() || read(t, filepath.Join(record.Dir, "bin/Runner.Listener")) != before {
		t.Errorf("the record says %+v", record.Origin)
	}
}
