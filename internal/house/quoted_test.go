package house

import (
	"fmt"
	"go/ast"
	"go/token"
	"regexp"
	"strconv"
	"strings"
)

// symptoms is the guide whose tables begin with words of the program, and otherPrograms the heading below which they are not its.
const (
	symptoms      = "docs/guides/troubleshoot.md"
	otherPrograms = "\n## In the log of a job\n"
)

// quotedSaid holds the first column of the guide by symptom against the texts in the program's code.
func quotedSaid(t *tree) []string {
	text, _, _ := strings.Cut(string(t.texts[symptoms]), otherPrograms)
	said := textsOf(t)
	var findings []string
	for _, at := range regexp.MustCompile("(?m)^\\| `([^`]+)`").FindAllStringSubmatchIndex(text, -1) {
		if words := text[at[2]:at[3]]; !strings.Contains(said, words) {
			findings = append(findings, fmt.Sprintf("%s:%d: the program never says %q", symptoms, 1+strings.Count(text[:at[0]], "\n"), words))
		}
	}
	return findings
}

// textsOf are all texts in the code that the program is built of, each in a line of its own.
func textsOf(t *tree) string {
	var all strings.Builder
	for _, f := range t.files {
		if f.test || strings.HasPrefix(f.dir, simulator) {
			continue
		}
		ast.Inspect(f.syntax, func(n ast.Node) bool {
			if literal, ok := n.(*ast.BasicLit); ok && literal.Kind == token.STRING {
				if words, err := strconv.Unquote(literal.Value); err == nil {
					all.WriteString(words + "\n")
				}
			}
			return true
		})
	}
	return all.String()
}
