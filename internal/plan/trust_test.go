//go:build unix

package plan_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/account"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/plan"
)

// certificate is one in PEM.
func certificate(t *testing.T) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	mustDo(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	text, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	mustDo(t, err)
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: text}))
}

// Certificates that can be used.
func TestPlanTrusts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	key := "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"
	file := w.write("ca/ca.pem", "a comment\n"+key+certificate(t))
	w.write("ca/README", "no certificate")
	r := w.brought()
	r.Variables = []string{"SSL_CERT_FILE=" + file, "NODE_EXTRA_CA_CERTS=" + file, "SSL_CERT_DIR=" + filepath.Dir(file)}
	w.plan(r)
	r.Variables = []string{"SSL_CERT_FILE=/nowhere", "SSL_CERT_FILE=" + file} // the last one counts
	w.plan(r)
	r.Variables = []string{"SSL_CERT_FILE="}
	w.plan(r)
}

// Those that the listener or its jobs could not use.
func TestPlanTrustsNot(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		set   func(w *world) (variable string)
		words string
	}{
		"no certificate": {func(w *world) string { return "SSL_CERT_FILE=" + w.write("ca", "x") }, "it holds no certificate in PEM"},
		"a damaged one": {func(w *world) string {
			return "SSL_CERT_FILE=" + w.write("ca", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
		}, "it holds no certificate in PEM"},
		"an empty file":   {func(w *world) string { return "NODE_EXTRA_CA_CERTS=" + w.write("ca", " ") }, "it is empty"},
		"a folder":        {func(w *world) string { return "SSL_CERT_FILE=" + w.base }, "it is no file"},
		"a relative path": {func(*world) string { return "SSL_CERT_FILE=ca.pem" }, "not an absolute path"},
		"a pipe": {func(w *world) string {
			mustDo(w.t, syscall.Mkfifo(filepath.Join(w.base, "pipe"), 0o644))
			return "SSL_CERT_FILE=" + filepath.Join(w.base, "pipe")
		}, "it is no file"},
		"a folder of none": {func(w *world) string { return "SSL_CERT_DIR=" + filepath.Dir(w.write("cas/a", "x")) }, "no file in it"},
		"no folder":        {func(w *world) string { return "SSL_CERT_DIR=" + filepath.Join(w.base, "nowhere") }, "no such file"},
		"two folders": {func(w *world) string {
			w.write("cas/a", certificate(w.t))
			return "SSL_CERT_DIR=" + filepath.Join(w.base, "cas") + ":" + filepath.Join(w.base, "cas")
		}, "the runner reads one folder alone"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			r := w.brought()
			r.Variables = []string{c.set(w)}
			w.refused(r, plan.ErrNoCertificate, c.words)
		})
	}
}

// Those that the account of jobs may not read.
func TestPlanTrustUnreadable(t *testing.T) {
	t.Parallel()
	if !account.Privileged() {
		return // what is one's own can be read
	}
	w := newWorld(t)
	file := w.write("ca/ca.pem", certificate(t))
	mustDo(t, os.Chmod(file, 0o600))
	r := w.brought()
	r.Variables = []string{"SSL_CERT_FILE=" + file}
	w.refused(r, plan.ErrUnreadable, "account \"nobody\" may not read", file)
	r.Variables = []string{"SSL_CERT_DIR=" + filepath.Dir(file)}
	w.refused(r, plan.ErrNoCertificate, "account \"nobody\" may not read", file)
	mustDo(t, os.Chmod(file, 0o644), os.Chmod(filepath.Dir(file), 0o700))
	w.refused(r, plan.ErrUnreadable, filepath.Dir(file))
}

// elsewhere is where a plan can be made for that is not in a temporary folder. Nothing is written there.
func elsewhere() instance.Paths { return instance.DefaultPaths("/opt/rb-of-a-test") }

// A service in a sandbox does not find files in the host's temporary folders.
func TestPlanPrivateTemp(t *testing.T) {
	t.Parallel()
	if !account.Privileged() {
		return // who is not root cannot plan for a folder of the system's
	}
	w := newWorld(t)
	w.maker.Paths = elsewhere()
	r := w.brought()
	r.Credential = instance.Credential{TokenFile: "/tmp/token"}
	w.refused(r, plan.ErrPrivateTemp, "/tmp/token")
	r.Life.Allow = []string{plan.AllowAll}
	w.plan(r)
	r.Credential, r.Life.Allow = instance.Credential{}, nil
	dir, err := os.MkdirTemp("/tmp", "plan-") //nolint:usetesting // a service has a /tmp of its own, whatever TMPDIR says
	mustDo(t, err)
	t.Cleanup(func() { mustDo(t, os.RemoveAll(dir)) })
	file := filepath.Join(dir, "ca.pem")
	mustDo(t, os.Chmod(dir, 0o755), os.WriteFile(file, []byte(certificate(t)), 0o644))
	r.Variables = []string{"SSL_CERT_FILE=" + file}
	w.refused(r, plan.ErrUnreadable, plan.ErrPrivateTemp.Error())
	r.Service = false
	w.plan(r)
}
