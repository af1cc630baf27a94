package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Every command of this program that a document tells people to type is one that it understands.
func TestDocumentedCommandsParse(t *testing.T) {
	t.Parallel()
	count := 0
	for _, file := range documents(t) {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, command := range typedIn(string(text)) {
			count++
			checkHint(t, fmt.Sprintf("%s: %s", file, command), command)
		}
	}
	if count < 60 {
		t.Errorf("%d commands were found", count)
	}
}

// documents are those that people read, from here.
func documents(t *testing.T) []string {
	t.Helper()
	files := []string{"../../README.md", "../../SECURITY.md", "../../CONTRIBUTING.md"}
	for _, folder := range []string{"../../docs", "../../packaging"} {
		err := filepath.WalkDir(folder, func(path string, _ fs.DirEntry, err error) error {
			if strings.HasSuffix(path, ".md") {
				files = append(files, path)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return files
}

// typedIn are the commands of this program in a document: in fences of commands, and in a line of text as code. An ellipsis
// stands for words.
func typedIn(text string) []string {
	var commands []string
	fence := ""
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(line, "```") && fence == "":
			fence = strings.TrimPrefix(line, "```") + " "
		case strings.HasPrefix(line, "```"):
			fence = ""
		case fence == "sh " || fence == "bash " || fence == "powershell ":
			if strings.Contains(line, "runner-bootstrap ") && !strings.HasPrefix(line, "#") && !strings.HasPrefix(line, "curl ") {
				commands = append(commands, line)
			}
		case fence == "":
			for _, found := range regexp.MustCompile("`((?:sudo )?runner-bootstrap [^`]+)`").FindAllStringSubmatch(line, -1) {
				commands = append(commands, strings.ReplaceAll(found[1], "...", ""))
			}
		}
	}
	return commands
}
