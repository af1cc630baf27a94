package userdata

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/pattern"
	"github.com/runner-bootstrap/runner-bootstrap/internal/retry"
)

var (
	// ErrChecksums means that the list of a release's digests could not be had.
	ErrChecksums = errors.New("the digests of this program's release could not be fetched")
	// ErrNoChecksums means that what came is no such list.
	ErrNoChecksums = errors.New("what came is no list of this program's release")
)

const (
	maxChecksums     = 1 << 20
	checksumAttempts = 4
)

// digestLine is one of checksums.txt, as sha256sum writes it.
var digestLine = pattern.New(`^[0-9a-f]{64}  [0-9A-Za-z._-]+$`)

// Checksums is the digest of the list of a release, by which a machine checks what it fetches of that: what is put into its place
// later, the machine does not take. It tries again what may pass, and its errors are [ErrChecksums] and [ErrNoChecksums].
func Checksums(ctx context.Context, client *http.Client, release string) (string, error) {
	wait := retry.Backoff{First: time.Second, Most: 8 * time.Second}
	for attempt := 1; ; attempt++ {
		list, passes, err := fetchChecksums(ctx, client, release+"/checksums.txt")
		switch {
		case err == nil:
			digest := sha256.Sum256(list)
			return hex.EncodeToString(digest[:]), nil
		case !passes || attempt == checksumAttempts:
			return "", err
		}
		if ended := retry.Sleep(ctx, wait.Jitter(attempt)); ended != nil {
			return "", fmt.Errorf("%w (%w)", err, ended)
		}
	}
}

// fetchChecksums fetches the list once. After an error, passes tells whether another attempt may be answered otherwise.
func fetchChecksums(ctx context.Context, client *http.Client, at string) (list []byte, passes bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at, http.NoBody)
	if err != nil {
		return nil, false, err
	}
	answer, err := client.Do(req)
	if err != nil {
		return nil, true, fmt.Errorf("%w: %w", ErrChecksums, err)
	}
	defer answer.Body.Close() //nolint:errcheck // what was read is checked
	if answer.StatusCode != http.StatusOK {
		passes = answer.StatusCode >= 500 || answer.StatusCode == http.StatusTooManyRequests
		return nil, passes, fmt.Errorf("%w: %s answers %s", ErrChecksums, at, answer.Status)
	}
	list, err = io.ReadAll(io.LimitReader(answer.Body, maxChecksums))
	if err != nil {
		return nil, true, fmt.Errorf("%w: reading %s: %w", ErrChecksums, at, err)
	}
	packages := 0
	for line := range strings.Lines(string(list)) {
		if !digestLine.MatchString(strings.TrimSuffix(line, "\n")) {
			return nil, false, fmt.Errorf("%w: %s", ErrNoChecksums, at)
		}
		if strings.Contains(line, "  runner-bootstrap_linux_") {
			packages++
		}
	}
	if packages == 0 {
		return nil, false, fmt.Errorf("%w: %s names no package", ErrNoChecksums, at)
	}
	return list, false, nil
}
