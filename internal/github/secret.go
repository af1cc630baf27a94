package github

import (
	"log/slog"
	"strings"
)

const redacted = "[redacted]"

// Secret is a credential. It prints, logs and marshals as redacted; only
// [Secret.Reveal] gives its value. The value sits behind a pointer so that
// even fmt, which cannot call methods on unexported fields, shows an address.
type Secret struct {
	value *string
}

// NewSecret takes a credential as files and pipes hand it over: white space
// around it, a final newline most of all, is not part of it.
func NewSecret(value string) Secret {
	value = strings.TrimSpace(value)
	if value == "" {
		return Secret{}
	}
	return Secret{value: &value}
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
	return redacted
}

// GoString redacts for %#v.
func (s Secret) GoString() string { return "github.Secret(" + s.String() + ")" }

// LogValue redacts in log/slog.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText redacts in JSON, YAML and every other encoding by text.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }
