package download

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/github"
	"github.com/runner-bootstrap/runner-bootstrap/internal/githubtest"
	"github.com/runner-bootstrap/runner-bootstrap/internal/transport"
)

// pipes is a listener in memory, so that the clock of a bubble moves while
// everybody waits for the network.
type pipes struct {
	name   string
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newPipes(name string) *pipes {
	return &pipes{name: name, conns: make(chan net.Conn), closed: make(chan struct{})}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case conn := <-p.conns:
		return conn, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}
func (p *pipes) Close() error    { p.once.Do(func() { close(p.closed) }); return nil }
func (p *pipes) Addr() net.Addr  { return p }
func (p *pipes) Network() string { return "pipe" }
func (p *pipes) String() string  { return p.name }

func (p *pipes) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	here, there := net.Pipe()
	select {
	case p.conns <- there:
		return here, nil
	case <-p.closed:
		return nil, errors.New("connection refused")
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// origin is an archive host in a bubble, and a fetcher of what it has.
type origin struct {
	*githubtest.Server
	fetcher *Fetcher
	asset   Asset
	data    []byte
	told    [][2]int64 // progress
}

// inBubble runs a test with an archive host on a clock of its own. The archive
// is noise: what is fetched is not looked into.
func inBubble(t *testing.T, test func(*testing.T, *origin)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		noise := rand.NewChaCha8([32]byte{1})
		data := make([]byte, 300_000)
		_, _ = noise.Read(data)
		archive := githubtest.ArchiveOf("linux-x64", "2.337.0", data)
		host := newPipes("archives.test")
		server, err := githubtest.Start(githubtest.Config{API: newPipes("api.test"), Archives: host, Archive: archive})
		if err != nil {
			t.Fatal(err)
		}
		wire := &http.Transport{DialContext: host.dial}
		client := transport.NewDownload(transport.Config{UserAgent: "test"})
		client.Transport = wire
		o := &origin{
			Server: server, data: data, fetcher: &Fetcher{Client: client, Cache: filepath.Join(t.TempDir(), "cache [1]")},
			asset: Asset{
				Platform: Platform{OS: "linux", Arch: "x64"}, Version: "2.337.0", Filename: archive.Filename,
				URL: server.ArchiveURL() + "/" + archive.Filename, SHA256: archive.SHA256,
			},
		}
		test(t, o)
		wire.CloseIdleConnections()
		for _, problem := range server.Problems() {
			t.Errorf("problem: %v", problem)
		}
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
}

func (o *origin) fetch(ctx context.Context) (string, bool, error) {
	return o.fetcher.Fetch(ctx, o.asset, func(done, total int64) { o.told = append(o.told, [2]int64{done, total}) })
}

// requests counts what reached the archive host.
func (o *origin) requests() int { return len(o.Requests()) }

// wantCache fails unless the cache holds exactly these files.
func (o *origin) wantCache(t *testing.T, names ...string) {
	t.Helper()
	entries, err := os.ReadDir(o.fetcher.Cache)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, entry := range entries {
		got = append(got, entry.Name())
	}
	if !slices.Equal(got, names) {
		t.Errorf("the cache holds %q, want %q", got, names)
	}
}

// wantWhole fails unless path holds the archive.
func (o *origin) wantWhole(t *testing.T, path string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(text, o.data) {
		t.Errorf("%s has %d bytes, %v, want the %d of the archive", path, len(text), err, len(o.data))
	}
	o.wantCache(t, o.asset.Filename)
}

func TestFetch(t *testing.T) {
	inBubble(t, func(t *testing.T, o *origin) {
		path, cached, err := o.fetch(t.Context())
		if err != nil || cached || path != filepath.Join(o.fetcher.Cache, o.asset.Filename) {
			t.Fatalf("%s, %t, %v", path, cached, err)
		}
		o.wantWhole(t, path)
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm()&0o444 != 0o444 {
			t.Errorf("%v, %v: the runner's account cannot read it", info.Mode(), err)
		}
		for i, now := range o.told {
			if i > 0 && now[0] <= o.told[i-1][0] || now[1] != int64(len(o.data)) {
				t.Fatalf("progress %d is %v after %v", i, now, o.told[max(0, i-1)])
			}
		}
		if len(o.told) == 0 || o.told[len(o.told)-1][0] != int64(len(o.data)) {
			t.Errorf("progress ends with %v", o.told[max(0, len(o.told)-1):])
		}
		again, cached, err := o.fetch(t.Context())
		if err != nil || !cached || again != path || o.requests() != 1 {
			t.Errorf("again: %s, %t, %v with %d requests", again, cached, err, o.requests())
		}
	})
}

func TestFetchTrustsNoFileButForItsContent(t *testing.T) {
	inBubble(t, func(t *testing.T, o *origin) {
		if err := os.MkdirAll(o.fetcher.Cache, 0o755); err != nil {
			t.Fatal(err)
		}
		for name, text := range map[string][]byte{
			"corrupted": append([]byte("x"), o.data[1:]...), "cut": o.data[:1000], "empty": nil, "longer": append(slices.Clone(o.data), 'x'),
		} {
			before := o.requests()
			if err := os.WriteFile(filepath.Join(o.fetcher.Cache, o.asset.Filename), text, 0o644); err != nil {
				t.Fatal(err)
			}
			path, cached, err := o.fetch(t.Context())
			if err != nil || cached || o.requests() != before+1 {
				t.Errorf("%s: cached %t, %v, %d requests", name, cached, err, o.requests()-before)
			}
			o.wantWhole(t, path)
		}
	})
}

func TestFetchTriesAgain(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name     string
		fault    githubtest.Fault
		requests int
		err      error
		waited   time.Duration
	}{
		{name: "body cut once", fault: githubtest.Fault{CutAfter: 100_000, Times: 1}, requests: 2, waited: firstWait},
		{name: "body cut every time", fault: githubtest.Fault{CutAfter: 100_000}, requests: attempts, err: ErrTransfer, waited: 7 * firstWait},
		{name: "connection closed once", fault: githubtest.Fault{CloseConnection: true, Times: 1}, requests: 2, waited: firstWait},
		{name: "503 twice", fault: githubtest.Fault{Status: 503, Times: 2}, requests: 3, waited: 3 * firstWait},
		{name: "503 every time", fault: githubtest.Fault{Status: 503}, requests: attempts, err: ErrTransfer, waited: 7 * firstWait},
		{name: "429 once", fault: githubtest.Fault{Status: 429, Times: 1}, requests: 2, waited: firstWait},
		{name: "404", fault: githubtest.Fault{Status: 404}, requests: 1, err: ErrTransfer},
		{name: "403", fault: githubtest.Fault{Status: 403}, requests: 1, err: ErrTransfer},
		{name: "206 was not asked for", fault: githubtest.Fault{Status: 206}, requests: 1, err: ErrTransfer},
		{name: "stalled once", fault: githubtest.Fault{StallAfter: 100_000, Times: 1}, requests: 2, waited: stall + firstWait},
		{name: "stalled before the first byte", fault: githubtest.Fault{StallAfter: -1, Times: 1}, requests: 2, waited: stall + firstWait},
		{name: "stalled before the answer", fault: githubtest.Fault{Delay: time.Hour, Times: 1}, requests: 2, waited: stall + firstWait},
		{name: "stalled every time", fault: githubtest.Fault{StallAfter: 100_000}, requests: attempts, err: ErrTransfer, waited: attempts*stall + 7*firstWait},
		{name: "slow is no stall", fault: githubtest.Fault{RatePerSecond: 1000}, requests: 1, waited: 300 * time.Second},
		{name: "another page", fault: githubtest.Fault{NotJSON: true}, requests: 1, err: ErrArchive},
	} {
		t.Run(c.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, o *origin) {
				c.fault.Host = "archive"
				o.Fault(c.fault)
				began := time.Now()
				path, _, err := o.fetch(t.Context())
				if !errors.Is(err, c.err) {
					t.Fatalf("%v, want %v", err, c.err)
				}
				if waited := time.Since(began).Round(time.Second); waited != c.waited {
					t.Errorf("it took %v, want %v", waited, c.waited)
				}
				if o.requests() != c.requests {
					t.Errorf("%d requests, want %d", o.requests(), c.requests)
				}
				if c.err == nil {
					o.wantWhole(t, path)
					return
				}
				o.wantCache(t)
				if !strings.Contains(err.Error(), "fetching "+o.asset.Filename) || strings.Contains(err.Error(), "archives.test") {
					t.Errorf("%v names not the file, or an address", err)
				}
			})
		})
	}
}

func TestFetchRefusesAWrongDigest(t *testing.T) {
	inBubble(t, func(t *testing.T, o *origin) {
		right := o.asset.SHA256
		o.asset.SHA256 = otherDigest
		path, cached, err := o.fetch(t.Context())
		var digest *DigestError
		if !errors.As(err, &digest) || !errors.Is(err, ErrArchive) || digest.Got != right || digest.Want != otherDigest || path != "" || cached {
			t.Errorf("%s, %t, %v", path, cached, err)
		}
		if o.requests() != 1 {
			t.Errorf("%d requests: what is wrong stays wrong", o.requests())
		}
		o.wantCache(t)
	})
}

func TestFetchRemovesWhatAKilledOneLeft(t *testing.T) {
	inBubble(t, func(t *testing.T, o *origin) {
		if err := os.MkdirAll(o.fetcher.Cache, 0o755); err != nil {
			t.Fatal(err)
		}
		const keep = "actions-runner-linux-x64-2.300.0.tar.gz"
		for _, name := range []string{o.asset.Filename + partMark + "123", "actions-runner-linux-x64-2.300.0.tar.gz" + partMark + "9", keep} {
			if err := os.WriteFile(filepath.Join(o.fetcher.Cache, name), []byte("x"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if _, _, err := o.fetch(t.Context()); err != nil {
			t.Fatal(err)
		}
		o.wantCache(t, keep, o.asset.Filename)
	})
}

func TestFetchEndsWithItsContext(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]githubtest.Fault{
		"in the body":       {RatePerSecond: 10_000},
		"before the answer": {Delay: time.Hour},
		"between tries":     {Status: 503},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, o *origin) {
				fault.Host = "archive"
				o.Fault(fault)
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				time.AfterFunc(2500*time.Millisecond, cancel)
				began := time.Now()
				_, _, err := o.fetch(ctx)
				if took := time.Since(began); !errors.Is(err, context.Canceled) || errors.Is(err, ErrTransfer) || took != 2500*time.Millisecond {
					t.Errorf("%v after %v", err, took)
				}
				o.wantCache(t)
			})
		})
	}
}

// A disk that refuses is no network: nothing is tried again.
func TestFetchTellsTheDiskFromTheNetwork(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		err  error
		want error
	}{
		{"disk full", &os.PathError{Op: "write", Path: "x", Err: syscall.ENOSPC}, ErrSpace},
		{"disk broken", &os.PathError{Op: "write", Path: "x", Err: os.ErrInvalid}, os.ErrInvalid},
		{"connection cut", io.ErrUnexpectedEOF, ErrTransfer},
		{"end of time", context.DeadlineExceeded, context.DeadlineExceeded},
	} {
		got := classify(c.err)
		if !errors.Is(got, c.want) || !errors.Is(got, c.err) || transient(got) != errors.Is(c.want, ErrTransfer) {
			t.Errorf("%s is %v, another try may help: %t", c.name, got, transient(got))
		}
	}
	if err := room(t.TempDir(), 1<<62); !errors.Is(err, ErrSpace) {
		t.Errorf("there is room for %d bytes: %v", int64(1<<62), err)
	}
	if err := room(t.TempDir(), 1); err != nil {
		t.Errorf("there is no room for a byte: %v", err)
	}
}

// GitHub Enterprise Server keeps archives behind a token of their own, which
// no other host may see.
func TestBearerStaysAtItsHost(t *testing.T) {
	t.Parallel()
	data := []byte("archive")
	archive := githubtest.ArchiveOf("linux-x64", "2.337.0", data)
	server, err := githubtest.Start(githubtest.Config{Archive: archive})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	scope, err := github.ParseScope(server.URL()+"/octo-org", "")
	if err != nil {
		t.Fatal(err)
	}
	web := transport.Config{UserAgent: "test"}
	applications, err := github.NewClient(transport.NewAPI(web), scope, github.NewSecret(server.Token())).Applications(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	asset, err := Resolve(applications, Platform{OS: "linux", Arch: "x64"}, "")
	if err != nil {
		t.Fatal(err)
	}
	fetch := func() error {
		f := &Fetcher{Client: transport.NewDownload(web), Cache: t.TempDir()}
		_, _, err := f.Fetch(t.Context(), asset, func(int64, int64) {})
		return err
	}
	if err := fetch(); err != nil {
		t.Errorf("with its token: %v", err)
	}
	seen := make(chan http.Header, 1)
	storage := httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, req *http.Request) {
		seen <- req.Header
		if _, err := out.Write(data); err != nil {
			t.Error(err)
		}
	}))
	defer storage.Close()
	server.Fault(githubtest.Fault{Host: "archive", Redirect: storage.URL + "/x?sig=s1gn4tur3", Times: 1})
	if err := fetch(); err != nil {
		t.Errorf("redirected: %v", err)
	}
	if header := <-seen; header.Get("Authorization") != "" {
		t.Errorf("the storage host received %v", header)
	}
	for _, request := range server.Requests() {
		if request.CarriedSecret {
			t.Errorf("%s %s carried a secret", request.Root, request.Path)
		}
	}
	for _, problem := range server.Problems() {
		t.Errorf("problem: %v", problem)
	}
	// The signature of a redirected address is no word for a message.
	storage.Close()
	server.Fault(githubtest.Fault{Host: "archive", Redirect: storage.URL + "/x?sig=s1gn4tur3"})
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	f := &Fetcher{Client: transport.NewDownload(web), Cache: t.TempDir()}
	_, _, err = f.open(ctx, asset)
	if !errors.Is(err, ErrTransfer) || strings.Contains(err.Error(), "s1gn4tur3") {
		t.Errorf("%v", err)
	}
}
