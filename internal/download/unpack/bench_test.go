package unpack

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/runner-bootstrap/runner-bootstrap/internal/download/unpack/naming"
)

const benchmarkSize = 150 << 20

// installation calls do for what a runner is made of, programs and thousands of
// small files, from the Go installation.
func installation(b *testing.B, do func(name string, content []byte)) (total int64) {
	b.Helper()
	out, err := exec.CommandContext(b.Context(), "go", "env", "GOROOT").Output()
	if err != nil {
		b.Skipf("no Go installation to take data from: %v", err)
	}
	root := strings.TrimSpace(string(out))
	for _, below := range []string{"bin", "pkg", "src"} {
		err := filepath.WalkDir(filepath.Join(root, below), func(path string, entry fs.DirEntry, err error) error {
			if err != nil || !entry.Type().IsRegular() || total > benchmarkSize {
				return err
			}
			content, err := os.ReadFile(path)
			total += int64(len(content))
			do("externals"+filepath.ToSlash(strings.TrimPrefix(path, root)), content)
			return err
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	return total
}

func benchmarkTar(b *testing.B) ([]byte, int64) {
	b.Helper()
	var out bytes.Buffer
	compressed := gzip.NewWriter(&out)
	w := tar.NewWriter(compressed)
	add := func(name string, content []byte) {
		if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Size: int64(len(content)), Mode: 0o755}); err != nil {
			b.Fatal(err)
		}
		if _, err := w.Write(content); err != nil {
			b.Fatal(err)
		}
	}
	add("config.sh", nil)
	add("bin/Runner.Listener", nil)
	total := installation(b, add)
	if err := w.Close(); err != nil {
		b.Fatal(err)
	}
	if err := compressed.Close(); err != nil {
		b.Fatal(err)
	}
	return out.Bytes(), total
}

func BenchmarkUnpackTar(b *testing.B) {
	data, total := benchmarkTar(b)
	b.SetBytes(total)
	for b.Loop() {
		if _, err := Tar(b.Context(), bytes.NewReader(data), b.TempDir(), naming.Unix, Later); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkClone(b *testing.B) {
	data, total := benchmarkTar(b)
	from, to := b.TempDir(), b.TempDir()
	m, err := Tar(b.Context(), bytes.NewReader(data), from, naming.Unix, Later)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(total)
	n := 0
	for b.Loop() {
		n++
		if err := Clone(b.Context(), from, m, filepath.Join(to, strconv.Itoa(n)), Owner{Keep: true}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCheck(b *testing.B) {
	data, total := benchmarkTar(b)
	dir := b.TempDir()
	m, err := Tar(b.Context(), bytes.NewReader(data), dir, naming.Unix, Later)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(total)
	for b.Loop() {
		if err := m.Check(b.Context(), dir); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkUnpackZip(b *testing.B) {
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	add := func(name string, content []byte) {
		into, err := w.Create(name)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := io.Copy(into, bytes.NewReader(content)); err != nil {
			b.Fatal(err)
		}
	}
	add("config.cmd", nil)
	add("bin/Runner.Listener.exe", nil)
	total := installation(b, add)
	if err := w.Close(); err != nil {
		b.Fatal(err)
	}
	for _, workers := range []int{1, 2, 4} {
		b.Run(strconv.Itoa(workers), func(b *testing.B) {
			b.SetBytes(total)
			for b.Loop() {
				if _, err := Zip(b.Context(), bytes.NewReader(out.Bytes()), int64(out.Len()), b.TempDir(), naming.Windows, workers); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
