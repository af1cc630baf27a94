package house

import (
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
)

// promisesShown holds what documents promise against the tests that are said to show it: "shown by" in a comment, and the
// names of tests or scripts. In the README each point of the two sections that promise something has one.
func promisesShown(t *tree) []string {
	var findings []string
	comment := regexp.MustCompile(`<!-- shown by ([^>]*?) -->`)
	known := testNames(t)
	for _, name := range slices.Sorted(maps.Keys(t.texts)) {
		if path.Ext(name) != ".md" {
			continue
		}
		text := string(t.texts[name])
		for _, at := range comment.FindAllStringSubmatchIndex(text, -1) {
			for shown := range strings.SplitSeq(text[at[2]:at[3]], ", ") {
				test, _, _ := strings.Cut(shown, "/")
				if !known[test] {
					findings = append(findings, fmt.Sprintf("%s:%d: there is no %s", name, 1+strings.Count(text[:at[0]], "\n"), shown))
				}
			}
		}
	}
	return append(findings, unshown(string(t.texts["README.md"]), comment)...)
}

// testNames are those of all tests, scripts included.
func testNames(t *tree) map[string]bool {
	declared := regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w+)\(`)
	known := map[string]bool{}
	for name, text := range t.texts {
		if strings.HasSuffix(name, "_test.go") {
			for _, found := range declared.FindAllSubmatch(text, -1) {
				known[string(found[1])] = true
			}
		}
		if path.Ext(name) == ".txtar" {
			known[path.Base(name)] = true
		}
	}
	return known
}

// unshown finds the points of the README's promises that no comment follows.
func unshown(readme string, comment *regexp.Regexp) []string {
	var findings []string
	for _, section := range []struct{ heading, point string }{{"What it does to your host", "\n| "}, {"What it promises", "\n- **"}} {
		_, text, found := strings.Cut(readme, "\n## "+section.heading+"\n")
		if !found {
			continue // the README's own test wants it
		}
		text, _, _ = strings.Cut(text, "\n## ")
		before := 1 + strings.Count(readme[:strings.Index(readme, text)], "\n")
		points := strings.Split(text, section.point)
		for i, point := range points {
			if i > 0 && !strings.HasPrefix(point, "| |") && !comment.MatchString(point) {
				findings = append(findings, fmt.Sprintf("README.md:%d: nothing is named that shows it", before+strings.Count(strings.Join(points[:i], section.point), "\n")+1))
			}
		}
	}
	return findings
}
