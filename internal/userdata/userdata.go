// Package userdata makes what a cloud hands to a new machine for cloud-init: files, and a script that brings this program at each
// boot until there is a runner.
package userdata

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"fmt"
	"mime/multipart"
	"net/textproto"
	"slices"
	"strings"
	"unicode"

	"github.com/runner-bootstrap/runner-bootstrap/internal/config"
	"github.com/runner-bootstrap/runner-bootstrap/internal/shell"
)

const (
	// FirstBoot is the folder for what is of no use once there is a runner, a token that is spent then among it: the first-boot
	// unit empties it (packaging/runner-bootstrap-firstboot.service). A boot that was cut off finds it again.
	FirstBoot = "/var/lib/runner-bootstrap-firstboot"

	// perBoot is where cloud-init looks for what it runs at the end of each boot. Its runcmd would be lost with the power: it is
	// noted as done before it is run.
	perBoot = "/var/lib/cloud/scripts/per-boot/runner-bootstrap"
)

// Format is a form in which cloud-init takes user data.
type Format string

// The forms.
const (
	Plain Format = "plain"
	Gzip  Format = "gzip"
	MIME  Format = "mime"
)

// Data is the part of cloud-init's format that we need (module write_files).
type Data struct {
	Files []File `yaml:"write_files"`
}

// File is a file that cloud-init writes.
type File struct {
	Path        string          `yaml:"path"`
	Permissions string          `yaml:"permissions"`
	Content     config.Verbatim `yaml:"content"`
}

// Add has a file written. Its content ends with one line break, whatever it had.
func (d *Data) Add(path, permissions, content string) {
	d.Files = append(d.Files, File{path, permissions, config.Verbatim(strings.TrimRight(content, "\n") + "\n")})
}

// AddPrivate has a file written that root alone may read.
func (d *Data) AddPrivate(path, content string) { d.Add(path, "0600", content) }

// AddProgram has the program brought at each boot, and started with these variables, each as NAME=VALUE, until there is a runner.
func (d *Data) AddProgram(p Program, variables []string) {
	d.Add(perBoot, "0755", p.bootScript())
	// By this file the first-boot unit knows that there is something to do.
	var begun strings.Builder
	begun.WriteString("# of cloud-init\n")
	for _, variable := range variables {
		name, value, _ := strings.Cut(variable, "=")
		fmt.Fprintf(&begun, "%s=%s\n", name, shell.Unix().Words(value))
	}
	d.AddPrivate(FirstBoot+"/begun", begun.String())
}

// Bytes is the user data in one of its forms, with a comment at its top for those who read it. Two times give the same bytes: a plan
// of Terraform's does not change by itself.
func (d *Data) Bytes(format Format, about ...string) ([]byte, error) {
	text, err := config.Text(d)
	if err != nil {
		return nil, err
	}
	text = "#cloud-config\n" + comment(about) + text
	switch format {
	case Gzip:
		return packed(text)
	case MIME:
		return asPart(text)
	case Plain:
	}
	return []byte(text), nil
}

// comment has each line behind a mark, whatever YAML takes for the end of one; what YAML refuses anywhere is written as \u001b.
func comment(texts []string) string {
	var b strings.Builder
	for _, text := range texts {
		b.WriteString("# ")
		for _, r := range text {
			switch {
			case r == '\n':
				b.WriteString("\n# ")
			case r == '\t' || unicode.IsPrint(r):
				b.WriteRune(r)
			default:
				fmt.Fprintf(&b, `\u%04x`, r)
			}
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func packed(text string) ([]byte, error) {
	var b bytes.Buffer
	writer, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err := writer.Write([]byte(text)); err != nil {
		return nil, err
	}
	err = writer.Close()
	return b.Bytes(), err
}

// asPart is a multipart message of one part, which others can be added to.
func asPart(text string) ([]byte, error) {
	var b bytes.Buffer
	parts := multipart.NewWriter(&b)
	if err := parts.SetBoundary("==runner-bootstrap=="); err != nil {
		return nil, err
	}
	fmt.Fprintf(&b, "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=%q\n\n", parts.Boundary())
	header := textproto.MIMEHeader{
		"Content-Type":        {`text/cloud-config; charset="utf-8"`},
		"Content-Disposition": {`attachment; filename="runner-bootstrap.yaml"`},
		"Merge-Type":          {"list(append)+dict(no_replace,recurse_list)+str()"},
	}
	if strings.ContainsFunc(text, func(r rune) bool { return r > unicode.MaxASCII }) {
		// What is not ASCII and not encoded, Python's email makes Latin 1 of, and \u20ac.
		header.Set("Content-Transfer-Encoding", "base64")
		text = inBase64(text)
	}
	part, err := parts.CreatePart(header)
	if err != nil {
		return nil, err
	}
	if _, err := part.Write([]byte(text)); err != nil {
		return nil, err
	}
	err = parts.Close()
	return b.Bytes(), err
}

// inBase64 is text in lines of the length that mail has.
func inBase64(text string) string {
	const columns = 76
	var b strings.Builder
	for line := range slices.Chunk([]byte(base64.StdEncoding.EncodeToString([]byte(text))), columns) {
		b.Write(line)
		b.WriteByte('\n')
	}
	return b.String()
}

// Refusing are the clouds that do not take so many bytes before base64, each with what it takes.
func Refusing(size int) []string {
	var refusing []string
	for _, cloud := range []struct {
		name string
		most int
	}{{"AWS (16384)", 16 << 10}, {"Azure (65535)", 64<<10 - 1}, {"Google Cloud (262144)", 256 << 10}} {
		if size > cloud.most {
			refusing = append(refusing, cloud.name)
		}
	}
	return refusing
}
