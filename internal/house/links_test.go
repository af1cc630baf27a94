package house

import (
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
)

// linksLead holds the links of documents against the files that are there, and their anchors against the headings.
func linksLead(t *tree) []string {
	var findings []string
	link := regexp.MustCompile(`\]\(([^()\s]+)\)`)
	for _, name := range slices.Sorted(maps.Keys(t.texts)) {
		if path.Ext(name) != ".md" {
			continue
		}
		text := string(t.texts[name])
		for _, at := range link.FindAllStringSubmatchIndex(text, -1) {
			if reason := leadsNowhere(t, name, text[at[2]:at[3]]); reason != "" {
				findings = append(findings, fmt.Sprintf("%s:%d: %s", name, 1+strings.Count(text[:at[0]], "\n"), reason))
			}
		}
	}
	return findings
}

// leadsNowhere says what is wrong with a link of a document; empty if nothing is, or it leads elsewhere.
func leadsNowhere(t *tree, from, link string) string {
	if strings.Contains(link, ":") {
		return ""
	}
	file, anchor, _ := strings.Cut(link, "#")
	target := from
	if file != "" {
		target = path.Join(path.Dir(from), file)
	}
	text, found := t.texts[target]
	if !found {
		for other := range t.texts {
			found = found || strings.HasPrefix(other, strings.TrimSuffix(target, "/")+"/")
		}
	}
	switch {
	case !found:
		return fmt.Sprintf("the link %s leads to no file", link)
	case anchor != "" && !slices.Contains(anchorsOf(string(text)), anchor):
		return fmt.Sprintf("the link %s leads to no heading", link)
	}
	return ""
}

// anchorsOf are the headings of a document as GitHub links to them.
func anchorsOf(text string) []string {
	var anchors []string
	notInAnchor := regexp.MustCompile(`[^\p{L}\p{N} _-]`)
	for _, heading := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(text, -1) {
		anchor := notInAnchor.ReplaceAllString(strings.ToLower(strings.TrimSpace(heading[1])), "")
		anchors = append(anchors, strings.ReplaceAll(anchor, " ", "-"))
	}
	return anchors
}
