//go:build unix

package ahead

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/runner-bootstrap/runner-bootstrap/internal/download"
)

func aheadIn(t *testing.T, version string) *Copies {
	t.Helper()
	return &Copies{Dir: filepath.Join(t.TempDir(), ".web-1.ahead"), Log: slog.New(slog.DiscardHandler), Make: func(_ context.Context, there string) (download.Asset, error) {
		return download.Asset{Version: version}, errors.Join(os.Mkdir(there, 0o755), os.WriteFile(filepath.Join(there, "run.sh"), []byte(version), 0o755))
	}}
}

func taken(t *testing.T, a *Copies, version, to string) bool {
	t.Helper()
	got, err := a.Take(t.Context(), download.Asset{Version: version}, to)
	if err != nil {
		t.Error(err)
	}
	return got
}

func absent(t *testing.T, paths ...string) {
	t.Helper()
	for _, path := range paths {
		if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s is there: %v", path, err)
		}
	}
}

// The next copy is made before it is wanted, where only root can see it, and what it replaces goes afterwards.
func TestAhead(t *testing.T) {
	t.Parallel()
	a := aheadIn(t, "2.337.0")
	dir := filepath.Dir(a.Dir)
	next := filepath.Join(dir, ".web-1.next")
	write(t, filepath.Join(a.next(), "half"), "a killed process has left it")
	if taken(t, a, "2.337.0", next) {
		t.Fatal("what nobody has made was taken")
	}
	a.Begin()
	a.Begin() // it is on its way
	if !taken(t, a, "2.337.0", next) || read(t, filepath.Join(next, "run.sh")) != "2.337.0" {
		t.Fatal("the copy was not taken")
	}
	absent(t, filepath.Join(next, "half"), a.next())
	if info, err := os.Stat(a.Dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the folder: %v, %v", info, err)
	}
	if taken(t, a, "2.337.0", next) {
		t.Error("it was taken twice")
	}
	if err := a.Leave(t.Context(), next); err != nil {
		t.Fatal(err)
	}
	absent(t, next)
	a.Begin()
	a.wait(t.Context())
	absent(t, a.old())
	if taken(t, a, "2.338.0", next) {
		t.Error("a copy of another version was taken")
	}
	made := a.Make // and it is of no use any more
	a.Make = func(ctx context.Context, there string) (download.Asset, error) {
		asset, err := made(ctx, there)
		asset.Version = "2.338.0"
		return asset, err
	}
	a.Begin()
	if !taken(t, a, "2.338.0", next) {
		t.Error("the copy of another version is still in the way")
	}
	if err := os.RemoveAll(next); err != nil {
		t.Fatal(err)
	}
	a.End()
	absent(t, a.Dir, next)
}

// A copy that cannot be made is made after the job, and one that is broken off leaves nothing.
func TestAheadFails(t *testing.T) {
	t.Parallel()
	a := aheadIn(t, "2.337.0")
	made, broken := a.Make, errors.New("no room")
	a.Make = func(_ context.Context, there string) (download.Asset, error) {
		return download.Asset{}, errors.Join(broken, os.Mkdir(there, 0o755))
	}
	next := filepath.Join(filepath.Dir(a.Dir), "next")
	a.Begin()
	if taken(t, a, "2.337.0", next) {
		t.Error("what could not be made was taken")
	}
	absent(t, a.next())
	a.Make = made
	a.Begin()
	if !taken(t, a, "2.337.0", next) {
		t.Error("the second try was not taken")
	}
	a.Make = func(ctx context.Context, there string) (download.Asset, error) {
		err := os.Mkdir(there, 0o755)
		<-ctx.Done()
		return download.Asset{}, errors.Join(err, ctx.Err())
	}
	a.Begin()
	a.End()
	absent(t, a.Dir)
	var none *Copies
	none.Begin()
	none.End()
	if got, err := none.Take(t.Context(), download.Asset{}, next); got || err != nil || none.Leave(t.Context(), next) == nil {
		t.Errorf("without copies: %v, %v", got, err)
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o600)); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
