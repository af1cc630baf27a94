package health

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// One event is delivered before the call returns, signed with what is in the file: without the line's end.
func TestSendOnceSignsWithTheFilesSecret(t *testing.T) {
	t.Parallel()
	r := newReceiver(ok)
	server := httptest.NewServer(r)
	defer server.Close()
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte(" sesame\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	event := NewEvent(EventInstalling, "web-1", "https://github.com/octo-org", 7, "2.337.0")
	if err := SendOnce(WebhookConfig{URL: server.URL, SecretFile: file}, event); err != nil {
		t.Fatal(err)
	}
	got := r.all(t)
	if len(got) != 1 {
		t.Fatalf("%d deliveries", len(got))
	}
	d := got[0]
	if want := sign("sesame", d.header.Get(HeaderTimestamp), d.body); d.header.Get(HeaderSignature) != want {
		t.Errorf("signature %q, want %q", d.header.Get(HeaderSignature), want)
	}
	host, err := os.Hostname()
	if err != nil || d.event.Host != host || d.event.Runner != "web-1" || d.event.RunnerID != 7 || d.event.Type != EventInstalling {
		t.Errorf("%+v, %v", d.event, err)
	}
}

func TestSecretFilesThatAreNone(t *testing.T) {
	t.Parallel()
	empty := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(empty, []byte("\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string]error{empty: ErrWebhook, empty + ".gone": fs.ErrNotExist} {
		err := SendOnce(WebhookConfig{URL: "http://127.0.0.1:1", SecretFile: file}, Event{Type: EventIdle})
		if !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", filepath.Base(file), err, want)
		}
	}
	secret, err := readSecret(empty)
	if text := fmt.Sprintf("%v %+v %#v", WebhookConfig{Secret: secret}, secret, secret); err != nil || strings.Contains(text, "\n") {
		t.Errorf("it prints %q, %v", text, err)
	}
}
