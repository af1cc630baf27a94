//go:build unix

package bootstrap_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/account"
	"github.com/runner-bootstrap/runner-bootstrap/internal/githubtest"
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

// Certificates that can be used, and those that jobs cannot read.
func TestPlanTrust(t *testing.T) {
	w := newWorld(t)
	file := w.write("ca/ca.pem", "a comment\n"+certificate(t))
	r := w.brought()
	r.Variables = []string{"SSL_CERT_FILE=" + file, "NODE_EXTRA_CA_CERTS=" + file, "SSL_CERT_DIR=" + filepath.Dir(file)}
	if _, err := w.host.MakePlan(t.Context(), r); err != nil {
		t.Error(err)
	}
	key := w.write("key.pem", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")
	r.Variables = []string{"SSL_CERT_FILE=" + key}
	_, err := w.host.MakePlan(t.Context(), r)
	expect(t, err, plan.ErrNoCertificate)
	w.host.Paths = elsewhere()
	r.Variables = []string{"SSL_CERT_FILE=" + file}
	if _, err = w.host.MakePlan(t.Context(), r); strings.HasPrefix(file, "/tmp/") {
		expect(t, err, plan.ErrUnreadable, plan.ErrPrivateTemp.Error())
	}
	if !account.Privileged() {
		return // what is one's own can be read
	}
	mustDo(t, os.Chmod(file, 0o600))
	w.host.Paths = newWorld(t).host.Paths
	for _, variable := range []string{"SSL_CERT_FILE=" + file, "SSL_CERT_DIR=" + filepath.Dir(file)} {
		r.Variables = []string{variable}
		_, err := w.host.MakePlan(t.Context(), r)
		expect(t, err, nil, "account \"nobody\" may not read")
	}
}

// elsewhere is where a plan can be made for that is not in a temporary folder. Nothing is written there.
func elsewhere() instance.Paths {
	paths := instance.DefaultPaths("/opt/rb-of-a-test")
	paths.Cache = shared.cache
	return paths
}

// A service in a sandbox does not find files in the host's temporary folders.
func TestPlanPrivateTemp(t *testing.T) {
	if !account.Privileged() {
		return // who is not root cannot plan for a folder of the system's
	}
	w := newWorld(t)
	w.host.Paths = elsewhere()
	r := w.brought()
	r.Credential = instance.Credential{TokenFile: "/tmp/token"}
	_, err := w.host.MakePlan(t.Context(), r)
	expect(t, err, plan.ErrPrivateTemp, "/tmp/token")
	r.Life.Allow = []string{plan.AllowAll}
	if _, err := w.host.MakePlan(t.Context(), r); err != nil {
		t.Error(err)
	}
}

// An account that is absent is planned to be created, if it is the usual one or that was asked for.
func TestPlanAccount(t *testing.T) {
	w := newWorld(t)
	r := w.brought()
	if !account.Privileged() {
		own, err := account.Lookup("")
		mustDo(t, err)
		r.User = own.Name
		made, err := w.host.MakePlan(t.Context(), r)
		if err != nil || made.User != own.Name {
			t.Errorf("plan for %+v, %v", made, err)
		}
		return
	}
	r.User, r.CreateUser = "rb-nobody-yet", true
	made, err := w.host.MakePlan(t.Context(), r)
	if err != nil || made.User != "rb-nobody-yet" || made.Steps[0].Phase != plan.AccountPhase {
		t.Errorf("plan %+v, %v", made, err)
	}
	r.User = "Not A Name"
	_, err = w.host.MakePlan(t.Context(), r)
	expect(t, err, account.ErrCreate, "a name has up to 32")
	r.User = "root"
	_, err = w.host.MakePlan(t.Context(), r)
	expect(t, err, plan.ErrAccount, "a job would own this host")
	r.User = "daemon"
	mustDo(t, os.MkdirAll(w.host.Paths.Runners, 0o755), os.Chmod(w.host.Paths.Runners, 0o700))
	_, err = w.host.MakePlan(t.Context(), r)
	expect(t, err, plan.ErrUnreachable, w.host.Paths.Runners)
}

// What keeps a runner's jobs away is a warning.
func TestPlanWarnsOfGroup(t *testing.T) {
	w := newWorld(t).withGitHub()
	w.server.AddGroup(organization, "Careful")
	w.server.SetGroup(organization, "Careful", githubtest.GroupRules{NoPublic: true, Restricted: true, Workflows: []string{"octo-org/a/.github/workflows/x.yml@main"}})
	r := w.request()
	r.Identity.Group, r.Thorough = "Careful", true
	made, err := w.host.MakePlan(t.Context(), r)
	if err != nil || len(made.Warnings) == 0 {
		t.Fatalf("plan %+v, %v", made, err)
	}
	w.server.Fault(githubtest.Fault{Method: "GET", Path: "/orgs/" + organization + "/actions/runner-groups", Status: 403})
	made, err = w.host.MakePlan(t.Context(), r)
	if err != nil || len(made.Warnings) != 1 || !strings.Contains(made.Warnings[0], "could not be looked at") {
		t.Errorf("plan %+v, %v", made, err)
	}
	r.Identity.Group = ""
	if made, err = w.host.MakePlan(t.Context(), r); err != nil || len(made.Warnings) > 0 {
		t.Errorf("plan %+v, %v", made, err)
	}
	r.Identity.Group, r.Identity.JIT = "Careful", true
	_, err = w.host.MakePlan(t.Context(), r)
	expect(t, err, nil, "403")
}

// What the unit says of a runner's places and limits.
func TestPlanUnit(t *testing.T) {
	w := newWorld(t)
	r := w.brought()
	r.Life = instance.Life{
		MetricsFile: w.base + "/metrics/{name}.prom", Allow: []string{plan.AllowSudo, plan.AllowDocker},
		MaxJobs: 5, MaxLifetime: instance.Duration(time.Hour), OnExit: "poweroff",
	}
	r.Credential = instance.Credential{AppID: "1", AppKeyFile: "/etc/key.pem"}
	w.install(r)
	if got := w.phases.of(plan.LifePhase); got != "registered anew after each job, ends after 1h0m0s, then: poweroff, credential of app 1" {
		t.Errorf("the phase says %q", got)
	}
	unit := w.manager.unit(serviceName).text
	if !unit.Sandbox.Sudo || !unit.Sandbox.Docker || !slices.Contains(unit.Mounts, "/etc/key.pem") || !slices.Contains(unit.Mounts, w.root()) {
		t.Errorf("the unit is %+v", unit)
	}
	if got := w.record().MetricsFile; got != w.base+"/metrics/web-1.prom" {
		t.Errorf("metrics go to %q", got)
	}
}
