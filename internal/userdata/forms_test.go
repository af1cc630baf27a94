package userdata

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/mail"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/runner-bootstrap/runner-bootstrap/internal/config"
)

// oddTexts are what the files of a machine may hold, and what the command that made user data may.
func oddTexts() []string {
	return []string{
		"curl x |\njq .token\n", "a\u00a0b\n", "a\u00adb\n",
		"a\u2028b\n", "a\u2029b\n", "a\u0085b\n", "a\rb\n", "a\r\nb\r\n", "é €\n", "\U0001f600\n",
		"\x1b[0m\n", " a\nb\n", "\ta\nb\n", "\n\n a\n", "--==runner-bootstrap==\n", "a: b\n- c\n", "\ufeffa\n", "a=3D\n", "a \nb\n", ".\n",
	}
}

// Each form holds each byte of each file, whatever the files hold and whatever the command was that made it.
func TestFormsHoldOddTexts(t *testing.T) {
	t.Parallel()
	for _, odd := range oddTexts() {
		data := &Data{}
		data.AddPrivate("/odd", odd)
		data.AddPrivate("/two", "a\n")
		for _, form := range []Format{Plain, Gzip, MIME} {
			made, err := data.Bytes(form, "Made by:", "  runner-bootstrap cloud-init "+odd)
			if err != nil {
				t.Fatal(err)
			}
			text := unpacked(t, form, made)
			if read, err := filesIn(text); err != nil || !slices.Equal(read, data.Files) {
				t.Errorf("%s with %q: %v: it holds %q in\n%s", form, odd, err, read, text)
			}
			if plain, err := data.Bytes(Plain, "Made by:", "  runner-bootstrap cloud-init "+odd); err != nil || !bytes.Equal(plain, text) {
				t.Errorf("%s with %q: it is not as plain: %v\n%q", form, odd, err, text)
			}
		}
	}
}

// filesIn reads the files of a cloud-config whose comment is at its top: each is a map, as a configuration file is.
func filesIn(text []byte) ([]File, error) {
	if _, err := config.Parse("whole", text); err == nil || !strings.Contains(err.Error(), "a value within a value") {
		return nil, fmt.Errorf("it is no YAML with a list of maps: %w", err)
	}
	_, list, _ := strings.Cut(string(text), "\nwrite_files:\n")
	var files []File
	for one := range strings.SplitSeq(strings.TrimPrefix(list, "  - path: "), "\n  - path: ") {
		settings, err := config.Parse("file", []byte("    path: "+one+"\n"))
		if err != nil || len(settings) != 3 {
			return files, fmt.Errorf("%d settings: %w", len(settings), err)
		}
		content := strings.TrimSuffix(settings[2].Items[0].Text, "\n") + "\n" // which ends with one; a block is read without it
		files = append(files, File{settings[0].Items[0].Text, settings[1].Items[0].Text, config.Verbatim(content)})
	}
	return files, nil
}

// unpacked is the cloud-config that user data holds.
func unpacked(t *testing.T, form Format, made []byte) []byte {
	t.Helper()
	read := func(from io.Reader, err error) []byte {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(from)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	switch form {
	case Gzip:
		return read(gzip.NewReader(bytes.NewReader(made)))
	case MIME:
		message, err := mail.ReadMessage(bytes.NewReader(made))
		if err != nil {
			t.Fatal(err)
		}
		_, parameters, err := mime.ParseMediaType(message.Header.Get("Content-Type"))
		if err != nil {
			t.Fatal(err)
		}
		parts := multipart.NewReader(message.Body, parameters["boundary"])
		part, err := parts.NextPart()
		if err != nil {
			t.Fatal(err)
		}
		text := read(part, nil)
		if part.Header.Get("Content-Transfer-Encoding") == "base64" {
			text = read(base64.NewDecoder(base64.StdEncoding, bytes.NewReader(text)), nil)
		}
		if _, err := parts.NextPart(); err != io.EOF {
			t.Errorf("behind the part: %v", err)
		}
		return text
	case Plain:
	}
	return made
}

// asCloudInit reads a message as cloud-init does, and writes the text of each part as Latin 1 within JSON: bytes are its first 256.
// Where Python has YAML, it writes the content of the first file of each as well.
const asCloudInit = `import email, json, sys
message = email.message_from_string(sys.stdin.buffer.read().decode("utf-8"))
parts = [p.get_payload(decode=True) for p in message.walk() if p.get_content_maintype() != "multipart"]
contents = None
try:
    import yaml
    contents = [yaml.safe_load(p.decode("utf-8"))["write_files"][0]["content"] for p in parts]
except ImportError:
    pass
print(json.dumps({"Parts": [p.decode("latin-1") for p in parts], "Contents": contents}))`

// Python's email, by which cloud-init reads it, finds in a message the bytes that were put in, and its YAML the text of a file.
func TestPythonReadsTheMessage(t *testing.T) {
	t.Parallel()
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("python3 is not here")
	}
	for _, odd := range oddTexts() {
		data := &Data{}
		data.AddPrivate("/odd", odd)
		made, err := data.Bytes(MIME, "Made by:", odd)
		plain, again := data.Bytes(Plain, "Made by:", odd)
		if err != nil || again != nil {
			t.Fatal(err, again)
		}
		reader := exec.CommandContext(t.Context(), python, "-c", asCloudInit)
		reader.Stdin = bytes.NewReader(made)
		out, err := reader.CombinedOutput()
		var read struct{ Parts, Contents []string }
		if err != nil || json.Unmarshal(out, &read) != nil {
			t.Fatalf("%q: %v: %s", odd, err, out)
		}
		var got []byte
		for _, part := range read.Parts {
			for _, r := range part {
				got = append(got, byte(r))
			}
		}
		if len(read.Parts) != 1 || !bytes.Equal(got, plain) {
			t.Errorf("%q: of %d parts it finds\n%q, want\n%q", odd, len(read.Parts), got, plain)
		}
		if want := []string{string(data.Files[0].Content)}; read.Contents != nil && !slices.Equal(read.Contents, want) {
			t.Errorf("%q: the files have %q, want %q", odd, read.Contents, want)
		}
	}
}
