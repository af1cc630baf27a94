package transfer

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
)

// What is not the file, and no page either, is asked for again, and named in the end: nothing at all, and the file compressed once
// more. A label alone is no encoding.
func TestNothingInTheFilesPlace(t *testing.T) {
	t.Parallel()
	begins := func(head []byte) bool { return head[0] == noise(1)[0] }
	nothing := func(w http.ResponseWriter) { w.Header().Set("Content-Length", "0") }
	for name, c := range map[string]struct {
		answer func(http.ResponseWriter)
		times  int
		says   string // empty: the file comes
	}{
		"nothing, once":   {nothing, 1, ""},
		"nothing, always": {nothing, 1000, "files.test sent nothing in the place of the file"},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, faultSize, func(t *testing.T, o *origin) {
				o.turn = func(n int, w http.ResponseWriter, _ *http.Request) bool {
					if n >= c.times {
						return false
					}
					c.answer(unwrapped(w))
					return true
				}
				r := o.request()
				r.Begins = begins
				got, err := o.receive(t.Context(), r)
				if c.says == "" {
					if err != nil {
						t.Fatal(err)
					}
					o.wantWhole(t, got)
				} else if !errors.Is(err, ErrTransfer) || !strings.Contains(err.Error(), c.says) {
					t.Errorf("%v, want %s", err, c.says)
				}
			})
		})
	}
}

func TestEncodedOnTheWay(t *testing.T) {
	t.Parallel()
	var file, twice bytes.Buffer
	compress := func(to io.Writer, text []byte) {
		w := gzip.NewWriter(to)
		if _, err := w.Write(text); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	compress(&file, noise(100_000))
	compress(&twice, file.Bytes())
	w := worker{Stream: &Stream{r: Request{Begins: func(head []byte) bool { return bytes.HasPrefix(head, []byte{0x1f, 0x8b}) }}}}
	for name, c := range map[string]struct {
		label string
		body  []byte
		want  bool
	}{
		"as it is":           {"", file.Bytes(), false},
		"a label alone":      {"gzip", file.Bytes(), false},
		"another label":      {"x-gzip", file.Bytes(), false},
		"compressed":         {"gzip", twice.Bytes(), true},
		"without a label":    {"", twice.Bytes(), false}, // for the digest to judge
		"a label of a stump": {"gzip", file.Bytes()[:8], false},
	} {
		resp := &http.Response{Header: http.Header{}}
		if c.label != "" {
			resp.Header.Set("Content-Encoding", c.label)
		}
		if got := w.encoded(resp, &head{Reader: bytes.NewReader(c.body), watch: watchFor(0, nil)}); got != c.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}

// A cache calls the whole file a range of it.
func TestWholeFileAsARange(t *testing.T) {
	inBubble(t, faultSize, func(t *testing.T, o *origin) {
		o.turn = func(_ int, w http.ResponseWriter, r *http.Request) bool {
			if r.Header.Get("Range") != "" {
				return false
			}
			w.Header().Set("Content-Range", fmt.Sprintf("bytes 0-%d/%d", faultSize-1, faultSize))
			w.Header().Set("Content-Length", strconv.Itoa(faultSize))
			w.WriteHeader(http.StatusPartialContent)
			_, _ = w.Write(o.data)
			return true
		}
		o.mustReceive(t, o.request())
		if sent := o.allSent(); sent != faultSize {
			t.Errorf("%d bytes were sent, want each once: %d", sent, faultSize)
		}
	})
}
