package download

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/runner-bootstrap/runner-bootstrap/internal/download/transfer"
	"github.com/runner-bootstrap/runner-bootstrap/internal/transport"
)

// hosted is an asset on a server of the test's own, and a fetcher for it.
func hosted(t *testing.T, answer http.HandlerFunc) (*Fetcher, Asset, []byte) {
	t.Helper()
	archive := runner(t, native(), 300_000)
	server := httptest.NewServer(answer)
	t.Cleanup(server.Close)
	f := &Fetcher{
		Client: transport.NewDownload(transport.Config{UserAgent: "test"}), Cache: Cache{Dir: filepath.Join(t.TempDir(), "cache")}, Connections: 1,
	}
	t.Cleanup(f.Client.CloseIdleConnections)
	asset := Asset{
		Platform: nativePlatform(), Version: archive.Version, Filename: archive.Filename,
		URL: server.URL + "/" + archive.Filename, SHA256: archive.SHA256,
	}
	return f, asset, content(t, archive)
}

// A server that does not say how long the archive is, and closes the connection in the middle, is asked again, and is to blame.
func TestFetchWithoutALength(t *testing.T) {
	t.Parallel()
	for name, cut := range map[string]int{"once": 1, "always": 1000} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var data []byte
			requests := 0
			f, asset, whole := hosted(t, func(w http.ResponseWriter, _ *http.Request) {
				requests++
				conn, _, err := http.NewResponseController(w).Hijack()
				if err != nil {
					t.Error(err)
					return
				}
				body := data
				if requests <= cut {
					body = data[:len(data)/2]
				}
				_, _ = fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Type: application/gzip\r\nConnection: close\r\n\r\n%s", body)
				_ = conn.Close() // that is the answer's end
			})
			data = whole
			_, _, err := f.Fetch(t.Context(), asset, func(int64, int64) {})
			if cut == 1 {
				if err != nil || requests != 2 {
					t.Errorf("%v after %d requests", err, requests)
				}
				return
			}
			if !errors.Is(err, transfer.ErrTransfer) || errors.Is(err, ErrArchive) || requests != 2 ||
				!strings.Contains(err.Error(), "127.0.0.1 did not say how long the archive is") {
				t.Errorf("%v after %d requests", err, requests)
			}
		})
	}
}

// An answer in chunks that has all bytes, and not the chunk that says so, is as good as another.
func TestFetchWithoutItsEnd(t *testing.T) {
	t.Parallel()
	var data []byte
	requests := 0
	f, asset, whole := hosted(t, func(w http.ResponseWriter, _ *http.Request) {
		requests++
		_, _ = w.Write(data)
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	})
	data = whole
	if _, _, err := f.Fetch(t.Context(), asset, func(int64, int64) {}); err != nil || requests != 1 {
		t.Errorf("%v after %d requests, want the archive after one", err, requests)
	}
}

// A file that was replaced between two answers is fetched once more: its digest decides, and nothing else.
func TestFetchOfAReplacedFile(t *testing.T) {
	t.Parallel()
	var data []byte
	var asked []string
	f, asset, whole := hosted(t, func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.Header.Get("Range"))
		if len(asked) == 1 { // the beginning of another file
			other := slices.Clone(data)
			other[len(other)/4] ^= 1
			w.Header().Set("Content-Length", fmt.Sprint(len(other)))
			_, _ = w.Write(other[:len(other)/2])
			panic(http.ErrAbortHandler)
		}
		w.Header().Set("ETag", fmt.Sprintf(`"%d"`, len(asked)))
		var from int
		if _, err := fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-", &from); err == nil {
			w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, len(data)-1, len(data)))
			w.WriteHeader(http.StatusPartialContent)
		}
		_, _ = w.Write(data[from:])
	})
	data = whole
	if _, _, err := f.Fetch(t.Context(), asset, func(int64, int64) {}); err != nil {
		t.Fatal(err)
	}
	if len(asked) != 3 || asked[1] == "" || asked[2] != "" {
		t.Errorf("it asked for %q", asked)
	}
}

// What opens a mirror goes to the mirror, and nowhere that it leads.
func TestMirrorHeaders(t *testing.T) {
	t.Parallel()
	var data []byte
	seen := map[string]string{}
	elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen["elsewhere"] = r.Header.Get("Authorization") + r.Header.Get("X-Store-Token")
		_, _ = w.Write(data)
	}))
	t.Cleanup(elsewhere.Close)
	f, asset, whole := hosted(t, func(w http.ResponseWriter, r *http.Request) {
		seen["mirror"] = r.Header.Get("Authorization") + r.Header.Get("X-Store-Token")
		http.Redirect(w, r, strings.Replace(elsewhere.URL, "127.0.0.1", "localhost", 1), http.StatusFound)
	})
	data = whole
	f.Mirror = func(r *http.Request) error {
		r.Header.Set("Authorization", "Bearer a")
		r.Header.Set("X-Store-Token", "b")
		return nil
	}
	mirrored, err := asset.At(strings.TrimSuffix(asset.URL, "/"+asset.Filename))
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := f.Fetch(t.Context(), mirrored, func(int64, int64) {}); err != nil {
		t.Fatal(err)
	}
	if seen["mirror"] != "Bearer ab" || seen["elsewhere"] != "" {
		t.Errorf("headers %q", seen)
	}
	seen["mirror"] = ""
	f.Cache.Dir += "2"
	if _, _, err := f.Fetch(t.Context(), asset, func(int64, int64) {}); err != nil {
		t.Fatal(err)
	}
	if seen["mirror"] != "" {
		t.Errorf("what is on no mirror gets the headers of one: %q", seen)
	}
}
