//go:build unix

package transfer

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// BenchmarkTransfer receives a file of the size of a runner's archive from
// loopback and reads it, and does the same in the plain way: first into a file,
// then from it. The two take turns, so that a busy machine is busy for both.
// The CPU seconds are those of this process, the server included.
func BenchmarkTransfer(b *testing.B) {
	const size = 225 << 20
	file := filepath.Join(b.TempDir(), "file")
	if err := os.WriteFile(file, noise(size), 0o600); err != nil {
		b.Fatal(err)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, file) }))
	defer server.Close()
	part := filepath.Join(b.TempDir(), "part")

	var ours, plain, oursCPU, plainCPU time.Duration
	for b.Loop() {
		ours, oursCPU = timed(b, ours, oursCPU, func() (int64, error) {
			s, err := Open(b.Context(), server.Client(), Request{URL: server.URL, Part: part, Stall: time.Minute})
			if err != nil {
				return 0, err
			}
			defer s.Close()
			return io.CopyBuffer(struct{ io.Writer }{io.Discard}, s, make([]byte, 256<<10))
		})
		if err := Discard(part); err != nil {
			b.Fatal(err)
		}
		plain, plainCPU = timed(b, plain, plainCPU, func() (int64, error) { return getThenRead(b, server, part) })
		os.Remove(part)
	}
	n := float64(b.N)
	b.ReportMetric(ours.Seconds()/n, "s-ours")
	b.ReportMetric(plain.Seconds()/n, "s-plain")
	b.ReportMetric(ours.Seconds()/plain.Seconds(), "ratio")
	b.ReportMetric(oursCPU.Seconds()/n, "cpu-s-ours")
	b.ReportMetric(plainCPU.Seconds()/n, "cpu-s-plain")
}

func getThenRead(b *testing.B, server *httptest.Server, part string) (int64, error) {
	b.Helper()
	resp, err := server.Client().Get(server.URL)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	out, err := os.Create(part)
	if err != nil {
		return 0, err
	}
	defer out.Close()
	if _, err := io.Copy(out, resp.Body); err != nil {
		return 0, err
	}
	if _, err := out.Seek(0, io.SeekStart); err != nil {
		return 0, err
	}
	return io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{out}, make([]byte, 256<<10))
}

// timed adds what do takes to wall and cpu.
func timed(b *testing.B, wall, cpu time.Duration, do func() (int64, error)) (time.Duration, time.Duration) {
	b.Helper()
	began, used := time.Now(), cpuTime(b)
	n, err := do()
	if err != nil || n != 225<<20 {
		b.Fatalf("%d bytes, %v", n, err)
	}
	return wall + time.Since(began), cpu + cpuTime(b) - used
}

func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// BenchmarkSeveralConnections receives as much from a server that gives each
// connection 200 Mbit/s after 20 ms, over one and over eight of them.
func BenchmarkSeveralConnections(b *testing.B) {
	data := noise(225 << 20)
	o := &origin{data: data, etag: strongTag, body: func(_ int, w http.ResponseWriter, r *http.Request, data []byte) {
		<-time.After(20 * time.Millisecond)
		slowly(w, r, data, 25_000_000)
	}}
	server := httptest.NewServer(o)
	defer server.Close()
	wire := newWire(nil)
	defer wire.CloseIdleConnections()
	took := map[int]time.Duration{}
	for b.Loop() {
		for _, connections := range []int{1, maxConnections} {
			part := filepath.Join(b.TempDir(), "part")
			began := time.Now()
			s, err := Open(b.Context(), &http.Client{Transport: wire}, Request{URL: server.URL, Part: part, Connections: connections})
			if err != nil {
				b.Fatal(err)
			}
			n, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, s, make([]byte, 256<<10))
			took[connections] += time.Since(began)
			if err := errors.Join(err, s.Close(), Discard(part)); err != nil || n != int64(len(data)) {
				b.Fatalf("%d bytes, %v", n, err)
			}
		}
	}
	b.ReportMetric(took[1].Seconds()/float64(b.N), "s-one")
	b.ReportMetric(took[maxConnections].Seconds()/float64(b.N), "s-eight")
	b.ReportMetric(took[1].Seconds()/took[maxConnections].Seconds(), "times-as-fast")
}
