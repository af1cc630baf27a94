package transport

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// certified is a server whose certificate an authority has issued, and who trusts that authority.
func certified(t *testing.T, issuer string, certificate *x509.Certificate) (server *httptest.Server, roots *x509.CertPool, connections *atomic.Int32) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	authority := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: issuer}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign, NotBefore: time.Unix(0, 0), NotAfter: time.Now().AddDate(20, 0, 0),
	}
	certificate.SerialNumber = big.NewInt(2)
	var chain [2][]byte
	for i, each := range []*x509.Certificate{certificate, authority} {
		if chain[i], err = x509.CreateCertificate(rand.Reader, each, authority, &key.PublicKey, key); err != nil {
			t.Fatal(err)
		}
	}
	issued, err := x509.ParseCertificate(chain[1])
	if err != nil {
		t.Fatal(err)
	}
	roots, connections = x509.NewCertPool(), &atomic.Int32{}
	roots.AddCert(issued)
	server = httptest.NewUnstartedServer(http.HandlerFunc(fine))
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0) // it complains about the refused handshake
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			connections.Add(1)
		}
	}
	server.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: chain[:], PrivateKey: key}}, MinVersion: tls.VersionTLS12}
	server.StartTLS()
	t.Cleanup(server.Close)
	return server, roots, connections
}

// What is wrong with a certificate is said in a line that is whole, and is asked for once: by both clients, for what may be
// sent again and what may not, and of a proxy too.
func TestCertificates(t *testing.T) {
	t.Parallel()
	here, now := []net.IP{net.IPv4(127, 0, 0, 1)}, time.Now()
	for name, c := range map[string]struct {
		issuer      string
		certificate x509.Certificate
		stranger    bool // its authority is not trusted
		is          error
		says        string
	}{
		"nobody's": {
			"Office Proxy",
			x509.Certificate{IPAddresses: here, NotAfter: now.AddDate(1, 0, 0)},
			true, ErrUntrusted,
			`its certificate is not trusted; it was issued by "CN=Office Proxy", perhaps a proxy that looks into connections`,
		},
		"of a long name": {strings.Repeat("Ö", 300), x509.Certificate{IPAddresses: here, NotAfter: now.AddDate(1, 0, 0)}, true, ErrUntrusted, `ÖÖ...", perhaps a proxy`},
		"over": {
			"A",
			x509.Certificate{IPAddresses: here, NotBefore: time.Unix(0, 0), NotAfter: time.Unix(86400, 0)},
			false, ErrNotValidNow,
			"its certificate is valid from 1970-01-01 to 1970-01-02, and the clock of this host shows 20",
		},
		"not yet": {
			"A",
			x509.Certificate{IPAddresses: here, NotBefore: now.AddDate(10, 0, 0), NotAfter: now.AddDate(11, 0, 0)},
			false, ErrNotValidNow,
			"and the clock of this host shows 20",
		},
		"another's": {
			"A",
			x509.Certificate{DNSNames: []string{"portal.invalid"}, NotAfter: now.AddDate(1, 0, 0)},
			false, ErrOtherHost,
			"its certificate is another host's: x509: cannot validate certificate for 127.0.0.1",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server, roots, connections := certified(t, c.issuer, &c.certificate)
			if c.stranger {
				roots = x509.NewCertPool()
			}
			config := Config{UserAgent: "test", Roots: roots}
			for client, do := range map[string]func(*http.Request) (*http.Response, error){"API": NewAPI(config).Do, "download": NewDownload(config).Do} {
				for _, ctx := range []context.Context{t.Context(), Repeatable(t.Context())} {
					connections.Store(0)
					_, err := do(asking(ctx, t, server.URL+"/x"))
					var refused *CertificateError
					if !errors.Is(err, c.is) || !errors.As(err, &refused) || !strings.Contains(err.Error(), c.says) {
						t.Errorf("%s: %v does not say %q", client, err, c.says)
					}
					if len(err.Error()) > 2*maxText+200 || connections.Load() != 1 {
						t.Errorf("%s: asked %d times: %v", client, connections.Load(), err)
					}
				}
			}
		})
	}
}

// A host without any authority is told so, and not of a proxy.
func TestNoAuthorities(t *testing.T) {
	t.Parallel()
	err := &CertificateError{Cause: &tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}}, Nobody: true}
	if !errors.Is(err, ErrUntrusted) || !strings.Contains(err.Error(), "package ca-certificates") {
		t.Error(err)
	}
	for name, c := range map[string]struct {
		err    error
		roots  *x509.CertPool
		nobody bool
	}{
		"no roots at all":  {&tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}}, x509.NewCertPool(), false}, // somebody chose them
		"known already":    {err, nil, true},
		"inside of others": {errors.Join(errors.New("x"), err), nil, true},
	} {
		if found := Certificate(c.err, c.roots); found == nil || found.Nobody != c.nobody {
			t.Errorf("%s: %+v", name, found)
		}
	}
	if found := Certificate(errors.New("x"), nil); found != nil {
		t.Errorf("of another error: %+v", found)
	}
}
