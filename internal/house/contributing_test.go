package house

import (
	"flag"
	"go/doc"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write again what CONTRIBUTING.md shows of the packages")

const (
	arrowsBegin = "<!-- arrows:begin -->\n"
	arrowsEnd   = "<!-- arrows:end -->"
)

// TestContributingShowsThePackages keeps the plan that newcomers read the one that is held.
func TestContributingShowsThePackages(t *testing.T) {
	here, err := load(os.DirFS(top))
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(top, "CONTRIBUTING.md")
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, begins := strings.Cut(string(content), arrowsBegin)
	_, after, ends := strings.Cut(rest, arrowsEnd)
	if !begins || !ends {
		t.Fatalf("CONTRIBUTING.md has no place for the packages: %q, %q", arrowsBegin, arrowsEnd)
	}
	want := before + arrowsBegin + packageTable(here) + arrowsEnd + after
	if want == string(content) {
		return
	}
	if !*update {
		t.Fatal("CONTRIBUTING.md shows other packages: go test ./internal/house -update")
	}
	if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
		t.Fatal(err)
	}
}

// packageTable has the program's own packages, what each is by its own comment, and what it may import. What tests may
// import is of use to nobody who looks for a place.
func packageTable(t *tree) string {
	var b strings.Builder
	b.WriteString("| package | what it is for | may import |\n| --- | --- | --- |\n")
	for _, row := range arrows() {
		if within(row.from, "test", simulator, mounttest, "internal/demo", "internal/house") {
			continue
		}
		words := []string{}
		for _, to := range row.to {
			words = append(words, "`"+strings.TrimPrefix(to, "internal/")+"`")
		}
		slices.Sort(words)
		b.WriteString("| `" + strings.TrimPrefix(row.from, "internal/") + "` | " + purpose(t, row.from) + " | " + strings.Join(words, " ") + " |\n")
	}
	return b.String()
}

// purpose is what the comment of a package says in its first sentence, after its name.
func purpose(t *tree, dir string) string {
	for _, f := range t.files {
		if f.dir != dir || f.test || f.syntax.Doc == nil {
			continue
		}
		words := strings.SplitN(new(doc.Package).Synopsis(f.syntax.Doc.Text()), " ", 3)
		if len(words) == 3 && (words[0] == "Package" || words[0] == "Command") {
			return strings.ReplaceAll(strings.TrimSuffix(words[2], "."), "|", "\\|")
		}
	}
	return ""
}
