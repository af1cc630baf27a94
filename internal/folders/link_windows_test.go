package folders

import (
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/windows"
)

// The bytes that mklink /J makes for C:\a: [MS-FSCC] 2.1.2.5.
func TestJunctionBytes(t *testing.T) {
	t.Parallel()
	data, err := junction(`C:\a`)
	if err != nil {
		t.Fatal(err)
	}
	want := "030000a0" + "2400" + "0000" + // the tag, the length of what follows, nothing
		"0000" + "1000" + "1200" + "0800" + // \??\C:\a is 16 bytes, C:\a begins behind its zero and is 8
		"5c003f003f005c0043003a005c0061000000" + "43003a005c0061000000"
	if got := hex.EncodeToString(data); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if long := `C:\` + strings.Repeat("a", 4000); true {
		if data, err := junction(long); err != nil || len(data) != 8+8+2*(4+4003+1+4003+1) {
			t.Errorf("%d bytes, %v", len(data), err)
		}
	}
	for _, target := range []string{"", "a", `\a`, `C:a`, `\\host\share\a`, `C:\` + strings.Repeat("a", 8000)} {
		if _, err := junction(target); err == nil {
			t.Errorf("%q is taken", target)
		}
	}
}

func TestLink(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	if err := errors.Join(root.Mkdir("bin.1", 0o755), root.Mkdir("bin.2", 0o755), root.WriteFile("bin.2/two", nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	err = Link(root, filepath.Join(dir, "bin.1"), "bin")
	if errors.Is(err, windows.ERROR_INVALID_FUNCTION) || errors.Is(err, windows.ERROR_NOT_SUPPORTED) || errors.Is(err, errors.ErrUnsupported) {
		if _, err := root.Lstat("bin"); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("half a link is left: %v", err)
		}
		t.Skip("this Windows has no junctions, as Wine 10: ", err)
	}
	if err == nil {
		err = Link(root, filepath.Join(dir, "bin.2"), ".bin.link")
	}
	if err != nil {
		t.Fatal(err)
	}
	if !IsLink(root, "bin") || IsLink(root, "bin.1") || IsLink(root, "none") {
		t.Error("what is a link, and what is none")
	}
	if err := ReplaceLink(root, ".bin.link", "bin"); err != nil {
		t.Fatal(err)
	}
	if target, err := root.Readlink("bin"); err != nil || target != filepath.Join(dir, "bin.2") {
		t.Errorf("it leads to %q, %v", target, err)
	}
	if _, err := os.Stat(filepath.Join(dir, "bin", "two")); err != nil {
		t.Error(err)
	}
	if _, err := root.Lstat("bin.1"); err != nil {
		t.Errorf("what the link led to before: %v", err)
	}
}
