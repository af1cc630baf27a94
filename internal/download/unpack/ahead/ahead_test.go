package ahead

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"testing"
)

func zipped(t *testing.T, data []byte) io.Reader {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	_, err := w.Write(data)
	if err := errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	return &out
}

// TestLimit: what nobody has asked for must not be endless.
func TestLimit(t *testing.T) {
	t.Parallel()
	const size = 1 << 20
	for limit, want := range map[int64]bool{size: true, size - 1: false} {
		r := NewReader(t.Context(), zipped(t, make([]byte, size)), limit)
		read, err := io.Copy(io.Discard, r)
		r.Wait()
		if (err == nil) != want || r.SourceErr() != nil || read > limit {
			t.Errorf("at most %d bytes: %d, %v", limit, read, err)
		}
	}
}

// TestZeros: the rest may be nothing but zeros.
func TestZeros(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{"": true, "\x00": true, "\x00\x00x": false} {
		r := NewReader(t.Context(), zipped(t, []byte("head"+text)), 100)
		if _, err := io.ReadFull(r, make([]byte, 4)); err != nil {
			t.Fatal(err)
		}
		if err := r.Zeros(); (err == nil) != want {
			t.Errorf("%q behind it: %v", text, err)
		}
		r.Wait()
	}
}
