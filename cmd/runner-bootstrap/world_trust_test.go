package main

import (
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
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// sim certificate good|over|early|elsewhere NAME: a server for https at the address in the variable NAME, whose certificate the
// authority of the file NAME.pem has issued. It has nothing to say.
func simCertificate(w *world, ts *testscript.TestScript, args []string) error {
	if len(args) != 2 {
		return fmt.Errorf("usage: sim certificate KIND NAME")
	}
	now := time.Now()
	certificate := &x509.Certificate{
		SerialNumber: big.NewInt(2), NotBefore: now.AddDate(-1, 0, 0), NotAfter: now.AddDate(1, 0, 0), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
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
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	authority := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Office Proxy"}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign, NotBefore: now.AddDate(-1, 0, 0), NotAfter: now.AddDate(1, 0, 0),
	}
	var chain [2][]byte
	for i, each := range []*x509.Certificate{certificate, authority} {
		if chain[i], err = x509.CreateCertificate(rand.Reader, each, authority, &key.PublicKey, key); err != nil {
			return err
		}
	}
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0) // it complains about refused handshakes
	server.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: chain[:], PrivateKey: key}}, MinVersion: tls.VersionTLS12}
	server.StartTLS()
	ts.Defer(server.Close)
	ts.Setenv(args[1], server.URL)
	return os.WriteFile(ts.MkAbs(args[1]+".pem"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: chain[1]}), 0o644)
}
