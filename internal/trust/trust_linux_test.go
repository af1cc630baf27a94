package trust_test

import (
	"errors"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/folders"
	"github.com/runner-bootstrap/runner-bootstrap/internal/mounttest"
	"github.com/runner-bootstrap/runner-bootstrap/internal/trust"
)

// TestSilentAuthorities: certificates may lie on a server that is away.
func TestSilentAuthorities(t *testing.T) {
	if !mounttest.Own(t) {
		return
	}
	at := t.TempDir()
	device := mounttest.Hang(t, at)
	defer device.Close() // ends all that waits for it
	var all sync.WaitGroup
	for _, variable := range []string{
		"SSL_CERT_FILE=" + filepath.Join(at, "ca.pem"), "NODE_EXTRA_CA_CERTS=" + filepath.Join(at, "ca.pem"), "SSL_CERT_DIR=" + at,
	} {
		all.Go(func() {
			begin := time.Now()
			err := trust.Jobs{}.Check([]string{variable})
			if !errors.Is(err, folders.ErrSilent) || time.Since(begin) > 30*time.Second {
				t.Errorf("%s: %v after %v, want %v", variable, err, time.Since(begin).Round(time.Second), folders.ErrSilent)
			}
		})
	}
	all.Wait()
}
