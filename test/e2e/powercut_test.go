//go:build e2e && linux

package e2e_test

import (
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/download"
	"github.com/runner-bootstrap/runner-bootstrap/internal/githubtest"
	"github.com/runner-bootstrap/runner-bootstrap/test/e2e/machine"
	"github.com/runner-bootstrap/runner-bootstrap/test/e2e/stage"
)

// TestPowerCut: what the cache names, and what install has installed, is on the disk. The disk is a file; a copy
// of it, taken the moment install has ended, is what a power cut leaves: whatever
// the kernel had not written yet is not in it.
func TestPowerCut(t *testing.T) {
	t.Parallel()
	program := machine.Build(t, "cmd/runner-bootstrap")
	dir := t.TempDir()
	// The account of the jobs passes through.
	for _, path := range []string{dir, filepath.Dir(dir)} {
		if err := os.Chmod(path, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	platform, err := download.Host()
	if err != nil {
		t.Fatal(err)
	}
	archive, err := githubtest.NewArchive(githubtest.ArchiveSpec{
		Platform: platform.String(), Version: "2.337.0", Listener: stage.Listener(t, dir), Padding: 40 << 20, Dir: dir,
	})
	if err != nil {
		t.Fatal(err)
	}
	image := filepath.Join(dir, "disk")
	sh(t, "truncate", "--size=400M", image)
	// The journal is committed when somebody asks for it, not every few seconds.
	sh(t, "mkfs.ext4", "-q", "-F", image)
	live := mount(t, image, filepath.Join(dir, "live"))
	sh(t, program, "prepare", "--dir", filepath.Join(live, "rb"), "--archive", filepath.Join(dir, archive.Filename), "--sha256", archive.SHA256)
	server, err := githubtest.Start(githubtest.Config{Archive: archive})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	secret := filepath.Join(dir, "token")
	if err := os.WriteFile(secret, []byte(server.Token()), 0o600); err != nil {
		t.Fatal(err)
	}
	sh(t, program, "install", "--dir", filepath.Join(live, "rb"), "--url", server.URL()+"/octo-org", "--name", "web-1", "--no-service",
		"--user", "nobody", "--token-file", secret)
	// Beside it, something that nobody has asked to be durable.
	sh(t, "cp", "-r", filepath.Join(live, "rb", "cache"), filepath.Join(live, "copied"))
	cut := filepath.Join(dir, "cut")
	sh(t, "cp", "--sparse=always", image, cut)

	after := mount(t, cut, filepath.Join(dir, "after"))
	cache := download.Cache{Dir: filepath.Join(after, "rb", "cache")}
	entries, err := cache.Entries()
	if err != nil || len(entries) != 1 {
		t.Fatalf("after the cut the cache lists %v, %v", entries, err)
	}
	fetcher := &download.Fetcher{Cache: cache}
	// Every byte is compared with the manifest as it is copied.
	cached, err := fetcher.Place(t.Context(), entries[0].Asset(platform), filepath.Join(dir, "root"), download.Owner{Keep: true}, nil)
	if err != nil || !cached {
		t.Errorf("after the cut the runner is damaged: %v", err)
	}
	if root := filepath.Join("rb", "runners", "web-1"); !whole(filepath.Join(live, root), filepath.Join(after, root)) {
		t.Error("after the cut the installed runner is damaged")
	}
	if whole(filepath.Join(live, "copied"), filepath.Join(after, "copied")) {
		t.Error("what was not synced has survived as well: this is no power cut")
	}
}

// whole tells whether every file of a tree is in another with the same size and
// the same first bytes.
func whole(want, got string) bool {
	err := filepath.WalkDir(want, func(path string, entry os.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		relative, err := filepath.Rel(want, path)
		if err != nil {
			return err
		}
		a, err := head(path)
		if err != nil {
			return err
		}
		b, err := head(filepath.Join(got, relative))
		if err == nil && a != b {
			err = io.ErrUnexpectedEOF
		}
		return err
	})
	return err == nil
}

func head(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, 4096))
	return string(text), err
}

func mount(t *testing.T, image, at string) string {
	t.Helper()
	if err := os.Mkdir(at, 0o755); err != nil {
		t.Fatal(err)
	}
	sh(t, "mount", "-o", "loop,commit=600", image, at)
	t.Cleanup(func() {
		// t.Context() is over by now.
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if output, err := exec.CommandContext(ctx, "umount", at).CombinedOutput(); err != nil {
			t.Errorf("unmounting: %v\n%s", err, output)
		}
	})
	return at
}

func sh(t *testing.T, command ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	if output, err := exec.CommandContext(ctx, command[0], command[1:]...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(command, " "), err, output)
	}
}
