// Package secret holds credentials so that nothing prints them, and reads tokens and keys in the forms in which people hand
// them over.
package secret

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"unicode"
)

// Redacted stands where a secret is not shown.
const Redacted = "[redacted]"

// Secret is a credential. It prints, logs and marshals as redacted; only
// [Secret.Reveal] gives its value. The value sits behind a pointer so that
// even fmt, which cannot call methods on unexported fields, shows an address.
type Secret struct {
	value *string
}

// New takes a credential as files and pipes hand it over: white space
// around it, a final newline most of all, is not part of it.
func New(value string) Secret {
	value = strings.TrimSpace(value)
	if value == "" {
		return Secret{}
	}
	return Secret{value: &value}
}

// ErrToken means that a text cannot be a token: something else was read, or
// more than it.
var ErrToken = errors.New("not a token")

// CheckToken looks at a token read from outside. White space around it is no
// part of it, as for [New], and an empty text is none at all; blanks and
// line breaks inside, and what is in no token of GitHub's, are [ErrToken]. The
// error shows nothing of the text. Lengths and prefixes are GitHub's to change,
// so they do not matter.
func CheckToken(text string) error {
	for _, r := range strings.TrimSpace(text) {
		switch {
		case r == '\n' || r == '\r':
			return fmt.Errorf("%w: it has more than one line", ErrToken)
		case unicode.IsSpace(r):
			return fmt.Errorf("%w: it has a blank inside", ErrToken)
		case r > unicode.MaxASCII || !unicode.IsPrint(r):
			return fmt.Errorf("%w: it has a character that no token has", ErrToken)
		}
	}
	return nil
}

// Reveal returns the credential itself.
func (s Secret) Reveal() string {
	if s.value == nil {
		return ""
	}
	return *s.value
}

// Empty tells whether there is no credential.
func (s Secret) Empty() bool { return s.value == nil }

// String redacts.
func (s Secret) String() string {
	if s.Empty() {
		return ""
	}
	return Redacted
}

// GoString redacts for %#v.
func (s Secret) GoString() string { return "secret.Secret(" + s.String() + ")" }

// LogValue redacts in log/slog.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText redacts in JSON, YAML and every other encoding by text.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }
