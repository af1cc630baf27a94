//go:build unix

package supervise

import (
	"crypto/tls"
	"encoding/pem"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/githubtest"
	"github.com/runner-bootstrap/runner-bootstrap/internal/register"
)

// authority is a certificate that no system trusts, and the file that makes it trusted.
func authority(t *testing.T) (*tls.Config, string) {
	t.Helper()
	server := httptest.NewUnstartedServer(nil)
	server.StartTLS()
	defer server.Close()
	file := filepath.Join(place(t), "authority.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err := os.WriteFile(file, text, 0o644); err != nil {
		t.Fatal(err)
	}
	return &tls.Config{Certificates: server.TLS.Certificates}, file
}

// writeEnv writes the file from which the listener and its jobs have their variables.
func writeEnv(t *testing.T, root string, lines ...string) {
	t.Helper()
	if err := register.WriteFile(root, ".env", []byte(strings.Join(lines, "\n")+"\n"), user()); err != nil {
		t.Fatal(err)
	}
}

// .NET reads whom to trust when its process starts, and the runner loads .env after that.
func TestListenerTrustsWhomItsStartEnvironmentNames(t *testing.T) {
	t.Parallel()
	config2, file := authority(t)
	for name, variable := range map[string]string{"file": "SSL_CERT_FILE=" + file, "folder": "SSL_CERT_DIR=" + filepath.Dir(file)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorldAt(t, githubtest.Config{TLS: config2}, []string{variable}, false)
			writeEnv(t, w.root, "COLOUR=green", "NODE_EXTRA_CA_CERTS="+file)
			c := config(w.root, quiet())
			c.Environment = []string{variable}
			r := supervise(t, c)
			r.listening()
			job := w.QueueJob("web-1", githubtest.Job{Script: "echo $COLOUR $NODE_EXTRA_CA_CERTS"})
			if _, err := job.Wait(t.Context()); err != nil {
				t.Fatal(err)
			}
			if want := "green " + file; !strings.Contains(job.Output(), want) {
				t.Errorf("the job saw %q, want %q", job.Output(), want)
			}
		})
	}
}

// A listener that cannot connect is no healthy one, and says why.
func TestListenerThatTrustsNobodyIsConnecting(t *testing.T) {
	t.Parallel()
	config2, file := authority(t)
	w := newWorldAt(t, githubtest.Config{TLS: config2}, []string{"SSL_CERT_FILE=" + file}, false)
	writeEnv(t, w.root, "SSL_CERT_FILE="+file)
	r := supervise(t, config(w.root, quiet()))
	got := r.until("connecting", func(c Change) bool { return c.Shown() == Connecting })
	if !strings.Contains(got.Trouble.Words, "The SSL connection could not be established") || got.Trouble.Since.IsZero() {
		t.Errorf("it says %+v", got.Trouble)
	}
}

// The runner's .NET takes a list of folders for one, which is not there.
func TestListenerThatIsToldSeveralFoldersTrustsNobody(t *testing.T) {
	t.Parallel()
	config2, file := authority(t)
	folders := "SSL_CERT_DIR=" + filepath.Dir(file) + ":" + place(t)
	w := newWorldAt(t, githubtest.Config{TLS: config2}, []string{"SSL_CERT_FILE=" + file}, false)
	c := config(w.root, quiet())
	c.Environment = []string{folders}
	r := supervise(t, c)
	r.until("connecting", func(c Change) bool { return c.Shown() == Connecting })
}

func TestListenerThatLosesGitHubIsReconnecting(t *testing.T) {
	t.Parallel()
	w := newWorld(t, false)
	r := supervise(t, config(w.root, quiet()))
	r.listening()
	w.Fault(githubtest.Fault{Path: "/_runner/broker/message", Status: 503})
	lost := r.until("reconnecting", func(c Change) bool { return c.Shown() == Reconnecting })
	if !strings.Contains(lost.Trouble.Words, "503") || time.Since(lost.Trouble.Since) > patience || lost.State != Idle {
		t.Errorf("it says %+v", lost)
	}
	at := len(r.changes())
	w.ClearFaults()
	r.until("listening again", func(c Change) bool {
		return len(r.changes()) > at && r.last().Shown() == Idle && r.last().Trouble == Trouble{}
	})
}

// A job goes on while GitHub cannot be reached, and is not to be cut off for it.
func TestBusyListenerThatLosesGitHubIsBusy(t *testing.T) {
	t.Parallel()
	w := newWorld(t, false)
	r := supervise(t, config(w.root, quiet()))
	r.listening()
	end := filepath.Join(place(t), "end")
	job := w.QueueJob("web-1", githubtest.Job{Script: fmt.Sprintf("while ! test -e '%s'; do sleep 0.05; done", end)})
	r.until("job", func(c Change) bool { return c.State == Busy }) // GitHub knows of its start earlier
	w.Fault(githubtest.Fault{Path: "/_runner/broker/message", Status: 503})
	got := r.until("trouble", func(c Change) bool { return c.Trouble.State == Reconnecting })
	if got.Shown() != Busy {
		t.Errorf("it is %s, want busy", got.Shown())
	}
	w.ClearFaults()
	if err := os.WriteFile(end, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if conclusion, err := job.Wait(t.Context()); err != nil || conclusion != "succeeded" {
		t.Errorf("the job %s, %v", conclusion, err)
	}
}

func TestSessionThatIsHeldElsewhere(t *testing.T) {
	t.Parallel()
	w := newWorld(t, false)
	w.Fault(githubtest.Fault{Method: "POST", Path: "/_runner/broker/session", Status: 409, Times: 4})
	r := supervise(t, config(w.root, quiet()))
	held := r.until("conflict", func(c Change) bool { return c.Shown() == Conflict })
	if held.State != Starting || held.Trouble.Since.IsZero() {
		t.Errorf("it says %+v", held)
	}
	if now := r.listening(); now.Trouble != (Trouble{}) {
		t.Errorf("it listens with %+v", now.Trouble)
	}
	for _, c := range r.changes() {
		if c.Shown() == Connecting {
			t.Errorf("a conflict is taken for a lost connection: %+v", c)
		}
	}
}

// standIn puts a script in the listener's place.
func standIn(t *testing.T, w *world, script string) {
	t.Helper()
	name := filepath.Join(w.root, "bin", listenerName)
	if err := os.Remove(name); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte("#!/bin/sh\n"+script+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
}

func TestListenerThatEndsAtOnce(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		script, words string
		quick         bool
	}{
		"with words":       {"echo 'Failed to create CoreCLR, HRESULT: 0x8007054F' >&2; exit 137", "exit code 137: Failed to create CoreCLR, HRESULT: 0x8007054F", true},
		"without a word":   {"exit 1", "exit code 1, and it printed nothing", true},
		"by a signal":      {"kill -KILL $$", "signal: killed, and it printed nothing", true},
		"after the usual":  {"echo '√ Connected to GitHub'; echo; echo \"Current runner version: '2.337.0'\"; echo 'no such thing'; exit 1", "exit code 1: no such thing", true},
		"with many words":  {"seq 1000 1100; exit 2", "exit code 2: 1098; 1099; 1100", true},
		"with a long line": {"head -c 5000 /dev/zero | tr '\\0' x; exit 2", "exit code 2: " + strings.Repeat("x", 300) + "...", true},
		"without GitHub": {
			"echo '2026-11-30 05:10:11Z: Runner connect error: Name or service not known. Retrying until reconnected.'; exit 2",
			"exit code 2: 2026-11-30 05:10:11Z: Runner connect error: Name or service not known. Retrying until reconnected.", false,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, false)
			standIn(t, w, c.script)
			r := supervise(t, config(w.root, quiet()))
			got := r.until("third start", func(c Change) bool { return c.Starts == 3 && c.State == Failing })
			if got.LastWords != c.words {
				t.Errorf("its last words are\n%q, want\n%q", got.LastWords, c.words)
			}
			if quick := got.EndedAtOnce; quick != 3 && c.quick || quick != 0 && !c.quick {
				t.Errorf("%d ended at once: %+v", quick, got)
			}
		})
	}
}

// One that listened has not ended at once, and makes the count begin again.
func TestListenerThatListenedHasNotEndedAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, false)
	r := supervise(t, config(w.root, quiet()))
	r.listening()
	if err := w.Tell("web-1", githubtest.Exit{Code: 2}); err != nil {
		t.Fatal(err)
	}
	if got := r.until("failing", func(c Change) bool { return c.State == Failing }); got.EndedAtOnce != 0 {
		t.Errorf("%+v", got)
	}
}
