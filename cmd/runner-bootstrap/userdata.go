package main

import (
	"bytes"
	"compress/gzip"
	_ "embed"
	"fmt"
	"mime/multipart"
	"net/textproto"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/runner-bootstrap/runner-bootstrap/internal/config"
	"github.com/runner-bootstrap/runner-bootstrap/internal/github"
	"github.com/runner-bootstrap/runner-bootstrap/internal/openfile"
	"github.com/runner-bootstrap/runner-bootstrap/internal/plan"
	"github.com/runner-bootstrap/runner-bootstrap/internal/shell"
	"github.com/runner-bootstrap/runner-bootstrap/internal/terminal"
)

// The forms in which cloud-init takes user data.
const (
	formatPlain = "plain"
	formatGzip  = "gzip"
	formatMIME  = "mime"
)

// perBoot is where cloud-init looks for what it runs at the end of each boot. Its runcmd would be lost with the power: it is
// noted as done before it is run.
const perBoot = "/var/lib/cloud/scripts/per-boot/runner-bootstrap"

// userData is the part of cloud-init's format that we need (module write_files).
type userData struct {
	Files []userFile `yaml:"write_files"`
}

type userFile struct {
	Path        string `yaml:"path"`
	Permissions string `yaml:"permissions"`
	Content     string `yaml:"content"`
}

func (d *userData) private(path, content string) { d.add(path, "0600", content) }

func (d *userData) add(path, permissions, content string) {
	d.Files = append(d.Files, userFile{path, permissions, strings.TrimRight(content, "\n") + "\n"})
}

// begun is the mark by which the first-boot unit knows that there is something to do, and its variables.
func begun(variables []string) string {
	var text strings.Builder
	text.WriteString("# of cloud-init\n")
	for _, variable := range variables {
		name, value, _ := strings.Cut(variable, "=")
		fmt.Fprintf(&text, "%s=%s\n", name, shell.Unix().Words(value))
	}
	return text.String()
}

// addFiles carries the files that options name, and has the options name them where they lie on the machine.
func addFiles(o *cloudInitOptions, data *userData) error {
	for _, file := range []struct {
		option, permissions string
		at                  *string
		secret              bool
	}{
		{"--ca-file", "0644", &o.install.network.caFile, false}, // the jobs read it as well
		{"--status-webhook-secret-file", "0600", &o.install.report.webhookSecret, true},
	} {
		if *file.at == "" {
			continue
		}
		if file.secret && !o.userData.exposeSecrets {
			if filepath.IsAbs(*file.at) {
				continue // the image has it, or somebody brings it
			}
			return usagef("%s: every process on the machine could read it from user data; give the absolute path of a file that "+
				"the machine has, or say that you know with --i-know", file.option)
		}
		text, err := openfile.Read(*file.at, maxSecret)
		if missing := os.IsNotExist(err); missing && filepath.IsAbs(*file.at) {
			continue
		}
		if err != nil {
			return usagef("%s: %v", file.option, err)
		}
		*file.at = path.Join(path.Dir(o.install.futurePaths().Config), filepath.Base(*file.at))
		data.add(*file.at, file.permissions, string(text))
	}
	return absoluteFiles(&o.install)
}

// absoluteFiles refuses a path that would mean another place on the machine than where it was typed.
func absoluteFiles(o *installOptions) error {
	for _, file := range [][2]string{
		{"--archive", o.source.archive}, {"--metrics-file", o.report.metricsFile}, {"--dir", o.place.dir},
	} {
		if file[1] != "" && !path.IsAbs(file[1]) {
			return usagef("%s: %q is on the machine, and so has to be an absolute path", file[0], file[1])
		}
	}
	return nil
}

func printUserData(call *session, o *cloudInitOptions, scope github.Scope, data *userData) error {
	text, err := config.Text(data)
	if err != nil {
		return err
	}
	typed := again(call, call.arguments)
	text = fmt.Sprintf("#cloud-config\n# A GitHub Actions runner for %s. Made by:\n#   %s\n%s", scope.URL(), typed, text)
	made, err := inFormat(o.userData.format, text)
	if err != nil {
		return err
	}
	warnOfSize(call, len(made), o.userData.format)
	warnOfName(call, &o.install)
	out := call.out
	if printable, is := out.(*terminal.Printable); is && o.userData.format == formatGzip {
		out = printable.To // these bytes are for no terminal
	}
	_, err = out.Write(made)
	return err
}

// warnOfName tells of a name that two machines with this user data would share. Only some placeholders are a machine's own: a host
// name may come with the image, or again with the next machine at the same address.
func warnOfName(call *session, o *installOptions) {
	name := o.name.name
	if name == "" || strings.Contains(name, "{instance_id}") || strings.Contains(name, "{random}") {
		return
	}
	own := "{instance_id}"
	if o.identity.metadata == plan.MetadataOff {
		own = "{random}"
	}
	if strings.Contains(name, "{hostname}") {
		better := strings.ReplaceAll(name, "{hostname}", own)
		call.console.log.Warn("machines whose host names are the same, or come again, would have one name at GitHub",
			"name", name, "instead", shell.Unix().Words("--name", better))
		return
	}
	better := name + "-" + own
	if strings.Contains(name, "{n}") {
		better = strings.Replace(name, "{n}", own+"-{n}", 1)
	}
	call.console.log.Warn("two machines with this user data would have one name at GitHub",
		"name", name, "instead", shell.Unix().Words("--name", better))
}

// inFormat packs user data. Two times give the same bytes: a plan of Terraform's does not change by itself.
func inFormat(format, text string) ([]byte, error) {
	var packed bytes.Buffer
	switch format {
	case formatGzip:
		writer, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
		if err != nil {
			return nil, err
		}
		if _, err := writer.Write([]byte(text)); err != nil {
			return nil, err
		}
		err = writer.Close()
		return packed.Bytes(), err
	case formatMIME:
		parts := multipart.NewWriter(&packed)
		if err := parts.SetBoundary("==runner-bootstrap=="); err != nil {
			return nil, err
		}
		fmt.Fprintf(&packed, "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=%q\n\n", parts.Boundary())
		part, err := parts.CreatePart(textproto.MIMEHeader{
			"Content-Type":        {`text/cloud-config; charset="utf-8"`},
			"Content-Disposition": {`attachment; filename="runner-bootstrap.yaml"`},
			"Merge-Type":          {"list(append)+dict(no_replace,recurse_list)+str()"},
		})
		if err != nil {
			return nil, err
		}
		if _, err := part.Write([]byte(text)); err != nil {
			return nil, err
		}
		err = parts.Close()
		return packed.Bytes(), err
	}
	return []byte(text), nil
}

// warnOfSize knows what clouds take, before base64: EC2 16 KB, Azure 64 KB, Google Cloud 256 KB.
func warnOfSize(call *session, size int, format string) {
	var refusing []string
	for _, cloud := range []struct {
		name string
		most int
	}{{"AWS (16384)", 16 << 10}, {"Azure (65535)", 64<<10 - 1}, {"Google Cloud (262144)", 256 << 10}} {
		if size > cloud.most {
			refusing = append(refusing, cloud.name)
		}
	}
	if len(refusing) == 0 {
		return
	}
	about := []any{"bytes", size, "refused_by", strings.Join(refusing, ", ")}
	if format != formatGzip {
		about = append(about, "instead", "--format gzip")
	}
	call.console.log.Warn("user data is larger than a cloud takes", about...)
}

// bootScript brings the program to the machine, and has the first-boot unit do the rest. It is for every POSIX shell.
func bootScript(o *userDataOptions, network *networkOptions) string {
	lines := []string{
		"#!/bin/sh",
		"# At each boot until there is a runner: brings the program, and leaves the rest to its first-boot unit.",
		"[ -e " + firstBoot + "/begun ] || exit 0",
	}
	if !o.baked {
		lines = append(lines, fetchProgram(o, network)...)
		lines = append(lines,
			"pause=5",
			"until command -v runner-bootstrap >/dev/null || bring; do",
			`	echo "runner-bootstrap cannot be brought yet; the next attempt is in $pause seconds or somewhat more" >&2`,
			`	sleep $((pause + $(od -An -N1 -tu1 /dev/urandom) * pause / 512))`,
			"	pause=$((pause < 150 ? pause * 2 : 300))",
			"done")
	}
	return strings.Join(lines, "\n") + "\n" + leaveToUnit
}

// leaveToUnit ends the script: without the unit, as in an image that has the program alone, install itself is run.
//
//go:embed firstboot.txt
var leaveToUnit string

// fetchProgram is the shell's function bring, and what it needs.
func fetchProgram(o *userDataOptions, network *networkOptions) []string {
	var lines []string
	if network.proxy != "" {
		words := []string{"export", "https_proxy=" + network.proxy, "http_proxy=" + network.proxy}
		if network.noProxy != "" {
			words = append(words, "no_proxy="+network.noProxy)
		}
		lines = append(lines, shell.Unix().Words(words...))
	}
	if network.caFile != "" {
		const both = "/run/runner-bootstrap-ca.pem"
		lines = append(lines,
			"cat /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt /etc/ssl/ca-bundle.pem "+
				shell.Unix().Words(network.caFile)+" >"+both+" 2>/dev/null",
			"export CURL_CA_BUNDLE="+both+" SSL_CERT_FILE="+both)
	}
	lines = append(lines, `get() { curl -fsSL --retry 5 "$1" || wget -qO- "$1"; }`)
	const deb = "DEBIAN_FRONTEND=noninteractive apt-get -y -o DPkg::Lock::Timeout=300 -o Dpkg::Options::=--force-confold install "
	const rpm = "rpm -U --replacepkgs "
	if o.packageURL != "" {
		file := "/run/runner-bootstrap" + path.Ext(o.packageURL)
		add := rpm
		if path.Ext(file) == ".deb" {
			add = deb // the configuration file is there already, and is the one that is wanted
		}
		sum := strconv.Quote(strings.ToLower(o.packageSHA256) + "  " + file)
		return append(lines,
			"bring() {",
			"	"+shell.Unix().Words("get", o.packageURL)+" >"+file+" &&",
			"		echo "+sum+" | sha256sum -c - &&",
			"		"+add+file,
			"}")
	}
	return append(lines,
		"base="+release(),
		"bring() {",
		"	case $(uname -m) in x86_64) arch=amd64 ;; aarch64) arch=arm64 ;; *) arch=armv7 ;; esac",
		"	kind=rpm",
		"	! command -v dpkg >/dev/null || kind=deb",
		"	file=runner-bootstrap_linux_$arch.$kind",
		"	cd /run && get $base/checksums.txt >runner-bootstrap-checksums.txt &&",
		`		echo "`+strings.ToLower(o.checksumsSHA256)+`  runner-bootstrap-checksums.txt" | sha256sum -c - &&`,
		`		get $base/$file >$file && grep " $file\$" runner-bootstrap-checksums.txt | sha256sum -c - &&`,
		"		if [ $kind = deb ]; then "+deb+"/run/$file; else "+rpm+"/run/$file; fi",
		"}")
}
