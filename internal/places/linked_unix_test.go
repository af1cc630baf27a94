//go:build unix

package places

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/runner-bootstrap/runner-bootstrap/internal/account"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
)

// A link below a folder that others can write to is refused before anything is made behind it, and told by its name.
func TestLinked(t *testing.T) {
	t.Parallel()
	user, err := account.Lookup("")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{".", "state", "runners", "cache"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			open := filepath.Join(t.TempDir(), "open")
			if err := os.Mkdir(open, 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(open, 0o777|os.ModeSticky); err != nil {
				t.Fatal(err)
			}
			target, link := t.TempDir(), filepath.Join(open, "rb", name)
			if name != "." {
				if err := os.Mkdir(filepath.Join(open, "rb"), 0o755); err != nil {
					t.Fatal(err)
				}
			}
			if err := os.Symlink(target, link); err != nil {
				t.Fatal(err)
			}
			err := Check(ForInstall(instance.DefaultPaths(filepath.Join(open, "rb")), Need{Bytes: 1, Files: 1}, false), user)
			if !errors.Is(err, ErrLinked) || !strings.Contains(err.Error(), `"`+link+`" leads to "`+target+`"`) {
				t.Errorf("%v, want one that names the link %q", err, link)
			}
			left, readErr := os.ReadDir(target)
			if readErr != nil || len(left) > 0 {
				t.Errorf("behind the link there is %v, %v", left, readErr)
			}
		})
	}
}

// State that is there already is not taken for good if it is behind a link.
func TestLinkedState(t *testing.T) {
	t.Parallel()
	open := t.TempDir()
	if err := os.Chmod(open, 0o777|os.ModeSticky); err != nil {
		t.Fatal(err)
	}
	target, paths := t.TempDir(), instance.DefaultPaths(open)
	if err := os.MkdirAll(filepath.Join(target, "instances", "web-1"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(target, paths.State); err != nil {
		t.Fatal(err)
	}
	if err := CheckState(paths); !errors.Is(err, ErrLinked) {
		t.Errorf("%v, want %v", err, ErrLinked)
	}
}
