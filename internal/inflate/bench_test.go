package inflate

import (
	"bytes"
	"compress/gzip"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

const benchmarkSize = 80 << 20

// programs returns what a runner's archive is made of, programs and small
// texts, from the Go installation.
func programs(b *testing.B) []byte {
	b.Helper()
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		b.Skipf("no Go installation to take data from: %v", err)
	}
	var data []byte
	for _, pattern := range []string{"bin/*", "pkg/tool/*/*", "src/*/*.go"} {
		names, err := filepath.Glob(filepath.Join(strings.TrimSpace(string(root)), pattern))
		if err != nil {
			b.Fatal(err)
		}
		for _, name := range names {
			if info, err := os.Stat(name); err != nil || !info.Mode().IsRegular() || len(data) > benchmarkSize {
				continue
			}
			content, err := os.ReadFile(name)
			if err != nil {
				b.Fatal(err)
			}
			data = append(data, content...)
		}
	}
	return data
}

// BenchmarkGzip decodes with this package and with the standard library in
// turn, so that both meet the same state of the machine, and reports medians.
func BenchmarkGzip(b *testing.B) {
	data := programs(b)
	stream := member(b, data, 6, gzip.Header{})
	timed := func(decode func() (int64, error)) float64 {
		start := time.Now()
		n, err := decode()
		if err != nil || n != int64(len(data)) {
			b.Fatalf("%d of %d bytes: %v", n, len(data), err)
		}
		return time.Since(start).Seconds()
	}
	var ours, theirs, ratio []float64
	for b.Loop() {
		ours = append(ours, timed(func() (int64, error) {
			return io.Copy(io.Discard, NewGzipReader(bytes.NewReader(stream)))
		}))
		theirs = append(theirs, timed(func() (int64, error) {
			r, err := gzip.NewReader(bytes.NewReader(stream))
			if err != nil {
				return 0, err
			}
			return io.Copy(io.Discard, r)
		}))
		ratio = append(ratio, theirs[len(theirs)-1]/ours[len(ours)-1])
	}
	median := func(x []float64) float64 { slices.Sort(x); return x[len(x)/2] }
	megabytes := float64(len(data)) / 1e6
	b.ReportMetric(megabytes/median(ours), "MB/s")
	b.ReportMetric(megabytes/median(theirs), "MB/s-standard")
	b.ReportMetric(median(ratio), "x-standard")
	b.ReportMetric(0, "ns/op")
}
