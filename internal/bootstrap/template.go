package bootstrap

import (
	"crypto/rand"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"

	"github.com/runner-bootstrap/runner-bootstrap/internal/instance"
)

const randomLength = 6

var (
	placeholder = regexp.MustCompile(`\{[^{}]*\}`)
	notInName   = regexp.MustCompile(`[^A-Za-z0-9._-]+`)
)

// expandName turns a name template into a runner's name. A number, unless it is 0,
// stands where the template says so, else at its end; the first one alone needs no
// place.
func expandName(template string, number int) (string, error) {
	var failed error
	if number > 1 && !strings.Contains(template, "{n}") {
		template += "-{n}"
	}
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
		case "{n}":
			return strconv.Itoa(max(number, 1))
		default:
			failed = fmt.Errorf("%w: %q has the unknown placeholder %s (known: {hostname}, {random}, {n})",
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
