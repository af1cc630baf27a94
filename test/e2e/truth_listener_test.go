//go:build e2e && linux

package e2e_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/download"
	"github.com/runner-bootstrap/runner-bootstrap/internal/githubtest"
	"github.com/runner-bootstrap/runner-bootstrap/test/e2e/machine"
	"github.com/runner-bootstrap/runner-bootstrap/test/e2e/stage"
)

// TestListenerTruth has a service tell what its listener does: one that ends at once,
// one that cannot reach GitHub, one that trusts a private authority.
func TestListenerTruth(t *testing.T) {
	t.Parallel()
	listener := stage.Listener(t, t.TempDir())
	m := machine.Boot(t, machine.Options{Kind: machine.Debian13, Cgroup2: true, Copy: map[string]string{machine.Build(t, "cmd/runner-bootstrap"): program}})
	m.Must("systemctl", "start", "network-online.target")
	h := &host{Machine: m, server: serve(t, m, listener)}
	m.Write(token, h.server.Token()+"\n", 0o600)
	for _, step := range []struct {
		name string
		do   func(*host, *testing.T)
	}{
		{"ends at once", (*host).endsAtOnce},
		{"interrupted while it waits", (*host).interrupted},
		{"GitHub away for a while", (*host).awayForAWhile},
		{"an installed one ends at once", (*host).keepsService},
	} {
		if !t.Run(step.name, func(t *testing.T) { step.do(&host{Machine: m.For(t), server: h.server}, t) }) {
			t.Log(h.Journal())
		}
	}
	h.Must(program, "uninstall", "--all", "--token-file", token)
	t.Run("a private authority", func(t *testing.T) { privateAuthority(t, m.For(t), listener) })
}

// TestPrivateAuthority is the last step of TestListenerTruth on the older systemd.
func TestPrivateAuthority(t *testing.T) {
	t.Parallel()
	m := machine.Boot(t, machine.Options{Kind: machine.Debian12, Copy: map[string]string{machine.Build(t, "cmd/runner-bootstrap"): program}})
	m.Must("systemctl", "start", "network-online.target")
	privateAuthority(t, m, stage.Listener(t, t.TempDir()))
}

// tried runs the program, which has so long.
func (h *host) tried(t *testing.T, most time.Duration, arguments ...string) machine.Result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	begun := time.Now()
	result := h.Run(ctx, append([]string{program}, arguments...)...)
	if took := time.Since(begun); took > most {
		t.Errorf("it took %s, longer than %s", took, most)
	}
	return result
}

func (h *host) installing(more ...string) []string {
	return append([]string{"install", "--url", h.server.URL() + "/octo-org", "--name", name, "--token-file", token, "--preemption", "off"}, more...)
}

func wants(t *testing.T, result machine.Result, code int, words ...string) {
	t.Helper()
	text := result.Stdout + result.Stderr
	for _, word := range words {
		if !strings.Contains(text, word) {
			t.Errorf("it does not say %q", word)
		}
	}
	if result.Code != code {
		t.Errorf("exit code %d, want %d", result.Code, code)
	}
	if t.Failed() {
		t.Logf("it said\n%s", result)
	}
}

// endsAtOnce: the third end fails the phase, with the listener's own words, and what
// was not there before is gone again.
func (h *host) endsAtOnce(t *testing.T) {
	const clr = "Failed to create CoreCLR, HRESULT: 0x8007054F"
	got := h.tried(t, time.Minute, h.installing("--env", "SIMULATED_RUNNER_DEATH=137 "+clr)...)
	wants(t, got, 8, "it ended at once, 3 times in a row: exit code 137: "+clr, "--allow all")
	got = h.tried(t, time.Minute, h.installing("--env", "SIMULATED_RUNNER_DEATH=1")...)
	wants(t, got, 8, "exit code 1, and it printed nothing", "sudo -u runner /opt/actions-runner/web-1/bin/Runner.Listener --version")
	if h.Exists("/etc/systemd/system/" + unit) {
		t.Error("the unit is left")
	}
}

// interrupted: a person who has waited enough is not kept, and what was begun is gone.
func (h *host) interrupted(t *testing.T) {
	h.server.Fault(githubtest.Fault{Method: "POST", Path: "/_runner/broker/session", Status: 503})
	defer h.server.ClearFaults()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	begun := time.Now()
	command := append([]string{"timeout", "--preserve-status", "--signal=INT", "6", program}, h.installing("--env", "SIMULATED_RUNNER_DEATH=")...)
	result := h.Run(ctx, command...)
	wants(t, result, 130)
	if took := time.Since(begun); took > 20*time.Second {
		t.Errorf("it took %s", took)
	}
	if h.Exists("/etc/systemd/system/" + unit) {
		t.Error("the unit is left")
	}
}

// awayForAWhile: what passes is not taken for what does not.
func (h *host) awayForAWhile(t *testing.T) {
	h.server.Fault(githubtest.Fault{Method: "POST", Path: "/_runner/broker/session", Status: 503})
	timer := time.AfterFunc(20*time.Second, h.server.ClearFaults)
	defer timer.Stop()
	wants(t, h.tried(t, time.Minute, h.installing("--env", "SIMULATED_RUNNER_DEATH=")...), 0, "listening after")
}

// keepsService: one that was there runs again, with what it had; and of one that ends at once later, status and systemd
// have the listener's words.
func (h *host) keepsService(t *testing.T) {
	const words = "Fail to create and validate runner's work directory '/srv/x'."
	got := h.tried(t, 40*time.Second, h.installing("--env", "SIMULATED_RUNNER_DEATH=1 "+words)...)
	wants(t, got, 8, words, "--work _work", "its unit is as before, and runs")
	h.ready(t)
	const environment = "/opt/actions-runner/" + name + "/.env"
	before := ""
	if h.Exists(environment) {
		before = h.Read(environment)
	}
	h.Write(environment, before+"SIMULATED_RUNNER_DEATH=1 "+words+"\n", 0o644)
	h.Must("systemctl", "restart", "--no-block", unit)
	for deadline := time.Now().Add(30 * time.Second); !strings.Contains(h.property("StatusText"), "validate runner's work directory"); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("systemd knows it as %q", h.property("StatusText"))
		}
	}
	wants(t, h.tried(t, 10*time.Second, "status"), 9, words, "its listener")
	h.Write(environment, before, 0o644)
	h.Must("systemctl", "restart", unit)
	h.ready(t)
}

// TestJournalThatGoesAway does that to a service on each systemd: since version 255 it
// keeps the other end of a service's output while the journal is stopped, before that
// the output breaks.
func TestJournalThatGoesAway(t *testing.T) {
	t.Parallel()
	listener := stage.Listener(t, t.TempDir())
	built := machine.Build(t, "cmd/runner-bootstrap")
	for _, o := range []machine.Options{{Kind: machine.Debian12}, {Kind: machine.Debian13, Cgroup2: true}} {
		t.Run(o.Kind, func(t *testing.T) {
			t.Parallel()
			o.Copy = map[string]string{built: program}
			m := machine.Boot(t, o)
			m.Must("systemctl", "start", "network-online.target")
			h := &host{Machine: m, server: serve(t, m, listener)}
			m.Write(token, h.server.Token()+"\n", 0o600)
			wants(t, h.tried(t, time.Minute, h.installing()...), 0, "listening after")
			h.journalGoesAway(t)
			if o.Kind == machine.Debian13 {
				h.journalIsStuck(t)
			}
		})
	}
}

// journalGoesAway: neither the supervisor nor its listener ends, jobs are run, and what
// is said after that is in the journal again.
func (h *host) journalGoesAway(t *testing.T) {
	h.ready(t)
	supervisor, listener := h.property("MainPID"), h.Must("pgrep", "-f", "Runner.Listener run")
	h.Must("systemctl", "stop", "systemd-journald.socket", "systemd-journald-dev-log.socket", "systemd-journald.service")
	h.ranJob(t, "while there is no journal")
	h.Must("systemctl", "start", "systemd-journald.socket", "systemd-journald-dev-log.socket", "systemd-journald.service")
	time.Sleep(6 * time.Second) // longer than a journal that takes nothing is left alone
	h.ranJob(t, "with the journal back")
	if now := h.property("MainPID"); now != supervisor {
		t.Errorf("the supervisor is process %s, was %s", now, supervisor)
	}
	if now := h.Must("pgrep", "-f", "Runner.Listener run"); now != listener {
		t.Errorf("the listener is process %s, was %s", now, listener)
	}
	if log := h.Must("journalctl", "--no-pager", "-u", unit); !strings.Contains(log, "with-the-journal-back") {
		t.Errorf("the journal does not know of the job:\n%s", log)
	}
	h.Must("systemctl", "restart", "systemd-journald.service")
	h.ranJob(t, "after a restart")
}

// journalIsStuck: with systemd 257, not with 252, the stream to a stopped journal stays open
// and is not read, so that it is full one day. The supervisor does as it is told all the same, and the
// journal learns how much it has missed.
func (h *host) journalIsStuck(t *testing.T) {
	supervisor := strings.TrimSpace(h.property("MainPID"))
	h.Must("systemctl", "stop", "systemd-journald.socket", "systemd-journald-dev-log.socket", "systemd-journald.service")
	// Each signal that is heard makes a line, until a line is not taken. Those that are still to
	// be heard would take a drain back.
	const full = `
i=0
until grep -q sock_alloc_send /proc/"$1"/task/*/wchan; do
	[ $((i += 1)) -lt 1000 ] || exit 1
	n=0
	while [ $((n += 1)) -le 1000 ]; do kill -USR2 "$1"; done
done
until [ "$used" = "$(cut -d ' ' -f 14,15 /proc/"$1"/stat)" ]; do
	[ $((i += 1)) -lt 1000 ] || exit 1
	used=$(cut -d ' ' -f 14,15 /proc/"$1"/stat)
	sleep 1
done`
	h.Must("sh", "-c", full, "sh", supervisor)
	for _, order := range [][]string{{"drain", "--name", name}, {"drain", "--name", name, "--resume"}} {
		wants(t, h.tried(t, 30*time.Second, order...), 0)
	}
	h.Must("systemctl", "start", "systemd-journald.socket", "systemd-journald-dev-log.socket", "systemd-journald.service")
	h.ranJob(t, "when the stream is read again")
	const lost = "lines of this log could not be written"
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(time.Second) {
		if r := h.Run(t.Context(), "journalctl", "--no-pager", "-u", unit, "--grep", lost); strings.Contains(r.Stdout, "lines=") {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the journal does not know of the lines that it has missed")
		}
	}
	if now := strings.TrimSpace(h.property("MainPID")); now != supervisor {
		t.Errorf("the supervisor is process %s, was %s", now, supervisor)
	}
}

func (h *host) ranJob(t *testing.T, when string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	job := h.server.QueueJob(name, githubtest.Job{Name: strings.ReplaceAll(when, " ", "-"), Script: "yes | head -n 1"})
	if conclusion, err := job.Wait(ctx); err != nil || conclusion != "succeeded" {
		t.Errorf("%s the job %s, %v: %s", when, conclusion, err, job.Output())
	}
}

// privateAuthority: a GitHub that only --ca-file makes trusted is trusted by us, by
// config.sh, by the listener of a service after a reboot, and by its jobs.
func privateAuthority(t *testing.T, m *machine.Machine, listener string) {
	platform, err := download.Host()
	if err != nil {
		t.Fatal(err)
	}
	archive, err := githubtest.NewArchive(githubtest.ArchiveSpec{Platform: platform.String(), Version: "2.337.0", Listener: listener})
	if err != nil {
		t.Fatal(err)
	}
	api, archives := m.Listen(t), m.Listen(t)
	config, authority := certificate(t, api.Addr(), archives.Addr())
	server, err := githubtest.Start(githubtest.Config{API: api, Archives: archives, Archive: archive, TLS: config})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	h := &host{Machine: m, server: server}
	m.Write(token, server.Token()+"\n", 0o600)
	m.Write("/tmp/corp.pem", authority, 0o644)
	install := []string{"install", "--url", server.URL() + "/octo-org", "--name", name, "--token-file", token, "--preemption", "off", "--ca-file"}
	wants(t, h.tried(t, 30*time.Second, append(install, "/tmp/corp.pem")...), 3, "temporary folder of its own", "install -D -m 644 /tmp/corp.pem")
	m.Must("mkdir", "-p", "/etc/corp")
	m.Write("/etc/corp/corp.pem", authority, 0o644)
	wants(t, h.tried(t, time.Minute, append(install, "/etc/corp/corp.pem")...), 0, "listening after")
	h.Reboot()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := server.WaitListening(ctx, name); err != nil {
		t.Fatalf("%v\n%s", err, h.Journal())
	}
	job := server.QueueJob(name, githubtest.Job{Script: "cat $NODE_EXTRA_CA_CERTS"})
	if _, err := job.Wait(ctx); err != nil || !strings.Contains(job.Output(), authority) {
		t.Errorf("the job saw %q, %v", job.Output(), err)
	}
	h.Must(program, "uninstall", "--all", "--token-file", token, "--ca-file", "/etc/corp/corp.pem")
}

// certificate signs itself, for addresses of a machine's own network.
func certificate(t *testing.T, addresses ...net.Addr) (config *tls.Config, authority string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "corp"}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(24 * time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	for _, address := range addresses {
		if tcp, ok := address.(*net.TCPAddr); ok {
			template.IPAddresses = append(template.IPAddresses, tcp.IP)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	if err := pem.Encode(&text, &pem.Block{Type: "CERTIFICATE", Bytes: der}); err != nil {
		t.Fatal(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}, text.String()
}
