package doctor

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/runner-bootstrap/runner-bootstrap/internal/libraries"
)

// write makes a file below root, and the folders above it.
func write(t *testing.T, root, path string, text []byte) {
	t.Helper()
	full := filepath.Join(root, path)
	if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(full, text, 0o755); err != nil {
		t.Fatal(err)
	}
}

func TestLibc(t *testing.T) {
	t.Parallel()
	musl := t.TempDir()
	write(t, musl, "/lib/ld-musl-x86_64.so.1", nil)
	if f := libc(libraries.Of(musl))[0]; f.State != Failed || !strings.Contains(f.Found, "musl") || f.Fix == "" {
		t.Errorf("with musl: %+v", f)
	}
	if f := libc(libraries.Of(t.TempDir()))[0]; f.State != Failed || !strings.Contains(f.Found, "no GNU libc") {
		t.Errorf("without a C library: %+v", f)
	}
	for _, c := range []struct {
		version int
		goarch  string
		want    State
	}{
		{22, "amd64", Failed}, {23, "amd64", Warning}, {27, "arm64", Warning}, {28, "amd64", OK}, {34, "arm", Failed}, {35, "arm", OK},
	} {
		if f := judgeLibc("libc", c.version, c.goarch)[0]; f.State != c.want {
			t.Errorf("2.%d on %s: %+v, want %s", c.version, c.goarch, f, c.want)
		}
	}
}

// TestLibcOfThisHost: the version is the one that the library tells of itself.
func TestLibcOfThisHost(t *testing.T) {
	t.Parallel()
	text, err := exec.CommandContext(t.Context(), "getconf", "GNU_LIBC_VERSION").Output()
	if err != nil || runtime.GOOS != "linux" {
		t.Skip("this host has no GNU libc")
	}
	want := "GNU libc " + strings.Fields(string(text))[1]
	if f := libc(libraries.Of("/"))[0]; f.Found != want && !strings.HasPrefix(f.Found, want+":") {
		t.Errorf("got %+v, want %q", f, want)
	}
}
