package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const userDataFolder = "../../packaging/cloud-init"

// madeBy is the command that an example was made by, which is its third line.
func madeBy(t *testing.T, example string) string {
	t.Helper()
	text, err := os.ReadFile(example)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitN(string(text), "\n", 4)
	if len(lines) < 4 || lines[0] != "#cloud-config" || !strings.HasPrefix(lines[2], "#   runner-bootstrap cloud-init ") {
		t.Fatalf("%s does not say what made it: %q", example, lines)
	}
	return strings.TrimPrefix(lines[2], "#   ")
}

// TestUserDataExamples: each example is what its command prints.
func TestUserDataExamples(t *testing.T) {
	examples, err := filepath.Glob(filepath.Join(userDataFolder, "*.yaml"))
	if err != nil || len(examples) < 4 {
		t.Fatalf("examples %q: %v", examples, err)
	}
	shown := guidesText(t)
	for _, example := range examples {
		t.Run(filepath.Base(example), func(t *testing.T) {
			command := madeBy(t, example)
			// The shell splits it, so that the quotes are those that a person types.
			shell := exec.Command("sh", "-c", `printf '%s\0'`+strings.TrimPrefix(command, "runner-bootstrap"))
			words, err := shell.Output()
			if err != nil {
				t.Fatal(err)
			}
			arguments := strings.Split(strings.TrimSuffix(string(words), "\x00"), "\x00")
			t.Chdir(userDataFolder)
			var out, errors bytes.Buffer
			if code := run(arguments, streams{in: strings.NewReader(""), out: &out, err: &errors}); code != exitDone {
				t.Fatalf("%s ends with %d: %s", command, code, errors.String())
			}
			text, err := os.ReadFile(filepath.Base(example))
			if err != nil {
				t.Fatal(err)
			}
			if *update && out.String() != string(text) {
				err = os.WriteFile(filepath.Base(example), out.Bytes(), 0o644) //nolint:gosec // a public text
			}
			if err != nil {
				t.Fatal(err)
			}
			if !*update && out.String() != string(text) {
				t.Errorf("it differs from what its command prints; run: go test ./cmd/runner-bootstrap -run UserDataExamples -update\n%s", out.String())
			}
			if !strings.Contains(shown, "packaging/cloud-init/"+filepath.Base(example)) {
				t.Error("no guide names it")
			}
		})
	}
}
