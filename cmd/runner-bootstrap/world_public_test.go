package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/runner-bootstrap/runner-bootstrap/internal/download"
	"github.com/runner-bootstrap/runner-bootstrap/internal/githubtest"
)

// sim public VERSION: what stands for github.com and its API, with one more version beside the one of the first archive: a
// proxy leads there, by the names of the real ones, with certificates for them. All that is for other hosts is refused.
//
// sim public away: the proxy lets nobody through, to any host.
//
// sim public asked: prints what was asked of it.
func simPublic(w *world, ts *testscript.TestScript, args []string) error {
	if args[0] == "asked" {
		fmt.Fprintln(ts.Stdout(), "asked:")
		for _, r := range w.public.Requests() {
			fmt.Fprintf(ts.Stdout(), "%s %s %s %d credential=%t\n", r.Root, r.Method, r.Path, r.Status, r.AuthScheme != "")
		}
		return nil
	}
	lead := map[string]string{}
	if args[0] != "away" {
		authority, config, err := certified("api.github.com", "github.com")
		if err != nil {
			return err
		}
		if w.public, err = publicGitHub(w, config, args[0]); err != nil {
			return err
		}
		ts.Defer(func() {
			ts.Check(errors.Join(append(w.public.Problems(), w.public.Close())...))
		})
		for name, at := range map[string]string{"api.github.com:443": w.public.APIURL(), "github.com:443": w.public.ArchiveURL()} {
			u, err := url.Parse(at)
			if err != nil {
				return err
			}
			lead[name] = u.Host
		}
		file := ts.MkAbs("public.pem")
		if err := os.WriteFile(file, authority, 0o644); err != nil { //nolint:gosec // a certificate is no secret
			return err
		}
		ts.Setenv("SSL_CERT_FILE", file)
	}
	proxy := httptest.NewServer(tunnels(lead))
	ts.Defer(proxy.Close)
	ts.Setenv("https_proxy", proxy.URL)
	return nil
}

func publicGitHub(w *world, config *tls.Config, version string) (*githubtest.Server, error) {
	host, err := download.Host()
	if err != nil {
		return nil, err
	}
	newer, err := githubtest.NewArchive(githubtest.ArchiveSpec{Platform: host.String(), Version: version, Listener: w.listener})
	if err != nil {
		return nil, err
	}
	var server *githubtest.Server
	server, err = githubtest.Start(githubtest.Config{
		Archive: w.offered, TLS: config,
		Wrap: func(next http.Handler) http.Handler {
			return w.contract.Wrap(next, func(err error) { server.Report(err) })
		},
	})
	if err == nil {
		server.AddArchive(newer)
	}
	return server, err
}

// tunnels leads to other addresses than it is asked for, as a name that is looked up elsewhere does.
func tunnels(lead map[string]string) http.Handler {
	return http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		to, known := lead[r.Host]
		if r.Method == http.MethodConnect && !known && slices.Contains([]string{"127.0.0.1", "localhost"}, r.URL.Hostname()) {
			to, known = r.Host, true
		}
		if !known {
			http.Error(out, "not for you", http.StatusForbidden)
			return
		}
		there, err := (&net.Dialer{}).DialContext(r.Context(), "tcp", to)
		if err != nil {
			http.Error(out, err.Error(), http.StatusBadGateway)
			return
		}
		defer there.Close()
		here, _, err := http.NewResponseController(out).Hijack()
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

// certified makes a certificate for some names and 127.0.0.1, and returns it in PEM as well.
func certified(names ...string) ([]byte, *tls.Config, error) {
	return ownIssuer(&x509.Certificate{
		Subject: pkix.Name{CommonName: "a test's authority"}, DNSNames: names, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	})
}

// ownIssuer makes a certificate that its own authority has issued.
func ownIssuer(of *x509.Certificate) ([]byte, *tls.Config, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	of.SerialNumber, of.IsCA, of.BasicConstraintsValid = big.NewInt(1), true, true
	of.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature
	der, err := x509.CreateCertificate(rand.Reader, of, of, &key.PublicKey, key)
	if err != nil {
		return nil, nil, err
	}
	config := &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}, MinVersion: tls.VersionTLS12}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), config, nil
}
