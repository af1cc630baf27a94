//go:build unix

package trust_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/account"
	"github.com/runner-bootstrap/runner-bootstrap/internal/trust"
)

// certificate is one in PEM.
func certificate(t *testing.T) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	text, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: text}))
}

// folder is one that everybody can look into, with files.
func folder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "trust-") //nolint:usetesting // that of a test is its user's alone, and jobs are another's
	if err == nil {
		err = os.Chmod(dir, 0o755) //nolint:gosec // as said
	}
	for name, text := range files {
		err = errors.Join(err, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644)) //nolint:gosec // as said
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// jobs are those of an account that is not root.
func jobs(t *testing.T) trust.Jobs {
	t.Helper()
	name := "" // who runs this
	if account.Privileged() {
		name = "nobody"
	}
	user, err := account.Lookup(name)
	if err != nil {
		t.Fatal(err)
	}
	return trust.Jobs{User: user, Account: user.Name}
}

// Certificates that can be used.
func TestTrusted(t *testing.T) {
	t.Parallel()
	key := "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"
	dir := folder(t, map[string]string{"ca.pem": "a comment\n" + key + certificate(t), "README": "no certificate"})
	file := filepath.Join(dir, "ca.pem")
	for _, variables := range [][]string{
		nil,
		{"SSL_CERT_FILE=" + file, "NODE_EXTRA_CA_CERTS=" + file, "SSL_CERT_DIR=" + dir},
		{"SSL_CERT_FILE=/nowhere", "SSL_CERT_FILE=" + file}, // the last one counts
		{"SSL_CERT_FILE="},
		{"SSL_CERT_FILES=/nowhere", "http_proxy=x"},
	} {
		if err := jobs(t).Check(variables); err != nil {
			t.Errorf("%q: %v", variables, err)
		}
	}
}

// Those that the listener or its jobs could not use.
func TestNotTrusted(t *testing.T) {
	t.Parallel()
	dir := folder(t, map[string]string{
		"text": "x", "blank": " ", "damaged": "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
	})
	good := folder(t, map[string]string{"ca.pem": certificate(t)})
	if err := syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o644); err != nil {
		t.Fatal(err)
	}
	for variable, words := range map[string]string{
		"SSL_CERT_FILE=" + filepath.Join(dir, "text"):        "it holds no certificate in PEM",
		"SSL_CERT_FILE=" + filepath.Join(dir, "damaged"):     "it holds no certificate in PEM",
		"NODE_EXTRA_CA_CERTS=" + filepath.Join(dir, "blank"): "it is empty",
		"SSL_CERT_FILE=" + dir:                               "it is no file",
		"SSL_CERT_FILE=" + filepath.Join(dir, "pipe"):        "it is no file",
		"SSL_CERT_FILE=ca.pem":                               "not an absolute path",
		"SSL_CERT_FILE=" + filepath.Join(dir, "none"):        "no such file",
		"SSL_CERT_DIR=" + dir:                                "no file in it",
		"SSL_CERT_DIR=" + filepath.Join(dir, "none"):         "no such file",
		"SSL_CERT_DIR=" + good + ":" + good:                  "the runner reads one folder alone",
	} {
		err := jobs(t).Check([]string{variable})
		name, path, _ := strings.Cut(variable, "=")
		if !errors.Is(err, trust.ErrNoCertificate) || !strings.Contains(err.Error(), words) || !strings.Contains(err.Error(), path+`" (`+name+")") {
			t.Errorf("%s: %v, want %q", variable, err, words)
		}
	}
}

// Those that the account of jobs may not read, or does not see.
func TestUnreadable(t *testing.T) {
	t.Parallel()
	dir := folder(t, map[string]string{"ca.pem": certificate(t)})
	file := filepath.Join(dir, "ca.pem")
	refused := func(j trust.Jobs, variable string, want error, words ...string) {
		t.Helper()
		err := j.Check([]string{variable})
		for _, word := range words {
			if !errors.Is(err, want) || !strings.Contains(err.Error(), word) {
				t.Errorf("%s: %v, want %v, %s", variable, err, want, word)
			}
		}
	}
	hides := jobs(t)
	hides.Hidden = func(path string) error { return errors.New(path + " is hidden") }
	refused(hides, "SSL_CERT_FILE="+file, trust.ErrUnreadable, file+" is hidden")
	if !account.Privileged() {
		return // what is one's own can be read
	}
	if err := os.Chmod(file, 0o600); err != nil {
		t.Fatal(err)
	}
	refused(jobs(t), "SSL_CERT_FILE="+file, trust.ErrUnreadable, `account "nobody" may not read`, file)
	refused(jobs(t), "SSL_CERT_DIR="+dir, trust.ErrNoCertificate, `account "nobody" may not read`, file)
	if err := errors.Join(os.Chmod(file, 0o644), os.Chmod(dir, 0o700)); err != nil { //nolint:gosec // as above
		t.Fatal(err)
	}
	refused(jobs(t), "SSL_CERT_FILE="+file, trust.ErrUnreadable, `may not read "`+dir+`"`)
}
