package installer

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestTools(t *testing.T) {
	t.Parallel()
	for _, loader := range []string{"curl", "wget", "busybox-wget"} {
		for _, digester := range []string{"sha256sum", "shasum", "openssl"} {
			t.Run(loader+" "+digester, func(t *testing.T) {
				t.Parallel()
				eachShell(t, func(t *testing.T, s shell) {
					good := release(t)
					h, m := newHost(t, s, loader, digester), serve(t, good.ServeHTTP)
					h.run(t, "--mirror", m.url).wants(t, 0, "runner-bootstrap "+released)
					h.leaves(t, binary(t))
					agent := map[string]string{"curl": "curl/", "wget": "Wget/", "busybox-wget": "Wget"}[loader]
					for _, got := range m.agents {
						if !strings.HasPrefix(got, agent) && !s.applets {
							t.Errorf("%q has asked, not %q", got, agent)
						}
					}
					h.run(t, "--mirror", m.url, "--sha256", strings.Repeat("1", 64)).wants(t, 6)
				})
			})
		}
	}
}

func TestMissingTools(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		tools []string
		words string
	}{
		{[]string{"curl"}, "sha256sum, shasum or openssl is needed"},
		{[]string{"sha256sum"}, "curl or wget is needed"},
	} {
		t.Run(test.words, func(t *testing.T) {
			t.Parallel()
			eachShell(t, func(t *testing.T, s shell) {
				if s.applets {
					return // it has all of them
				}
				h, m := newHost(t, s, test.tools...), serve(t, release(t).ServeHTTP)
				h.run(t, "--mirror", m.url).wants(t, 3, test.words)
				h.leaves(t, nil)
				if n := m.requests(""); n != 0 {
					t.Errorf("%d requests", n)
				}
			})
		})
	}
}

func TestFullDisk(t *testing.T) {
	t.Parallel()
	h := usual(t, shells(t)[0])
	h.fake(t, "curl", "echo 'curl: (23) Failed writing body (0 != 1)' >&2; exit 23")
	h.run(t).wants(t, 3, "writing checksums.txt", "(23)")
	h.leaves(t, nil)
}

func TestMirrorWithoutFile(t *testing.T) {
	t.Parallel()
	h := usual(t, shells(t)[0])
	h.run(t, "--mirror", "file:"+h.base+"/none").wants(t, 3, "copying file:"+h.base+"/none/checksums.txt")
	h.leaves(t, nil)
}

// github is a proxy that answers every request through it itself, as any host.
type github struct {
	*mirror
	proxy       string
	authorities string // the file that names who vouches for its hosts
}

func newGitHub(t *testing.T, answer http.HandlerFunc) *github {
	t.Helper()
	certificate := certify(t, "github.com", "release-assets.githubusercontent.com")
	g := &github{mirror: serve(t, answer), authorities: filepath.Join(t.TempDir(), "ca.pem")}
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Certificate[0]})
	if err := os.WriteFile(g.authorities, text, 0o644); err != nil {
		t.Fatal(err)
	}
	hosts := httptest.NewUnstartedServer(g.mirror)
	hosts.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}
	hosts.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError) // clients that hang up are the point
	hosts.StartTLS()
	t.Cleanup(hosts.Close)
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodConnect {
			g.ServeHTTP(w, r) // plain http: it is written down, and answered
			return
		}
		tunnel(w, hosts.Listener.Addr().String())
	}))
	t.Cleanup(proxy.Close)
	g.proxy = proxy.URL
	return g
}

// tunnel joins a client with what it takes for the host it asked for.
func tunnel(w http.ResponseWriter, address string) {
	to, err := net.Dial("tcp", address)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	defer to.Close()
	from, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer from.Close()
	_, _ = fmt.Fprint(from, "HTTP/1.1 200 Connection established\r\n\r\n")
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = bufio.NewReader(to).WriteTo(from)
		_ = from.Close()
	}()
	_, _ = buffered.WriteTo(to)
	_ = to.Close()
	<-done
}

func certify(t *testing.T, names ...string) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: names[0]}, DNSNames: names,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// trusting makes curl and wget go through the proxy and believe in its hosts.
func (g *github) trusting(t *testing.T, h *host) {
	t.Helper()
	rc := filepath.Join(h.base, "wgetrc")
	if err := os.WriteFile(rc, []byte("ca_certificate = "+g.authorities+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	h.extra = []string{"https_proxy=" + g.proxy, "http_proxy=" + g.proxy, "CURL_CA_BUNDLE=" + g.authorities, "WGETRC=" + rc}
}

// TestGitHub: without a mirror it asks GitHub, which sends it on to another host of its own.
func TestGitHub(t *testing.T) {
	t.Parallel()
	const releases = "github.com/runner-bootstrap/runner-bootstrap/releases/"
	for _, loader := range []string{"curl", "wget"} {
		for _, version := range []string{"", released, "v" + released} {
			t.Run(loader+" "+version, func(t *testing.T) {
				t.Parallel()
				files := release(t)
				g := newGitHub(t, func(w http.ResponseWriter, r *http.Request) {
					if r.Host == "github.com" {
						http.Redirect(w, r, "https://release-assets.githubusercontent.com/1"+r.URL.Path, http.StatusFound)
						return
					}
					files.ServeHTTP(w, r)
				})
				h := newHost(t, shells(t)[0], loader, "sha256sum")
				g.trusting(t, h)
				where, args := releases+"latest/download/", []string(nil)
				if version != "" {
					where, args = releases+"download/v"+released+"/", []string{"--version", version}
				}
				h.run(t, args...).wants(t, 0, "runner-bootstrap "+released)
				h.leaves(t, binary(t))
				if !slices.Contains(g.asked, where+"checksums.txt") || !slices.Contains(g.asked, where+archiveName()) {
					t.Errorf("it asked for %q, not below %s", g.asked, where)
				}
			})
		}
	}
}

func TestRedirectToPlainHTTP(t *testing.T) {
	t.Parallel()
	for _, loader := range []string{"curl", "wget"} {
		t.Run(loader, func(t *testing.T) {
			t.Parallel()
			files := release(t)
			g := newGitHub(t, func(w http.ResponseWriter, r *http.Request) {
				if r.TLS != nil && strings.HasSuffix(r.URL.Path, ".tar.gz") {
					http.Redirect(w, r, "http://release-assets.githubusercontent.com"+r.URL.Path, http.StatusFound)
					return
				}
				files.ServeHTTP(w, r)
			})
			h := newHost(t, shells(t)[0], loader, "sha256sum")
			g.trusting(t, h)
			h.run(t).wants(t, 5, "fetching https://github.com/", "http")
			h.leaves(t, nil)
			if n := g.requests(archiveName()); n > 2 {
				t.Errorf("%d requests: it will not become better", n)
			}
		})
	}
}

// TestUncheckedServer: a wget that checks no certificate may bring an archive whose digest the caller knows, not one
// that vouches for itself. That of busybox says so; the one here does as well, as busybox and Go find no common cipher.
func TestUncheckedServer(t *testing.T) {
	t.Parallel()
	files := release(t)
	from := filepath.Join(t.TempDir(), "files")
	files.write(t, from)
	for name, args := range map[string][]string{"unknown digest": nil, "known digest": {"--sha256", digest(files[archiveName()])}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHost(t, shells(t)[0], "sha256sum")
			h.fake(t, "wget", `[ $# -gt 4 ] || exit 1
echo 'wget: note: TLS certificate validation not implemented' >&2
cp "`+from+`/${5##*/}" "$4"`)
			o := h.run(t, args...)
			if args == nil {
				o.wants(t, 3, "does not check who answers", "--sha256")
				h.leaves(t, nil)
				return
			}
			o.wants(t, 0)
			h.leaves(t, binary(t))
		})
	}
}

// TestUnknownServer: a server that has no certificate of a known authority is not GitHub.
func TestUnknownServer(t *testing.T) {
	t.Parallel()
	for _, loader := range []string{"curl", "wget"} {
		t.Run(loader, func(t *testing.T) {
			t.Parallel()
			g := newGitHub(t, release(t).ServeHTTP)
			h := newHost(t, shells(t)[0], loader, "sha256sum")
			h.extra = []string{"https_proxy=" + g.proxy}
			h.run(t).wants(t, 5, "certificate")
			h.leaves(t, nil)
			if n := g.requests(""); n != 0 {
				t.Errorf("%d requests were sent to it", n)
			}
		})
	}
}
