//go:build unix

package agent

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/runner-bootstrap/runner-bootstrap/internal/download"
)

func aheadIn(t *testing.T, version string) *ahead {
	t.Helper()
	return &ahead{dir: filepath.Join(t.TempDir(), ".web-1.ahead"), log: quiet(), make: func(_ context.Context, there string) (download.Asset, error) {
		return download.Asset{Version: version}, errors.Join(os.Mkdir(there, 0o755), os.WriteFile(filepath.Join(there, "run.sh"), []byte(version), 0o755))
	}}
}

func taken(t *testing.T, a *ahead, version, to string) bool {
	t.Helper()
	got, err := a.take(t.Context(), download.Asset{Version: version}, to)
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
	dir := filepath.Dir(a.dir)
	next := filepath.Join(dir, ".web-1.next")
	write(t, filepath.Join(a.next(), "half"), "a killed process has left it")
	if taken(t, a, "2.337.0", next) {
		t.Fatal("what nobody has made was taken")
	}
	a.begin()
	a.begin() // it is on its way
	if !taken(t, a, "2.337.0", next) || read(t, filepath.Join(next, "run.sh")) != "2.337.0" {
		t.Fatal("the copy was not taken")
	}
	absent(t, filepath.Join(next, "half"), a.next())
	if info, err := os.Stat(a.dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the folder: %v, %v", info, err)
	}
	if taken(t, a, "2.337.0", next) {
		t.Error("it was taken twice")
	}
	if err := a.leave(t.Context(), next); err != nil {
		t.Fatal(err)
	}
	absent(t, next)
	a.begin()
	a.wait(t.Context())
	absent(t, a.old())
	if taken(t, a, "2.338.0", next) {
		t.Error("a copy of another version was taken")
	}
	a.end()
	absent(t, a.dir, next)
}

// A copy that cannot be made is made after the job, and one that is broken off leaves nothing.
func TestAheadFails(t *testing.T) {
	t.Parallel()
	a := aheadIn(t, "2.337.0")
	made, broken := a.make, errors.New("no room")
	a.make = func(_ context.Context, there string) (download.Asset, error) {
		return download.Asset{}, errors.Join(broken, os.Mkdir(there, 0o755))
	}
	next := filepath.Join(filepath.Dir(a.dir), "next")
	a.begin()
	if taken(t, a, "2.337.0", next) {
		t.Error("what could not be made was taken")
	}
	absent(t, a.next())
	a.make = made
	a.begin()
	if !taken(t, a, "2.337.0", next) {
		t.Error("the second try was not taken")
	}
	a.make = func(ctx context.Context, there string) (download.Asset, error) {
		err := os.Mkdir(there, 0o755)
		<-ctx.Done()
		return download.Asset{}, errors.Join(err, ctx.Err())
	}
	a.begin()
	a.end()
	absent(t, a.dir)
	var none *ahead
	none.begin()
	none.end()
	if got, err := none.take(t.Context(), download.Asset{}, next); got || err != nil || none.leave(t.Context(), next) == nil {
		t.Errorf("without copies: %v, %v", got, err)
	}
}
