package health

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"
)

func namesIn(t *testing.T, file, pattern string) []string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, found := range regexp.MustCompile(pattern).FindAllStringSubmatch(string(text), -1) {
		names = append(names, found[1])
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// The reference has every metric and every event, and no other.
func TestDocuments(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "web-1.prom")
	whole, code := sample(), 1
	whole.LastExit = &code
	if err := WriteMetrics(file, whole); err != nil {
		t.Fatal(err)
	}
	written, told := namesIn(t, file, `(?m)^# TYPE (\w+) `), namesIn(t, "../../docs/reference/metrics.md", "(?m)^\\| `(\\w+)` \\|")
	if len(written) == 0 || !slices.Equal(written, told) {
		t.Errorf("the metrics are %q, and docs/reference/metrics.md has %q", written, told)
	}
	declared := namesIn(t, "event.go", `(?m)^\tEvent\w+ += "(\w+)"$`)
	rows := namesIn(t, "../../docs/reference/events.md", "(?m)^\\| (`.*`) \\|")
	told = nil
	for _, row := range rows {
		for _, word := range regexp.MustCompile("`(\\w+)`").FindAllStringSubmatch(row, -1) {
			if word[1] != "type" {
				told = append(told, word[1])
			}
		}
	}
	slices.Sort(told)
	if len(declared) == 0 || !slices.Equal(declared, told) {
		t.Errorf("the events are %q, and docs/reference/events.md has %q", declared, told)
	}
}
