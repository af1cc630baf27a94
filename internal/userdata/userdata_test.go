package userdata

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/mail"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// TestFormsHoldTheSame: each form is the same text when it is unpacked, and the same bytes each time.
func TestFormsHoldTheSame(t *testing.T) {
	data := &Data{}
	data.AddPrivate("/etc/a", "b")
	data.AddProgram(Program{Baked: true}, []string{"A=b c"})
	made := func(f Format) []byte {
		t.Helper()
		first, err := data.Bytes(f, "one", "two")
		second, again := data.Bytes(f, "one", "two")
		if err != nil || again != nil || !bytes.Equal(first, second) {
			t.Fatalf("%s: twice is not the same: %v, %v", f, err, again)
		}
		return first
	}
	plain := string(made(Plain))
	if !strings.HasPrefix(plain, "#cloud-config\n# one\n# two\nwrite_files:\n") || !strings.Contains(plain, "A='b c'") {
		t.Errorf("plain user data is %s", plain)
	}
	reader, err := gzip.NewReader(bytes.NewReader(made(Gzip)))
	if err != nil {
		t.Fatal(err)
	}
	if text, err := io.ReadAll(reader); err != nil || string(text) != plain {
		t.Errorf("gzip holds %q: %v", text, err)
	}
	message, err := mail.ReadMessage(bytes.NewReader(made(MIME)))
	if err != nil {
		t.Fatal(err)
	}
	_, parameters, err := mime.ParseMediaType(message.Header.Get("Content-Type"))
	if err != nil {
		t.Fatal(err)
	}
	part, err := multipart.NewReader(message.Body, parameters["boundary"]).NextPart()
	if err != nil {
		t.Fatal(err)
	}
	if text, err := io.ReadAll(part); err != nil || string(text) != plain {
		t.Errorf("the part holds %q: %v", text, err)
	}
}

func TestRefusing(t *testing.T) {
	for size, want := range map[int]int{16384: 0, 16385: 1, 65535: 1, 65536: 2, 262144: 2, 262145: 3} {
		if got := Refusing(size); len(got) != want {
			t.Errorf("%d bytes are refused by %q", size, got)
		}
	}
}

// TestBootScriptIsOne: a shell reads it, whichever way the program comes.
func TestBootScriptIsOne(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("it is for machines with Linux")
	}
	for name, p := range map[string]Program{
		"baked":   {Baked: true},
		"deb":     {Package: "https://example.com/a b.deb", Digest: strings.Repeat("A", 64), Proxy: "http://p:1", NoProxy: "a b", CAFile: "/c d"},
		"rpm":     {Package: "https://example.com/$(x).rpm", Digest: strings.Repeat("a", 64)},
		"release": {Release: "https://example.com/v1", Checksums: strings.Repeat("a", 64)},
	} {
		script := p.bootScript()
		shell := exec.Command("sh", "-n")
		shell.Stdin = strings.NewReader(script)
		if out, err := shell.CombinedOutput(); err != nil {
			t.Errorf("%s: %v: %s\n%s", name, err, out, script)
		}
		if brings := strings.Contains(script, "bring() {"); brings == p.Baked {
			t.Errorf("%s: it brings the program: %v", name, brings)
		}
	}
}

func TestChecksums(t *testing.T) {
	line := func(file string) string { return strings.Repeat("a", 64) + "  " + file + "\n" }
	list := line("runner-bootstrap_linux_amd64.deb") + line("install.sh")
	type answer struct {
		status int
		body   string
	}
	for _, c := range []struct {
		name    string
		answers []answer // the last one stays
		want    error
		asked   int
	}{
		{"a list", []answer{{200, list}}, nil, 1},
		{"a list after a bad minute", []answer{{503, ""}, {200, list}}, nil, 2},
		{"no such release", []answer{{404, "no"}}, ErrChecksums, 1},
		{"a page of somebody else", []answer{{200, "<html>  runner-bootstrap_linux_amd64.deb\n"}}, ErrNoChecksums, 1},
		{"a list without packages", []answer{{200, line("install.sh")}}, ErrNoChecksums, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var asked []string
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				a := c.answers[min(len(asked), len(c.answers)-1)]
				asked = append(asked, r.URL.Path)
				w.WriteHeader(a.status)
				fmt.Fprint(w, a.body)
			}))
			defer server.Close()
			digest, err := Checksums(t.Context(), server.Client(), server.URL+"/v1")
			if !errors.Is(err, c.want) || (err == nil) != (len(digest) == 64) {
				t.Errorf("the digest is %q, the error %v", digest, err)
			}
			if want := slices.Repeat([]string{"/v1/checksums.txt"}, c.asked); !slices.Equal(asked, want) {
				t.Errorf("asked for %q, not %q", asked, want)
			}
		})
	}
}
