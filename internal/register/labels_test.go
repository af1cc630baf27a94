package register_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/runner-bootstrap/runner-bootstrap/internal/github"
	"github.com/runner-bootstrap/runner-bootstrap/internal/register"
)

// config.sh counts in .NET's characters, and drops all labels where one of them has too many.
func TestLabelsAreCountedAsConfigDoes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		labels []string
		says   string // empty: taken
	}{
		{"none", nil, ""},
		{"256 letters", []string{"gpu", strings.Repeat("a", 256)}, ""},
		{"257 letters", []string{"gpu", strings.Repeat("a", 257)}, "has 257 characters, over 256"},
		{"256 of two bytes each", []string{strings.Repeat("é", 256)}, ""},
		{"128 emojis", []string{strings.Repeat("😀", 128)}, ""},
		{"129 emojis", []string{strings.Repeat("😀", 129)}, "has 258 characters, over 256"},
	} {
		err := register.CheckLabels(c.labels)
		if errors.Is(err, github.ErrLabels) == (c.says == "") || err != nil && !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want %q", c.name, err, c.says)
		}
	}
}
