package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/retry"
	"github.com/runner-bootstrap/runner-bootstrap/internal/transport"
)

var (
	// errChecksums means that the list of a release's digests could not be had.
	errChecksums = errors.New("the digests of this program's release could not be fetched")
	// errNoChecksums means that what came is no such list.
	errNoChecksums = errors.New("what came is no list of this program's release")
)

const (
	maxChecksums     = 1 << 20
	checksumAttempts = 4
)

// digestLine is one of checksums.txt, as sha256sum writes it.
var digestLine = regexp.MustCompile(`^[0-9a-f]{64}  [0-9A-Za-z._-]+$`)

// release is where the files of this program's own release are.
func release() string { return releases + "/download/v" + strings.TrimPrefix(version, "v") }

// pin fills in the digest of the list by which the machine checks this release, where nobody has given it and the machine fetches
// the release: what is put into its place later, the machine does not take. The proxy and the authorities are those
// of this host: those of the options are the machine's.
func (o *userDataOptions) pin(ctx context.Context, call *session) error {
	if o.baked || o.packageURL != "" || o.checksumsSHA256 != "" {
		return nil
	}
	if err := settleProxies(); err != nil {
		return err
	}
	client := transport.NewDownload(transport.Config{UserAgent: "runner-bootstrap/" + versionText()})
	wait := retry.Backoff{First: time.Second, Most: 8 * time.Second}
	for attempt := 1; ; attempt++ {
		list, passes, err := checksums(ctx, client)
		switch {
		case err == nil:
			digest := sha256.Sum256(list)
			o.checksumsSHA256 = hex.EncodeToString(digest[:])
			call.console.log.Info("the machine takes this release alone", "version", version, "checksums_sha256", o.checksumsSHA256)
			return nil
		case !passes || attempt == checksumAttempts:
			return err
		}
		if ended := retry.Sleep(ctx, wait.Jitter(attempt)); ended != nil {
			return fmt.Errorf("%w (%w)", err, ended)
		}
	}
}

// checksums fetches the list once. The error tells whether another attempt may be answered otherwise.
func checksums(ctx context.Context, client *http.Client) (list []byte, passes bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	at := release() + "/checksums.txt"
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at, http.NoBody)
	if err != nil {
		return nil, false, err
	}
	answer, err := client.Do(req)
	if err != nil {
		return nil, true, fmt.Errorf("%w: %w", errChecksums, err)
	}
	defer answer.Body.Close() //nolint:errcheck // what was read is checked
	if answer.StatusCode != http.StatusOK {
		passes = answer.StatusCode >= 500 || answer.StatusCode == http.StatusTooManyRequests
		return nil, passes, fmt.Errorf("%w: %s answers %s", errChecksums, at, answer.Status)
	}
	list, err = io.ReadAll(io.LimitReader(answer.Body, maxChecksums))
	if err != nil {
		return nil, true, fmt.Errorf("%w: reading %s: %w", errChecksums, at, err)
	}
	packages := 0
	for line := range strings.Lines(string(list)) {
		if !digestLine.MatchString(strings.TrimSuffix(line, "\n")) {
			return nil, false, fmt.Errorf("%w: %s", errNoChecksums, at)
		}
		if strings.Contains(line, "  runner-bootstrap_linux_") {
			packages++
		}
	}
	if packages == 0 {
		return nil, false, fmt.Errorf("%w: %s names no package", errNoChecksums, at)
	}
	return list, false, nil
}
