package workspace_test

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"testing"

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
