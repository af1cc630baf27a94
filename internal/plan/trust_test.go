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
	"testing"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/account"
	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
	"github.com/runner-bootstrap/runner-bootstrap/internal/plan"
	"github.com/runner-bootstrap/runner-bootstrap/internal/trust"
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

// A plan is refused for certificates that jobs could not use; those of the variables that it has kept count as well.
func TestPlanTrusts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	file := w.write("ca/ca.pem", certificate(t))
	r := w.brought()
	r.Variables = []string{"SSL_CERT_FILE=/nowhere", "SSL_CERT_FILE=" + file}
	w.plan(r)
	r.Variables = []string{"SSL_CERT_FILE=" + w.write("none", "x")}
	w.refused(r, trust.ErrNoCertificate, "it holds no certificate in PEM")
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
	w.refused(r, trust.ErrUnreadable, plan.ErrPrivateTemp.Error())
	r.Service = false
	w.plan(r)
}
