package main

import (
	"archive/zip"
	"bytes"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestMain lets the test binary be the processes that the benchmark starts of
// itself.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && slices.Contains([]string{"serve", "measure"}, os.Args[1]) {
		main()
		return
	}
	os.Exit(m.Run())
}

func TestMedian(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		values []float64
		want   float64
	}{
		{nil, 0},
		{[]float64{3}, 3},
		{[]float64{9, 1}, 5},
		{[]float64{9, 1, 2}, 2},
		{[]float64{4, 100, 1, 2}, 3},
	} {
		before := slices.Clone(c.values)
		if got := median(c.values); got != c.want {
			t.Errorf("median of %v is %v, want %v", c.values, got, c.want)
		}
		if !slices.Equal(before, c.values) {
			t.Errorf("median has put %v into another order", before)
		}
	}
}

func TestRatio(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ a, b, want float64 }{{6, 2, 3}, {1, 4, 0.25}, {0, 2, 0}, {2, 0, 0}, {-1, 1, 0}} {
		if got := ratio(c.a, c.b); got != c.want {
			t.Errorf("ratio of %v to %v is %v, want %v", c.a, c.b, got, c.want)
		}
	}
}

func TestLinksOf(t *testing.T) {
	t.Parallel()
	for list, want := range map[string]string{
		"none": "", "100m,loopback": "loopback 100m", " 1g , 500m": "1g 500m", "200m-per-connection": "200m-per-connection",
	} {
		links, err := linksOf(list)
		var names []string
		for _, l := range links {
			names = append(names, l.name)
		}
		if got := strings.Join(names, " "); err != nil || got != want {
			t.Errorf("links of %q are %q (%v), want %q", list, got, err, want)
		}
	}
	for _, list := range []string{"", "2g", "1g,,500m"} {
		if links, err := linksOf(list); err == nil {
			t.Errorf("links of %q are %v, want an error", list, links)
		}
	}
}

// writers are the ways in which net/http sends.
func writers() map[string]func(conn net.Conn, size int) error {
	return map[string]func(conn net.Conn, size int) error{
		"bytes": func(conn net.Conn, size int) error {
			_, err := conn.Write(make([]byte, size))
			return err
		},
		"file": func(conn net.Conn, size int) error {
			_, err := conn.(io.ReaderFrom).ReadFrom(&io.LimitedReader{R: bytes.NewReader(make([]byte, size+1)), N: int64(size)})
			return err
		},
		"stream": func(conn net.Conn, size int) error {
			_, err := conn.(io.ReaderFrom).ReadFrom(bytes.NewReader(make([]byte, size)))
			return err
		},
	}
}

// send writes size bytes to connections of a link together, each its share, and
// returns how long that took. The other ends take what comes at once.
func send(t *testing.T, l link, connections, size int, write func(net.Conn, int) error) time.Duration {
	t.Helper()
	listener := &pipeListener{conns: make(chan net.Conn, connections)}
	shaped := shape(listener, l)
	began := time.Now()
	done := make(chan error, 2*connections)
	for range connections {
		near, far := net.Pipe()
		listener.conns <- far
		conn, err := shaped.Accept()
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			n, err := io.Copy(io.Discard, near)
			if want := int64(size / connections); n != want {
				t.Errorf("%d bytes came, want %d", n, want)
			}
			done <- err
		}()
		go func() {
			done <- write(conn, size/connections)
			conn.Close()
		}()
	}
	for range 2 * connections {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	return time.Since(began)
}

type pipeListener struct {
	net.Listener
	conns chan net.Conn
}

func (l *pipeListener) Accept() (net.Conn, error) { return <-l.conns, nil }

func TestShaperKeepsTheRate(t *testing.T) {
	t.Parallel()
	const size = 20_000_000
	for _, l := range allLinks()[1:] {
		for _, connections := range []int{1, 8} {
			for way, write := range writers() {
				t.Run(fmt.Sprintf("%s, %d, %s", l.name, connections, way), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						want := size / l.rate
						if l.each {
							want /= float64(connections)
						}
						got := send(t, l, connections, size, write).Seconds()
						if off := math.Abs(got/want - 1); off > 0.01 {
							t.Errorf("%d bytes on %d connections took %.3f s, want %.3f s within 1 %%", size, connections, got, want)
						}
					})
				})
			}
		}
	}
}

// TestShaperSendsWhatThereIs gives it a file that is shorter than announced.
func TestShaperSendsWhatThereIs(t *testing.T) {
	t.Parallel()
	near, far := net.Pipe()
	go func() { _, _ = io.Copy(io.Discard, near) }()
	conn := &shapedConn{Conn: far, pacer: &pacer{rate: 1e9}}
	defer conn.Close()
	ended := make(chan int64, 1)
	go func() {
		n, err := conn.ReadFrom(&io.LimitedReader{R: strings.NewReader("short"), N: 1 << 30})
		if err != nil {
			t.Error(err)
		}
		ended <- n
	}()
	select {
	case n := <-ended:
		if n != 5 {
			t.Errorf("%d bytes were sent of 5", n)
		}
	case <-time.After(5 * time.Second):
		t.Error("it does not end with its source")
	}
}

// TestShaperMakesUpForLateTimersOnly lets the sender be away for a while.
func TestShaperMakesUpForLateTimersOnly(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ away, want time.Duration }{
		{4 * time.Millisecond, 100 * time.Millisecond},
		{10 * time.Millisecond, 100 * time.Millisecond},
		{time.Second, 1100 * time.Millisecond}, // nothing at once for it
	} {
		synctest.Test(t, func(t *testing.T) {
			p := &pacer{rate: 1e6}
			began := time.Now()
			p.pass(10_000)
			time.Sleep(c.away)
			p.pass(90_000)
			if got := time.Since(began); (got - c.want).Abs() > time.Millisecond {
				t.Errorf("away for %s, 100 kB at 1 MB/s took %s, want %s", c.away, got, c.want)
			}
		})
	}
}

func TestServerSendsTheArchive(t *testing.T) {
	t.Parallel()
	content := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
	for i := range content {
		content[i] += byte(i >> 12)
	}
	file := filepath.Join(t.TempDir(), "archive.tar.gz")
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, l := range map[string]link{
		"not limited": {}, "shared": {rate: 1e9}, "each": {rate: 1e9, each: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewUnstartedServer(archiveHandler(file, 0))
			server.Listener = shape(server.Listener, l)
			server.Start()
			defer server.Close()
			whole, header := get(t, server.URL+"/any/path/archive.tar.gz", "", http.StatusOK)
			if !bytes.Equal(whole, content) {
				t.Errorf("%d bytes came that are not the file's %d", len(whole), len(content))
			}
			if tag := header.Get("ETag"); len(tag) < 3 || tag[0] != '"' {
				t.Errorf("the ETag is %q, want a strong one", tag)
			}
			part, _ := get(t, server.URL+"/archive.tar.gz", "bytes=1000-500999", http.StatusPartialContent)
			if !bytes.Equal(part, content[1000:501000]) {
				t.Errorf("%d bytes came for a range of 500000, or other ones", len(part))
			}
			get(t, server.URL+"/archive.tar.gz.sig", "", http.StatusNotFound)
		})
	}
}

func get(t *testing.T, url, ranged string, want int) ([]byte, http.Header) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	if ranged != "" {
		request.Header.Set("Range", ranged)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != want {
		t.Fatalf("GET %s: %s (%v), want %d", url, response.Status, err, want)
	}
	return body, response.Header
}

// TestServerWaitsBeforeItAnswers also holds that a link without a rate has none.
func TestServerWaitsBeforeItAnswers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		archiveHandler("archive", 20*time.Millisecond).ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/none", http.NoBody))
		if got := time.Since(began); got != 20*time.Millisecond {
			t.Errorf("the answer came after %s, want 20ms", got)
		}
	})
}

func TestGoals(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		goal goal
		want string
	}{
		{goal{want: 2, atLeast: true, got: 2}, "yes"},
		{goal{want: 2, atLeast: true, got: 2.1}, "yes"},
		{goal{want: 2, atLeast: true, got: 1.999}, "no"},
		{goal{want: 2, got: 2}, "yes"},
		{goal{want: 2, got: 1.9}, "yes"},
		{goal{want: 2, got: 2.001}, "no"},
		{goal{want: 2, atLeast: true}, "not measured"},
		{goal{want: 2}, "not measured"},
	} {
		if got := c.goal.judge(); got.Answer != c.want {
			t.Errorf("%+v: %q, want %q", c.goal, got.Answer, c.want)
		}
	}
}

// sampleReport has numbers whose ratios are easy to see.
func sampleReport() *report {
	samples := func(wall, cpu float64, rss int64) []sample {
		return []sample{
			{usage{wall * 3, cpu * 3, 1 << 20}, 0.5, 0.1},
			{usage{wall, cpu, rss << 20}, 1, 0.2},
			{usage{wall / 2, cpu / 2, 1 << 20}, 7, 0.3},
		}
	}
	mib := func(name string, rss, anon, file int64, threads int) resident {
		// Of the pages of files each has to itself one of two.
		return resident{Name: name, RSS: rss << 20, PSS: (anon + file/2) << 20, Anon: anon << 20, File: file << 20, Threads: threads}
	}
	return &report{
		Upkeep: &upkeep{
			Idle: 10,
			Rows: []*upkeepRow{
				{
					Case: ourUpkeep, Title: "ours", Starts: []start{{0.020, 1}, {0.051, 3}, {0.070, 2}},
					Idle: [][]resident{{mib("r", 12, 4, 8, 6)}, {mib("r", 17, 5, 12, 7)}, {mib("r", 11, 4, 7, 6)}},
				},
				{
					Case: stockUpkeep, Title: "stock", Starts: []start{{0.102, 1}, {0.102, 3}, {0.102, 2}},
					Idle: [][]resident{{mib("bash", 4, 1, 3, 1), mib("node", 47, 17, 30, 8)}},
				},
				{Case: nextUpkeep, Title: "next", Skipped: "it is not there"},
			},
		},
		Date: time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC), Rounds: 3, Place: "a place",
		Host: host{CPU: "a processor", Cores: 2, Memory: 4 << 30, Kernel: "a kernel", Go: "a compiler"},
		Tables: []*table{
			{
				Name: "1g", Title: "A link", Baseline: baselineName, Transfer: transferName, Bytes: 2e6, Floor: 1.6,
				Rows: []*row{
					{Case: transferName, Title: "bare", Samples: samples(2, 1, 10)},
					{Case: baselineName, Title: "shell", Samples: samples(9, 8, 11)},
					{Case: "igzip", Title: "pipe", Skipped: "igzip is not installed"},
					{Case: "ours", Title: "ours", Samples: samples(3, 4, 30)},
				},
			},
			{
				Name: "warm", Title: "Warm", Baseline: "tar",
				Rows: []*row{{Case: "tar", Samples: samples(8, 8, 1)}, {Case: "ours", Samples: samples(2, 2, 1)}, {Case: "ours-8", Samples: samples(16, 2, 1)}},
			},
			{
				Name: "200m-per-connection", Baseline: baselineName, Transfer: transferName,
				Rows: []*row{{Case: "ours", Samples: samples(1, 1, 64)}, {Case: "ours-1", Samples: samples(1, 1, 33)}},
			},
			{
				Name: installTable, Baseline: baselineName,
				Rows: []*row{{Case: baselineName, Samples: samples(8, 8, 1)}, {Case: "ours", Samples: samples(4, 8, 1)}},
			},
			{
				Name: nextTable, Title: "Next", Baseline: "by-hand",
				Rows: []*row{
					{Case: "by-hand", Samples: samples(2, 0, 0)},
					{Case: "by-hand-jit", Samples: samples(1, 0, 0)},
					{Case: "ours", Title: "again", Samples: samples(2.5, 0, 0)},
					{Case: "ours-jit", Samples: samples(0.9, 0, 0)},
				},
			},
		},
	}
}

func TestReport(t *testing.T) {
	t.Parallel()
	r := sampleReport()
	r.Goals = judge(r)
	var text strings.Builder
	r.print(&text)
	for _, want := range []string{
		"Measured on 2026-11-23: a processor, 2 cores, 4 GiB, a kernel, a compiler. Rounds: 3, interleaved; medians; a place.",
		"\n| bare | 2.00 | 1.00 | 1.00 | 10 | 4.50 | 8.00 | 1.00 |\n",
		"\n| shell | 9.00 | 4.50 | 8.00 | 11 | 1.00 | 1.00 | 4.50 |\n",
		"\n| ours | 3.00 | 1.50 | 4.00 | 30 | 3.00 | 2.00 | 1.50 |\n",
		"Left out, pipe: igzip is not installed.",
		"Load before the runs: median 1.0, at most 7.0. Steal in them: median 0.20 s, at most 0.30 s.",
		"\n| again | 2.50 | 1.25 | ? | 1 | 0.80 | ? |\n",
		"| from nothing to a runner that listens, share of the shell: at most 0.5 | 0.50 | yes |",
		"| from a job's end to the next listening, beyond config.sh and the listener's start: at most 0.2 s | 0.50 s | no |",
		"| the same with --jit, beyond the listener's start: at most 0.2 s | 0.00 s | yes |",
		"needs 1.600 s for 2.0 MB; curl took 2.000 s (+25.0 %)",
		"| 1 Gbit/s, times of the transfer: at most 1.2 | 1.50 | no |",
		"| one more runner, share of tar xzf: at most 0.03 | 0.25 | no |",
		"| eight more runners, share of one tar xzf: at most 0.25 | 2.00 | no |",
		"| memory, one connection: at most 32 MiB | 33.00 MiB | no |",
		"| memory, eight connections: at most 64 MiB | 64.00 MiB | yes |",
		"| loopback, times as fast as the igzip pipe: at least 1.8 | ? | not measured |",
		"\n| ours | 51.0 | 20.0 | 11.0 | 17.0 | 5.0 | 12.0 | 7 | r 11.0 |\n",
		"\n| stock | 102.0 | 102.0 | 34.0 | 51.0 | 18.0 | 33.0 | 9 | bash 2.0, node 32.0 |\n",
		"Left out, next: it is not there.",
		"3 of each, interleaved. Memory is that of all processes but the listener, 10 s after it listened, the largest of 3 looks. " +
			"Load before the starts: median 2.0, at most 3.0.",
		"holds 11.0 MiB of memory, the stock service (bash and Node.js) 34.0 MiB: 3.09 times as much.",
		"51 ms after its own start, the stock service after 102 ms: 2.00 times as long.",
		"| agent and jail, memory beside an idle listener: at most 24 MiB | 11.00 MiB | yes |",
		"| agent, from its start to that of the listener: at most 100 ms | 51.00 ms | yes |",
	} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("the report lacks %q", want)
		}
	}
	if strings.Contains(text.String(), "| pipe |") {
		t.Error("a row that was left out is in the table")
	}
	if t.Failed() {
		t.Log(text.String())
	}
}

// TestReportOfOneSide has nothing to compare it with.
func TestReportOfOneSide(t *testing.T) {
	t.Parallel()
	for name, u := range map[string]*upkeep{
		"ours alone": {Rows: []*upkeepRow{{Case: ourUpkeep, Starts: []start{{0.02, 1}}, Idle: [][]resident{{{PSS: 24 << 20}}}}}},
		"none":       {},
		"no table":   nil,
	} {
		r := &report{Upkeep: u}
		r.Goals = judge(r)
		var text strings.Builder
		r.print(&text)
		if strings.Contains(text.String(), "the stock service") {
			t.Errorf("%s: it compares:\n%s", name, &text)
		}
		measured := u != nil && len(u.Rows) > 0
		if got := strings.Contains(text.String(), "keeps the listener running"); got != measured {
			t.Errorf("%s: there is a table: %v\n%s", name, got, &text)
		}
		want := "at most 24 MiB | ? | not measured |"
		if measured {
			want = "at most 24 MiB | 24.00 MiB | yes |"
		}
		if !strings.Contains(text.String(), want) {
			t.Errorf("%s: the report lacks %q:\n%s", name, want, &text)
		}
	}
}

func TestZipRoundTrip(t *testing.T) {
	t.Parallel()
	from, to := t.TempDir(), t.TempDir()
	for name, content := range map[string]string{"a": "", "d/b": strings.Repeat("b", 1<<20), "d/e/c": "c"} {
		path := filepath.Join(from, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	archive := filepath.Join(t.TempDir(), "a.zip")
	if err := packZip(from, archive); err != nil {
		t.Fatal(err)
	}
	f := fixtureFile{}
	if err := f.describe(archive, countZip); err != nil {
		t.Fatal(err)
	}
	if f.Files != 3 || f.Unpacked != 1<<20+1 {
		t.Errorf("the archive has %d files with %d bytes, want 3 with %d", f.Files, f.Unpacked, 1<<20+1)
	}
	if err := run(t.Context(), []string{"unzip", "-standard", "-file", archive, "-dir", to}); err != nil {
		t.Fatal(err)
	}
	if files, err := filesIn(to); files != 3 || err != nil {
		t.Errorf("%d files were unpacked (%v), want 3", files, err)
	}
	if got, err := os.ReadFile(filepath.Join(to, "d", "b")); string(got) != strings.Repeat("b", 1<<20) {
		t.Errorf("%d bytes were unpacked (%v), want %d", len(got), err, 1<<20)
	}
}

func TestUnzipStaysInside(t *testing.T) {
	t.Parallel()
	var text bytes.Buffer
	w := zip.NewWriter(&text)
	if _, err := w.Create("../outside"); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	reader, _ := zip.NewReader(bytes.NewReader(text.Bytes()), int64(text.Len())) // such names are an error, too
	dir := filepath.Join(t.TempDir(), "in")
	if err := standardUnzip(reader, dir, 2); err == nil {
		t.Error("an entry outside was taken")
	}
	if _, err := os.Stat(filepath.Join(filepath.Dir(dir), "outside")); err == nil {
		t.Error("a file outside was made")
	}
}

func TestUnzipTellsWhatFailed(t *testing.T) {
	t.Parallel()
	var text bytes.Buffer
	w := zip.NewWriter(&text)
	for range 5 {
		if _, err := w.Create("the-file"); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	reader, err := zip.NewReader(bytes.NewReader(text.Bytes()), int64(text.Len()))
	if err != nil {
		t.Fatal(err)
	}
	if err := standardUnzip(reader, t.TempDir(), 2); err == nil || !strings.Contains(err.Error(), "the-file") {
		t.Errorf("a file that is there five times gives %v, want an error that names it", err)
	}
}

func TestPlainEnvironment(t *testing.T) {
	t.Parallel()
	got := plainEnvironment([]string{"HOME=/root", "http_proxy=x", "HTTPS_PROXY=x", "no_proxy=", "PROXY_NOT=1"})
	if want := []string{"HOME=/root", "PROXY_NOT=1"}; !slices.Equal(got, want) {
		t.Errorf("the environment is %q, want %q", got, want)
	}
}

func TestTail(t *testing.T) {
	t.Parallel()
	printed := &tail{}
	for range 3 * tailSize {
		if n, err := printed.Write([]byte("ab")); n != 2 || err != nil {
			t.Fatalf("wrote %d of 2 bytes (%v)", n, err)
		}
	}
	if _, err := printed.Write([]byte("end\n")); err != nil {
		t.Fatal(err)
	}
	if got := printed.String(); len(got) > tailSize || !strings.HasSuffix(got, "abend") {
		t.Errorf("%d bytes were kept that end with %q, want at most %d and the last words", len(got), got[max(0, len(got)-9):], tailSize)
	}
}
