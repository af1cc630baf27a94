package house

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// notice is a row of THIRD_PARTY.md, or what such a row should say.
type notice struct {
	version string
	licence string
	source  string
}

// TestThirdParty compares THIRD_PARTY.md with the modules that the program
// links on the platforms it is built for, and its licences with their texts.
func TestThirdParty(t *testing.T) {
	content, err := os.ReadFile(filepath.Join(top, "THIRD_PARTY.md"))
	if err != nil {
		t.Fatal(err)
	}
	linked := map[string]notice{}
	for _, platform := range []string{"linux", "darwin", "windows"} {
		modules, err := linkedModules(platform)
		if err != nil {
			t.Fatal(err)
		}
		maps.Copy(linked, modules)
	}
	for _, finding := range compareNotices(readNotices(string(content)), linked) {
		t.Error(finding)
	}
}

// linkedModules asks the go tool which modules the program links, and reads
// from their folders under which licence.
func linkedModules(platform string) (map[string]notice, error) {
	const format = "{{with .Module}}{{if not .Main}}{{.Path}}\t{{.Version}}\t{{.Dir}}{{end}}{{end}}"
	list := exec.Command("go", "list", "-deps", "-f", format, "./cmd/runner-bootstrap")
	list.Dir = top
	list.Env = append(os.Environ(), "GOOS="+platform, "GOARCH=amd64", "CGO_ENABLED=0")
	output, err := list.Output()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		return nil, fmt.Errorf("listing what the program links on %s: %w: %s", platform, err, exit.Stderr)
	}
	if err != nil {
		return nil, fmt.Errorf("listing what the program links on %s: %w", platform, err)
	}
	modules := map[string]notice{}
	for line := range strings.Lines(string(output)) {
		fields := strings.Split(strings.TrimSpace(line), "\t")
		if len(fields) != 3 || modules[fields[0]] != (notice{}) {
			continue // of the standard library or of ours, or seen already
		}
		licence, err := licenceIn(os.DirFS(filepath.Clean(fields[2])))
		if err != nil {
			return nil, fmt.Errorf("reading the licence of %s: %w", fields[0], err)
		}
		modules[fields[0]] = notice{version: fields[1], licence: licence}
	}
	if len(modules) == 0 {
		return nil, fmt.Errorf("the program links no module on %s: then nothing was compared", platform)
	}
	return modules, nil
}

// licenceIn names the licences in the top folder of a module, by words that
// only they have.
func licenceIn(module fs.FS) (string, error) {
	files, err := fs.Glob(module, "[LC][IO][CP][EY]*") // LICENSE, COPYING, with or without an ending
	if err != nil {
		return "", err
	}
	var found []string
	for _, file := range files {
		if info, err := fs.Stat(module, file); err != nil || info.IsDir() {
			continue // lzip-go has a folder of them besides the file
		}
		content, err := fs.ReadFile(module, file)
		if err != nil {
			return "", err
		}
		found = append(found, licencesOf(string(content))...)
	}
	if len(found) == 0 {
		return "", errors.New("no file with a licence that is known here")
	}
	return strings.Join(found, " and "), nil
}

func licencesOf(text string) (found []string) {
	text = strings.Join(strings.Fields(text), " ")
	has := func(words string) bool { return strings.Contains(text, words) }
	bsd := has("Redistribution and use in source and binary forms")
	third := has("Neither the name") || has("may not be used to endorse") || has("may be used to endorse")
	for _, licence := range []struct {
		name string
		is   bool
	}{
		{"Apache-2.0", has("Apache License") && has("Version 2.0")},
		{"BSD-2-Clause", bsd && !third},
		{"BSD-3-Clause", bsd && third},
		{"CC0-1.0", has("CC0 1.0 Universal")},
		{"MIT", has("Permission is hereby granted, free of charge")},
		{"MPL-2.0", has("Mozilla Public License, version 2.0")},
		{"Zlib", has("Altered source versions must be plainly marked as such")},
	} {
		if licence.is {
			found = append(found, licence.name)
		}
	}
	return found
}

// readNotices reads the rows of every table whose first column is a module path.
func readNotices(text string) map[string]notice {
	row := regexp.MustCompile("(?m)^\\| `([^`]+)` \\| (\\S+) \\| ([^|]+) \\| (\\S+) \\|$")
	rows := map[string]notice{}
	for _, match := range row.FindAllStringSubmatch(text, -1) {
		rows[match[1]] = notice{version: match[2], licence: match[3], source: match[4]}
	}
	return rows
}

func compareNotices(written, linked map[string]notice) []string {
	var findings []string
	for _, module := range slices.Sorted(maps.Keys(linked)) {
		want, got := linked[module], written[module]
		switch {
		case got == notice{}:
			findings = append(findings, fmt.Sprintf("THIRD_PARTY.md lacks a row: | `%s` | %s | %s | where its source is |", module, want.version, want.licence))
		case got.version != want.version:
			findings = append(findings, fmt.Sprintf("THIRD_PARTY.md has %s at %s, linked is %s", module, got.version, want.version))
		case got.licence != want.licence:
			findings = append(findings, fmt.Sprintf("THIRD_PARTY.md has %s under %s, its licence file says %s", module, got.licence, want.licence))
		case !strings.HasPrefix(got.source, "https://"):
			findings = append(findings, fmt.Sprintf("THIRD_PARTY.md does not say where the source of %s is", module))
		}
	}
	for _, module := range slices.Sorted(maps.Keys(written)) {
		if _, ok := linked[module]; !ok {
			findings = append(findings, fmt.Sprintf("THIRD_PARTY.md lists %s, which the program does not link", module))
		}
	}
	return findings
}

func TestCompareNotices(t *testing.T) {
	linked := map[string]notice{"example.net/lib": {version: "v1.0.0", licence: "MIT"}}
	for _, test := range []struct{ name, text, want string }{
		{"the same", "| `example.net/lib` | v1.0.0 | MIT | https://example.net/lib |\n", ""},
		{"no row", "| module | version |\n", "lacks a row"},
		{"another version", "| `example.net/lib` | v1.0.1 | MIT | https://example.net/lib |\n", "at v1.0.1, linked is v1.0.0"},
		{"another licence", "| `example.net/lib` | v1.0.0 | BSD-2-Clause | https://example.net/lib |\n", "its licence file says MIT"},
		{"no source", "| `example.net/lib` | v1.0.0 | MIT | somewhere |\n", "does not say where"},
		{"one too many", "| `example.net/lib` | v1.0.0 | MIT | https://example.net/lib |\n| `example.net/b` | v1.0.0 | MIT | https://example.net/b |\n", "does not link"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := compareNotices(readNotices(test.text), linked)
			if test.want == "" && len(got) > 0 || test.want != "" && (len(got) != 1 || !strings.Contains(got[0], test.want)) {
				t.Errorf("found %q, want %q", got, test.want)
			}
		})
	}
}

func TestLicenceIn(t *testing.T) {
	const (
		bsd = "Redistribution and use in source\nand binary forms, with or without modification"
		mit = "Permission is hereby granted, free of charge, to any person"
	)
	for _, test := range []struct {
		name  string
		files map[string]string
		want  string
	}{
		{"one, with an ending", map[string]string{"LICENSE.md": mit}, "MIT"},
		{"by its other name", map[string]string{"COPYING": mit}, "MIT"},
		{"two clauses", map[string]string{"LICENSE": bsd}, "BSD-2-Clause"},
		{"three clauses", map[string]string{"LICENSE": bsd + ". Neither the\nname of"}, "BSD-3-Clause"},
		{"two in one file", map[string]string{"LICENSE": mit + " Apache License, Version 2.0"}, "Apache-2.0 and MIT"},
		{"a folder beside it", map[string]string{"LICENSE": mit, "LICENSES/MIT.txt": mit}, "MIT"},
		{"an unknown one", map[string]string{"LICENSE": "All rights reserved."}, ""},
		{"none", map[string]string{"README": mit}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			fsys := fstest.MapFS{}
			for name, content := range test.files {
				fsys[name] = &fstest.MapFile{Data: []byte(content)}
			}
			got, err := licenceIn(fsys)
			if got != test.want || (err != nil) != (test.want == "") {
				t.Errorf("got %q, %v, want %q", got, err, test.want)
			}
		})
	}
}
