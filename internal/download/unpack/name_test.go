package unpack

import (
	"archive/tar"
	"bytes"
	"errors"
	"runtime"
	"testing"

	"github.com/runner-bootstrap/runner-bootstrap/internal/download/unpack/naming"
)

func TestNamesThatDifferByCase(t *testing.T) {
	t.Parallel()
	dir := byte(tar.TypeDir)
	for name, entries := range map[string][]*tar.Header{
		"files":                {{Name: "a/x"}, {Name: "a/X"}},
		"files beyond ASCII":   {{Name: "a/ä"}, {Name: "a/Ä"}},
		"a file and a folder":  {{Name: "x"}, {Name: "X/", Typeflag: dir}},
		"a folder and a file":  {{Name: "X/", Typeflag: dir}, {Name: "x"}},
		"folders":              {{Name: "x/", Typeflag: dir}, {Name: "X/", Typeflag: dir}},
		"folders not listed":   {{Name: "x/a"}, {Name: "X/b"}},
		"a listed folder":      {{Name: "x/", Typeflag: dir}, {Name: "X/b"}},
		"a folder of ours":     {{Name: "BIN/x"}},
		"a file of ours":       {{Name: "Config.SH"}},
		"a link":               {{Name: "x", Typeflag: tar.TypeSymlink, Linkname: "bin"}, {Name: "X"}},
		"a hard link":          {{Name: "x"}, {Name: "X", Typeflag: tar.TypeLink, Linkname: "x"}},
		"below a link":         {{Name: "x", Typeflag: tar.TypeSymlink, Linkname: "bin"}, {Name: "X/a"}},
		"a hard link's target": {{Name: "x"}, {Name: "y", Typeflag: tar.TypeLink, Linkname: "X"}},
	} {
		data := zipped(t, plain(t, false, entries...))
		for _, names := range []naming.Rules{naming.Fold, naming.Windows} {
			if _, err := Tar(t.Context(), bytes.NewReader(data), emptyDir(t), names, Later); !errors.Is(err, ErrArchive) || errors.Is(err, ErrLayout) {
				t.Errorf("%s, as %d: %v, want ErrArchive", name, names, err)
			}
		}
		if runtime.GOOS != "linux" || name == "a hard link's target" {
			continue
		}
		tree := emptyDir(t)
		if m, err := Tar(t.Context(), bytes.NewReader(data), tree, naming.Unix, Later); err != nil {
			t.Errorf("%s, where case counts: %v", name, err)
		} else if err := m.Check(t.Context(), tree); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
