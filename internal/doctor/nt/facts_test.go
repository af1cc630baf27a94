package nt

import (
	"encoding/binary"
	"strings"
	"testing"
)

func TestJudge(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		major, build int
		goarch       string
		want         State
		says         string
	}{
		{6, 9600, "amd64", Failed, "14393"},
		{10, 10240, "amd64", Failed, "14393"},
		{10, 14393, "amd64", OK, "brings all libraries"},
		{10, 19045, "arm64", Failed, "22000"},
		{10, 26100, "arm64", OK, "brings all libraries"},
	} {
		if got := judge(c.major, c.build, c.goarch); got.State != c.want || !strings.Contains(got.Found, c.says) || (got.Fix == "") != (c.want == OK) {
			t.Errorf("%+v: %+v", c, got)
		}
	}
}

func TestProxyURL(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"proxy:3128": "http://proxy:3128", "http=a:1;https=b:2": "http://a:1", "ftp=a:1;https=b:2": "http://b:2",
		"http://proxy:3128": "http://proxy:3128", "": "", "socks=a:1": "", "a/b": "",
	} {
		if got := ProxyURL(text); got != want {
			t.Errorf("%q is %q, want %q", text, got, want)
		}
	}
}

// A password is not for the reports that people send each other.
func TestWithoutCredentials(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"proxy:3128": "proxy:3128", "": "", "http=a:1;https=b:2": "http=a:1;https=b:2",
		"me:secret@proxy:3128": "proxy:3128", "http://me:se;c=r/e t@t@proxy:3128": "proxy:3128",
		"http=me:secret@a:1;https=you:secret@b:2": "b:2",
	} {
		if got := withoutCredentials(text); got != want {
			t.Errorf("%q is %q, want %q", text, got, want)
		}
	}
}

// What netsh has written, and pieces of it.
func TestWinHTTPProxy(t *testing.T) {
	t.Parallel()
	written := func(flags uint32, proxy string) []byte {
		value := binary.LittleEndian.AppendUint32([]byte{0x28, 0, 0, 0, 0, 0, 0, 0}, flags)
		value = binary.LittleEndian.AppendUint32(value, uint32(len(proxy)))
		return append(append(value, proxy...), 0, 0, 0, 0)
	}
	for _, c := range []struct {
		value []byte
		want  string
	}{
		{written(3, "proxy:3128"), "proxy:3128"},
		{written(1, "former:3128"), ""}, // which is not used any more
		{written(3, "proxy:3128")[:20], "prox"},
		{written(3, "x")[:12], ""},
		{nil, ""},
	} {
		if got := winHTTPProxy(c.value); got != c.want {
			t.Errorf("%q: %q, want %q", c.value, got, c.want)
		}
	}
}
