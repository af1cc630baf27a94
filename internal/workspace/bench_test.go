package workspace_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/workspace"
)

func BenchmarkEmpty(b *testing.B) {
	benchmark(b, func(root string) error { return workspace.Empty(root, "", -1) })
}

func BenchmarkRm(b *testing.B) {
	rm, err := exec.LookPath("rm")
	if err != nil {
		b.Skip(err)
	}
	benchmark(b, func(root string) error {
		return exec.CommandContext(b.Context(), rm, "-rf", filepath.Join(root, "_work")).Run()
	})
}

// BenchmarkTidyYoung looks at a large folder of a repository each time, which stays for its last file.
func BenchmarkTidyYoung(b *testing.B) {
	const files, each = 50_000, 500
	root := b.TempDir()
	for i := range files {
		plant(b, root, fmt.Sprintf("_work/repo/repo/%d/%d", i/each, i))
	}
	plant(b, root, "_work/repo/repo/z/y/x/w")
	age(b, filepath.Join(root, "_work"), 100*day)
	file := filepath.Join(root, "_work/repo/repo/z/y/x/w")
	check(b, os.Chtimes(file, time.Now(), time.Now()))
	for b.Loop() {
		freed, err := workspace.Tidy(b.Context(), root, "", workspace.DefaultLimits(), time.Now())
		check(b, err)
		if freed.Files > 0 {
			b.Fatal("it is gone")
		}
	}
	b.ReportMetric(float64(b.N)*files/b.Elapsed().Seconds(), "files/s")
}

func benchmark(b *testing.B, remove func(root string) error) {
	b.Helper()
	const files, each = 50_000, 500
	for b.Loop() {
		b.StopTimer()
		root := b.TempDir()
		for i := range files {
			plant(b, root, fmt.Sprintf("_work/repo/%d/%d", i/each, i))
		}
		b.StartTimer()
		check(b, remove(root))
	}
	b.ReportMetric(float64(b.N)*files/b.Elapsed().Seconds(), "files/s")
}
