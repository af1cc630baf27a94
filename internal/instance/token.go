package instance

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/runner-bootstrap/runner-bootstrap/internal/inuse"
	"github.com/runner-bootstrap/runner-bootstrap/internal/openfile"
)

// A registration token serves every runner of this host for an hour, so it is kept
// for the next one: in the private state directory, one file for each scope.
const tokenPrefix = "token-"

// keptToken is what the file holds.
type keptToken struct {
	Scope   string    `json:"scope"`
	Value   string    `json:"value"`
	Expires time.Time `json:"expires"`
}

// tokenFile is where a store in dir keeps the token of a scope.
func tokenFile(dir, scope string) string {
	digest := sha256.Sum256([]byte(scope))
	return filepath.Join(dir, tokenPrefix+hex.EncodeToString(digest[:8]))
}

// KeepToken keeps a registration token of a scope, instead of an earlier one. Only
// the account of this process can read it. The caller holds the host's lock.
func (s *Store) KeepToken(scope string, token interface{ Reveal() string }, expires time.Time) error {
	text, err := json.Marshal(keptToken{Scope: scope, Value: token.Reveal(), Expires: expires})
	if err == nil {
		err = replaceFile(tokenFile(s.dir, scope), text)
	}
	if err != nil {
		return fmt.Errorf("keeping the registration token: %w", err)
	}
	return nil
}

// KeptToken gives the registration token that was kept for a scope; empty if there
// is none that can be read.
func (s *Store) KeptToken(scope string) (value string, expires time.Time) {
	text, err := openfile.Read(tokenFile(s.dir, scope), maxRecord)
	if err != nil {
		return "", time.Time{}
	}
	var kept keptToken
	if json.Unmarshal(text, &kept) != nil || kept.Scope != scope {
		return "", time.Time{}
	}
	return kept.Value, kept.Expires
}

// DropToken forgets the registration token of a scope. None there is a success.
func (s *Store) DropToken(scope string) error {
	if err := inuse.Remove(tokenFile(s.dir, scope)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("forgetting the registration token: %w", err)
	}
	return nil
}

// DropTokens forgets the registration tokens of all scopes, as far as it can.
func (s *Store) DropTokens() {
	files, err := os.ReadDir(s.dir)
	if err != nil {
		return
	}
	for _, file := range files {
		if strings.HasPrefix(file.Name(), tokenPrefix) || strings.HasPrefix(file.Name(), partPrefix) {
			_ = inuse.Remove(filepath.Join(s.dir, file.Name())) // nothing hangs on it: it is worthless within the hour
		}
	}
}
