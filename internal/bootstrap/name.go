package bootstrap

import (
	"crypto/rand"
	"fmt"
	"os"
	"regexp"
	"strings"

	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
)

const randomLength = 6

var (
	placeholder = regexp.MustCompile(`\{[^{}]*\}`)
	notInName   = regexp.MustCompile(`[^A-Za-z0-9._-]+`)
)

// expandName turns a name template into a runner's name.
func expandName(template string) (string, error) {
	var failed error
	name := placeholder.ReplaceAllStringFunc(template, func(word string) string {
		switch word {
		case "{hostname}":
			host, err := os.Hostname()
			if err != nil {
				failed = fmt.Errorf("asking for the host's name: %w", err)
			}
			short, _, _ := strings.Cut(host, ".")
			return strings.Trim(notInName.ReplaceAllString(short, "-"), "-.")
		case "{random}":
			return strings.ToLower(rand.Text()[:randomLength])
		default:
			failed = fmt.Errorf("%w: %q has the unknown placeholder %s (known: {hostname}, {random})",
				ErrTemplate, template, word)
			return ""
		}
	})
	if failed != nil {
		return "", failed
	}
	if err := instance.CheckName(name); err != nil {
		return "", fmt.Errorf("naming the runner: %w", err)
	}
	return name, nil
}
