//go:build unix

package bootstrap_test

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/runner-bootstrap/runner-bootstrap/internal/account"
	"github.com/runner-bootstrap/runner-bootstrap/internal/bootstrap"
	"github.com/runner-bootstrap/runner-bootstrap/internal/download"
	"github.com/runner-bootstrap/runner-bootstrap/internal/plan"
)

func itoa(n int64) string { return strconv.FormatInt(n, 10) }

// The cache is filled for an image, and what must not be in one is refused.
func TestPrepare(t *testing.T) {
	t.Parallel()
	w := newWorld(t).withGitHub()
	w.ownCache()
	prepared, err := w.host.Prepare(t.Context(), bootstrap.PrepareRequest{Scope: w.scope, Seal: &bootstrap.SealRequest{}})
	if err != nil || prepared.Cached || !prepared.Sealed || prepared.Version != version {
		t.Fatalf("prepared %+v, %v", prepared, err)
	}
	secret := w.write("rb/x.txt", "ghp_"+strings.Repeat("a1Bc2D", 6))
	_, err = w.host.Prepare(t.Context(), bootstrap.PrepareRequest{Scope: w.scope, Seal: &bootstrap.SealRequest{}, Source: download.Source{Archive: plain.file, SHA256: plain.archive.SHA256}})
	expect(t, err, bootstrap.ErrNotClean, secret)
	mustDo(t, os.Remove(secret))
	r := w.atGitHub()
	r.Service = false
	w.install(r)
	_, err = w.host.Prepare(t.Context(), bootstrap.PrepareRequest{Scope: w.scope, Seal: &bootstrap.SealRequest{}})
	expect(t, err, bootstrap.ErrNotClean, "it has web-1, and each copy would be the same runner")
	again, err := w.host.Prepare(t.Context(), bootstrap.PrepareRequest{Scope: w.scope})
	if err != nil || !again.Cached || again.Sealed {
		t.Errorf("again %+v, %v", again, err)
	}
	_, err = w.host.Prepare(t.Context(), bootstrap.PrepareRequest{Scope: w.scope, Source: download.Source{Version: "2.0.0"}})
	expect(t, err, nil)
}

func TestCache(t *testing.T) {
	t.Parallel()
	w := newWorld(t).withGitHub()
	w.ownCache()
	_, err := w.host.Prepare(t.Context(), bootstrap.PrepareRequest{Scope: w.scope, Source: download.Source{Archive: plain.file, SHA256: plain.archive.SHA256}})
	mustDo(t, err)
	if got := w.phases.of(plan.FetchPhase); got != "version "+version+", SHA-256 verified, from "+filepath.Dir(plain.file) {
		t.Errorf("the phase says %q", got)
	}
	if all, err := w.host.ListCache(); err != nil || len(all) != 1 || all[0].Version != version {
		t.Errorf("the cache has %+v, %v", all, err)
	}
	for _, dry := range []bool{true, false} {
		if gone, err := w.host.PruneCache(t.Context(), 0, dry); err != nil || len(gone) != 1 {
			t.Errorf("pruned %+v, %v", gone, err)
		}
	}
	if all, err := w.host.ListCache(); err != nil || len(all) > 0 {
		t.Errorf("the cache has %+v, %v", all, err)
	}
	if !account.Privileged() {
		w.host.Private = false
		_, err := w.host.PruneCache(t.Context(), 0, false)
		expect(t, err, account.ErrPrivilege)
	}
}

// What people have made is never mended away.
func TestPrepareMendsNothingOfOthers(t *testing.T) {
	t.Parallel()
	w := newWorld(t).withGitHub()
	r := bootstrap.PrepareRequest{Scope: w.scope, Seal: &bootstrap.SealRequest{Fix: true, Identity: true}}
	prepared, err := w.host.Prepare(t.Context(), r)
	if err != nil || !prepared.Sealed || len(prepared.Seal.Removed) > 0 {
		t.Fatalf("prepared %+v, %v", prepared, err)
	}
	var secrets []string
	for n := range 7 {
		secrets = append(secrets, w.write("rb/"+itoa(int64(n))+".txt", "ghp_"+strings.Repeat("a1Bc2D", 6)))
	}
	prepared, err = w.host.Prepare(t.Context(), r)
	expect(t, err, bootstrap.ErrNotClean, secrets[0], secrets[4], "and 2 more")
	if prepared.Sealed || len(prepared.Seal.Findings) != len(secrets) {
		t.Errorf("prepared %+v", prepared.Seal)
	}
	for _, path := range secrets {
		if _, err := os.Lstat(path); err != nil {
			t.Error(err)
		}
	}
	// One that was interrupted has not been looked over.
	for _, fix := range []bool{true, false} {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		w.phases.begin = func(phase plan.Phase) {
			if phase == plan.SealPhase {
				cancel()
			}
		}
		r.Seal.Fix = fix
		prepared, err = w.host.Prepare(ctx, r)
		expect(t, err, context.Canceled)
		if prepared.Sealed || prepared.Seal != nil {
			t.Errorf("prepared %+v", prepared.Seal)
		}
	}
}
