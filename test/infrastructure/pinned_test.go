//go:build unix

package infrastructure

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// published is a list of digests as a release has it.
const published = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855  install.sh\n" +
	"2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae  runner-bootstrap_linux_amd64.deb\n"

// render has the program of a release print user data, with a proxy that leads every name to a server of ours.
func render(t *testing.T, program string, site http.Handler, words ...string) (printed, said string, code int) {
	t.Helper()
	server := httptest.NewUnstartedServer(site)
	block, config := certified(t, "github.com", "example.com")
	server.TLS = config
	server.StartTLS()
	t.Cleanup(server.Close)
	proxy := httptest.NewServer(lead(server.Listener.Addr().String()))
	t.Cleanup(proxy.Close)
	authority := filepath.Join(t.TempDir(), "authority.pem")
	if err := os.WriteFile(authority, block, 0o644); err != nil { //nolint:gosec // a certificate is no secret
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), program, append([]string{"cloud-init", "--url", "https://github.com/octo-org", "--token-command", "t"}, words...)...)
	cmd.Env = append(bare(), "https_proxy="+proxy.URL, "SSL_CERT_FILE="+authority, "no_proxy=", "NO_PROXY=")
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	_ = cmd.Run() // its exit code is looked at
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

// certified makes a certificate for some names, and returns it in PEM as well.
func certified(t *testing.T, names ...string) ([]byte, *tls.Config) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: names, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	config := &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}, MinVersion: tls.VersionTLS12}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), config
}

// lead is a proxy.
func lead(to string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		there, err := (&net.Dialer{}).DialContext(r.Context(), "tcp", to)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		defer there.Close()
		here, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer here.Close()
		if _, err := io.WriteString(here, "HTTP/1.1 200 OK\r\n\r\n"); err != nil {
			return
		}
		var both sync.WaitGroup
		for _, pair := range [][2]net.Conn{{here, there}, {there, here}} {
			both.Go(func() {
				_, _ = io.Copy(pair[0], pair[1])
				_, _ = pair[0].Close(), pair[1].Close()
			})
		}
		both.Wait()
	})
}

// TestPinned: a release pins itself by its own list of digests when it prints user data, and prints none that it could not pin.
func TestPinned(t *testing.T) {
	t.Parallel()
	program := build(t, "1.2.3")
	const path = "/runner-bootstrap/runner-bootstrap/releases/download/v1.2.3/checksums.txt"
	sum := sha256.Sum256([]byte(published))
	var asked atomic.Int32
	for name, c := range map[string]struct {
		site  http.HandlerFunc
		words []string
		code  int
		want  string // printed, or else said
		asked int32
	}{
		"as GitHub does": {site: func(w http.ResponseWriter, r *http.Request) {
			if r.Host == "github.com" && r.URL.Path == path {
				http.Redirect(w, r, "https://example.com/assets/7", http.StatusFound)
			} else if r.Host == "example.com" && r.URL.Path == "/assets/7" {
				fmt.Fprint(w, published)
			} else {
				http.NotFound(w, r)
			}
		}, want: `echo "` + hex.EncodeToString(sum[:]) + `  runner-bootstrap-checksums.txt" | sha256sum -c - &&`},
		"given":           {words: []string{"--checksums-sha256", strings.Repeat("AB", 32)}, want: `echo "` + strings.Repeat("ab", 32) + `  runner-`, asked: -1},
		"baked":           {words: []string{"--baked"}, want: "exec systemctl start", asked: -1},
		"no such release": {site: http.NotFound, code: 5, want: "404 Not Found"},
		"a page": {
			site: func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>sign in</html>\n") }, code: 6,
			want: "what came is no list of this program's release",
		},
		"another list": {
			site: func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, strings.Split(published, "\n")[0]+"\n") }, code: 6,
			want: "names no package",
		},
		"to plain http": {site: func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://example.com/assets/7", http.StatusFound)
		}, code: 5, want: "http"},
		"the second time": {site: func(w http.ResponseWriter, _ *http.Request) {
			if asked.Add(1) == 1 {
				w.WriteHeader(http.StatusBadGateway)
				return
			}
			fmt.Fprint(w, published)
		}, want: hex.EncodeToString(sum[:])},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var requests atomic.Int32
			printed, said, code := render(t, program, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				requests.Add(1)
				c.site(w, r)
			}), c.words...)
			text := printed
			if c.code != 0 {
				text = said
				if printed != "" || !strings.Contains(said, "--checksums-sha256 HEX") {
					t.Errorf("it prints %q, and says\n%s", printed, said)
				}
			}
			if code != c.code || !strings.Contains(text, c.want) {
				t.Errorf("it ends with %d, want %d and %q:\n%s%s", code, c.code, c.want, printed, said)
			}
			if c.asked < 0 && requests.Load() > 0 {
				t.Errorf("it asked %d times for what it need not know", requests.Load())
			}
		})
	}
}
