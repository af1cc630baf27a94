package main

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// sim certificate good|over|early|elsewhere NAME: a server for https at the address in the variable NAME, whose certificate is its
// own authority's, in the file NAME.pem. It has nothing to say.
func simCertificate(_ *world, ts *testscript.TestScript, args []string) error {
	if len(args) != 2 {
		return fmt.Errorf("usage: sim certificate KIND NAME")
	}
	now := time.Now()
	certificate := &x509.Certificate{
		Subject: pkix.Name{CommonName: "Office Proxy"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: now.AddDate(-1, 0, 0), NotAfter: now.AddDate(1, 0, 0),
	}
	switch args[0] {
	case "good":
	case "over":
		certificate.NotAfter = now.AddDate(0, -1, 0)
	case "early":
		certificate.NotBefore = now.AddDate(0, 1, 0)
	case "elsewhere":
		certificate.DNSNames, certificate.IPAddresses = []string{"portal.invalid"}, nil
	default:
		return fmt.Errorf("no kind of certificate %q", args[0])
	}
	authority, config, err := ownIssuer(certificate)
	if err != nil {
		return err
	}
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0) // it complains about refused handshakes
	server.TLS = config
	server.StartTLS()
	ts.Defer(server.Close)
	ts.Setenv(args[1], server.URL)
	return os.WriteFile(ts.MkAbs(args[1]+".pem"), authority, 0o644) //nolint:gosec // a certificate is no secret
}
