package main

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"io"
	"mime"
	"mime/multipart"
	"net/mail"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/runner-bootstrap/runner-bootstrap/internal/config"
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

// userDataBy is what the command prints with these words into something that is no terminal.
func userDataBy(t *testing.T, words ...string) []byte {
	t.Helper()
	var out, errors bytes.Buffer
	words = append([]string{"cloud-init", "--baked", "--url", "https://github.com/o"}, words...)
	if code := run(words, streams{in: strings.NewReader(""), out: &out, err: &errors}); code != exitDone {
		t.Fatalf("%q ends with %d: %s", words, code, errors.String())
	}
	return out.Bytes()
}

// cloudConfigIn is the one part of a form that cloud-init reads.
func cloudConfigIn(t *testing.T, format string, made []byte) []byte {
	t.Helper()
	text, err := io.Reader(bytes.NewReader(made)), error(nil)
	switch format {
	case "gzip":
		text, err = gzip.NewReader(text)
	case "mime":
		message, unread := mail.ReadMessage(text)
		if unread != nil {
			t.Fatal(unread)
		}
		_, parameters, unread := mime.ParseMediaType(message.Header.Get("Content-Type"))
		if unread != nil {
			t.Fatal(unread)
		}
		part, unread := multipart.NewReader(message.Body, parameters["boundary"]).NextPart()
		if unread != nil {
			t.Fatalf("%v in %q", unread, made)
		}
		if text, err = part, nil; part.Header.Get("Content-Transfer-Encoding") == "base64" {
			text = base64.NewDecoder(base64.StdEncoding, part)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	read, err := io.ReadAll(text)
	if err != nil {
		t.Fatal(err)
	}
	return read
}

// contentsIn are the contents of the files of a cloud-config by their names: each file is a map, as a configuration is.
func contentsIn(t *testing.T, text []byte) map[string]string {
	t.Helper()
	if _, err := config.Parse("whole", text); err == nil || !strings.Contains(err.Error(), "a value within a value") {
		t.Fatalf("it is no YAML with a list of maps: %v\n%s", err, text)
	}
	_, list, _ := strings.Cut(string(text), "\nwrite_files:\n")
	contents := map[string]string{}
	for one := range strings.SplitSeq(strings.TrimPrefix(list, "  - path: "), "\n  - path: ") {
		settings, err := config.Parse("file", []byte("    path: "+one+"\n"))
		if err != nil || len(settings) != 3 {
			t.Fatalf("%v in a file of\n%s", err, text)
		}
		contents[filepath.Base(settings[0].Items[0].Text)] = strings.TrimSuffix(settings[2].Items[0].Text, "\n") + "\n"
	}
	return contents
}

// Where no terminal reads it, user data has the bytes that were made: each form is YAML, and gives the machine each value as it was.
func TestUserDataIsExact(t *testing.T) {
	authorities := filepath.Join(t.TempDir(), "odd.pem")
	const odd = "# Soci\u00e9t\u00e9\u00a0\u00ad\u2028\nPEM\n"
	if err := os.WriteFile(authorities, []byte(odd), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, value := range []string{"t", "curl x |\njq .token", "a\u00a0b", "a\u00adb", "a\u2028b", "a\u0085b", "a\rb", "\x1b[0m", " a\nb\n", "é"} {
		var plain []byte
		for _, format := range []string{"plain", "gzip", "mime"} {
			t.Run(format+" with "+strconv.Quote(value), func(t *testing.T) {
				words := []string{"--token-command", value, "--env", "X=a\u00a0b", "--ca-file", authorities}
				text := cloudConfigIn(t, format, userDataBy(t, append(words, "--format", format)...))
				contents := contentsIn(t, text)
				if contents["odd.pem"] != odd {
					t.Errorf("the file is %q, not %q", contents["odd.pem"], odd)
				}
				settings, err := config.Parse("config.yaml", []byte(contents["config.yaml"]))
				if err != nil {
					t.Fatal(err)
				}
				for _, s := range settings {
					if want := map[string]string{"token-command": value, "env": "X=a\u00a0b"}[s.Key]; want != "" && s.Items[0].Text != want {
						t.Errorf("%s is %q, not %q", s.Key, s.Items[0].Text, want)
					}
				}
				// But for the command that made it, they are the same.
				_, after, _ := bytes.Cut(text, []byte("\nwrite_files:\n"))
				if plain == nil {
					plain = after
				}
				if !bytes.Equal(after, plain) {
					t.Errorf("it is\n%q, and plain\n%q", after, plain)
				}
			})
		}
	}
}
