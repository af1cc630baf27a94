package unpack

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"strings"
	"testing"

	"github.com/runner-bootstrap/runner-bootstrap/internal/download/unpack/naming"
	"github.com/runner-bootstrap/runner-bootstrap/internal/githubtest"
)

// again is a runner's archive in which one is listed so many times.
func again(t *testing.T, times int, entries ...githubtest.Entry) []byte {
	t.Helper()
	var all []githubtest.Entry
	for range times {
		all = append(all, entries...)
	}
	return packed(t, githubtest.ArchiveSpec{Extra: all})
}

// TestReplacingIsBounded: what is listed again and again takes no more time than so many entries.
func TestReplacingIsBounded(t *testing.T) {
	t.Parallel()
	if _, err := Tar(t.Context(), bytes.NewReader(again(t, 3000, githubtest.Entry{Name: "./x", Body: "x"})), emptyDir(t), naming.Unix, Later); err != nil {
		t.Error(err)
	}
	links := []githubtest.Entry{{Name: "./x", Body: "x"}, {Name: "./y", Type: tar.TypeLink, Link: "x"}}
	if _, err := Tar(t.Context(), bytes.NewReader(again(t, 900, links...)), emptyDir(t), naming.Unix, Later); err != nil {
		t.Error(err)
	}
	_, err := Tar(t.Context(), bytes.NewReader(again(t, 1100, links...)), emptyDir(t), naming.Unix, Later)
	if !errors.Is(err, ErrArchive) || !strings.Contains(err.Error(), "with several names") {
		t.Errorf("%v, want ErrArchive", err)
	}
}

// TestOtherCaseReplacesNothing: where case does not count, a name in another case is another one.
func TestOtherCaseReplacesNothing(t *testing.T) {
	t.Parallel()
	for _, names := range []naming.Rules{naming.Fold, naming.Windows} {
		for _, second := range []githubtest.Entry{{Name: "./RUN.sh", Body: "x"}, {Name: "./Run.sh", Type: tar.TypeSymlink, Link: "bin"}} {
			_, err := Tar(t.Context(), bytes.NewReader(packed(t, githubtest.ArchiveSpec{Extra: []githubtest.Entry{second}})), emptyDir(t), names, Later)
			if !errors.Is(err, ErrArchive) || !strings.Contains(err.Error(), "would replace") {
				t.Errorf("%s: %v, want ErrArchive", second.Name, err)
			}
		}
	}
}

// FuzzTar unpacks whatever tar: it is refused as an archive, or what was made is what the manifest says, and nothing lies outside.
func FuzzTar(f *testing.F) {
	seed := func(entries ...*tar.Header) {
		data := plain(f, true, append([]*tar.Header{{Name: "config.sh"}, {Name: "bin/Runner.Listener"}}, entries...)...)
		f.Add(data)
		f.Add(data[:len(data)-1024])
	}
	seed()
	seed(&tar.Header{Name: "config.sh", Size: 700}, &tar.Header{Name: "l", Typeflag: tar.TypeSymlink, Linkname: "bin"})
	seed(&tar.Header{Name: "h", Typeflag: tar.TypeLink, Linkname: "config.sh"}, &tar.Header{Name: "config.sh", Size: 3},
		&tar.Header{Name: "h", Typeflag: tar.TypeSymlink, Linkname: "config.sh"})
	seed(&tar.Header{Name: "l", Typeflag: tar.TypeSymlink, Linkname: "."}, &tar.Header{Name: "l/", Typeflag: tar.TypeDir}, &tar.Header{Name: "l/x", Size: 3})
	seed(&tar.Header{Name: "label", Typeflag: volumeLabel}, &tar.Header{Name: "a/" + strings.Repeat("x", 120), Size: 1, Format: tar.FormatGNU})
	seed(&tar.Header{Name: "a/é", Format: tar.FormatPAX}, &tar.Header{Name: "../out", Size: 1}, &tar.Header{Name: "d/", Typeflag: tar.TypeDir})
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 1<<16 {
			return // it would take too long
		}
		var packed bytes.Buffer
		w, err := gzip.NewWriterLevel(&packed, gzip.NoCompression)
		if err == nil {
			_, err = w.Write(data)
		}
		if err := errors.Join(err, w.Close()); err != nil {
			t.Fatal(err)
		}
		dir := emptyDir(t)
		m, err := Tar(t.Context(), &packed, dir, naming.Unix, Later)
		wantCanary(t, dir)
		if err != nil {
			if !errors.Is(err, ErrArchive) {
				t.Errorf("%v is not the archive's", err)
			}
			return
		}
		if err := m.Check(t.Context(), dir); err != nil {
			t.Error(err)
		}
	})
}
